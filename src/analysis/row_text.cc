#include "sortie/analysis/row_text.h"

#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/base/printable.h"
#include "sortie/base/text.h"
#include "sortie/base/width.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

constexpr std::size_t kSampleRows = 1000;
constexpr std::size_t kColumnWidthMax = 100;  // of a text table; longer values stand out

std::string plain(const ledger::Cell& cell) {
  if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    return fmt::format("{}", *number);
  }
  if (const auto* real = std::get_if<double>(&cell)) {
    return std::isfinite(*real) ? json::number_text(*real) : fmt::format("{}", *real);
  }
  if (const auto* text = std::get_if<std::string_view>(&cell)) {
    return std::string(*text);
  }
  return {};
}

class TextPrinter final : public RowPrinter {
 public:
  explicit TextPrinter(Sink sink) : sink_(std::move(sink)) {}

  void columns(const std::vector<std::string>& names) override {
    right_.assign(names.size(), true);
    sample_.push_back(names);
  }

  bool row(std::span<const ledger::Cell> row) override {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < row.size(); ++i) {
      texts.push_back(base::printable_line(plain(row[i])));
      if (!widths_.empty()) {
        continue;
      }
      right_[i] = right_[i] && !std::holds_alternative<std::string_view>(row[i]);
    }
    if (widths_.empty() && sample_.size() <= kSampleRows) {
      sample_.push_back(std::move(texts));
      return true;
    }
    return print_sample() && sink_(line(texts));
  }

  void finish() override { static_cast<void>(print_sample()); }

 private:
  bool print_sample() {
    if (!widths_.empty() || sample_.empty()) {
      return true;
    }
    widths_.assign(right_.size(), 0);
    for (const auto& row : sample_) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        widths_[i] = std::max(widths_[i], std::min(base::display_width(row[i]), kColumnWidthMax));
      }
    }
    std::string text;
    for (std::size_t i = 0; i < sample_.size(); ++i) {
      text += line(sample_[i]);
      if (i == 0) {
        text += rule();
      }
    }
    sample_.clear();
    return sink_(text);
  }

  [[nodiscard]] std::string rule() const {
    std::string text;
    for (const std::size_t width : widths_) {
      text += (text.empty() ? "" : "  ") + std::string(std::max<std::size_t>(width, 1), '-');
    }
    return text + "\n";
  }

  [[nodiscard]] std::string line(const std::vector<std::string>& row) const {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::size_t width = base::display_width(row[i]);
      const std::string space(width < widths_[i] ? widths_[i] - width : 0, ' ');
      text += i == 0 ? "" : "  ";
      text += right_[i] ? space + row[i] : row[i] + (i + 1 < row.size() ? space : "");
    }
    return text + "\n";
  }

  Sink sink_;
  std::vector<std::vector<std::string>> sample_;  // names first
  std::vector<bool> right_;                       // columns of numbers
  std::vector<std::size_t> widths_;               // empty until the sample is printed
};

class CsvPrinter final : public RowPrinter {
 public:
  explicit CsvPrinter(Sink sink) : sink_(std::move(sink)) {}

  void columns(const std::vector<std::string>& names) override {
    std::string text;
    for (const std::string& name : names) {
      text += (text.empty() ? "" : ",") + field(name);
    }
    static_cast<void>(sink_(text + "\n"));
  }

  bool row(std::span<const ledger::Cell> row) override {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += i == 0 ? "" : ",";
      const auto* value = std::get_if<std::string_view>(&row[i]);
      text += value == nullptr ? plain(row[i]) : field(*value);
    }
    return sink_(text + "\n");
  }

  void finish() override {}

 private:
  static std::string field(std::string_view text) {
    if (!text.empty() && text.find_first_of("\",\r\n") == std::string_view::npos) {
      return std::string(text);
    }
    std::string out = "\"";
    for (const char c : text) {
      out += c == '"' ? std::string("\"\"") : std::string(1, c);
    }
    return out + "\"";
  }

  Sink sink_;
};

class JsonPrinter final : public RowPrinter {
 public:
  JsonPrinter(Sink sink, bool array) : sink_(std::move(sink)), array_(array) {}

  void columns(const std::vector<std::string>& names) override {
    for (const std::string& name : names) {
      std::string quoted;
      json::append_quoted(quoted, name);
      names_.push_back(quoted + ":");
    }
    if (array_) {
      static_cast<void>(sink_("["));
    }
  }

  bool row(std::span<const ledger::Cell> row) override {
    std::string text = array_ ? (first_ ? "\n{" : ",\n{") : "{";
    first_ = false;
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += (i == 0 ? "" : ",") + names_[i];
      append(text, row[i]);
    }
    text += array_ ? "}" : "}\n";
    return sink_(text);
  }

  void finish() override {
    if (array_) {
      static_cast<void>(sink_(first_ ? "]\n" : "\n]\n"));
    }
  }

 private:
  static void append(std::string& out, const ledger::Cell& cell) {
    if (const auto* text = std::get_if<std::string_view>(&cell)) {
      json::append_quoted(out, base::valid_utf8(*text));
      return;
    }
    const auto* real = std::get_if<double>(&cell);
    const bool none =
        std::holds_alternative<std::monostate>(cell) || (real != nullptr && !std::isfinite(*real));
    out += none ? "null" : plain(cell);
  }

  Sink sink_;
  bool array_;
  bool first_ = true;
  std::vector<std::string> names_;  // quoted, with their colon
};

}  // namespace

std::unique_ptr<RowPrinter> RowPrinter::make(std::string_view format, Sink sink) {
  if (format == "csv") {
    return std::make_unique<CsvPrinter>(std::move(sink));
  }
  if (format == "json" || format == "jsonl") {
    return std::make_unique<JsonPrinter>(std::move(sink), format == "json");
  }
  CHECK(format == "text");
  return std::make_unique<TextPrinter>(std::move(sink));
}

}  // namespace sortie::analysis
