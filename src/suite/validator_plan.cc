#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/content.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/flaw_detector.h"
#include "sortie/suite/flaws.h"
#include "sortie/suite/sampling.h"
#include "sortie/suite/solutions.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"
#include "sortie/suite/validator_rules.h"
#include "sortie/suite/world.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

// Rules that carry out plans.

namespace sortie::suite {

namespace {

constexpr std::size_t kOtherChainsMin = 3;
constexpr int kOtherTextsMax = 4;  // enumerations are tried in full

/// The plan without one step; who needed its result takes that of `instead`, or nothing (-1).
std::vector<Step> without_step(const std::vector<Step>& plan,
                               std::size_t gone,
                               std::ptrdiff_t instead) {
  const auto moved = [&](std::ptrdiff_t k) {
    return make_reference(
        static_cast<std::size_t>(k - (k > static_cast<std::ptrdiff_t>(gone) ? 1 : 0)));
  };
  std::vector<Step> out;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (i == gone) {
      continue;
    }
    Step step{.tool = plan[i].tool, .arguments = {}, .reason = plan[i].reason};
    for (const auto& [name, value] : plan[i].arguments) {
      const std::ptrdiff_t reference = step_reference(value);
      if (reference < 0) {
        step.arguments[name] = value;
      } else if (reference != static_cast<std::ptrdiff_t>(gone)) {
        step.arguments[name] = moved(reference);
      } else if (instead >= 0) {
        step.arguments[name] = moved(instead);
      }
    }
    out.push_back(std::move(step));
  }
  return out;
}

void check_step_necessary(const TaskCheck& check, std::size_t gone) {
  const std::vector<Step>& plan = check.task.plan;
  bool reached = check.reached_by(without_step(plan, gone, -1));
  for (std::size_t k = 0; k < gone; ++k) {
    reached = reached || check.reached_by(without_step(plan, gone, static_cast<std::ptrdiff_t>(k)));
  }
  if (reached) {
    check.add("necessary",
              fmt::format("the goal is met without step {} ({})", gone + 1, plan[gone].tool));
  }
}

/// Other values of a parameter: every choice of an enumeration, numbers next to the right one and
/// at the ends of the range, other fields, other texts.
std::vector<json::Value> other_values(const json::Value& property,
                                      const json::Value& value,
                                      const Subject& subject,
                                      base::RandomStream& random) {
  std::vector<json::Value> all;
  if (const json::Array* choices = json::get_array(property, "enum"); choices != nullptr) {
    all.assign(choices->begin(), choices->end());
  } else if (value.is_bool()) {
    all.emplace_back(!value.get_bool());
  } else if (const auto number = json::as_number(value)) {
    all = {*number + 1, *number - 1, *number * 2, -*number};
    for (const std::string_view end : {"minimum", "maximum"}) {
      if (const auto bound = json::get_double(property, end)) {
        all.emplace_back(*bound);
      }
    }
  } else if (json::get_string(property, "format") == "field") {
    for (const Field& field : subject.fields) {
      all.emplace_back(field.name);
    }
  }
  for (int i = 0; all.empty() || (value.is_string() && i < kOtherTextsMax); ++i) {
    if (auto other = other_value(property, value, subject, random)) {
      all.push_back(std::move(*other));
    } else if (all.empty()) {
      break;
    }
  }
  std::erase_if(all, [&](const json::Value& other) {
    return same_value(other, value) || check_value("", property, other).has_value();
  });
  return all;
}

bool is_checked(const Task& task, std::string_view tool, std::string_view name) {
  return std::ranges::any_of(task.goal.required, [&](const Required& required) {
    return required.tool == tool && required.values.contains(name);
  });
}

void check_value_necessary(const TaskCheck& check,
                           std::size_t position,
                           std::string_view name,
                           const Subject& subject) {
  std::vector<Step> plan = check.task.plan;
  json::Object& arguments = plan[position].arguments;
  const ToolSpec& tool = *check.catalog.find(plan[position].tool);
  const json::Value& property = *property_of(tool, name);
  const json::Value value = arguments.at(name);
  base::RandomStream random(base::FieldHasher("sortie.validate.v1")
                                .field("task", check.task.id)
                                .field("name", name)
                                .finish());
  for (json::Value& other : other_values(property, value, subject, random)) {
    arguments[name] = std::move(other);
    if (check.reached_by(plan)) {
      check.add("necessary",
                fmt::format("the goal is met with '{}' of step {} ({}) changed to {}",
                            name,
                            position + 1,
                            tool.name,
                            json::to_text(arguments[name])));
      return;
    }
  }
  const json::Value* standard = json::find(property, "default");
  arguments.erase(name);
  if ((standard == nullptr || !same_value(*standard, value)) && check.reached_by(plan)) {
    check.add(
        "necessary",
        fmt::format(
            "the goal is met with '{}' of step {} ({}) left out", name, position + 1, tool.name));
  }
}

std::string sequence_text(const std::vector<Step>& steps) {
  std::vector<std::string_view> tools;
  for (const Step& step : steps) {
    tools.push_back(step.tool);
  }
  return fmt::format("{}", fmt::join(tools, " > "));
}

/// The calls that every solution has, handles aside.
std::vector<CallValues> shared_calls(const TaskCheck& check,
                                     const std::vector<std::vector<Step>>& solutions) {
  std::vector<CallValues> calls = calls_of(check.catalog, check.task);
  std::erase_if(calls, [&](const CallValues& call) {
    return !std::ranges::all_of(solutions, [&](const std::vector<Step>& solution) {
      return std::ranges::any_of(solution, [&](const Step& step) {
        return step.tool == call.tool &&
               carries_out({.tool = call.tool, .values = call.values, .inputs = {}},
                           {.tool = step.tool, .values = step.arguments});
      });
    });
  });
  return calls;
}

void check_required(const TaskCheck& check, const std::vector<std::vector<Step>>& solutions) {
  const std::vector<CallValues> shared = shared_calls(check, solutions);
  for (const Required& required : check.task.goal.required) {
    if (std::ranges::none_of(shared,
                             [&](const CallValues& call) { return carries_out(required, call); })) {
      check.add("complete",
                fmt::format("the goal asks for {}, which not every shortest solution has",
                            required.tool));
    }
  }
  for (const CallValues& call : shared) {
    if (std::ranges::none_of(check.task.goal.required, [&](const Required& required) {
          return carries_out(required, call);
        })) {
      check.add("complete",
                fmt::format("every shortest solution has {}, which the goal does not ask for",
                            call.tool));
    }
  }
}

}  // namespace

