#include "sortie/base/json.h"
#include "sortie/suite/content.h"
#include "sortie/suite/tools.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <expected>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

Outcome parser(const ToolInput& input) {
  const Content& source = input.source();
  if (to_string(source.format) != input.text("format")) {
    return invalid_input(
        fmt::format("the content is {}, not {}", to_string(source.format), input.text("format")));
  }
  Product product;
  product.content.table = source.table;
  product.value = table_value(source.table);
  return product;
}

/// Words compare by spelling, numbers by value.
bool cell_before(const Column& column, double a, double b) {
  if (column.numeric()) {
    return a < b;
  }
  return column.words[static_cast<std::size_t>(a)] < column.words[static_cast<std::size_t>(b)];
}

Table sorted(const Table& table, std::size_t field, bool descending) {
  std::vector<std::size_t> order(table.rows());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    const double x = table.at(descending ? b : a, field);
    const double y = table.at(descending ? a : b, field);
    return cell_before(table.columns[field], x, y);
  });
  Table out{.columns = table.columns, .cells = {}};
  for (const std::size_t row : order) {
    out.append_row(table.row(row));
  }
  return out;
}

Table rescaled(const Table& table, std::size_t field, bool rank) {
  Table out = table;
  const std::vector<double> values = table.values(field);
  if (values.empty()) {
    return out;
  }
  const auto [low, high] = std::ranges::minmax(values);
  for (std::size_t row = 0; row < values.size(); ++row) {
    const auto smaller = std::ranges::count_if(values, [&](double v) { return v < values[row]; });
    const double scaled = high > low ? (values[row] - low) / (high - low) : 0;
    out.cells[row * out.columns.size() + field] =
        rank ? static_cast<double>(smaller + 1) : rounded(scaled);
  }
  return out;
}

Outcome transformer(const ToolInput& input) {
  const std::string_view operation = input.text("operation");
  const bool sorts = operation.starts_with("sort");
  const auto field = find_field(input.source().table, input.text("field"), !sorts);
  if (!field) {
    return std::unexpected(field.error());
  }
  Product product;
  product.content.table = sorts
                              ? sorted(input.source().table, *field, operation == "sort_descending")
                              : rescaled(input.source().table, *field, operation == "rank");
  product.value = table_value(product.content.table);
  return product;
}

Outcome validator(const ToolInput& input) {
  const Table& table = input.source().table;
  const std::string_view rule = input.text("rule");
  const auto field = find_field(table, input.text("field"), rule == "positive" || rule == "finite");
  if (!field) {
    return std::unexpected(field.error());
  }
  const std::vector<double> values = table.values(*field);
  const auto passes = [&](double value) {
    if (rule == "unique") {
      return std::ranges::count(values, value) == 1;
    }
    return rule == "positive" ? value > 0 : std::isfinite(value);
  };
  const auto passed = static_cast<std::size_t>(std::ranges::count_if(values, passes));
  Product product;
  product.content.table = table;
  product.value["rule"] = rule;
  product.value["checked"] = whole(values.size());
  product.value["passed"] = whole(passed);
  product.value["failed"] = whole(values.size() - passed);
  return product;
}

bool compares(std::string_view op, bool less, bool equal) {
  if (op == "==") {
    return equal;
  }
  if (op == "!=") {
    return !equal;
  }
  if (op == "<" || op == "<=") {
    return less || (equal && op == "<=");
  }
  return (!less && !equal) || (equal && op == ">=");
}

