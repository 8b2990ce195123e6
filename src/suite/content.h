#pragma once

#include "sortie/base/json.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What artifacts are made of: small tables of numbers and words. Everything is drawn from the name
// of a source, so that the same path holds the same rows in every trial.

namespace sortie::suite {

using Words = std::span<const std::string_view>;

struct Column {
  std::string_view name;  // of static storage: see known_name()
  Words words;            // what the numbers of a word column stand for; empty for a number column

  [[nodiscard]] bool numeric() const { return words.empty(); }
};

struct Table {
  std::vector<Column> columns;
  std::vector<double> cells;  // row by row

  [[nodiscard]] std::size_t rows() const {
    return columns.empty() ? 0 : cells.size() / columns.size();
  }

  [[nodiscard]] double at(std::size_t row, std::size_t column) const {
    return cells[row * columns.size() + column];
  }

  [[nodiscard]] std::span<const double> row(std::size_t index) const {
    return std::span(cells).subspan(index * columns.size(), columns.size());
  }

  [[nodiscard]] std::optional<std::size_t> find(std::string_view column) const;

  /// The last number column: what tools without a field parameter work on. nullopt without rows or
  /// such a column.
  [[nodiscard]] std::optional<std::size_t> measure() const;

  [[nodiscard]] std::vector<double> values(std::size_t column) const;
  void append_row(std::span<const double> row);

  [[nodiscard]] json::Value cell(std::size_t row, std::size_t column) const;
  [[nodiscard]] json::Object row_object(std::size_t row) const;
  [[nodiscard]] json::Array field_names() const;

  /// The table as CSV text: what its size in bytes means.
  [[nodiscard]] std::string csv() const;
};

enum class Format : std::uint8_t { none, csv, json, xml, yaml, lines };

[[nodiscard]] std::string_view to_string(Format format);
[[nodiscard]] Format format_from(std::string_view name);

/// By the extension of a path; none if it has no known one.
[[nodiscard]] Format format_of_path(std::string_view path);

/// A subject that sources are about: its fields and their ranges.
struct Field {
  std::string_view name;
  Words words;     // empty for numbers
  double low = 0;  // numbers are drawn from [low, high] …
  double high = 0;
  double step = 1;  // … in multiples of this
};

struct Subject {
  std::string_view name;
  std::span<const Field> fields;  // the first is a running number
};

/// Every subject, the last being the one of folder listings.
[[nodiscard]] std::span<const Subject> subjects();
[[nodiscard]] const Subject& listing_subject();

/// The subject that a path or address names in one of its parts, else the first.
[[nodiscard]] const Subject& subject_of(std::string_view source);

/// The rows that a source holds, always the same.
[[nodiscard]] Table source_table(std::string_view source, const Subject& subject);

/// Names of static storage for columns that do not come from a subject, e.g. "latency_ms". "value"
/// for an unknown name.
[[nodiscard]] std::string_view known_name(std::string_view name);

/// To four decimals, so that results are short and equal everywhere.
[[nodiscard]] double rounded(double value);

}  // namespace sortie::suite
