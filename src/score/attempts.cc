#include "sortie/score/attempts.h"

#include "sortie/base/json.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/execution.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::score {

namespace {

/// What an operation is recognised by: its tool, the values that do not refer to other operations,
/// and the operations whose results it takes.
struct Operation {
  const std::string* tool = nullptr;
  const json::Object* values = nullptr;
  std::vector<std::size_t> inputs{};
};

/// Artifact → the operation whose successful call made it.
using Makers = std::map<std::string, std::size_t, std::less<>>;

/// What a call says for a parameter, else the parameter's default; nullptr if there is neither.
const json::Value* given(const suite::ToolCatalog& catalog,
                         const suite::CallRecord& call,
                         std::string_view parameter) {
  if (const json::Value* value = call.arguments.if_contains(parameter)) {
    return value;
  }
  const suite::ToolSpec* tool = catalog.find(call.tool);
  const json::Value* property = tool == nullptr ? nullptr : suite::property_of(*tool, parameter);
  return property == nullptr ? nullptr : json::find(*property, "default");
}

std::size_t matching_values(const suite::ToolCatalog& catalog,
                            const suite::CallRecord& call,
                            const json::Object& values) {
  return static_cast<std::size_t>(std::ranges::count_if(values, [&](const auto& member) {
    const json::Value* value = given(catalog, call, member.key());
    return value != nullptr && suite::step_reference(member.value()) < 0 &&
           suite::same_value(*value, member.value());
  }));
}

/// How many arguments are results of the operations that this one takes.
std::size_t matching_inputs(const suite::CallRecord& call,
                            const Operation& operation,
                            const Makers& makers) {
  return static_cast<std::size_t>(std::ranges::count_if(call.arguments, [&](const auto& member) {
    if (!member.value().is_string()) {
      return false;
    }
    const auto maker = makers.find(json::view(member.value().get_string()));
    return maker != makers.end() &&
           std::ranges::find(operation.inputs, maker->second) != operation.inputs.end();
  }));
}

/// The operation that a call attempted, and in how many values and inputs it agrees with it.
struct Match {
  std::size_t operation = 0;
  std::size_t agreement = 0;
};

/// Assigns calls to operations, one after the other.
class Assignment {
 public:
  Assignment(const suite::ToolCatalog& catalog, const std::vector<Operation>& operations)
      : catalog_(catalog),
        operations_(operations),
        succeeded_(operations.size()),
        attempted_with_(operations.size()),
        calls_(operations.size()) {}

  /// Of the operations with the call's tool the one with most matching values and inputs; of equals
  /// the one that is likeliest to be meant, else the first.
  [[nodiscard]] std::optional<Match> match(const suite::CallRecord& call) const {
    std::optional<Match> best;
    int best_likelihood = 0;
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      if (*operations_[i].tool != call.tool) {
        continue;
      }
      const std::size_t agreement = matching_values(catalog_, call, *operations_[i].values) +
                                    matching_inputs(call, operations_[i], makers_);
      const int own = likelihood(call, i);
      if (!best || std::pair(agreement, own) > std::pair(best->agreement, best_likelihood)) {
        best = Match{.operation = i, .agreement = agreement};
        best_likelihood = own;
      }
    }
    return best;
  }

  /// The call at this position attempted the operation.
  void add(std::size_t position, const suite::CallRecord& call, std::size_t operation) {
    calls_[operation].push_back(position);
    attempted_with_[operation].push_back(&call.arguments);
    add_result(call, operation);
  }

  /// What the call made, if anything, stands for the result of the operation.
  void add_result(const suite::CallRecord& call, std::size_t operation) {
    if (call.result.status == suite::CallStatus::ok) {
      succeeded_[operation] = true;
      makers_.emplace(call.result.artifact, operation);
    }
  }

  [[nodiscard]] CallsOf calls() && { return std::move(calls_); }

 private:
  /// 3: the same call failed before; 2: never attempted; 1: attempted, not yet with success; 0:
  /// done.
  [[nodiscard]] int likelihood(const suite::CallRecord& call, std::size_t operation) const {
    if (succeeded_[operation]) {
      return 0;
    }
    const auto& before = attempted_with_[operation];
    if (before.empty()) {
      return 2;
    }
    return std::ranges::any_of(before,
                               [&](const json::Object* arguments) {
                                 return suite::same_value(*arguments, call.arguments);
                               })
               ? 3
               : 1;
  }

