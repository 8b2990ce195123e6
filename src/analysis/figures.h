#pragma once

#include "sortie/analysis/phrases.h"
#include "sortie/analysis/report_data.h"
#include "sortie/analysis/result_table.h"
#include "sortie/stats/proportion.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// The figures of a report, as values. Each shows columns of one of its tables and nothing else, so
// that the table's query is the figure's too.

namespace sortie::analysis {

struct FigurePoint {
  double x = 0;  // of rows: the number of the category
  double share = 0;
  std::optional<stats::Interval> interval;
};

struct FigureSeries {
  std::string name;
  std::vector<FigurePoint> points;  // ascending by x
  bool is_ceiling = false;          // what agents without mistakes achieve: a line without points
};

struct Figure {
  enum class Kind : std::uint8_t {
    rows,    // one line per category and series, success across
    curves,  // success over x
  };
  std::string id;     // "reliability/curves"
  std::string table;  // the id of the table whose numbers it shows
  std::string title;
  Kind kind = Kind::rows;
  std::vector<std::string> categories;  // of rows, from the top
  std::string x_title;                  // of curves
  bool is_log2 = false;                 // x of curves is drawn as its logarithm
  std::vector<FigureSeries> series;
  Language language = Language::english;  // that of the table
};

/// Of an overview table: success per model.
[[nodiscard]] Figure overview_figure(const ResultTable& overview);

/// Of one of the scenarios' tables; most tables have none.
[[nodiscard]] std::vector<Figure> figures_of(const ResultTable& table);

/// Its title and whose numbers it shows.
[[nodiscard]] std::string caption_of(const Figure& figure);

/// A complete <svg> element, readable in black and white: series differ in marker and dashes. One
/// in a page takes its colours from the page's style, a `standalone` one is a file of its own.
[[nodiscard]] std::string to_svg(const Figure& figure, bool standalone);

}  // namespace sortie::analysis
