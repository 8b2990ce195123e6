#include "sortie/ledger/index_file.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

namespace sortie::ledger {

namespace {

/// Beyond so many the index is not asked: it is a second witness of what the log says itself.
constexpr std::size_t kOpenMax = 256;

/// Descriptors of this process, by file. POSIX ties locks to the process, so this is tied to it
/// too.
class OpenIndexes {
 public:
  bool read(const std::string& path, std::span<std::uint8_t> into) {
    const std::scoped_lock guard(mutex_);
    close_nameless();
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) {
      return false;
    }
    auto known = open_.find({found.st_dev, found.st_ino});
    if (known == open_.end() && open_.size() < kOpenMax) {
      known = open(path);
    }
    return known != open_.end() &&
           ::pread(known->second, into.data(), into.size(), 0) == static_cast<ssize_t>(into.size());
  }

 private:
  using Descriptors = std::map<std::pair<dev_t, ino_t>, int>;

  Descriptors::iterator open(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat opened{};
    if (descriptor < 0 || ::fstat(descriptor, &opened) != 0) {
      return open_.end();
    }
    // Another file may have taken the name meanwhile; then one that is known is kept twice.
    return open_.emplace(std::pair(opened.st_dev, opened.st_ino), descriptor).first;
  }

  /// Nobody new comes to a file without a name.
  void close_nameless() {
    std::erase_if(open_, [](const auto& entry) {
      struct stat now{};
      const bool nameless = ::fstat(entry.second, &now) != 0 || now.st_nlink == 0;
      if (nameless) {
        ::close(entry.second);
      }
      return nameless;
    });
  }

  std::mutex mutex_;
  Descriptors open_;
};

}  // namespace

bool read_index(const std::string& path, std::span<std::uint8_t> into) {
  static OpenIndexes indexes;  // of the process, as the locks are
  return indexes.read(path, into);
}

}  // namespace sortie::ledger
