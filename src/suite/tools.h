#pragma once

#include "sortie/base/json.h"
#include "sortie/suite/content.h"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What each tool does to content: pure functions of the arguments and the inputs' content. Handles
// are resolved and arguments checked against the schema before; what can still be wrong is the
// meaning of a value.

namespace sortie::suite {

struct Content {
  Table table;
  Format format = Format::none;
};

struct ToolInput {
  const json::Object& arguments;             // defaults filled in
  std::span<const Content* const> contents;  // of the handles, in schema order
  bool source_known = false;  // the task's world has the path or address of the arguments

  [[nodiscard]] std::string_view text(std::string_view name) const;
  [[nodiscard]] double number(std::string_view name) const;

  [[nodiscard]] const Content& source() const { return *contents.front(); }

  /// The optional second handle.
  [[nodiscard]] const Content* second() const {
    return contents.size() > 1 ? contents[1] : nullptr;
  }

  /// A number in [0, bound) that belongs to these arguments and inputs: receipts, tracking numbers.
  [[nodiscard]] std::uint64_t reference(std::string_view purpose, std::uint64_t bound) const;
};

struct Product {
  Content content;
  json::Object value;  // what the call returns
};

/// A deterministic no. `parameter`: a value of the arguments is to blame, not the content.
struct Refusal {
  std::string_view code;
  std::string message;
  bool parameter = true;
};

using Outcome = std::expected<Product, Refusal>;
using ToolFunction = Outcome (*)(const ToolInput&);

/// nullptr if no function of that name exists.
[[nodiscard]] ToolFunction tool_function(std::string_view name);

struct NamedFunction {
  std::string_view name;
  ToolFunction function;
};

// One list per category.
[[nodiscard]] std::span<const NamedFunction> file_functions();
[[nodiscard]] std::span<const NamedFunction> data_functions();
[[nodiscard]] std::span<const NamedFunction> network_functions();
[[nodiscard]] std::span<const NamedFunction> computation_functions();
[[nodiscard]] std::span<const NamedFunction> integration_functions();
[[nodiscard]] std::span<const NamedFunction> utility_functions();

// --- Shared by the categories ---
[[nodiscard]] std::unexpected<Refusal> invalid_input(std::string message);

/// Position of a field, or INVALID_INPUT naming the fields that exist. `numeric`: a number field is
/// needed.
[[nodiscard]] std::expected<std::size_t, Refusal> find_field(const Table& table,
                                                             std::string_view field,
                                                             bool numeric);

/// The numbers that tools without a field parameter work on, or CALCULATION_ERROR if there are
/// none.
[[nodiscard]] std::expected<std::vector<double>, Refusal> measure_of(const Content& content);

[[nodiscard]] Table single_row(std::string_view name, double value);
[[nodiscard]] double mean_of(std::span<const double> values);
[[nodiscard]] double deviation_of(std::span<const double> values);

/// A count in a result.
[[nodiscard]] inline json::Value whole(std::uint64_t count) {
  return static_cast<std::int64_t>(count);
}

/// {"rows": 12, "fields": [...], "first": {...}}.
[[nodiscard]] json::Object table_value(const Table& table);

}  // namespace sortie::suite
