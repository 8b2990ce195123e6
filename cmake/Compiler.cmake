# Picks clang-19 unless the caller names a compiler, and refuses what is known to miscompile coroutines.
if(NOT DEFINED CMAKE_CXX_COMPILER AND NOT DEFINED ENV{CXX})
  find_program(SORTIE_CLANGXX NAMES clang++-19)
  find_program(SORTIE_CLANG NAMES clang-19)
  if(NOT SORTIE_CLANGXX OR NOT SORTIE_CLANG)
    message(FATAL_ERROR
      "Sortie is built with clang-19 and none was found.\n"
      "Install it with scripts/setup, or: apt-get install clang-19 lld-19 libclang-rt-19-dev")
  endif()
  set(CMAKE_C_COMPILER ${SORTIE_CLANG} CACHE FILEPATH "C compiler")
  set(CMAKE_CXX_COMPILER ${SORTIE_CLANGXX} CACHE FILEPATH "C++ compiler")
endif()

# Called after project(): the compiler's identity is known only then.
function(sortie_require_clang)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
    message(FATAL_ERROR
      "Sortie needs clang 19 or newer, but ${CMAKE_CXX_COMPILER} is "
      "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}.\n"
      "g++ 12 destroys the temporaries of everyday co_await expressions twice (tests/house/coroutine_probe_test.cc shows it).\n"
      "Install clang with scripts/setup, or: apt-get install clang-19 lld-19 libclang-rt-19-dev\n"
      "and configure with -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_C_COMPILER=clang-19")
  endif()
endfunction()
