#pragma once

#include "sortie/base/error.h"
#include "sortie/base/time.h"

#include <memory>
#include <string>

namespace sortie::ledger {

/// RUN/lock: whoever holds its flock(2) writes the ledger. The kernel frees the lock when its owner
/// dies, however it dies, so that a dead owner needs no detection. The file stays; it names the
/// owner (pid, host, since) for people and is empty after an orderly end.
class RunLock {
 public:
  /// Errors: locked, with the owner's pid, host and since when; io.
  [[nodiscard]] static base::Result<RunLock> acquire(const std::string& run_directory,
                                                     base::WallTime now);
  ~RunLock();
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  explicit RunLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
};

}  // namespace sortie::ledger
