#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/suite/content.h"
#include "sortie/suite/tools.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

// Beyond this a result is of no use to anybody.
constexpr double kResultMax = 1e12;

std::unexpected<Refusal> overflow() {
  return std::unexpected(Refusal{
      .code = "OVERFLOW", .message = fmt::format("the result is larger than {:.0e}", kResultMax)});
}

double measured(std::string_view measure, std::vector<double> values) {
  if (measure == "average") {
    return mean_of(values);
  }
  if (measure == "maximum") {
    return std::ranges::max(values);
  }
  if (measure == "spread") {
    return std::ranges::max(values) - std::ranges::min(values);
  }
  if (measure == "total") {
    return std::accumulate(values.begin(), values.end(), 0.0);
  }
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::expected<double, Refusal> measured_field(const ToolInput& input, const Table& table) {
  const auto field = find_field(table, input.text("field"), true);
  if (!field) {
    return std::unexpected(field.error());
  }
  if (table.rows() == 0) {
    return std::unexpected(Refusal{
        .code = "CALCULATION_ERROR", .message = "the input has no rows", .parameter = false});
  }
  return measured(input.text("measure"), table.values(*field));
}

Outcome calculator(const ToolInput& input) {
  const auto result = measured_field(input, input.source().table);
  if (!result) {
    return std::unexpected(result.error());
  }
  double figure = *result;
  if (const Content* other = input.second()) {
    const auto compared = measured_field(input, other->table);
    if (!compared) {
      return std::unexpected(compared.error());
    }
    figure -= *compared;
  }
  Product product;
  product.content.table = single_row(known_name("value"), figure);
  product.value["measure"] = input.text("measure");
  product.value["field"] = input.text("field");
  product.value["result"] = rounded(figure);
  return product;
}

/// Slope and level of the least-squares line through (0, y0), (1, y1), …
struct Line {
  double slope = 0;
  double level = 0;
};

Line fitted_line(std::span<const double> values) {
  const double centre = (static_cast<double>(values.size()) - 1) / 2;
  const double mean = mean_of(values);
  double products = 0;
  double squares = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double x = static_cast<double>(i) - centre;
    products += x * (values[i] - mean);
    squares += x * x;
  }
  const double slope = squares > 0 ? products / squares : 0;
  return {.slope = slope, .level = mean - slope * centre};
}

double projected(std::string_view method, std::span<const double> values, std::size_t step) {
  const auto ahead = static_cast<double>(values.size() + step);
  if (method == "naive") {
    return values.back();
  }
  if (method == "seasonal") {
    return values[step % values.size()];
  }
  const Line line = fitted_line(values);
  if (method == "linear") {
    return line.level + line.slope * ahead;
  }
  const double base_value = std::max(1.0, std::abs(values.front()));
  const double growth = std::pow(std::max(1.0, std::abs(values.back())) / base_value,
                                 1 / static_cast<double>(values.size()));
  return base_value * std::pow(growth, ahead);
}

Outcome predictor(const ToolInput& input) {
  const auto values = measure_of(input.source());
  if (!values) {
    return std::unexpected(values.error());
  }
  Product product;
  product.content.table.columns = {Column{.name = known_name("step"), .words = {}},
                                   Column{.name = known_name("value"), .words = {}}};
  const auto horizon = static_cast<std::size_t>(input.number("horizon"));
  for (std::size_t step = 0; step < horizon; ++step) {
    const double value = projected(input.text("method"), *values, step);
    if (!std::isfinite(value) || std::abs(value) > kResultMax) {
      return overflow();
    }
    product.content.table.append_row(std::array{static_cast<double>(step + 1), rounded(value)});
  }
  product.value["method"] = input.text("method");
  product.value["steps"] = whole(horizon);
  product.value["last"] = product.content.table.at(horizon - 1, 1);
  return product;
}

double finding(std::string_view focus, std::span<const double> values) {
  const double mean = mean_of(values);
  const double deviation = deviation_of(values);
  if (focus == "trend") {
    return fitted_line(values).slope;
  }
  if (focus == "outliers") {
    return static_cast<double>(std::ranges::count_if(
        values, [&](double v) { return std::abs(v - mean) > 1.5 * deviation; }));
  }
  if (focus == "dispersion") {
    return mean == 0 ? 0 : deviation / std::abs(mean);
  }
  std::vector<double> ordered(values.begin(), values.end());
  return measured("median", ordered) - mean;  // distribution: its skew
}

