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
  target_link_options(sortie_flags INTERFACE -fsanitize=${SORTIE_SANITIZE})
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
