#include "sortie/analysis/figures.h"

#include "sortie/analysis/phrases.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

/// The rows of a table by the keys of its columns.
class TableReader {
 public:
  explicit TableReader(const ResultTable& table) : table_(table) {}

  [[nodiscard]] const std::vector<Row>& rows() const { return table_.rows; }

  [[nodiscard]] const Value* find(const Row& row, std::string_view key) const {
    const auto column = std::ranges::find(table_.columns, key, &Column::key);
    return column == table_.columns.end()
               ? nullptr
               : &row.values[static_cast<std::size_t>(column - table_.columns.begin())];
  }

  [[nodiscard]] std::string text(const Row& row, std::string_view key) const {
    const Value* value = find(row, key);
    return value == nullptr ? std::string() : to_text(*value);
  }

  /// A number, also one that stands in the table as text.
  [[nodiscard]] std::optional<double> number(const Row& row, std::string_view key) const {
    const Value* value = find(row, key);
    if (value == nullptr || value->kind == Value::Kind::none) {
      return std::nullopt;
    }
    if (value->kind != Value::Kind::text) {
      return value->first;
    }
    char* end = nullptr;
    const double number = std::strtod(value->text.c_str(), &end);
    return end == value->text.c_str() ? std::nullopt : std::optional(number);
  }

  /// `rate` begins the keys of its columns: "with_plan_", or nothing.
  [[nodiscard]] std::optional<FigurePoint> point(const Row& row,
                                                 double x,
                                                 const std::string& rate) const {
    const std::optional<double> share = number(row, rate + "success");
    if (!share.has_value()) {
      return std::nullopt;
    }
    FigurePoint point{.x = x, .share = *share, .interval = {}};
    const Value* interval = find(row, rate + "interval");
    if (interval != nullptr && interval->kind == Value::Kind::share_interval) {
      point.interval = stats::Interval{.low = interval->first, .high = interval->second};
    }
    return point;
  }

  /// The words of the table.
  [[nodiscard]] const Phrases& phrases() const { return phrases_in(table_.language); }

 private:
  const ResultTable& table_;
};

bool is_marked(const Row& row, std::string_view what) {
  return std::ranges::find(row.marks, what) != row.marks.end();
}

/// As figures name whose rate it is.
std::string name_of(const TableReader& table, const Row& row) {
  return named(table.text(row, "model"), is_marked(row, "simulated"), table.phrases());
}

/// Adds a point to the series of that name, which is added if it is new.
void add_point(Figure& figure, const std::string& name, const FigurePoint& point) {
  auto series = std::ranges::find(figure.series, name, &FigureSeries::name);
  if (series == figure.series.end()) {
    figure.series.push_back({.name = name, .points = {}});
    series = figure.series.end() - 1;
  }
  series->points.push_back(point);
}

double category_of(Figure& figure, const std::string& name) {
  auto found = std::ranges::find(figure.categories, name);
  if (found == figure.categories.end()) {
    figure.categories.push_back(name);
    found = figure.categories.end() - 1;
  }
  return static_cast<double>(found - figure.categories.begin());
}

Figure figure_of(const ResultTable& table, std::string_view name, Figure::Kind kind) {
  const std::size_t slash = table.id.find('/', table.scenario.size() + 1);
  const std::string protocol = slash == std::string::npos ? "" : table.id.substr(slash);
  return {.id = fmt::format("{}/{}{}", table.scenario, name, protocol),
          .table = table.id,
          .title = table.title,
          .kind = kind,
          .categories = {},
          .x_title = {},
          .series = {},
          .language = table.language};
}

/// The columns of rates that a table shows side by side.
struct Rate {
  std::string_view key;   // "with_plan_"
  std::string_view name;  // a phrase
};

constexpr std::array kRates = {Rate{.key = "with_plan_", .name = "side.with_plan"},
                               Rate{.key = "without_plan_", .name = "side.without_plan"}};

Figure models_figure(const ResultTable& table) {
  const TableReader reader(table);
  const Phrases& say = reader.phrases();
  Figure figure = figure_of(table, "models-figure", Figure::Kind::rows);
  for (const Row& row : reader.rows()) {
    const double category =
        category_of(figure,
                    is_marked(row, "scripted")
                        ? say("name.scripted", fmt::arg("name", reader.text(row, "model")))
                        : name_of(reader, row));
    for (const Rate& side : kRates) {
      if (const auto point = reader.point(row, category, std::string(side.key))) {
        add_point(figure, say(side.name), *point);
      }
    }
  }
  return figure;
}

std::vector<Figure> size_figures(const ResultTable& table) {
  const TableReader reader(table);
  const Phrases& say = reader.phrases();
  std::vector<Figure> figures;
  for (const Rate& side : kRates) {
    Figure figure = figure_of(table,
                              side.key == "with_plan_" ? "size-with-plan" : "size-without-plan",
                              Figure::Kind::curves);
    figure.title =
        say("figure.of_side", fmt::arg("title", table.title), fmt::arg("side", say(side.name)));
    figure.x_title = say("figure.size");
    figure.is_log2 = true;
    for (const Row& row : reader.rows()) {
      const auto size = reader.number(row, "size_b");
      if (!size.has_value() || *size <= 0) {
        continue;
      }
      if (const auto point = reader.point(row, *size, std::string(side.key))) {
        add_point(figure, reader.text(row, "difficulty"), *point);
      }
    }
    figures.push_back(std::move(figure));
  }
  return figures;
}

