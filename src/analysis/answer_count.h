#pragma once

#include "sortie/analysis/phrases.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sortie::analysis {

/// Answers of a route that became turns.
struct AnswerCount {
  std::uint64_t all = 0;
  std::uint64_t empty = 0;  // of zero tokens, see kIsEmpty

  /// More than 2 % of the answers are empty: the route is broken, or hides what the model wrote.
  [[nodiscard]] bool suspect() const { return empty * 50 > all; }

  bool operator==(const AnswerCount&) const = default;
};

/// SQL over attempt_end AS e and turn AS t: whether a turn's answer is empty. Some servers report
/// no usage: then the answer itself says so. A request that was refused, as too long or by a
/// filter, is a turn without an answer.
inline constexpr std::string_view kIsEmpty =
    "CASE WHEN t.attempt IS NULL OR e.status >= 300 THEN 0 WHEN e.billing_known THEN "
    "t.output_tokens = 0 ELSE coalesce(message_text(t.answer) ->> '$.text', '') = '' AND "
    "coalesce(message_text(t.answer) ->> '$.reasoning', '') = '' AND "
    "coalesce(message_text(t.answer) ->> '$.refusal', '') = '' AND "
    "coalesce(json_array_length(message_text(t.answer), '$.tool_calls'), 0) = 0 END";

/// "3 of 100 answers hold no token, more than 2 %: the route is broken, or hides what the model
/// wrote"
[[nodiscard]] std::string suspicion(const AnswerCount& answers, const Phrases& say);

}  // namespace sortie::analysis
