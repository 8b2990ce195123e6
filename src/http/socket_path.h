#pragma once

#include "sortie/base/error.h"

#include <string>

namespace sortie::http {

/// A path as bind(2) and connect(2) take it: they allow 107 bytes, run directories are longer. A
/// longer one is reached through its directory's descriptor, which this object keeps open.
class SocketPath {
 public:
  [[nodiscard]] static base::Result<SocketPath> of(const std::string& path);
  SocketPath() = default;
  ~SocketPath();
  SocketPath(SocketPath&& other) noexcept;
  SocketPath& operator=(SocketPath&& other) noexcept;
  SocketPath(const SocketPath&) = delete;
  SocketPath& operator=(const SocketPath&) = delete;

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  int directory_ = -1;
};

}  // namespace sortie::http
