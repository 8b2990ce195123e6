#include "sortie/suite/validator.h"

#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/flaws.h"
#include "sortie/suite/lexicon.h"
#include "sortie/suite/sampling.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

// The demands on a full suite; smaller ones are for trying things out.
constexpr std::size_t kFullSize = 100;
constexpr std::size_t kSequencesMin = 25;
constexpr std::size_t kShareMaxPercent = 5;
constexpr std::size_t kTasksPerToolMin = 5;
constexpr std::size_t kTypesPerToolMin = 2;

constexpr std::array kAllFlaws = {Flaw::sequence_disorder,
                                  Flaw::tool_misuse,
                                  Flaw::parameter_error,
                                  Flaw::missing_step,
                                  Flaw::redundant_operations,
                                  Flaw::logical_inconsistency,
                                  Flaw::semantic_drift};

class TaskValidator {
 public:
  TaskValidator(const ToolCatalog& catalog, const Task& task) : catalog_(catalog), task_(task) {}

  std::vector<Finding> run() {
    check_solvable();
    check_steps_necessary();
    check_values_necessary();
    check_texts();
    check_flaws();
    if (content_hash(task_) != task_.hash) {
      add("hash", "the hash is not that of the content");
    }
    return std::move(findings_);
  }

 private:
  void add(std::string rule, std::string message) {
    findings_.push_back({.task = task_.id, .rule = std::move(rule), .message = std::move(message)});
  }

  [[nodiscard]] bool reached_by(const std::vector<Step>& plan) const {
    return execute_literally(catalog_, task_, plan).world.goal_met();
  }

  void check_solvable();
  void check_steps_necessary();
  void check_values_necessary();
  void check_texts();
  void check_flaws();

  const ToolCatalog& catalog_;
  const Task& task_;
  std::vector<Finding> findings_;
};

void TaskValidator::check_solvable() {
  const Execution execution = execute_literally(catalog_, task_, task_.plan);
  for (std::size_t i = 0; i < execution.world.calls().size(); ++i) {
    const CallRecord& call = execution.world.calls()[i];
    if (call.result.status != CallStatus::ok) {
      add("solvable",
          fmt::format("step {} ({}) of the plan is answered {}: {}",
                      i + 1,
                      call.tool,
                      call.result.code,
                      call.result.message));
    }
  }
  if (!execution.world.goal_met()) {
    add("solvable", "the plan does not meet the goal");
  } else if (!execution.world.clean()) {
    add("solvable", "the plan has an effect that the goal does not ask for");
  }
}

/// The plan without one step; who needed it takes what it took.
std::vector<Step> without_step(const std::vector<Step>& plan, std::size_t gone) {
  std::ptrdiff_t instead = -1;
  for (const auto& [name, value] : plan[gone].arguments) {
    instead = std::max(instead, step_reference(value));
  }
  std::vector<Step> out;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (i == gone) {
      continue;
    }
    Step step = plan[i];
    for (auto& [name, value] : step.arguments) {
      std::ptrdiff_t reference = step_reference(value);
      if (reference < 0) {
        continue;
      }
      if (reference == static_cast<std::ptrdiff_t>(gone)) {
        // A source leaves a gap: a step that cannot exist.
        reference = instead >= 0 ? instead : static_cast<std::ptrdiff_t>(plan.size()) + 1;
      }
      value = make_reference(static_cast<std::size_t>(reference) -
                             (reference > static_cast<std::ptrdiff_t>(gone) ? 1 : 0));
    }
    out.push_back(std::move(step));
  }
  return out;
}

void TaskValidator::check_steps_necessary() {
  for (std::size_t i = 0; i < task_.plan.size(); ++i) {
    if (reached_by(without_step(task_.plan, i))) {
      add("necessary",
          fmt::format("the goal is met without step {} ({})", i + 1, task_.plan[i].tool));
    }
  }
}

