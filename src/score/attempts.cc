#include "sortie/score/attempts.h"

#include "sortie/base/json.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>

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

bool is_reference(const json::Value& value) {
  return json::find(value, "$step") != nullptr;
}

bool equal(const json::Value& a, const json::Value& b) {
  return json::canonical(a) == json::canonical(b);
}

std::size_t matching_values(const suite::CallRecord& call, const json::Object& values) {
  return static_cast<std::size_t>(std::ranges::count_if(values, [&](const auto& member) {
    const json::Value* given = call.arguments.if_contains(member.key());
    return given != nullptr && !is_reference(member.value()) && equal(*given, member.value());
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

/// The operation a call attempted: of those with its tool the one with most matching values and
/// inputs; between equals the first without a successful call yet, else the first.
std::optional<std::size_t> operation_of(const suite::CallRecord& call,
                                        const std::vector<Operation>& operations,
                                        const std::vector<bool>& succeeded,
                                        const Makers& makers) {
  std::optional<std::size_t> best;
  std::size_t best_matches = 0;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (*operations[i].tool != call.tool) {
      continue;
    }
    const std::size_t matches =
        matching_values(call, *operations[i].values) + matching_inputs(call, operations[i], makers);
    const bool better = !best || matches > best_matches ||
                        (matches == best_matches && succeeded[*best] && !succeeded[i]);
    if (better) {
      best = i;
      best_matches = matches;
    }
  }
  return best;
}

std::vector<std::vector<std::size_t>> attempts(const dialogue::Transcript& transcript,
                                               const std::vector<Operation>& operations) {
  std::vector<std::vector<std::size_t>> all(operations.size());
  std::vector<bool> succeeded(operations.size());
  Makers makers;
  for (std::size_t i = 0; i < transcript.calls.size(); ++i) {
    const suite::CallRecord& call = transcript.calls[i];
    const auto operation = operation_of(call, operations, succeeded, makers);
    if (!operation) {
      continue;
    }
    all[*operation].push_back(i);
    if (call.result.status == suite::CallStatus::ok) {
      succeeded[*operation] = true;
      makers.emplace(call.result.artifact, *operation);
    }
  }
  return all;
}

}  // namespace

std::vector<std::vector<std::size_t>> attempts_at_required(const dialogue::Transcript& transcript,
                                                           const suite::Goal& goal) {
  std::vector<Operation> operations;
  operations.reserve(goal.required.size());
  for (const suite::Required& required : goal.required) {
    operations.push_back(
        {.tool = &required.tool, .values = &required.values, .inputs = required.inputs});
  }
  return attempts(transcript, operations);
}

std::vector<std::optional<std::size_t>> first_attempts(const dialogue::Transcript& transcript,
                                                       const std::vector<suite::Step>& plan) {
  std::vector<Operation> operations;
  operations.reserve(plan.size());
  for (const suite::Step& step : plan) {
    Operation& operation =
        operations.emplace_back(Operation{.tool = &step.tool, .values = &step.arguments});
    for (const auto& argument : step.arguments) {
      if (const auto input = json::get_int(argument.value(), "$step"); input && *input >= 0) {
        operation.inputs.push_back(static_cast<std::size_t>(*input));
      }
    }
  }
  std::vector<std::optional<std::size_t>> first;
  for (const std::vector<std::size_t>& calls : attempts(transcript, operations)) {
    first.push_back(calls.empty() ? std::nullopt : std::optional(calls.front()));
  }
  return first;
}

bool has_checked_values(const suite::CallRecord& call, const suite::Required& required) {
  return matching_values(call, required.values) == required.values.size();
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