/// The wanted value as a cell of this column, or why it cannot be one.
std::expected<double, Refusal> wanted_cell(const Column& column, const json::Value& wanted) {
  if (column.numeric()) {
    const std::optional<double> number = json::as_number(wanted);
    if (!number) {
      return invalid_input(fmt::format(
          "'value' is {}, but the field '{}' holds numbers", json::to_text(wanted), column.name));
    }
    return *number;
  }
  const auto found = wanted.is_string()
                         ? std::ranges::find(column.words, json::view(wanted.get_string()))
                         : column.words.end();
  if (found == column.words.end()) {
    std::vector<std::string> names(column.words.begin(), column.words.end());
    return invalid_input(fmt::format("'value' is {}, but the field '{}' holds one of: {}",
                                     json::to_text(wanted),
                                     column.name,
                                     fmt::join(names, ", ")));
  }
  return static_cast<double>(found - column.words.begin());
}

Outcome filter(const ToolInput& input) {
  const Table& table = input.source().table;
  const auto field = find_field(table, input.text("field"), false);
  if (!field) {
    return std::unexpected(field.error());
  }
  const Column& column = table.columns[*field];
  const auto wanted = wanted_cell(column, input.arguments.at("value"));
  if (!wanted) {
    return std::unexpected(wanted.error());
  }
  Product product;
  product.content.table.columns = table.columns;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const double value = table.at(row, *field);
    if (compares(input.text("operator"), cell_before(column, value, *wanted), value == *wanted)) {
      product.content.table.append_row(table.row(row));
    }
  }
  product.value = table_value(product.content.table);
  product.value["dropped"] = whole(table.rows() - product.content.table.rows());
  return product;
}

double condensed(std::string_view function, std::span<const double> values) {
  if (function == "count") {
    return static_cast<double>(values.size());
  }
  if (function == "mean") {
    return mean_of(values);
  }
  if (function == "max") {
    return std::ranges::max(values);
  }
  return function == "min" ? std::ranges::min(values)
                           : std::accumulate(values.begin(), values.end(), 0.0);
}

/// Appends the rows of the second table; both have to have the same fields.
std::expected<Table, Refusal> combined(const ToolInput& input) {
  Table table = input.source().table;
  if (const Content* with = input.second()) {
    if (!std::ranges::equal(table.columns, with->table.columns, {}, &Column::name, &Column::name)) {
      return invalid_input("the two inputs have different fields");
    }
    table.cells.insert(table.cells.end(), with->table.cells.begin(), with->table.cells.end());
  }
  return table;
}

Outcome aggregator(const ToolInput& input) {
  const auto table = combined(input);
  if (!table) {
    return std::unexpected(table.error());
  }
  const auto group = find_field(*table, input.text("group_by"), false);
  if (!group) {
    return std::unexpected(group.error());
  }
  const auto field = find_field(*table, input.text("field"), true);
  if (!field) {
    return std::unexpected(field.error());
  }
  if (*group == *field) {
    return invalid_input("'group_by' and 'field' have to be two different fields");
  }
  std::vector<double> keys = table->values(*group);
  std::ranges::sort(keys);
  const auto repeated = std::ranges::unique(keys);
  keys.erase(repeated.begin(), repeated.end());

  Product product;
  product.content.table.columns = {table->columns[*group], table->columns[*field]};
  for (const double key : keys) {
    std::vector<double> values;
    for (std::size_t row = 0; row < table->rows(); ++row) {
      if (table->at(row, *group) == key) {
        values.push_back(table->at(row, *field));
      }
    }
    product.content.table.append_row(
        std::array{key, rounded(condensed(input.text("function"), values))});
  }
  product.value["groups"] = whole(keys.size());
  product.value["fields"] = product.content.table.field_names();
  if (!keys.empty()) {
    product.value["first"] = product.content.table.row_object(0);
  }
  return product;
}

constexpr std::array kFunctions = {NamedFunction{"data_processing_parser", parser},
                                   NamedFunction{"data_processing_transformer", transformer},
                                   NamedFunction{"data_processing_validator", validator},
                                   NamedFunction{"data_processing_filter", filter},
                                   NamedFunction{"data_processing_aggregator", aggregator}};

}  // namespace

std::span<const NamedFunction> data_functions() {
  return kFunctions;
}

}  // namespace sortie::suite