void TaskCheck::add(std::string_view rule, std::string message) const {
  findings.push_back({.task = task.id, .rule = std::string(rule), .message = std::move(message)});
}

bool TaskCheck::reached_by(const std::vector<Step>& plan) const {
  return execute_literally(catalog, task, plan).world.goal_met();
}

bool check_solvable(const TaskCheck& check) {
  const Execution execution = execute_literally(check.catalog, check.task, check.task.plan);
  for (std::size_t i = 0; i < execution.world.calls().size(); ++i) {
    const CallRecord& call = execution.world.calls()[i];
    if (call.result.status != CallStatus::ok) {
      check.add("solvable",
                fmt::format("step {} ({}) of the plan is answered {}: {}",
                            i + 1,
                            call.tool,
                            call.result.code,
                            call.result.message));
    }
  }
  const bool met = execution.world.goal_met();
  if (!met) {
    check.add("solvable", "the plan does not meet the goal");
  } else if (!execution.world.clean()) {
    check.add("solvable", "the plan has an effect that the goal does not ask for");
  }
  return met;
}

void check_necessary(const TaskCheck& check) {
  const Subject& subject = subject_of_plan(check.catalog, check.task.plan);
  for (std::size_t i = 0; i < check.task.plan.size(); ++i) {
    check_step_necessary(check, i);
    const Step& step = check.task.plan[i];
    const ToolSpec* tool = check.catalog.find(step.tool);
    for (const auto& [name, value] : step.arguments) {
      const bool known = tool != nullptr && property_of(*tool, name) != nullptr;
      // A text of any wording may have values that its goal leaves open.
      if (known && step_reference(value) < 0 &&
          (check.options.lexicon || is_checked(check.task, step.tool, name))) {
        check_value_necessary(check, i, name, subject);
      }
    }
  }
}

