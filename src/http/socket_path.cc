#include "sortie/http/socket_path.h"

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/un.h>
#include <unistd.h>

namespace sortie::http {

namespace {

constexpr std::size_t kPathMax = sizeof(sockaddr_un::sun_path) - 1;

}  // namespace

base::Result<SocketPath> SocketPath::of(const std::string& path) {
  SocketPath result;
  result.text_ = path;
  if (path.size() <= kPathMax) {
    return result;
  }
  const std::filesystem::path whole(path);
  const std::string parent = whole.parent_path().string();
  result.directory_ = ::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (result.directory_ < 0) {
    return base::io_error(fmt::format("cannot open {}", parent), errno);
  }
  result.text_ = fmt::format("/proc/self/fd/{}/{}", result.directory_, whole.filename().string());
  if (result.text_.size() > kPathMax) {
    return base::io_error(fmt::format("cannot use {} as a socket", path), ENAMETOOLONG);
  }
  return result;
}

SocketPath::~SocketPath() {
  if (directory_ >= 0) {
    ::close(directory_);
  }
}

SocketPath::SocketPath(SocketPath&& other) noexcept
    : text_(std::move(other.text_)), directory_(std::exchange(other.directory_, -1)) {}

SocketPath& SocketPath::operator=(SocketPath&& other) noexcept {
  std::swap(text_, other.text_);
  std::swap(directory_, other.directory_);
  return *this;
}

}  // namespace sortie::http
