#include "sortie/suite/solutions.h"

#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/content.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/sampling.h"
#include "sortie/suite/sequences.h"
#include "sortie/suite/task.h"
#include "sortie/suite/world.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

constexpr int kDrawsMax = 8;

/// The arguments of a step that are no handles, defaults filled in.
json::Object values_of(const ToolSpec& tool, const json::Object& arguments) {
  json::Object out;
  for (const auto& [name, value] : with_defaults(tool, arguments)) {
    const json::Value* property = property_of(tool, name);
    if (property != nullptr && accepted_kinds(*property) == nullptr) {
      out[name] = value;
    }
  }
  return out;
}

std::string text_of(std::string_view tool, const json::Object& values) {
  return fmt::format("{}{}", tool, json::canonical(values));
}

// --- Solutions ---

struct SearchLimits {
  std::size_t length;
  std::size_t states_max;
};

class SolutionSearch {
 public:
  SolutionSearch(const ToolCatalog& catalog,
                 const Task& task,
                 const std::vector<CallValues>& calls,
                 SearchLimits limits)
      : catalog_(catalog), task_(task), length_(limits.length), states_max_(limits.states_max) {
    for (const CallValues& call : calls) {
      const ToolSpec* tool = catalog.find(call.tool);
      if (tool == nullptr) {
        continue;
      }
      Candidate candidate{.tool = tool, .values = call.values, .meets = {}};
      const CallValues filled{.tool = call.tool, .values = values_of(*tool, call.values)};
      for (std::size_t r = 0; r < task.goal.required.size(); ++r) {
        if (carries_out(task.goal.required[r], filled)) {
          candidate.meets.push_back(r);
        }
      }
      candidates_.push_back(std::move(candidate));
    }
    met_.resize(task.goal.required.size());
  }

  Solutions run() {
    extend();
    found_.states = seen_.size();
    return std::move(found_);
  }

 private:
  struct Candidate {
    const ToolSpec* tool;
    json::Object values;
    std::vector<std::size_t> meets;  // required operations of this tool and these values
  };

  struct Made {
    std::string_view kind;
    std::string key;  // the call with all that led to it: equal keys are one artifact
  };

  void extend();
  void add(const Candidate& candidate,
           const std::vector<std::string_view>& handles,
           Step& step,
           std::vector<std::size_t>& inputs);
  void push(const Candidate& candidate, const Step& step, const std::vector<std::size_t>& inputs);
  [[nodiscard]] std::size_t missing() const;
  [[nodiscard]] std::string set_key() const;

  const ToolCatalog& catalog_;
  const Task& task_;
  std::size_t length_;
  std::size_t states_max_;
  std::vector<Candidate> candidates_;
  std::vector<Step> steps_;
  std::vector<Made> made_;
  std::vector<std::size_t> met_;  // per required operation: how many calls of the set could be it
  std::unordered_set<std::string> seen_;
  Solutions found_;
};

/// How many more calls it takes at least: operations that differ in tool or values need one each.
std::size_t SolutionSearch::missing() const {
  std::set<std::string> texts;
  for (std::size_t r = 0; r < met_.size(); ++r) {
    if (met_[r] == 0) {
      texts.insert(text_of(task_.goal.required[r].tool, task_.goal.required[r].values));
    }
  }
  return texts.size();
}

std::string SolutionSearch::set_key() const {
  std::vector<std::string_view> keys;
  for (const Made& made : made_) {
    keys.push_back(made.key);
  }
  std::ranges::sort(keys);
  return fmt::format("{}", fmt::join(keys, "\n"));
}

void SolutionSearch::push(const Candidate& candidate,
                          const Step& step,
                          const std::vector<std::size_t>& inputs) {
  std::string key = text_of(candidate.tool->name, candidate.values);
  std::string_view before;
  for (const auto& [name, value] : step.arguments) {
    if (const std::ptrdiff_t reference = step_reference(value); reference >= 0) {
      const auto& input = made_[static_cast<std::size_t>(reference)];
      key += fmt::format(" {}=({})", std::string_view(name), input.key);
    }
  }
  if (!inputs.empty()) {
    before = made_[inputs.front()].kind;
  }
  if (std::ranges::find(made_, key, &Made::key) != made_.end()) {
    return;  // the same call again is the same result
  }
  steps_.push_back(step);
  made_.push_back({.kind = kind_after(*candidate.tool, before), .key = std::move(key)});
  for (const std::size_t r : candidate.meets) {
    ++met_[r];
  }
  if (seen_.insert(set_key()).second) {
    extend();
  }
  for (const std::size_t r : candidate.meets) {
    --met_[r];
  }
  made_.pop_back();
  steps_.pop_back();
}

