# sortie_module(<name> SOURCES a.cc… TESTS a_test.cc… DEPS modules… LIBS third-party… EMBED data files…)
#
# One folder = one static library = one namespace. A module's headers live in an include root of its own, so that an
# include which DEPS do not reach fails to compile; a DEP that is not a target yet is an upward edge and stops the
# configure step. tests/house/check_includes.py closes the gap that is left: dependencies of dependencies are reachable for
# the compiler, but only what the module's own DEPS list may be included.
function(sortie_module name)
  cmake_parse_arguments(M "" "" "SOURCES;TESTS;DEPS;LIBS" ${ARGN})
  if(M_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sortie_module(${name}): unknown arguments: ${M_UNPARSED_ARGUMENTS}")
  endif()

  set(root ${PROJECT_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${root}/sortie)
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/sortie/${name} SYMBOLIC)

  foreach(dep IN LISTS M_DEPS)
    if(NOT TARGET sortie_${dep})
      message(FATAL_ERROR
        "Module '${name}' may not depend on '${dep}': it is not a lower layer. ARCHITECTURE.md has the map.")
    endif()
  endforeach()

  add_library(sortie_${name} STATIC ${M_SOURCES})
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  list(TRANSFORM headers REPLACE "^${CMAKE_CURRENT_SOURCE_DIR}" "${root}/sortie/${name}")
  target_sources(sortie_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${root} FILES ${headers})
  set_target_properties(sortie_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)

  list(TRANSFORM M_DEPS PREPEND sortie_ OUTPUT_VARIABLE dep_targets)
  target_link_libraries(sortie_${name} PUBLIC ${dep_targets} PRIVATE sortie_flags ${M_LIBS})
  sortie_precompile(sortie_${name})
  list(JOIN M_DEPS "," deps)
  set_property(GLOBAL APPEND PROPERTY SORTIE_MODULE_ROWS "${name}:${deps}")

  if(M_TESTS AND SORTIE_TESTS)
    find_package(GTest REQUIRED)
    add_executable(${name}_test ${M_TESTS})
    target_link_libraries(${name}_test PRIVATE sortie_${name} sortie_flags sortie_test_flags GTest::gtest_main ${M_LIBS})
    sortie_precompile(${name}_test TEST)
    add_test(NAME ${name} COMMAND ${name}_test)
  endif()
endfunction()

# Writes the rows of the map, "module:dep,dep" a line, for tests/house/check_includes.py.
function(sortie_write_rows file)
  get_property(rows GLOBAL PROPERTY SORTIE_MODULE_ROWS)
  list(JOIN rows "\n" text)
  file(WRITE ${file} "${text}\n")
endfunction()

# sortie_fuzz(<target> <module> <source>): a libFuzzer target of a module, part of fuzz_all.
function(sortie_fuzz target module source)
  if(NOT SORTIE_FUZZ)
    return()
  endif()
  add_executable(${target} ${source})
  target_link_libraries(${target} PRIVATE sortie_${module} sortie_flags)
  target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
  set_property(GLOBAL APPEND PROPERTY SORTIE_FUZZ_TARGETS ${target})
endfunction()