void check_complete(const TaskCheck& check) {
  const std::size_t length = check.task.plan.size();
  const Solutions found =
      shortest_solutions(check.catalog, check.task, calls_of(check.catalog, check.task), length);
  if (!found.finished) {
    check.add("complete",
              fmt::format("a plan of {} steps is too long for an exhaustive search", length));
    return;
  }
  if (found.shortest.empty()) {
    check.add("complete", "no set of the plan's calls meets the goal");
    return;
  }
  if (found.shortest.front().size() < length) {
    check.add("complete",
              fmt::format("{} calls are enough, the plan has {}: {}",
                          found.shortest.front().size(),
                          length,
                          sequence_text(found.shortest.front())));
    return;
  }
  check_required(check, found.shortest);
}

void check_needs_text(const TaskCheck& check) {
  const Chains chains = other_chains(check.catalog, check.task, kOtherChainsMin);
  if (chains.found.size() < kOtherChainsMin) {
    check.add("needs_text",
              fmt::format("{} other chains of calls reach the goal's kind{}, expected at least {}",
                          chains.found.size(),
                          chains.finished
                              ? ""
                              : fmt::format(" among the {} beginnings that the search looked at",
                                            chains.beginnings),
                          kOtherChainsMin));
  }
}

void check_flaws(const TaskCheck& check) {
  if (!check.task.eligible) {
    return;
  }
  for (const Flaw flaw : kPlanFlaws) {
    for (const Severity severity : {Severity::light, Severity::medium, Severity::severe}) {
      const auto flawed = flawed_plan(check.catalog, check.task, flaw, severity);
      if (!flawed) {
        if (severity == Severity::severe) {
          check.add(
              "flaws",
              fmt::format("{} does not apply, but the task is marked eligible", to_string(flaw)));
        }
        continue;
      }
      const std::set<Flaw> seen = flaws_of(detect(check.catalog, check.task, flawed->steps));
      if (seen != std::set<Flaw>{flaw}) {
        check.add("flaws",
                  fmt::format("a plan with {}, {}, shows {} flaws, expected this one alone",
                              to_string(flaw),
                              to_string(severity),
                              seen.size()));
      }
      const bool should_reach = flaw == Flaw::redundant_operations;
      if (check.reached_by(flawed->steps) != should_reach) {
        check.add("flaws",
                  fmt::format("literal execution with {}, {}, {} the goal",
                              to_string(flaw),
                              to_string(severity),
                              should_reach ? "misses" : "meets"));
      }
    }
  }
}

void check_distractors(const TaskCheck& check) {
  std::vector<std::string_view> kinds;
  for (const Step& step : check.task.plan) {
    if (const ToolSpec* tool = check.catalog.find(step.tool); tool != nullptr) {
      kinds.push_back(tool->kind);
    }
  }
  const bool found = std::ranges::any_of(check.catalog.tools(), [&](const ToolSpec& tool) {
    if (std::ranges::find(check.task.plan, tool.name, &Step::tool) != check.task.plan.end()) {
      return false;
    }
    // Another source would not do: the first step's values say which one is meant.
    const auto handles = tool.handle_parameters();
    return !handles.empty() && std::ranges::any_of(kinds, [&](std::string_view kind) {
      return accepts_kind(*property_of(tool, handles.front()), kind);
    });
  });
  if (!found) {
    check.add("distractors", "no other tool could be called in place of a needed one");
  }
}

}  // namespace sortie::suite