/// Tries every artifact that fits for the handle that comes next, and none where it is optional.
void SolutionSearch::add(const Candidate& candidate,
                         const std::vector<std::string_view>& handles,
                         Step& step,
                         std::vector<std::size_t>& inputs) {
  if (handles.empty()) {
    push(candidate, step, inputs);
    return;
  }
  const std::string_view name = handles.front();
  const std::vector<std::string_view> others(handles.begin() + 1, handles.end());
  if (!is_required(*candidate.tool, name)) {
    add(candidate, others, step, inputs);
  }
  const json::Value& property = *property_of(*candidate.tool, name);
  for (std::size_t i = 0; i < made_.size(); ++i) {
    if (accepts_kind(property, made_[i].kind)) {
      step.arguments[name] = make_reference(i);
      inputs.push_back(i);
      add(candidate, others, step, inputs);
      inputs.pop_back();
      step.arguments.erase(name);
    }
  }
}

void SolutionSearch::extend() {
  if (seen_.size() > states_max_) {
    found_.finished = false;
    return;
  }
  if (missing() > length_ - steps_.size()) {
    return;
  }
  if (steps_.size() == length_) {
    if (execute_literally(catalog_, task_, steps_).world.goal_met()) {
      found_.shortest.push_back(steps_);
    }
    return;
  }
  for (const Candidate& candidate : candidates_) {
    Step step{.tool = candidate.tool->name, .arguments = candidate.values, .reason = {}};
    std::vector<std::size_t> inputs;
    add(candidate, candidate.tool->handle_parameters(), step, inputs);
  }
}

// --- Other chains ---

class ChainSearch {
 public:
  ChainSearch(const ToolCatalog& catalog, const Task& task, std::size_t count_max)
      : catalog_(catalog),
        task_(task),
        count_max_(count_max),
        subject_(subject_of_plan(catalog, task.plan)),
        place_(task),
        random_(base::FieldHasher("sortie.chains.v1").field("task", task.id).finish()) {
    place_.plan.emplace_back();
  }

  Chains run();

 private:
  [[nodiscard]] std::string_view goal_kind() const;

  [[nodiscard]] bool enough() const { return found_.found.size() == count_max_; }

  [[nodiscard]] bool done() const { return enough() || !found_.finished; }

  void extend(std::string_view kind, std::size_t length);
  void judge();
  json::Object draw_values(const ToolSpec& tool);
  [[nodiscard]] bool carry_out(World& world, Step& step, std::vector<std::string>& artifacts);

  const ToolCatalog& catalog_;
  const Task& task_;
  std::size_t count_max_;
  const Subject& subject_;
  Task place_;  // the task, but its world also has what the first step of a chain names
  base::RandomStream random_;
  std::string_view kind_;
  std::size_t tried_ = 0;
  std::vector<Step> chain_;  // without values for tools that the task does not have
  Chains found_;
};

std::string_view ChainSearch::goal_kind() const {
  std::vector<std::string_view> kinds;
  for (const Step& step : task_.plan) {
    const ToolSpec* tool = catalog_.find(step.tool);
    std::string_view before;
    for (const auto& [name, value] : step.arguments) {
      const std::ptrdiff_t reference = step_reference(value);
      if (before.empty() && reference >= 0 && static_cast<std::size_t>(reference) < kinds.size()) {
        before = kinds[static_cast<std::size_t>(reference)];
      }
    }
    kinds.push_back(tool == nullptr ? std::string_view() : kind_after(*tool, before));
  }
  return kinds.empty() ? std::string_view() : kinds.back();
}

json::Object ChainSearch::draw_values(const ToolSpec& tool) {
  json::Object values;
  for (const auto& [name, property] : *json::get_object(tool.parameters, "properties")) {
    if (accepted_kinds(property) == nullptr && is_required(tool, name)) {
      const bool flag = json::get_string(property, "type") == "boolean";
      values[name] = flag ? json::Value(random_.below(2) == 0)
                          : sample_value(name, property, subject_, random_);
    }
  }
  return values;
}

