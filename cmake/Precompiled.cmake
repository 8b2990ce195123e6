# The standard library and GoogleTest are parsed once, not once a file: it saves a quarter of a build without ccache.
# Nothing of our own is precompiled, and headers are still compiled alone without it (all_verify_interface_header_sets).
# OFF lets ccache serve several checkouts from one cache: a precompiled header holds the paths of its own.
option(SORTIE_PRECOMPILED "Precompile the headers of the standard library" ON)

if(SORTIE_PRECOMPILED)
  add_library(sortie_precompiled OBJECT ${PROJECT_SOURCE_DIR}/cmake/empty.cc)
  target_link_libraries(sortie_precompiled PRIVATE sortie_flags)
  set(SORTIE_PRECOMPILED
    <algorithm> <array> <chrono> <cstdint> <expected> <functional> <map> <memory> <optional> <span> <string> <string_view> <utility>
    <variant> <vector>)
  target_precompile_headers(sortie_precompiled PRIVATE ${SORTIE_PRECOMPILED})

  if(SORTIE_TESTS)
    add_library(sortie_test_precompiled OBJECT ${PROJECT_SOURCE_DIR}/cmake/empty.cc)
    target_link_libraries(sortie_test_precompiled PRIVATE sortie_flags sortie_test_flags GTest::gtest)
    target_precompile_headers(sortie_test_precompiled PRIVATE ${SORTIE_PRECOMPILED} <gtest/gtest.h>)
  endif()
endif()

# sortie_precompile(<target> [TEST] [WITH <header>…]): the target's files find the standard library precompiled; with TEST
# GoogleTest, too; with WITH, of its own, what it names.
function(sortie_precompile target)
  if(NOT SORTIE_PRECOMPILED)
    return()
  endif()
  cmake_parse_arguments(P "TEST" "" "WITH" ${ARGN})
  if(P_WITH)
    target_precompile_headers(${target} PRIVATE ${SORTIE_PRECOMPILED} ${P_WITH})
  elseif(P_TEST)
    target_precompile_headers(${target} REUSE_FROM sortie_test_precompiled)
  else()
    target_precompile_headers(${target} REUSE_FROM sortie_precompiled)
  endif()
endfunction()
