#include "sortie/analysis/result_table.h"

#include "sortie/analysis/text_table.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

json::Value json_of(const Value& value) {
  switch (value.kind) {
    case Value::Kind::none:
      return nullptr;
    case Value::Kind::text:
      return json::Value(value.text);
    case Value::Kind::count:
      return static_cast<std::int64_t>(value.first);
    case Value::Kind::number:
    case Value::Kind::share:
    case Value::Kind::points:
    case Value::Kind::probability:
      return value.first;
    case Value::Kind::number_interval:
    case Value::Kind::share_interval:
    case Value::Kind::points_interval:
      return json::Array{value.first, value.second};
  }
  return nullptr;
}

Value of_kind(Value::Kind kind, double first, double second = 0) {
  return {.kind = kind, .first = first, .second = second, .text = {}};
}

bool has_marks(const ResultTable& table) {
  return std::ranges::any_of(table.rows, [](const Row& row) { return !row.marks.empty(); });
}

}  // namespace

Value text_value(std::string text) {
  return {.kind = Value::Kind::text, .text = std::move(text)};
}

Value count_value(std::uint64_t count) {
  return of_kind(Value::Kind::count, static_cast<double>(count));
}

Value number_value(double number) {
  return of_kind(Value::Kind::number, number);
}

Value number_value(const stats::Interval& interval) {
  return of_kind(Value::Kind::number_interval, interval.low, interval.high);
}

Value share_value(double share) {
  return of_kind(Value::Kind::share, share);
}

Value interval_value(const stats::Interval& interval) {
  return of_kind(Value::Kind::share_interval, interval.low, interval.high);
}

Value points_value(double difference) {
  return of_kind(Value::Kind::points, difference);
}

Value points_value(const stats::Interval& interval) {
  return of_kind(Value::Kind::points_interval, interval.low, interval.high);
}

Value probability_value(double p) {
  return of_kind(Value::Kind::probability, p);
}

std::string to_text(const Value& value) {
  switch (value.kind) {
    case Value::Kind::none:
      return "";
    case Value::Kind::text:
      return value.text;
    case Value::Kind::count:
      return fmt::format("{:.0f}", value.first);
    case Value::Kind::number:
      return fmt::format("{:.2f}", value.first);
    case Value::Kind::number_interval:
      return fmt::format("{:.2f} … {:.2f}", value.first, value.second);
    case Value::Kind::share:
      return fmt::format("{:.1f} %", 100 * value.first);
    case Value::Kind::share_interval:
      return fmt::format("{:.1f}–{:.1f} %", 100 * value.first, 100 * value.second);
    case Value::Kind::points:
      return fmt::format("{:+.1f}", 100 * value.first);
    case Value::Kind::points_interval:
      return fmt::format("{:+.1f} … {:+.1f}", 100 * value.first, 100 * value.second);
    case Value::Kind::probability:
      return value.first < 0.001 ? "<0.001" : fmt::format("{:.3f}", value.first);
  }
  return "";
}

std::string marks_text(const Row& row, Language language) {
  const Phrases& say = phrases_in(language);
  std::vector<std::string> words;
  for (const std::string& mark : row.marks) {
    words.push_back(say.find("mark." + mark).value_or(mark));
  }
  return base::join(words, ", ");
}

std::vector<std::size_t> shown_columns(const ResultTable& table) {
  std::vector<std::size_t> shown;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    if (std::ranges::any_of(table.rows, [&](const Row& row) {
          return row.values[column].kind != Value::Kind::none;
        })) {
      shown.push_back(column);
    }
  }
  return shown;
}

std::string to_text(const ResultTable& table) {
  const std::vector<std::size_t> shown = shown_columns(table);
  std::vector<std::string> header;
  for (const std::size_t column : shown) {
    header.push_back(table.columns[column].title);
  }
  const bool marks = has_marks(table);
  if (marks) {
    header.push_back(phrases_in(table.language)("column.marks"));
  }
  std::string out = table.title + "\n";
  if (!table.rows.empty()) {
    TextTable text(std::move(header));
    for (const Row& row : table.rows) {
      std::vector<std::string> cells;
      for (const std::size_t column : shown) {
        cells.push_back(to_text(row.values[column]));
      }
      if (marks) {
        cells.push_back(marks_text(row, table.language));
      }
      text.add(std::move(cells));
    }
    out += text.render();
  }
  for (const std::string& note : table.notes) {
    out += note + "\n";
  }
  return out;
}

json::Value to_json(const ResultTable& table) {
  json::Array rows;
  for (const Row& row : table.rows) {
    json::Object object;
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      object[table.columns[column].key] = json_of(row.values[column]);
    }
    object["marks"] = json::Array(row.marks.begin(), row.marks.end());
    rows.push_back(std::move(object));
  }
  return json::Object{{"id", table.id},
                      {"scenario", table.scenario},
                      {"title", table.title},
                      {"rows", std::move(rows)},
                      {"notes", json::Array(table.notes.begin(), table.notes.end())}};
}

}  // namespace sortie::analysis
