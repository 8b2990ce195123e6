#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::base {

/// Length of the valid UTF-8 sequence that `text` starts with (1–4), 0 if it starts with none.
[[nodiscard]] std::size_t utf8_sequence_length(std::string_view text);

/// The character that a valid UTF-8 sequence is.
[[nodiscard]] std::uint32_t code_point(std::string_view sequence);

/// `text` with every invalid byte replaced by U+FFFD.
[[nodiscard]] std::string valid_utf8(std::string_view text);

/// At most `bytes_max` bytes of `text`, cut between characters, with "…" appended when something
/// was cut.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t bytes_max);

[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::string to_lower(std::string_view text);                        // ASCII only
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);  // ASCII only
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
[[nodiscard]] std::string join(std::span<const std::string> parts, std::string_view separator);

/// Number of single-character edits (insert, delete, replace, swap of neighbours) between two
/// names.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate a person most likely meant, if one is near enough to say so.
[[nodiscard]] std::optional<std::string> nearest(std::string_view name,
                                                 std::span<const std::string> candidates);

/// "; did you mean 'x'?" or "; expected one of: a, b, c": the end of an error message about an
/// unknown name.
[[nodiscard]] std::string suggestion(std::string_view name,
                                     std::span<const std::string> candidates);

/// 12400 → "12,400".
[[nodiscard]] std::string with_thousands(long long value);

}  // namespace sortie::base
