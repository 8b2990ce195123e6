#pragma once

#include "sortie/base/error.h"
#include "sortie/base/time.h"

#include <string>
#include <utility>

namespace sortie::ledger {

/// A file that at most one process holds with flock(2). The kernel frees it when its owner dies,
/// however it dies, so that a dead owner needs no detection. The file stays; its text names the
/// owner for people and is empty after an orderly end.
class FileLock {
 public:
  /// `note` is shown to those who come later. Errors: locked, "TAKEN by pid … on host … since …,
  /// NOTE"; io.
  [[nodiscard]] static base::Result<FileLock> acquire(const std::string& path,
                                                      const std::string& taken,
                                                      const std::string& note,
                                                      base::WallTime now);
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
};

/// DIRECTORY/keys/FINGERPRINT.lock: one process uses a key at a time, since two that do not know of
/// each other would exceed its limits. `key` is its alias, `run` the run directory, both for
/// people. The directories are made. Errors: locked, with the owner and its run; io.
[[nodiscard]] base::Result<FileLock> lock_key(const std::string& directory,
                                              const std::string& fingerprint,
                                              const std::string& key,
                                              const std::string& run,
                                              base::WallTime now);

/// Whether some process holds RUN/lock now. Changes nothing.
[[nodiscard]] bool is_being_written(const std::string& run_directory);

/// RUN/lock: whoever holds its FileLock writes the ledger.
class RunLock {
 public:
  /// Errors: locked, with the owner's pid, host and since when; io.
  [[nodiscard]] static base::Result<RunLock> acquire(const std::string& run_directory,
                                                     base::WallTime now);

 private:
  explicit RunLock(FileLock lock) : lock_(std::move(lock)) {}

  FileLock lock_;
};

}  // namespace sortie::ledger