void TaskValidator::check_values_necessary() {
  const Subject& subject = subject_of_plan(catalog_, task_.plan);
  for (std::size_t i = 0; i < task_.plan.size(); ++i) {
    const ToolSpec* tool = catalog_.find(task_.plan[i].tool);
    for (const auto& [name, value] : task_.plan[i].arguments) {
      const json::Value* property = tool == nullptr ? nullptr : property_of(*tool, name);
      if (property == nullptr || step_reference(value) >= 0) {
        continue;
      }
      base::RandomStream random(base::FieldHasher("sortie.validate.v1")
                                    .field("task", task_.id)
                                    .field("name", name)
                                    .finish());
      const auto other = other_value(*property, value, subject, random);
      if (!other) {
        continue;
      }
      std::vector<Step> plan = task_.plan;
      plan[i].arguments[name] = *other;
      if (reached_by(plan)) {
        add("necessary",
            fmt::format("the goal is met with '{}' of step {} ({}) changed to {}",
                        std::string_view(name),
                        i + 1,
                        tool->name,
                        json::to_text(*other)));
      }
    }
  }
}

bool is_value_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '/';
}

bool is_symbol_char(char c) {
  return c == '<' || c == '>' || c == '=' || c == '!';
}

/// Whether two neighbours would belong to one word, or to one sign of comparison.
bool runs_on(char a, char b) {
  return (is_value_char(a) && is_value_char(b)) || (is_symbol_char(a) && is_symbol_char(b));
}

/// Where `value` stands in `text` as a word of its own, not as part of a longer one.
std::size_t find_value(std::string_view text, std::string_view value, std::size_t from = 0) {
  for (std::size_t at = text.find(value, from); at != std::string_view::npos;
       at = text.find(value, at + 1)) {
    const std::size_t end = at + value.size();
    const bool dot_before = at > 1 && text[at - 1] == '.' && is_value_char(text[at - 2]);
    const bool starts = at == 0 || (!dot_before && !runs_on(text[at - 1], value.front()));
    const bool ends = end == text.size() || !runs_on(value.back(), text[end]);
    // A dot ends a sentence unless a word goes on behind it: "2.5", "name.csv".
    const bool dot_inside =
        end + 1 < text.size() && text[end] == '.' && is_value_char(text[end + 1]);
    if (starts && ends && !dot_inside) {
      return at;
    }
  }
  return std::string_view::npos;
}

/// The checked values of a task as texts, longest first.
std::vector<std::string> checked_values(const Task& task) {
  std::vector<std::string> values;
  for (const Required& required : task.goal.required) {
    for (const auto& [name, value] : required.values) {
      values.push_back(verbatim(value));
    }
  }
  std::ranges::stable_sort(values, std::ranges::greater(), &std::string::size);
  return values;
}

void TaskValidator::check_texts() {
  const std::vector<std::string> values = checked_values(task_);
  for (const Difficulty difficulty : kDifficulties) {
    const std::string& text = task_.text(difficulty);
    for (const std::string& value : values) {
      if (find_value(text, value) == std::string_view::npos) {
        add("verbatim",
            fmt::format(
                "the text at {} does not hold the value '{}'", to_string(difficulty), value));
      }
    }
    for (const ToolSpec& tool : catalog_.tools()) {
      const bool named = text.find(tool.name) != std::string::npos;
      const bool wanted = difficulty == Difficulty::very_easy &&
                          std::ranges::find(task_.plan, tool.name, &Step::tool) != task_.plan.end();
      if (named != wanted) {
        add("names",
            fmt::format("the text at {} {} the tool {}",
                        to_string(difficulty),
                        named ? "must not name" : "has to name",
                        tool.name));
      }
    }
    if (difficulty >= Difficulty::medium) {
      const std::string masked = masked_text(task_, text);
      if (const std::string_view word = forbidden_word(masked); !word.empty()) {
        add("vocabulary",
            fmt::format("the text at {} holds the word '{}'", to_string(difficulty), word));
      }
    }
  }
}

void TaskValidator::check_flaws() {
  if (!task_.eligible) {
    return;
  }
  for (const Flaw flaw : kAllFlaws) {
    for (const Severity severity : {Severity::light, Severity::medium, Severity::severe}) {
      const auto flawed = flawed_plan(catalog_, task_, flaw, severity);
      if (!flawed) {
        if (severity == Severity::severe) {
          add("flaws",
              fmt::format("{} does not apply, but the task is marked eligible", to_string(flaw)));
        }
        continue;
      }
      const bool should_reach = flaw == Flaw::redundant_operations;
      if (reached_by(flawed->steps) != should_reach) {
        add("flaws",
            fmt::format("literal execution with {}, {}, {} the goal",
                        to_string(flaw),
                        to_string(severity),
                        should_reach ? "misses" : "meets"));
      }
    }
  }
}

class SuiteValidator {
 public:
  explicit SuiteValidator(const Suite& suite) : suite_(suite) {}