Outcome analyzer(const ToolInput& input) {
  const auto values = measure_of(input.source());
  if (!values) {
    return std::unexpected(values.error());
  }
  double score = finding(input.text("focus"), *values);
  if (const Content* baseline = input.second()) {
    const auto other = measure_of(*baseline);
    if (!other) {
      return std::unexpected(other.error());
    }
    score -= finding(input.text("focus"), *other);
  }
  Product product;
  product.content.table.columns = {Column{.name = known_name("mean"), .words = {}},
                                   Column{.name = known_name("score"), .words = {}}};
  product.content.table.append_row(std::array{rounded(mean_of(*values)), rounded(score)});
  product.value["focus"] = input.text("focus");
  product.value["examined"] = whole(values->size());
  product.value["score"] = rounded(score);
  return product;
}

/// Drift and width of a scenario, relative to the level of the input.
struct ScenarioShape {
  std::string_view name;
  double drift;
  double width;
};

constexpr std::array kScenarios = {ScenarioShape{"optimistic", 0.1, 0.1},
                                   ScenarioShape{"pessimistic", -0.15, 0.1},
                                   ScenarioShape{"turbulent", 0, 0.4},
                                   ScenarioShape{"steady", 0, 0.05}};

Outcome simulator(const ToolInput& input) {
  const auto values = measure_of(input.source());
  if (!values) {
    return std::unexpected(values.error());
  }
  const auto shape = std::ranges::find(kScenarios, input.text("scenario"), &ScenarioShape::name);
  if (shape == kScenarios.end()) {
    return invalid_input(fmt::format("the scenario '{}' cannot be played", input.text("scenario")));
  }
  double spread = std::abs(mean_of(*values)) * shape->width;
  if (const Content* assumptions = input.second()) {
    const auto other = measure_of(*assumptions);
    if (!other) {
      return std::unexpected(other.error());
    }
    spread += deviation_of(*other);
  }
  base::RandomStream random(
      base::FieldHasher("sortie.runs.v1")
          .field("reference", static_cast<std::int64_t>(input.reference("runs", 1U << 31U)))
          .finish());
  std::vector<double> outcomes(static_cast<std::size_t>(input.number("runs")));
  for (double& outcome : outcomes) {
    outcome =
        (*values)[random.below(values->size())] * (1 + shape->drift) + spread * random.normal();
  }
  std::ranges::sort(outcomes);
  Product product;
  product.content.table.columns = {Column{.name = known_name("low"), .words = {}},
                                   Column{.name = known_name("high"), .words = {}},
                                   Column{.name = known_name("mean"), .words = {}}};
  product.content.table.append_row(std::array{rounded(outcomes[outcomes.size() / 10]),
                                              rounded(outcomes[outcomes.size() * 9 / 10]),
                                              rounded(mean_of(outcomes))});
  product.value["scenario"] = input.text("scenario");
  product.value["runs"] = whole(outcomes.size());
  product.value["range"] = product.content.table.row_object(0);
  return product;
}

Outcome optimizer(const ToolInput& input) {
  const auto values = measure_of(input.source());
  if (!values) {
    return std::unexpected(values.error());
  }
  double bound = input.number("budget");
  if (const Content* limits = input.second()) {
    const auto other = measure_of(*limits);
    if (!other) {
      return std::unexpected(other.error());
    }
    bound = std::min(bound, std::abs(std::ranges::max(*other)) * 100);
  }
  // Shares follow the size of each candidate; objectives that save prefer the small ones.
  const bool saves =
      input.text("objective") == "lowest_cost" || input.text("objective") == "shortest_delay";
  const auto preferred =
      saves ? std::ranges::min_element(*values) : std::ranges::max_element(*values);
  double sum = 0;
  for (const double value : *values) {
    sum += std::abs(value);
  }
  const double share = sum == 0 || input.text("objective") == "even_load"
                           ? 1 / static_cast<double>(values->size())
                           : std::abs(*preferred) / sum;
  Product product;
  product.content.table.columns = {Column{.name = known_name("choice"), .words = {}},
                                   Column{.name = known_name("cost"), .words = {}}};
  const auto choice = static_cast<double>(preferred - values->begin()) + 1;
  product.content.table.append_row(std::array{choice, rounded(share * bound)});
  product.value["objective"] = input.text("objective");
  product.value["choice"] = choice;
  product.value["share"] = rounded(share);
  product.value["cost"] = rounded(share * bound);
  return product;
}

constexpr std::array kFunctions = {NamedFunction{"computation_calculator", calculator},
                                   NamedFunction{"computation_predictor", predictor},
                                   NamedFunction{"computation_analyzer", analyzer},
                                   NamedFunction{"computation_simulator", simulator},
                                   NamedFunction{"computation_optimizer", optimizer}};

}  // namespace

std::span<const NamedFunction> computation_functions() {
  return kFunctions;
}

}  // namespace sortie::suite
