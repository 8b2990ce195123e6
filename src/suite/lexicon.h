#pragma once

#include "sortie/base/json.h"
#include "sortie/suite/trial.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// The published lexicon of `pilot`: every clause of a task's text is one of these wordings, with
// the values in its slots. A slot is the name of a parameter in braces. Difficulty is wording only.

namespace sortie::suite {

inline constexpr std::size_t kWordingsPerClause = 6;

using Wordings = std::array<std::string_view, kWordingsPerClause>;

struct OperationWordings {
  std::string_view tool;
  Wordings wordings;
};

[[nodiscard]] std::span<const OperationWordings> easy_wordings();
[[nodiscard]] std::span<const OperationWordings> medium_wordings();
[[nodiscard]] std::span<const OperationWordings> hard_wordings();

/// Whether the lexicon knows a tool: those of the built-in suite, no other.
[[nodiscard]] bool has_wordings(std::string_view tool);

/// The wordings of one operation at a level; the lexicon has to know the tool. very_easy has one
/// set for all tools, with the slots {tool} and {arguments}; very_hard has those of hard.
[[nodiscard]] const Wordings& wordings_of(std::string_view tool, Difficulty difficulty);

/// Frames around clauses, each with the slot {clause}. Sequences of operations and what joins two
/// strands of work.
enum class Frame : std::uint8_t { opening, next, last, first_strand, second_strand, join };

[[nodiscard]] const Wordings& frames(Frame frame, Difficulty difficulty);

/// Sentences of very_hard that mean nothing for the task.
[[nodiscard]] std::span<const std::string_view> asides();

/// Beginnings of words that levels from medium on must not contain outside of values.
[[nodiscard]] std::span<const std::string_view> forbidden_stems();

/// A word of `text` that starts with a forbidden stem, "" if there is none.
[[nodiscard]] std::string_view forbidden_word(std::string_view text);

/// `wording` with each {slot} replaced by its value as text: strings as they are, numbers shortest.
[[nodiscard]] std::string filled(std::string_view wording, const json::Object& values);

/// How a value stands in a text.
[[nodiscard]] std::string verbatim(const json::Value& value);

}  // namespace sortie::suite