  std::vector<Finding> run() {
    for (const Task& task : suite_.tasks()) {
      std::ranges::move(validate_task(suite_.catalog(), task), std::back_inserter(findings_));
    }
    check_unique();
    for (const TaskType type : kTaskTypes) {
      check_diversity(type);
    }
    if (suite_.tasks().size() >= kFullSize * kTaskTypes.size()) {
      check_coverage();
    }
    return std::move(findings_);
  }

 private:
  void check_unique();
  void check_diversity(TaskType type);
  void check_coverage();

  const Suite& suite_;
  std::vector<Finding> findings_;
};

void SuiteValidator::check_unique() {
  std::map<base::Digest, std::string> hashes;
  std::map<std::string, std::string> texts;
  for (const Task& task : suite_.tasks()) {
    const auto [same, fresh] = hashes.emplace(task.hash, task.id);
    if (!fresh) {
      findings_.push_back(
          {.task = task.id, .rule = "unique", .message = "has the hash of " + same->second});
    }
    for (const Difficulty difficulty : kDifficulties) {
      const std::string key = fmt::format("{}/{}/{}",
                                          to_string(task.type),
                                          to_string(difficulty),
                                          masked_text(task, task.text(difficulty)));
      const auto [twin, alone] = texts.emplace(key, task.id);
      if (!alone) {
        findings_.push_back(
            {.task = task.id,
             .rule = "unique",
             .message = fmt::format("has the text of {} at {} once the values are masked",
                                    twin->second,
                                    to_string(difficulty))});
      }
    }
  }
}

void SuiteValidator::check_diversity(TaskType type) {
  std::map<std::string, std::size_t> counts;
  std::size_t total = 0;
  for (const Task& task : suite_.tasks()) {
    if (task.type == type) {
      ++counts[operation_sequence(task)];
      ++total;
    }
  }
  if (total < kFullSize) {
    return;
  }
  if (counts.size() < kSequencesMin) {
    findings_.push_back(
        {.task = "",
         .rule = "diversity",
         .message = fmt::format("{} has {} sequences of operations, expected at least {}",
                                to_string(type),
                                counts.size(),
                                kSequencesMin)});
  }
  for (const auto& [sequence, count] : counts) {
    if (count * 100 > total * kShareMaxPercent) {
      findings_.push_back(
          {.task = "",
           .rule = "diversity",
           .message = fmt::format("'{}' answers {} of {} tasks of {}, at most {} % are allowed",
                                  sequence,
                                  count,
                                  total,
                                  to_string(type),
                                  kShareMaxPercent)});
    }
  }
}

void SuiteValidator::check_coverage() {
  const auto counts = coverage(suite_);
  for (const ToolSpec& tool : suite_.catalog().tools()) {
    const auto found = counts.find(tool.name);
    std::size_t types = 0;
    if (found != counts.end()) {
      types = static_cast<std::size_t>(std::ranges::count_if(
          found->second, [](const auto& entry) { return entry.second >= kTasksPerToolMin; }));
    }
    if (types < kTypesPerToolMin) {
      findings_.push_back(
          {.task = "",
           .rule = "coverage",
           .message = fmt::format("{} is required by {} tasks or more in {} types, expected {}",
                                  tool.name,
                                  kTasksPerToolMin,
                                  types,
                                  kTypesPerToolMin)});
    }
  }
}

}  // namespace

std::vector<Finding> validate_task(const ToolCatalog& catalog, const Task& task) {
  return TaskValidator(catalog, task).run();
}

std::vector<Finding> validate(const Suite& suite) {
  return SuiteValidator(suite).run();
}

std::string masked_text(const Task& task, const std::string& text) {
  std::string out = text;
  for (const std::string& value : checked_values(task)) {
    std::size_t at = find_value(out, value);
    while (at != std::string::npos) {
      out.replace(at, value.size(), "_");
      at = find_value(out, value, at + 1);
    }
  }
  return out;
}

std::map<std::string, std::map<std::string, std::size_t>> coverage(const Suite& suite) {
  std::map<std::string, std::map<std::string, std::size_t>> out;
  for (const Task& task : suite.tasks()) {
    std::set<std::string> tools;
    for (const Required& required : task.goal.required) {
      tools.insert(required.tool);
    }
    for (const std::string& tool : tools) {
      ++out[tool][std::string(to_string(task.type))];
    }
  }
  return out;
}

}  // namespace sortie::suite
