#pragma once

#include "sortie/dialogue/transcript.h"
#include "sortie/score/score.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"

#include <cstddef>
#include <optional>
#include <string_view>

// Why a trial failed, by rules (docs/design/benchmark.md). The first rule that applies decides:
//
//   no call ever ran: tool_call_format if an answer held a call that could not be read, else
//     no_command;
//   the last answer, or half of all answers, held no command because it was refused (by the model
//     or by a filter): refused; because it was cut short: truncated;
//   the dialogue ended by the loop rule: loop;
//   the first required operation that never succeeded with its values on its inputs, judged by the
//     last of its attempts that was not an injected failure: missing, ill-typed or wrong value:
//     parameter_config; made before an operation it depends on had succeeded: sequence_order;
//     otherwise a handle that is unknown, stale or of another kind: dependency. Without an attempt,
//     but with a call of a tool that the task does not need after everything before it was done:
//     tool_selection;
//   the model finished: early_finish;
//   the turns ran out while a required operation still succeeded in the last five: max_turns;
//   other.

namespace sortie::score {

struct Verdict {
  Label label = Label::other;
  std::optional<std::size_t> turn;  // that shows it, from 0
};

/// For a trial that did not succeed.
[[nodiscard]] Verdict judge(const suite::ToolCatalog& catalog,
                            const dialogue::Transcript& transcript,
                            const suite::Task& task);

/// The nearest of the eight labels of the benchmark that this one follows in shape: timeout,
/// tool_selection, parameter_config, sequence_order, dependency, tool_call_format, max_turns,
/// other;
/// "" for a success. Its loops ran until the turns were used up; what it called timeout is an
/// outcome of the infrastructure here and never a label.
[[nodiscard]] std::string_view legacy_label(Label label);

}  // namespace sortie::score
