#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace sortie::base {

/// A value that must never be seen: it has no stream operator, no formatter and no implicit
/// conversion, and its memory is cleared when it dies. `reveal()` is for the one place that puts it
/// on the wire.
class Secret {
 public:
  Secret() = default;

  explicit Secret(std::string value) : value_(std::move(value)) {}

  ~Secret();
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;

  [[nodiscard]] const std::string& reveal() const { return value_; }

  [[nodiscard]] bool empty() const { return value_.empty(); }

  /// Twelve hexadecimal digits that name the secret without telling it: the same key has the same
  /// fingerprint everywhere.
  [[nodiscard]] std::string fingerprint() const;

 private:
  std::string value_;
};

}  // namespace sortie::base
