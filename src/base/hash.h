#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

// Identity by content. Every key of the project is SHA-256 cut to its first 128 bits; this never
// changes, since keys of finished trials are compared with keys computed years later.

namespace sortie::base {

struct Digest {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const Digest&) const = default;

  /// 32 lower-case hexadecimal digits.
  [[nodiscard]] std::string hex() const;
  [[nodiscard]] static std::optional<Digest> from_hex(std::string_view text);

  /// The first eight bytes, little-endian: a well-mixed 64-bit value.
  [[nodiscard]] std::uint64_t low64() const;
};

/// Digest of one byte string.
[[nodiscard]] Digest digest_of(std::string_view bytes);

/// Digest of a sequence of named fields. Names and values are length-prefixed, so that no two
/// different sequences feed the same bytes to the hash.
class FieldHasher {
 public:
  /// `domain` separates kinds of keys, e.g. "sortie.trial.v1".
  explicit FieldHasher(std::string_view domain);
  ~FieldHasher();
  FieldHasher(const FieldHasher&) = delete;
  FieldHasher& operator=(const FieldHasher&) = delete;

  FieldHasher& field(std::string_view name, std::string_view value);
  FieldHasher& field(std::string_view name, std::int64_t value);
  FieldHasher& field(std::string_view name, const Digest& value);

  [[nodiscard]] Digest finish();

 private:
  void feed(std::string_view bytes);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sortie::base

template <>
struct std::hash<sortie::base::Digest> {
  std::size_t operator()(const sortie::base::Digest& digest) const noexcept {
    return digest.low64();
  }
};
