#include "sortie/ledger/lock.h"

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/base/time.h"
#include "sortie/ledger/place.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/types.h>
#include <unistd.h>

namespace sortie::ledger {

namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) {
    return "unknown";
  }
  return name.data();
}

std::string read_owner(int descriptor) {
  std::array<char, 1024> text{};
  const ssize_t size = ::pread(descriptor, text.data(), text.size(), 0);
  return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
}

std::string describe(const std::string& owner) {
  const auto parsed = json::parse(owner);
  if (!parsed) {
    // Between taking the lock and naming itself, or on a full disk.
    return "a process that has not written its pid yet";
  }
  const std::string_view note = json::get_string(*parsed, "note").value_or("");
  return fmt::format("pid {} on host {} since {}{}{}",
                     json::get_int(*parsed, "pid").value_or(0),
                     json::get_string(*parsed, "host").value_or("unknown"),
                     json::get_string(*parsed, "since").value_or("unknown"),
                     note.empty() ? "" : ", ",
                     note);
}

base::Status write_owner(int descriptor,
                         const std::string& path,
                         const std::string& note,
                         base::WallTime now) {
  json::Object owner;
  owner["pid"] = static_cast<std::int64_t>(::getpid());
  owner["host"] = host_name();
  owner["since"] = base::to_iso8601(now);
  if (!note.empty()) {
    owner["note"] = note;
  }
  const std::string text = json::to_text(owner) + "\n";
  if (::ftruncate(descriptor, 0) != 0 ||
      ::pwrite(descriptor, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return base::io_error(fmt::format("cannot write {}", path), errno);
  }
  return {};
}

}  // namespace

base::Result<FileLock> FileLock::acquire(const std::string& path,
                                         const std::string& taken,
                                         const std::string& note,
                                         base::WallTime now) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) {
    return base::io_error(fmt::format("cannot open {}", path), errno);
  }
  FileLock lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return base::io_error(fmt::format("cannot lock {}", path), errno);
    }
    const std::string owner = describe(read_owner(descriptor));
    ::close(std::exchange(lock.descriptor_, -1));
    return base::failure(
        base::Remedy::retry_later, base::ErrorCode::locked, fmt::format("{} by {}", taken, owner));
  }
  TRY(write_owner(descriptor, path, note, now));
  return lock;
}

bool is_being_written(const std::string& run_directory) {
  const std::string path = run_directory + "/lock";
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) {
    return false;
  }
  const bool locked = ::flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(descriptor);  // and with it the shared lock
  return locked;
}

base::Result<RunLock> RunLock::acquire(const std::string& run_directory, base::WallTime now) {
  TRY_ASSIGN(
      FileLock lock,
      FileLock::acquire(
          run_directory + "/lock", fmt::format("{} is being written", run_directory), {}, now));
  return RunLock(std::move(lock));
}

base::Result<FileLock> lock_key(const std::string& directory,
                                const std::string& fingerprint,
                                const std::string& key,
                                const std::string& run,
                                base::WallTime now) {
  const std::filesystem::path keys = std::filesystem::path(directory) / "keys";
  TRY(make_private_directory(directory));
  TRY(make_private_directory(keys.string()));
  return FileLock::acquire((keys / (fingerprint + ".lock")).string(),
                           fmt::format("key {} is being used", key),
                           fmt::format("run {}", run),
                           now);
}

FileLock::~FileLock() {
  if (descriptor_ < 0) {
    return;
  }
  // A name that cannot be removed is only stale text: the lock itself ends with the descriptor.
  static_cast<void>(::ftruncate(descriptor_, 0) == 0);
  ::close(descriptor_);
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

}  // namespace sortie::ledger
