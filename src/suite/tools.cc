#include "sortie/suite/tools.h"

#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/base/text.h"
#include "sortie/suite/content.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

std::string_view ToolInput::text(std::string_view name) const {
  const json::Value* value = arguments.if_contains(name);
  return value != nullptr && value->is_string() ? json::view(value->get_string())
                                                : std::string_view();
}

double ToolInput::number(std::string_view name) const {
  const json::Value* value = arguments.if_contains(name);
  return value == nullptr ? 0 : json::as_number(*value).value_or(0);
}

std::uint64_t ToolInput::reference(std::string_view purpose, std::uint64_t bound) const {
  base::FieldHasher hasher("sortie.reference.v1");
  hasher.field("purpose", purpose);
  for (const auto& [name, value] : arguments) {
    // Handles are numbered in the order of calls; the number may depend on content only.
    if (!value.is_string() || json::view(value.get_string()).find('#') == std::string_view::npos) {
      hasher.field(name, json::canonical(value));
    }
  }
  for (const Content* content : contents) {
    hasher.field("content", content->table.csv());
  }
  return base::RandomStream(hasher.finish()).below(bound);
}

ToolFunction tool_function(std::string_view name) {
  for (const auto functions : {file_functions(),
                               data_functions(),
                               network_functions(),
                               computation_functions(),
                               integration_functions(),
                               utility_functions()}) {
    const auto found = std::ranges::find(functions, name, &NamedFunction::name);
    if (found != functions.end()) {
      return found->function;
    }
  }
  return nullptr;
}

std::unexpected<Refusal> invalid_input(std::string message) {
  return std::unexpected(Refusal{.code = "INVALID_INPUT", .message = std::move(message)});
}

std::expected<std::size_t, Refusal> find_field(const Table& table,
                                               std::string_view field,
                                               bool numeric) {
  std::vector<std::string> names;
  for (const Column& column : table.columns) {
    if (!numeric || column.numeric()) {
      names.emplace_back(column.name);
    }
  }
  const std::optional<std::size_t> found = table.find(field);
  if (!found) {
    return invalid_input(fmt::format("there is no field '{}'; the {}fields are: {}",
                                     field,
                                     numeric ? "number " : "",
                                     base::join(names, ", ")));
  }
  if (numeric && !table.columns[*found].numeric()) {
    return invalid_input(fmt::format(
        "the field '{}' holds words; the number fields are: {}", field, base::join(names, ", ")));
  }
  return *found;
}

std::expected<std::vector<double>, Refusal> measure_of(const Content& content) {
  const std::optional<std::size_t> column = content.table.measure();
  if (!column) {
    return std::unexpected(Refusal{
        .code = "CALCULATION_ERROR", .message = "the input holds no numbers", .parameter = false});
  }
  return content.table.values(*column);
}

Table single_row(std::string_view name, double value) {
  return Table{.columns = {Column{.name = name, .words = {}}}, .cells = {rounded(value)}};
}

double mean_of(std::span<const double> values) {
  return values.empty() ? 0
                        : std::accumulate(values.begin(), values.end(), 0.0) /
                              static_cast<double>(values.size());
}

double deviation_of(std::span<const double> values) {
  const double mean = mean_of(values);
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  return values.size() < 2 ? 0 : std::sqrt(squares / static_cast<double>(values.size() - 1));
}

json::Object table_value(const Table& table) {
  json::Object value;
  value["rows"] = whole(table.rows());
  value["fields"] = table.field_names();
  if (table.rows() > 0) {
    value["first"] = table.row_object(0);
  }
  return value;
}

}  // namespace sortie::suite