/// A call with the task's values, or with drawn ones until they suit what is there.
bool ChainSearch::carry_out(World& world, Step& step, std::vector<std::string>& artifacts) {
  const ToolSpec& tool = *catalog_.find(step.tool);
  const auto own = std::ranges::find(task_.plan, step.tool, &Step::tool);
  const json::Object handles = step.arguments;
  const bool planned = own != task_.plan.end();
  for (int i = 0; i < kDrawsMax; ++i) {
    step.arguments = planned && i == 0 ? values_of(tool, own->arguments) : draw_values(tool);
    for (const auto& [name, value] : handles) {
      step.arguments[name] = value;
    }
    place_.plan.back() = step;  // a path or address is known where the plan names it
    const CallResult result = world.call(step.tool, bound_arguments(step, artifacts));
    if (result.status == CallStatus::ok) {
      artifacts.push_back(result.artifact);
      return true;
    }
  }
  return false;
}

void ChainSearch::judge() {
  if (++tried_ > kChainsMax) {
    found_.finished = false;
    return;
  }
  World world(catalog_, place_, Luck(0, task_.hash, 0, 1.0));
  std::vector<Step> steps = chain_;
  std::vector<std::string> artifacts;
  for (Step& step : steps) {
    if (!carry_out(world, step, artifacts)) {
      return;
    }
  }
  if (!world.goal_met()) {
    found_.found.push_back(std::move(steps));
  }
}

void ChainSearch::extend(std::string_view kind, std::size_t length) {
  // Kinds alone do not bound it: with many tools that follow one another it would never end.
  if (++found_.beginnings > kBeginningsMax) {
    found_.finished = false;
    return;
  }
  if (chain_.size() == length) {
    if (kind == kind_) {
      judge();
    }
    return;
  }
  for (const ToolSpec& tool : catalog_.tools()) {
    const auto handles = tool.handle_parameters();
    const bool source = handles.empty() || !is_required(tool, handles.front());
    const bool follows = !chain_.empty() && !handles.empty() &&
                         accepts_kind(*property_of(tool, handles.front()), kind);
    if (done() || !(chain_.empty() ? source : follows) ||
        std::ranges::find(chain_, tool.name, &Step::tool) != chain_.end()) {
      continue;
    }
    Step step{.tool = tool.name, .arguments = {}, .reason = {}};
    if (!chain_.empty()) {
      step.arguments[handles.front()] = make_reference(chain_.size() - 1);
    }
    chain_.push_back(std::move(step));
    extend(kind_after(tool, kind), length);
    chain_.pop_back();
  }
}

Chains ChainSearch::run() {
  kind_ = goal_kind();
  for (std::size_t length = 1; length <= task_.plan.size() && !done(); ++length) {
    extend("", length);
  }
  return std::move(found_);
}

}  // namespace

bool carries_out(const Required& required, const CallValues& call) {
  return required.tool == call.tool &&
         std::ranges::all_of(required.values, [&](const auto& checked) {
           const json::Value* given = call.values.if_contains(checked.key());
           return given != nullptr && same_value(*given, checked.value());
         });
}

std::vector<CallValues> calls_of(const ToolCatalog& catalog, const Task& task) {
  std::vector<CallValues> out;
  std::set<std::string> known;
  const auto add = [&](const std::string& name, const json::Object& arguments) {
    const ToolSpec* tool = catalog.find(name);
    if (tool != nullptr) {
      json::Object values = values_of(*tool, arguments);
      if (known.insert(text_of(name, values)).second) {
        out.push_back({.tool = name, .values = std::move(values)});
      }
    }
  };
  for (const Step& step : task.plan) {
    add(step.tool, step.arguments);
  }
  for (const Required& required : task.goal.required) {
    const bool planned = std::ranges::any_of(
        out, [&](const CallValues& call) { return carries_out(required, call); });
    if (!planned) {
      add(required.tool, required.values);
    }
  }
  return out;
}

Solutions shortest_solutions(const ToolCatalog& catalog,
                             const Task& task,
                             const std::vector<CallValues>& calls,
                             std::size_t length_max,
                             std::size_t states_max) {
  Solutions found;
  for (std::size_t length = 1; length <= length_max && found.shortest.empty() && found.finished;
       ++length) {
    const std::size_t before = found.states;
    found =
        SolutionSearch(catalog, task, calls, {.length = length, .states_max = states_max}).run();
    found.states += before;
  }
  return found;
}

Chains other_chains(const ToolCatalog& catalog, const Task& task, std::size_t count_max) {
  return ChainSearch(catalog, task, count_max).run();
}

}  // namespace sortie::suite
