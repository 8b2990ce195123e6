#pragma once

#include "sortie/ledger/reader.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

// Columns of a ledger row by type; NULL and other types give the empty value.

namespace sortie::ledger {

/// Valid as long as the row.
[[nodiscard]] inline std::string_view view_of(const Cell& cell) {
  const auto* text = std::get_if<std::string_view>(&cell);
  return text == nullptr ? std::string_view() : *text;
}

[[nodiscard]] inline std::string text_of(const Cell& cell) {
  const auto* text = std::get_if<std::string_view>(&cell);
  return text == nullptr ? std::string() : std::string(*text);
}

[[nodiscard]] inline std::int64_t int_of(const Cell& cell) {
  const auto* number = std::get_if<std::int64_t>(&cell);
  return number == nullptr ? 0 : *number;
}

[[nodiscard]] inline double double_of(const Cell& cell) {
  const auto* number = std::get_if<double>(&cell);
  return number == nullptr ? static_cast<double>(int_of(cell)) : *number;
}

}  // namespace sortie::ledger
