#pragma once

#include <cstdint>
#include <string_view>

namespace sortie::ledger {

/// The 64-bit checksum that every row carries over its columns, in column order, seeded with the
/// table's name (docs/design/ledger.md gives the algorithm for other programs). Each step is a
/// bijection of the state, so a change confined to one 8-byte word always changes the sum. It
/// guards against decay and slips, not against an adversary.
class Checksum {
 public:
  explicit Checksum(std::string_view table) { text(table); }

  void null() { begin(0); }

  /// NULL in a column that a migration added: it enters only if a column behind it is not NULL, so
  /// that the sums of rows from before the migration stay as they are.
  void null_if_followed() { ++open_nulls_; }

  void integer(std::int64_t value) {
    begin(1);
    word(static_cast<std::uint64_t>(value));
  }

  void real(double value);

  void text(std::string_view value) { bytes(3, value); }

  void blob(std::string_view value) { bytes(4, value); }

  /// As SQLite stores it.
  [[nodiscard]] std::int64_t value() const {
    return static_cast<std::int64_t>(state_ ^ (state_ >> 29U));
  }

 private:
  void begin(std::uint64_t tag) {
    for (; open_nulls_ > 0; --open_nulls_) {
      word(0);
    }
    word(tag);
  }

  void word(std::uint64_t value) {
    state_ = (state_ ^ value) * 0x9E3779B97F4A7C15ULL;
    state_ ^= state_ >> 32U;
  }

  void bytes(std::uint64_t tag, std::string_view value);

  std::uint64_t state_ = 0;
  int open_nulls_ = 0;
};

}  // namespace sortie::ledger
