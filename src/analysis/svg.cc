#include "sortie/analysis/figures.h"
#include "sortie/analysis/phrases.h"
#include "sortie/analysis/report.h"
#include "sortie/base/printable.h"
#include "sortie/base/text.h"
#include "sortie/base/width.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

// Figures drawn. Lengths are pixels.

namespace sortie::analysis {

namespace {

constexpr double kLabelWidth = 260;  // at least; of longer names as much as they take
constexpr double kLabelGap = 12;
constexpr double kColumnWidth = 7.5;  // of a terminal's column in a label's type
constexpr double kPlotWidth = 480;
constexpr double kPlotHeight = 300;  // of curves
constexpr double kRight = 40;
constexpr double kAxisHeight = 40;
constexpr double kLegendLine = 20;
constexpr double kLineHeight = 14;  // of one series within a category
constexpr double kCategoryGap = 12;
constexpr double kDodge = 4;  // between the intervals of series at one x
constexpr std::size_t kNameBytes = 60;

constexpr std::string_view kStandaloneStyle =
    "<style>svg{background:#fff}text{fill:#1a1a1a;font:13px sans-serif}.axis{stroke:#c8c8c8}"
    ".bar,.line{stroke:#1a1a1a;fill:none;stroke-width:1.5}.ceiling{stroke:#595959}"
    ".dot{fill:#1a1a1a;stroke:#1a1a1a}.open{fill:#fff;stroke:#1a1a1a;stroke-width:1.5}</style>";

constexpr std::array<std::string_view, 6> kDashes = {"", "7 3", "2 3", "9 3 2 3", "4 4", "12 4"};

std::string label_text(std::string_view text) {
  return escape_html(base::printable_line(base::shortened(text, kNameBytes)));
}

/// What stands left of the plot.
double label_width(const Figure& figure) {
  double width = kLabelWidth;
  for (const std::string& name : figure.categories) {
    const std::size_t columns =
        base::display_width(base::printable_line(base::shortened(name, kNameBytes)));
    width = std::max(width, (kColumnWidth * static_cast<double>(columns)) + kLabelGap);
  }
  return width;
}

/// A shape for each of eight series, filled and open; a ninth looks like the first but for its
/// dashes.
std::string marker(std::size_t series, double x, double y) {
  const std::string_view style = series % 2 == 0 ? "dot" : "open";
  switch (series / 2 % 4) {
    case 0:
      return fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"/>", style, x, y);
    case 1:
      return fmt::format("<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"8\" height=\"8\"/>",
                         style,
                         x - 4,
                         y - 4);
    case 2:
      return fmt::format("<path class=\"{}\" d=\"M{:.1f} {:.1f}l5 8h-10z\"/>", style, x, y - 5);
    default:
      return fmt::format(
          "<path class=\"{}\" d=\"M{:.1f} {:.1f}l5 5l-5 5l-5 -5z\"/>", style, x, y - 5);
  }
}

std::string dashes(std::size_t series) {
  const std::string_view pattern = kDashes[series % kDashes.size()];
  return pattern.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", pattern);
}

std::string line(std::string_view style, std::array<double, 4> ends, const std::string& more = {}) {
  return fmt::format(
      "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"{}/>",
      style,
      ends[0],
      ends[1],
      ends[2],
      ends[3],
      more);
}

std::string text_at(double x, double y, std::string_view anchor, const std::string& text) {
  return fmt::format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>", x, y, anchor, text);
}

std::string element(const Figure& figure, double height, const std::string& body, bool standalone) {
  const double width = label_width(figure) + kPlotWidth + kRight;
  return fmt::format(
      "<svg{0} role=\"img\" aria-label=\"{1}\" width=\"{2:.0f}\" "
      "height=\"{3:.0f}\" viewBox=\"0 0 {2:.0f} {3:.0f}\">{4}{5}</svg>{6}",
      standalone ? " xmlns=\"http://www.w3.org/2000/svg\"" : "",
      label_text(phrases_in(figure.language)("figure.label", fmt::arg("title", figure.title))),
      width,
      height,
      standalone ? kStandaloneStyle : std::string_view(),
      body,
      standalone ? "\n" : "");
}

/// Marker, dashes and name of each series from `top` on. One series needs none.
std::string legend(const Figure& figure, double top) {
  if (figure.series.size() < 2) {
    return {};
  }
  const double left = label_width(figure);
  std::string svg;
  for (std::size_t i = 0; i < figure.series.size(); ++i) {
    const double y = top + kLegendLine * (static_cast<double>(i) + 0.5);
    const FigureSeries& series = figure.series[i];
    svg += line(series.is_ceiling ? "line ceiling" : "line", {left, y, left + 40, y}, dashes(i));
    svg += series.is_ceiling ? "" : marker(i, left + 20, y);
    svg += text_at(left + 52, y + 4, "start", label_text(series.name));
  }
  return svg;
}

double legend_height(const Figure& figure) {
  return figure.series.size() < 2 ? 0 : kLegendLine * static_cast<double>(figure.series.size());
}

std::string rows_svg(const Figure& figure, bool standalone) {
  const double left = label_width(figure);
  const auto x_of = [left](double share) { return left + share * kPlotWidth; };
  const double category_height =
      kLineHeight * static_cast<double>(figure.series.size()) + kCategoryGap;
  const double bottom = category_height * static_cast<double>(figure.categories.size()) + 4;
  std::string svg;
  for (int tick = 0; tick <= 100; tick += 25) {
    const double x = x_of(tick / 100.0);
    svg += line("axis", {x, 0, x, bottom});
    svg += text_at(x, bottom + 18, "middle", fmt::format("{} %", tick));
  }
  for (std::size_t i = 0; i < figure.categories.size(); ++i) {
    svg += text_at(left - kLabelGap,
                   category_height * (static_cast<double>(i) + 0.5) + 4,
                   "end",
                   label_text(figure.categories[i]));
  }
  for (std::size_t i = 0; i < figure.series.size(); ++i) {
    for (const FigurePoint& point : figure.series[i].points) {
      const double y = category_height * point.x + kCategoryGap / 2 +
                       kLineHeight * (static_cast<double>(i) + 0.5);
      if (point.interval.has_value()) {
        svg +=
            line("bar", {x_of(point.interval->low), y, x_of(point.interval->high), y}, dashes(i));
      }
      svg += marker(i, x_of(point.share), y);
    }
  }
  svg += legend(figure, bottom + kAxisHeight - 10);
  return element(figure, bottom + kAxisHeight + legend_height(figure), svg, standalone);
}

/// Where x lies between the least and the greatest one: 0 to 1.
class Scale {
 public:
  explicit Scale(const Figure& figure) : is_log2_(figure.is_log2) {
    for (const FigureSeries& series : figure.series) {
      for (const FigurePoint& point : series.points) {
        ticks_.insert(point.x);
      }
    }
  }

