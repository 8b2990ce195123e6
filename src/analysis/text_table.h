#pragma once

#include <string>
#include <vector>

namespace sortie::analysis {

/// Rows of text in aligned columns for a terminal. Numbers (columns whose cells start with a digit,
/// after a sign or "<") are set flush right. Widths are those that a terminal shows
/// (base::display_width).
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : rows_{std::move(header)} {}

  /// Control characters of its entries are written out (base::printable_line).
  void add(std::vector<std::string> row);

  [[nodiscard]] std::string render() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the first is the header
};

}  // namespace sortie::analysis
