#include "sortie/spec/file.h"

#include "sortie/base/error.h"
#include "sortie/base/text.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

namespace sortie::spec {
namespace {

std::unexpected<base::Error> unreadable(const std::string& path, int error) {
  return base::failure(base::Remedy::bad_input,
                       error == ENOENT ? base::ErrorCode::not_found : base::ErrorCode::io,
                       fmt::format("{}: cannot be read: {}", path, std::strerror(error)));
}

/// Reads what is there, up to one byte more than allowed. -1 with errno set on failure.
ssize_t read_up_to(int descriptor, std::string& bytes) {
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t count = ::read(descriptor, bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return count < 0 ? count : static_cast<ssize_t>(filled);
    }
    filled += static_cast<std::size_t>(count);
  }
  return static_cast<ssize_t>(filled);
}

}  // namespace

base::Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  // Without O_NONBLOCK the opening of a pipe that nobody writes to would never end.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return unreadable(path, errno);
  }
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return base::bad_input(
        fmt::format("{}: is {}",
                    path,
                    S_ISDIR(status.st_mode) ? "a folder, expected a file" : "not a regular file"));
  }
  std::string bytes(bytes_max + 1, '\0');
  const ssize_t count = read_up_to(descriptor, bytes);
  const int error = errno;
  ::close(descriptor);
  if (count < 0) {
    return unreadable(path, error);
  }
  if (static_cast<std::size_t>(count) > bytes_max) {
    return base::bad_input(fmt::format(
        "{}: larger than {} bytes", path, base::with_thousands(static_cast<long long>(bytes_max))));
  }
  bytes.resize(static_cast<std::size_t>(count));
  return bytes;
}

std::string resolve_path(std::string_view path, std::string_view base_file) {
  if (path.starts_with("~/")) {
    const char* home = std::getenv("HOME");
    if (home != nullptr && *home != '\0') {
      return std::string(home) + std::string(path.substr(1));
    }
  }
  return (std::filesystem::path(base_file).parent_path() / path).lexically_normal().string();
}

}  // namespace sortie::spec
