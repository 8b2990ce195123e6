#pragma once

#include "sortie/dialogue/transcript.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/world.h"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

// Which call of a dialogue meant which operation of its task. A tool that occurs once is recognised
// by its name; where an operation shares its tool with others, by the checked values and inputs
// that a call got right.

namespace sortie::score {

/// Per operation, calls as positions in Transcript::calls, in order.
using CallsOf = std::vector<std::vector<std::size_t>>;

/// Per required operation, the calls that attempted it, valid or rejected. A call belongs to at
/// most one operation.
[[nodiscard]] CallsOf attempts_at_required(const suite::ToolCatalog& catalog,
                                           const dialogue::Transcript& transcript,
                                           const suite::Goal& goal);

/// The same per step of any plan.
[[nodiscard]] CallsOf attempts_at_steps(const suite::ToolCatalog& catalog,
                                        const dialogue::Transcript& transcript,
                                        std::span<const suite::Step> plan);

struct Plans {
  std::span<const suite::Step> shown;
  std::span<const suite::Step> right;
  std::vector<std::optional<std::size_t>> counterparts;  // per shown step: suite::counterparts()
};

/// The same per step of a shown plan that is not the right one. A call that agrees in more values
/// and inputs with a step of the right plan than with any shown one attempts none of
/// these: where the shown plan lacks a step, its tool may stand elsewhere in it.
[[nodiscard]] CallsOf attempts_at_shown(const suite::ToolCatalog& catalog,
                                        const dialogue::Transcript& transcript,
                                        const Plans& plans);

/// The first call of each operation, if it has any.
[[nodiscard]] std::vector<std::optional<std::size_t>> first_of(const CallsOf& calls);

/// The call has the tool and every value of the step that is no input, defaults filled in.
[[nodiscard]] bool has_values(const suite::ToolCatalog& catalog,
                              const suite::CallRecord& call,
                              const suite::Step& step);

/// The call has every value that the goal checks for this operation, defaults filled in.
[[nodiscard]] bool has_checked_values(const suite::ToolCatalog& catalog,
                                      const suite::CallRecord& call,
                                      const suite::Required& required);

/// Artifact → the first call that made it.
using ArtifactMakers = std::map<std::string, std::size_t, std::less<>>;

[[nodiscard]] ArtifactMakers makers_of(const dialogue::Transcript& transcript);

/// Which calls did what the goal requires: with its values, on results of the operations that it
/// needs, directly or by way of steps that keep the content. Refers to what it is made from.
class Completions {
 public:
  Completions(const suite::ToolCatalog& catalog,
              const dialogue::Transcript& transcript,
              const suite::Goal& goal);

  /// The first call that did the operation, nullopt if none did.
  [[nodiscard]] std::optional<std::size_t> first(std::size_t operation) const {
    return first_[operation];
  }

  /// It is done when the dialogue ends: no later file took the place of what did it.
  [[nodiscard]] bool lasts(std::size_t operation) const { return lasts_[operation]; }

  /// The call names, as inputs, results of exactly the operations that this one needs. Only for
  /// calls whose handles the world knew.
  [[nodiscard]] bool takes_right_inputs(const suite::CallRecord& call, std::size_t operation) const;

 private:
  /// Per input that a call names, the call that made it.
  [[nodiscard]] std::vector<std::size_t> inputs_of(const suite::CallRecord& call) const;

  /// Per operation, the first of the given calls (per call: whether) that did it; fills through_.
  [[nodiscard]] std::vector<std::optional<std::size_t>> first_among(
      const dialogue::Transcript& transcript, const std::vector<bool>& calls);

  /// What a call made is the result of the operation.
  [[nodiscard]] bool through(std::size_t call, std::size_t operation) const {
    return call < through_.size() && through_[call][operation];
  }

  const suite::ToolCatalog& catalog_;
  const suite::Goal& goal_;
  ArtifactMakers makers_;
  std::vector<std::vector<bool>> through_;  // per call and operation
  std::vector<std::optional<std::size_t>> first_;
  std::vector<bool> lasts_;
};

/// Per call, the turn that made it.
[[nodiscard]] std::vector<std::size_t> turns_of_calls(const dialogue::Transcript& transcript);

}  // namespace sortie::score
