#pragma once

#include <cstddef>
#include <fstream>

#include <unistd.h>

namespace sortie::bench {

/// Resident memory of this process in bytes.
inline std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace sortie::bench
