#include "sortie/analysis/report.h"
#include "sortie/base/printable.h"
#include "sortie/base/text.h"

#include <string>
#include <string_view>

#include <fmt/format.h>

// The report's tables for other programs.

namespace sortie::analysis {

namespace {

std::string quoted(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    return std::string(text);
  }
  std::string out = "\"";
  for (const char c : text) {
    out.append(c == '"' ? 2 : 1, c);
  }
  return out + "\"";
}

/// Text is data: a spreadsheet must not take it for a formula.
std::string word(std::string_view text) {
  const bool is_formula =
      !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos;
  return quoted((is_formula ? "'" : "") + base::printable_line(text));
}

bool is_interval(Value::Kind kind) {
  return kind == Value::Kind::number_interval || kind == Value::Kind::share_interval ||
         kind == Value::Kind::points_interval;
}

bool holds_intervals(const ResultTable& table, std::size_t column) {
  for (const Row& row : table.rows) {
    if (is_interval(row.values[column].kind)) {
      return true;
    }
  }
  return false;
}

std::string entry(const Value& value) {
  switch (value.kind) {
    case Value::Kind::none:
      return "";
    case Value::Kind::text:
      return word(value.text);
    default:
      return fmt::format("{}", value.first);
  }
}

}  // namespace

std::string to_csv(const ResultTable& table) {
  std::string out;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const std::string& key = table.columns[column].key;
    const std::string comma = column == 0 ? "" : ",";
    out += holds_intervals(table, column)
               ? fmt::format("{}{},{}", comma, word(key + "_low"), word(key + "_high"))
               : comma + word(key);
  }
  out += ",marks\r\n";
  for (const Row& row : table.rows) {
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      const Value& value = row.values[column];
      out += column == 0 ? "" : ",";
      out += entry(value);
      if (holds_intervals(table, column)) {
        out += is_interval(value.kind) ? fmt::format(",{}", value.second) : ",";
      }
    }
    out += "," + word(base::join(row.marks, "; ")) + "\r\n";
  }
  return out;
}

}  // namespace sortie::analysis