Figure flaws_figure(const ResultTable& table) {
  const TableReader reader(table);
  Figure figure = figure_of(table, "flaws-figure", Figure::Kind::rows);
  for (const Row& row : reader.rows()) {
    if (is_marked(row, "scripted")) {
      continue;
    }
    const std::string category =
        fmt::format("{}, {}", reader.text(row, "flaw"), reader.text(row, "severity"));
    if (const auto point = reader.point(row, category_of(figure, category), "")) {
      add_point(figure, name_of(reader, row), *point);
    }
  }
  return figure;
}

/// What agents without mistakes achieve at each rate: the highest over the models' trials, since
/// models that lost trials have other ones.
void add_ceilings(const TableReader& reader, Figure& figure) {
  for (const std::string_view policy : {"direct", "search", "lookup"}) {
    FigureSeries ceiling{.name = reader.phrases()("reliability.exact", fmt::arg("policy", policy)),
                         .points = {},
                         .is_ceiling = true};
    for (const Row& row : reader.rows()) {
      const auto rate = reader.number(row, "tool_success_rate");
      const auto share = reader.number(row, fmt::format("reference_{}", policy));
      if (!rate.has_value() || !share.has_value()) {
        continue;
      }
      const auto known = std::ranges::find(ceiling.points, *rate, &FigurePoint::x);
      if (known == ceiling.points.end()) {
        ceiling.points.push_back({.x = *rate, .share = *share, .interval = {}});
      } else {
        known->share = std::max(known->share, *share);
      }
    }
    if (!ceiling.points.empty()) {
      figure.series.push_back(std::move(ceiling));
    }
  }
}

Figure rates_figure(const ResultTable& table) {
  const TableReader reader(table);
  Figure figure = figure_of(table, "rates-figure", Figure::Kind::curves);
  figure.x_title = reader.phrases()("figure.rate");
  for (const Row& row : reader.rows()) {
    const auto rate = reader.number(row, "tool_success_rate");
    if (is_marked(row, "scripted") || !rate.has_value()) {
      continue;
    }
    if (const auto point = reader.point(row, *rate, "")) {
      add_point(figure, name_of(reader, row), *point);
    }
  }
  add_ceilings(reader, figure);
  return figure;
}

Figure styles_figure(const ResultTable& table) {
  const TableReader reader(table);
  Figure figure = figure_of(table, "styles-figure", Figure::Kind::rows);
  for (const Row& row : reader.rows()) {
    if (is_marked(row, "scripted")) {
      continue;
    }
    if (const auto point = reader.point(row, category_of(figure, name_of(reader, row)), "")) {
      add_point(figure, reader.text(row, "prompt"), *point);
    }
  }
  return figure;
}

/// Of a user's own scenario: a line per row, named by all that varies.
Figure own_figure(const ResultTable& table) {
  const TableReader reader(table);
  Figure figure = figure_of(table, "cells-figure", Figure::Kind::rows);
  for (const Row& row : reader.rows()) {
    if (is_marked(row, "scripted")) {
      continue;
    }
    std::vector<std::string> names{name_of(reader, row)};
    for (std::size_t column = 1; column < table.columns.size() && table.columns[column].key != "n";
         ++column) {
      names.push_back(to_text(row.values[column]));
    }
    std::erase(names, "");
    if (const auto point = reader.point(row, category_of(figure, base::join(names, ", ")), "")) {
      add_point(figure, reader.phrases()("summary.success"), *point);
    }
  }
  return figure;
}

std::vector<Figure> drawn(const ResultTable& table) {
  const std::string_view name = std::string_view(table.id).substr(table.scenario.size());
  if (name.starts_with("/models") && table.scenario == "baseline") {
    return {models_figure(table)};
  }
  if (!name.starts_with("/cells")) {
    return {};
  }
  if (table.scenario == "scale") {
    return size_figures(table);
  }
  if (table.scenario == "flawed") {
    return {flaws_figure(table)};
  }
  if (table.scenario == "reliability") {
    return {rates_figure(table)};
  }
  return {table.scenario == "prompts" ? styles_figure(table) : own_figure(table)};
}

}  // namespace

Figure overview_figure(const ResultTable& overview) {
  const TableReader reader(overview);
  Figure figure = figure_of(overview, "overview-figure", Figure::Kind::rows);
  for (const Row& row : reader.rows()) {
    const std::string protocol = reader.text(row, "protocol");
    const std::string name =
        reader.text(row, "model") + (protocol == "text" ? "" : ", " + protocol);
    const double category =
        category_of(figure, named(name, is_marked(row, "simulated"), reader.phrases()));
    if (const auto point = reader.point(row, category, "")) {
      add_point(figure, reader.phrases()("summary.success"), *point);
    }
  }
  return figure;
}

std::string caption_of(const Figure& figure) {
  return phrases_in(figure.language)(
      "figure.caption", fmt::arg("title", figure.title), fmt::arg("table", figure.table));
}

std::vector<Figure> figures_of(const ResultTable& table) {
  std::vector<Figure> figures = drawn(table);
  std::erase_if(figures, [](const Figure& figure) { return figure.series.empty(); });
  for (Figure& figure : figures) {
    if (figure.kind == Figure::Kind::curves) {
      for (FigureSeries& series : figure.series) {
        std::ranges::stable_sort(series.points, {}, &FigurePoint::x);
      }
    }
  }
  return figures;
}

}  // namespace sortie::analysis
