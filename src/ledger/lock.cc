#include "sortie/ledger/lock.h"

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/base/time.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
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
  return fmt::format("pid {} on host {} since {}",
                     json::get_int(*parsed, "pid").value_or(0),
                     json::get_string(*parsed, "host").value_or("unknown"),
                     json::get_string(*parsed, "since").value_or("unknown"));
}

base::Status write_owner(int descriptor, const std::string& path, base::WallTime now) {
  json::Object owner;
  owner["pid"] = static_cast<std::int64_t>(::getpid());
  owner["host"] = host_name();
  owner["since"] = base::to_iso8601(now);
  const std::string text = json::to_text(owner) + "\n";
  if (::ftruncate(descriptor, 0) != 0 ||
      ::pwrite(descriptor, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return base::io_error(fmt::format("cannot write {}", path), errno);
  }
  return {};
}

}  // namespace

base::Result<RunLock> RunLock::acquire(const std::string& run_directory, base::WallTime now) {
  const std::string path = run_directory + "/lock";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) {
    return base::io_error(fmt::format("cannot open {}", path), errno);
  }
  RunLock lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return base::io_error(fmt::format("cannot lock {}", path), errno);
    }
    const std::string owner = describe(read_owner(descriptor));
    ::close(std::exchange(lock.descriptor_, -1));
    return base::failure(base::Remedy::retry_later,
                         base::ErrorCode::locked,
                         fmt::format("{} is being written by {}", run_directory, owner));
  }
  TRY(write_owner(descriptor, path, now));
  return lock;
}

RunLock::~RunLock() {
  if (descriptor_ < 0) {
    return;
  }
  // A name that cannot be removed is only stale text: the lock itself ends with the descriptor.
  static_cast<void>(::ftruncate(descriptor_, 0) == 0);
  ::close(descriptor_);
}

RunLock::RunLock(RunLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

RunLock& RunLock::operator=(RunLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

}  // namespace sortie::ledger