  const suite::ToolCatalog& catalog_;
  const std::vector<Operation>& operations_;
  std::vector<bool> succeeded_;
  std::vector<std::vector<const json::Object*>> attempted_with_;
  Makers makers_;
  CallsOf calls_;
};

CallsOf assigned(const suite::ToolCatalog& catalog,
                 const dialogue::Transcript& transcript,
                 const std::vector<Operation>& operations) {
  Assignment assignment(catalog, operations);
  for (std::size_t i = 0; i < transcript.calls.size(); ++i) {
    if (const auto match = assignment.match(transcript.calls[i])) {
      assignment.add(i, transcript.calls[i], match->operation);
    }
  }
  return std::move(assignment).calls();
}

std::vector<Operation> operations_of(std::span<const suite::Step> plan) {
  std::vector<Operation> operations;
  operations.reserve(plan.size());
  for (const suite::Step& step : plan) {
    Operation& operation =
        operations.emplace_back(Operation{.tool = &step.tool, .values = &step.arguments});
    for (const auto& argument : step.arguments) {
      if (const std::ptrdiff_t input = suite::step_reference(argument.value()); input >= 0) {
        operation.inputs.push_back(static_cast<std::size_t>(input));
      }
    }
  }
  return operations;
}

}  // namespace

CallsOf attempts_at_required(const suite::ToolCatalog& catalog,
                             const dialogue::Transcript& transcript,
                             const suite::Goal& goal) {
  std::vector<Operation> operations;
  operations.reserve(goal.required.size());
  for (const suite::Required& required : goal.required) {
    operations.push_back(
        {.tool = &required.tool, .values = &required.values, .inputs = required.inputs});
  }
  return assigned(catalog, transcript, operations);
}

CallsOf attempts_at_steps(const suite::ToolCatalog& catalog,
                          const dialogue::Transcript& transcript,
                          std::span<const suite::Step> plan) {
  return assigned(catalog, transcript, operations_of(plan));
}

CallsOf attempts_at_shown(const suite::ToolCatalog& catalog,
                          const dialogue::Transcript& transcript,
                          const Plans& plans) {
  const std::vector<Operation> shown_steps = operations_of(plans.shown);
  const std::vector<Operation> right_steps = operations_of(plans.right);
  Assignment shown(catalog, shown_steps);
  Assignment right(catalog, right_steps);
  for (std::size_t i = 0; i < transcript.calls.size(); ++i) {
    const suite::CallRecord& call = transcript.calls[i];
    const auto as_shown = shown.match(call);
    const auto as_right = right.match(call);
    if (as_right) {
      right.add(i, call, as_right->operation);
    }
    if (as_shown && (!as_right || as_right->agreement <= as_shown->agreement)) {
      shown.add(i, call, as_shown->operation);
      continue;
    }
    // Done as in the right plan: what is made of it may be made as shown.
    const auto counterpart =
        as_right ? std::ranges::find(plans.counterparts, std::optional(as_right->operation))
                 : plans.counterparts.end();
    if (counterpart != plans.counterparts.end()) {
      shown.add_result(call, static_cast<std::size_t>(counterpart - plans.counterparts.begin()));
    }
  }
  return std::move(shown).calls();
}

std::vector<std::optional<std::size_t>> first_of(const CallsOf& calls) {
  std::vector<std::optional<std::size_t>> first;
  first.reserve(calls.size());
  for (const std::vector<std::size_t>& own : calls) {
    first.push_back(own.empty() ? std::nullopt : std::optional(own.front()));
  }
  return first;
}

bool has_values(const suite::ToolCatalog& catalog,
                const suite::CallRecord& call,
                const suite::Step& step) {
  const auto wanted = std::ranges::count_if(step.arguments, [](const auto& argument) {
    return suite::step_reference(argument.value()) < 0;
  });
  return call.tool == step.tool &&
         matching_values(catalog, call, step.arguments) == static_cast<std::size_t>(wanted);
}

bool has_checked_values(const suite::ToolCatalog& catalog,
                        const suite::CallRecord& call,
                        const suite::Required& required) {
  return matching_values(catalog, call, required.values) == required.values.size();
}

ArtifactMakers makers_of(const dialogue::Transcript& transcript) {
  ArtifactMakers makers;
  for (std::size_t i = 0; i < transcript.calls.size(); ++i) {
    if (transcript.calls[i].result.status == suite::CallStatus::ok) {
      makers.emplace(transcript.calls[i].result.artifact, i);
    }
  }
  return makers;
}

