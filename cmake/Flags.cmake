sortie_require_clang()

add_library(sortie_flags INTERFACE)
target_compile_options(sortie_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wthread-safety -Werror
  -ffp-contract=off            # scores and statistics must be bit-identical on every machine
  -Wno-deprecated-declarations # libstdc++ 12 marks what its own std::stable_sort uses as deprecated in C++23
  -fno-omit-frame-pointer)
# Boost.Asio 1.81 is header only; its deprecated parts stay out.
target_compile_definitions(sortie_flags INTERFACE BOOST_ASIO_NO_DEPRECATED)
target_link_options(sortie_flags INTERFACE -fuse-ld=lld)

if(SORTIE_SANITIZE)
  target_compile_options(sortie_flags INTERFACE -fsanitize=${SORTIE_SANITIZE} -fno-sanitize-recover=all)
  if(NOT SORTIE_SANITIZE_ALL)
    # A test at each access to memory that takes a fifth of the time to compile, of what AddressSanitizer mostly traps as well.
    target_compile_options(sortie_flags INTERFACE -fno-sanitize=null,alignment,object-size,vptr)
  endif()
  target_link_options(sortie_flags INTERFACE -fsanitize=${SORTIE_SANITIZE})
endif()

# Test code is most of what there is to compile, and how it is compiled proves nothing: under the sanitizers it is not optimised, and
# undefined behaviour is looked for in what it tests. That takes a third of the time to compile. Of an inline function that both hold
# the linker takes the test's; the program and what tests/ joins have UBSan in all of it. Comes after sortie_flags.
add_library(sortie_test_flags INTERFACE)
if(SORTIE_SANITIZE)
  target_compile_options(sortie_test_flags INTERFACE -O0 -fno-sanitize=undefined)
endif()

find_program(SORTIE_CCACHE ccache)
if(SORTIE_CCACHE)
  # What is compiled with precompiled headers is cached, too.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${SORTIE_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

find_package(Threads REQUIRED)
# Vocabulary of every module (fmt, Boost.JSON's value); header-only parts of Boost come with Boost::headers.
find_package(fmt REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(GTest)