  [[nodiscard]] const std::set<double>& ticks() const { return ticks_; }

  [[nodiscard]] double place(double x) const {
    const double least = value(*ticks_.begin());
    const double most = value(*ticks_.rbegin());
    return most > least ? (value(x) - least) / (most - least) : 0.5;
  }

 private:
  [[nodiscard]] double value(double x) const { return is_log2_ ? std::log2(x) : x; }

  bool is_log2_;
  std::set<double> ticks_;
};

std::string curve(const FigureSeries& series,
                  std::size_t number,
                  const Scale& scale,
                  double dodge) {
  const auto x_of = [&](double x) {
    return kLabelWidth + 30 + scale.place(x) * (kPlotWidth - 60) + dodge;
  };
  const auto y_of = [](double share) { return 10 + (1 - share) * kPlotHeight; };
  std::string path;
  std::string points;
  for (const FigurePoint& point : series.points) {
    path +=
        fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x_of(point.x), y_of(point.share));
    if (series.is_ceiling) {
      continue;
    }
    if (point.interval.has_value()) {
      points += line(
          "bar",
          {x_of(point.x), y_of(point.interval->low), x_of(point.x), y_of(point.interval->high)});
    }
    points += marker(number, x_of(point.x), y_of(point.share));
  }
  return fmt::format("<path class=\"line{}\" d=\"{}\"{}/>",
                     series.is_ceiling ? " ceiling" : "",
                     path,
                     dashes(number)) +
         points;
}

std::string curves_svg(const Figure& figure, bool standalone) {
  const Scale scale(figure);
  const double bottom = 10 + kPlotHeight;
  std::string svg;
  for (int tick = 0; tick <= 100; tick += 25) {
    const double y = bottom - kPlotHeight * tick / 100;
    svg += line("axis", {kLabelWidth, y, kLabelWidth + kPlotWidth, y});
    svg += text_at(kLabelWidth - 8, y + 4, "end", fmt::format("{} %", tick));
  }
  for (const double tick : scale.ticks()) {
    svg += text_at(kLabelWidth + 30 + scale.place(tick) * (kPlotWidth - 60),
                   bottom + 18,
                   "middle",
                   fmt::format("{}", tick));
  }
  svg += text_at(kLabelWidth + kPlotWidth / 2, bottom + 36, "middle", label_text(figure.x_title));
  const auto drawn = static_cast<double>(
      std::ranges::count_if(figure.series, [](const FigureSeries& s) { return !s.is_ceiling; }));
  for (std::size_t i = 0; i < figure.series.size(); ++i) {
    const double dodge =
        figure.series[i].is_ceiling ? 0 : kDodge * (static_cast<double>(i) - (drawn - 1) / 2);
    svg += curve(figure.series[i], i, scale, dodge);
  }
  svg += legend(figure, bottom + kAxisHeight + 4);
  return element(figure, bottom + kAxisHeight + 10 + legend_height(figure), svg, standalone);
}

}  // namespace

std::string to_svg(const Figure& figure, bool standalone) {
  return figure.kind == Figure::Kind::rows ? rows_svg(figure, standalone)
                                           : curves_svg(figure, standalone);
}

}  // namespace sortie::analysis
