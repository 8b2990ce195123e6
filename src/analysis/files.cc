#include "sortie/analysis/files.h"

#include "sortie/base/error.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace sortie::analysis {

namespace {

namespace fs = std::filesystem;

fs::path temporary_for(const fs::path& path) {
  return path.parent_path() / fmt::format(".{}.tmp-{}", path.filename().string(), ::getpid());
}

base::Status write_all(int file, std::string_view text, const fs::path& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      return base::io_error(fmt::format("cannot write {}", path.string()), errno);
    }
    text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
  return {};
}

/// Those of processes that are gone.
void remove_left_behind(const fs::path& target) {
  const std::string prefix = fmt::format(".{}.tmp-", target.filename().string());
  std::error_code error;
  for (fs::directory_iterator entry(target.parent_path(), error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    int owner = 0;
    if (name.starts_with(prefix) &&
        std::from_chars(name.data() + prefix.size(), name.data() + name.size(), owner).ec ==
            std::errc() &&
        owner > 0 && ::kill(owner, 0) != 0 && errno == ESRCH) {
      std::error_code ignored;
      fs::remove_all(entry->path(), ignored);
    }
  }
}

/// In one step where the file system can exchange two names, else in two.
base::Status put_in_place(const std::string& from, const std::string& to) {
  std::error_code error;
  if (!fs::exists(to, error)) {
    fs::rename(from, to, error);
    return error ? base::io_error(fmt::format("cannot rename {} to {}", from, to), error.value())
                 : base::Status();
  }
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    return {};
  }
  if (errno != EINVAL && errno != ENOSYS) {
    return base::io_error(fmt::format("cannot replace {}", to), errno);
  }
  const std::string old = from + ".old";
  fs::rename(to, old, error);
  if (!error) {
    fs::rename(from, to, error);
  }
  if (error) {
    return base::io_error(fmt::format("cannot replace {}", to), error.value());
  }
  fs::rename(old, from, error);  // where the caller removes it
  return {};
}

}  // namespace

base::Status sync_path(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return base::io_error(fmt::format("cannot open {}", path), errno);
  }
  const int synced = ::fsync(file);
  const int sync_errno = errno;
  ::close(file);
  if (synced != 0) {
    return base::io_error(fmt::format("cannot sync {}", path), sync_errno);
  }
  return {};
}

base::Status write_atomically(const std::string& path, std::string_view text) {
  const fs::path temporary = temporary_for(path);
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) {
    return base::io_error(fmt::format("cannot create {}", temporary.string()), errno);
  }
  base::Status status = write_all(file, text, temporary);
  ::close(file);
  if (status.has_value()) {
    status = sync_path(temporary.string());
  }
  if (status.has_value() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = base::io_error(fmt::format("cannot rename {} to {}", temporary.string(), path), errno);
  }
  if (!status.has_value()) {
    ::unlink(temporary.c_str());
  }
  return status;
}

NewDirectory::NewDirectory(std::string path, std::string target)
    : path_(std::move(path)), target_(std::move(target)) {}

NewDirectory::NewDirectory(NewDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})), target_(std::move(other.target_)) {}

NewDirectory::~NewDirectory() {
  if (!path_.empty()) {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
}

base::Result<NewDirectory> NewDirectory::beside(const std::string& target) {
  std::error_code error;
  fs::path place = fs::absolute(target, error).lexically_normal();
  if (!place.has_filename()) {
    place = place.parent_path();  // "folder/" is "folder"
  }
  fs::create_directories(place.parent_path(), error);
  if (error) {
    return base::io_error(fmt::format("cannot create {}", place.parent_path().string()),
                          error.value());
  }
  remove_left_behind(place);
  const fs::path path = temporary_for(place);
  fs::remove_all(path, error);
  if (!fs::create_directory(path, error)) {
    return base::io_error(fmt::format("cannot create {}", path.string()), error.value());
  }
  return NewDirectory(path.string(), place.string());
}

base::Status NewDirectory::take_place() {
  TRY(sync_path(path_));
  TRY(put_in_place(path_, target_));
  return sync_path(fs::path(target_).parent_path().string());
}

}  // namespace sortie::analysis
