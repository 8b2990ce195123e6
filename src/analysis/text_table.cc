#include "sortie/analysis/text_table.h"

#include "sortie/base/printable.h"
#include "sortie/base/width.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::analysis {

namespace {

/// "17", "+3.0", "<0.001".
bool is_number(std::string_view text) {
  if (text.size() > 1 && std::string_view("+-<").find(text.front()) != std::string_view::npos) {
    text.remove_prefix(1);
  }
  return !text.empty() && text.front() >= '0' && text.front() <= '9';
}

}  // namespace

void TextTable::add(std::vector<std::string> row) {
  for (std::string& entry : row) {
    entry = base::printable_line(entry);
  }
  rows_.push_back(std::move(row));
}

std::string TextTable::render() const {
  const std::size_t columns = rows_.front().size();
  std::vector<std::size_t> widths(columns);
  std::vector<bool> right(columns, rows_.size() > 1);
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      widths[c] = std::max(widths[c], base::display_width(rows_[r][c]));
      right[c] = right[c] && (r == 0 || rows_[r][c].empty() || is_number(rows_[r][c]));
    }
  }
  std::string out;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (std::size_t c = 0; c < columns; ++c) {
      const std::string pad(widths[c] - base::display_width(rows_[r][c]), ' ');
      line += (c == 0 ? "" : "  ") + (right[c] ? pad + rows_[r][c] : rows_[r][c] + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
    if (r == 0) {
      std::string rule;
      for (std::size_t c = 0; c < columns; ++c) {
        rule += (c == 0 ? "" : "  ") + std::string(widths[c], '-');
      }
      out += rule + "\n";
    }
  }
  return out;
}

}  // namespace sortie::analysis
