#include "sortie/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace sortie::base {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(
      stderr, "sortie: internal error: CHECK(%s) failed at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace sortie::base
