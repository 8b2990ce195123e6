#pragma once

#include "sortie/analysis/phrases.h"
#include "sortie/base/json.h"
#include "sortie/stats/proportion.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Tables as values: what a page, a terminal and a JSON document show is the same table.

namespace sortie::analysis {

/// One entry of a table.
struct Value {
  enum class Kind : std::uint8_t {
    none,
    text,
    count,
    number,           // two decimals
    number_interval,  // low and high
    share,            // of 1, shown in percent
    share_interval,   // low and high
    points,           // a difference of shares, shown in percentage points with its sign
    points_interval,  // low and high
    probability,      // a p-value
  };
  Kind kind = Kind::none;
  double first = 0;
  double second = 0;
  std::string text;
};

[[nodiscard]] Value text_value(std::string text);
[[nodiscard]] Value count_value(std::uint64_t count);
[[nodiscard]] Value number_value(double number);
[[nodiscard]] Value number_value(const stats::Interval& interval);
[[nodiscard]] Value share_value(double share);
[[nodiscard]] Value interval_value(const stats::Interval& interval);
[[nodiscard]] Value points_value(double difference);
[[nodiscard]] Value points_value(const stats::Interval& interval);
[[nodiscard]] Value probability_value(double p);

struct Column {
  std::string key;    // in JSON
  std::string title;  // † marks a name of earlier tables with another meaning
};

struct Row {
  std::vector<Value> values;  // as many as columns
  // Codes ("simulated", "scripted", "incomplete", "exploratory", …), or words of the table's
  // language where a mark names something ("shared with baseline").
  std::vector<std::string> marks;
};

struct ResultTable {
  std::string id;        // "flawed/cells"
  std::string scenario;  // the preset
  std::string title;
  std::vector<Column> columns;
  std::vector<Row> rows;
  std::vector<std::string> notes;         // sentences below the table
  Language language = Language::english;  // of all its words, and of those that a form adds
};

/// "62.0 %", "+3.0", "<0.001": for people. A column's title says the unit of points.
[[nodiscard]] std::string to_text(const Value& value);

/// A row's marks for people: codes in words.
[[nodiscard]] std::string marks_text(const Row& row, Language language);

/// Columns that have a value in some row: others are not shown to people.
[[nodiscard]] std::vector<std::size_t> shown_columns(const ResultTable& table);

[[nodiscard]] std::string to_text(const ResultTable& table);
[[nodiscard]] json::Value to_json(const ResultTable& table);

}  // namespace sortie::analysis