namespace {

std::vector<bool> successes(const dialogue::Transcript& transcript) {
  std::vector<bool> calls;
  calls.reserve(transcript.calls.size());
  for (const suite::CallRecord& call : transcript.calls) {
    calls.push_back(call.result.status == suite::CallStatus::ok);
  }
  return calls;
}

/// Successful calls without those whose file another one replaced, as the goal has it.
std::vector<bool> lasting(const suite::ToolCatalog& catalog,
                          const dialogue::Transcript& transcript) {
  std::vector<bool> calls = successes(transcript);
  std::map<std::string, std::string_view> standing;  // path → artifact
  for (std::size_t i = calls.size(); i-- > 0;) {
    const suite::CallRecord& call = transcript.calls[i];
    const suite::ToolSpec* tool = catalog.find(call.tool);
    const json::Value* path = call.arguments.if_contains("path");
    if (calls[i] && tool != nullptr && suite::writes_files(*tool) && path != nullptr) {
      const auto stands = standing.emplace(json::canonical(*path), call.result.artifact).first;
      calls[i] = stands->second == call.result.artifact;
    }
  }
  return calls;
}

}  // namespace

Completions::Completions(const suite::ToolCatalog& catalog,
                         const dialogue::Transcript& transcript,
                         const suite::Goal& goal)
    : catalog_(catalog), goal_(goal), makers_(makers_of(transcript)) {
  for (const auto& done : first_among(transcript, lasting(catalog, transcript))) {
    lasts_.push_back(done.has_value());
  }
  first_ = first_among(transcript, successes(transcript));
}

std::vector<std::optional<std::size_t>> Completions::first_among(
    const dialogue::Transcript& transcript, const std::vector<bool>& calls) {
  std::vector<std::optional<std::size_t>> first(goal_.required.size());
  through_.assign(calls.size(), std::vector<bool>(goal_.required.size()));
  // Inputs are made before what is made of them: one pass in order is enough.
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const suite::CallRecord& call = transcript.calls[i];
    const suite::ToolSpec* tool = catalog_.find(call.tool);
    if (!calls[i] || tool == nullptr) {
      continue;
    }
    const auto inputs = inputs_of(call);
    for (std::size_t operation = 0; operation < goal_.required.size(); ++operation) {
      const suite::Required& required = goal_.required[operation];
      const bool done = call.tool == required.tool &&
                        has_checked_values(catalog_, call, required) &&
                        takes_right_inputs(call, operation);
      if (done && !first[operation]) {
        first[operation] = i;
      }
      const bool keeps =
          tool->keeps_content && !inputs.empty() && through(inputs.front(), operation);
      through_[i][operation] = done || keeps;
    }
  }
  return first;
}

std::vector<std::size_t> Completions::inputs_of(const suite::CallRecord& call) const {
  std::vector<std::size_t> inputs;
  const suite::ToolSpec* tool = catalog_.find(call.tool);
  if (tool == nullptr) {
    return inputs;
  }
  for (const std::string_view name : tool->handle_parameters()) {
    const json::Value* handle = call.arguments.if_contains(name);
    if (handle == nullptr) {
      continue;
    }
    const auto maker =
        handle->is_string() ? makers_.find(json::view(handle->get_string())) : makers_.end();
    // What is no result is made by no call.
    inputs.push_back(maker == makers_.end() ? through_.size() : maker->second);
  }
  return inputs;
}

bool Completions::takes_right_inputs(const suite::CallRecord& call, std::size_t operation) const {
  const std::vector<std::size_t>& wanted = goal_.required[operation].inputs;
  const auto inputs = inputs_of(call);
  if (inputs.size() != wanted.size()) {
    return false;
  }
  // In any order, as the goal has it.
  std::vector<std::size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  do {
    bool fits = true;
    for (std::size_t i = 0; i < inputs.size() && fits; ++i) {
      fits = through(inputs[i], wanted[order[i]]);
    }
    if (fits) {
      return true;
    }
  } while (std::ranges::next_permutation(order).found);
  return false;
}

std::vector<std::size_t> turns_of_calls(const dialogue::Transcript& transcript) {
  std::vector<std::size_t> turns(transcript.calls.size());
  for (std::size_t turn = 0; turn < transcript.turns.size(); ++turn) {
    for (const dialogue::Command& command : transcript.turns[turn].commands) {
      if (command.call && *command.call < turns.size()) {
        turns[*command.call] = turn;
      }
    }
  }
  return turns;
}

}  // namespace sortie::score
