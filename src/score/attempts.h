#pragma once

#include "sortie/dialogue/transcript.h"
#include "sortie/suite/task.h"

#include <cstddef>
#include <optional>
#include <vector>

// Which call of a dialogue meant which operation of its task. A tool that occurs once is recognised
// by its name; where an operation shares its tool with others, by the checked values that a call
// got right.

namespace sortie::score {

/// Per required operation, the calls (positions in Transcript::calls) that attempted it, in order.
/// A call belongs to at most one operation.
[[nodiscard]] std::vector<std::vector<std::size_t>> attempts_at_required(
    const dialogue::Transcript& transcript, const suite::Goal& goal);

/// Per step of the plan, the first call that attempted it, valid or rejected.
[[nodiscard]] std::vector<std::optional<std::size_t>> first_attempts(
    const dialogue::Transcript& transcript, const std::vector<suite::Step>& plan);

/// The call has every value that the goal checks for this operation.
[[nodiscard]] bool has_checked_values(const suite::CallRecord& call,
                                      const suite::Required& required);

/// Per call, the turn that made it.
[[nodiscard]] std::vector<std::size_t> turns_of_calls(const dialogue::Transcript& transcript);

}  // namespace sortie::score
