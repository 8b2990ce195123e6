#pragma once

// CHECK stops the program on a bug of ours. It stays on in release builds and must never be
// reachable by what a user, a file or a server sends: those get an Error.

namespace sortie::base {

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace sortie::base

#define CHECK(condition)                                            \
  do {                                                              \
    if (!(condition)) [[unlikely]] {                                \
      ::sortie::base::check_failed(#condition, __FILE__, __LINE__); \
    }                                                               \
  } while (false)
