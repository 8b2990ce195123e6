#pragma once

#include "sortie/base/error.h"

#include <string>
#include <string_view>

// Files that others read while they are replaced: they see the old ones or the new ones, whole.

namespace sortie::analysis {

/// Writes text to a file under a temporary name, syncs and renames it: readers see the old file or
/// the new one.
[[nodiscard]] base::Status write_atomically(const std::string& path, std::string_view text);

/// Makes a file or a directory that exists durable.
[[nodiscard]] base::Status sync_path(const std::string& path);

/// A new directory beside the one that it will replace, as "DIR/../.NAME.tmp-PID". Removed with all
/// that it holds unless it took the other's place.
class NewDirectory {
 public:
  /// Also removes what processes that were killed left there. Errors: io.
  [[nodiscard]] static base::Result<NewDirectory> beside(const std::string& target);
  ~NewDirectory();
  NewDirectory(NewDirectory&& other) noexcept;
  NewDirectory& operator=(NewDirectory&&) = delete;
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

  /// Syncs the directory and puts it in the target's place in one step; the old one is removed
  /// afterwards. Its files must be synced already.
  [[nodiscard]] base::Status take_place();

 private:
  NewDirectory(std::string path, std::string target);

  std::string path_;  // empty: nothing to remove
  std::string target_;
};

}  // namespace sortie::analysis
