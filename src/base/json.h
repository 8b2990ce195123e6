#pragma once

#include "sortie/base/error.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

// JSON for every module. Boost.JSON's value is the vocabulary type; parsing and printing go through
// here, so that limits and the canonical form are decided once.

namespace sortie::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;

struct ParseLimits {
  std::size_t bytes_max = 64UL * 1024 * 1024;
  std::size_t depth_max = 64;
};

/// Parses one complete document. Errors name the byte offset.
[[nodiscard]] base::Result<Value> parse(std::string_view text, ParseLimits limits = {});

/// Compact text, members in stored order.
[[nodiscard]] std::string to_text(const Value& value);
void append_text(std::string& out, const Value& value);

/// Text for people: two spaces of indentation, members in stored order, newline at the end.
[[nodiscard]] std::string to_pretty_text(const Value& value);

/// Compact text with members sorted by name and numbers by value (1, 1.0 and 1e0 are all "1"):
/// equal values have equal text. This is what hashes and comparisons use.
[[nodiscard]] std::string canonical(const Value& value);

/// Shortest text that reads back as the same double; integral values below 2^53 without fraction or
/// exponent.
[[nodiscard]] std::string number_text(double value);

/// Appends `text` as a JSON string with quotes. Invalid UTF-8 becomes U+FFFD, so that the result is
/// always valid JSON.
void append_quoted(std::string& out, std::string_view text);

// --- Reading members without exceptions; nullptr / nullopt when absent or of another type.
[[nodiscard]] const Value* find(const Value& value, std::string_view name);
[[nodiscard]] std::optional<std::string_view> get_string(const Value& value, std::string_view name);
[[nodiscard]] std::optional<std::int64_t> get_int(const Value& value, std::string_view name);
[[nodiscard]] std::optional<double> get_double(const Value& value, std::string_view name);
[[nodiscard]] std::optional<bool> get_bool(const Value& value, std::string_view name);
[[nodiscard]] const Object* get_object(const Value& value, std::string_view name);
[[nodiscard]] const Array* get_array(const Value& value, std::string_view name);

/// Any JSON number as a double.
[[nodiscard]] std::optional<double> as_number(const Value& value);

inline std::string_view view(const boost::json::string& text) {
  return {text.data(), text.size()};
}

}  // namespace sortie::json
