#include "sortie/suite/declared_task.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/data_reader.h"
#include "sortie/suite/eligibility.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/plan_check.h"
#include "sortie/suite/plan_draft.h"
#include "sortie/suite/task.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t kTextBytesMax = 20'000;
constexpr std::array kTaskKeys = {
    "id"sv, "type"sv, "text"sv, "texts"sv, "plan"sv, "goal"sv, "order"sv, "eligible"sv};
constexpr std::array kLevelKeys = {"very_easy"sv, "easy"sv, "medium"sv, "hard"sv, "very_hard"sv};
constexpr std::array kStepKeys = {"tool"sv, "arguments"sv, "reason"sv};
constexpr std::array kGoalKeys = {"step"sv, "values"sv};
constexpr std::array kReferenceKeys = {"step"sv};

class TaskReader {
 public:
  TaskReader(const ToolCatalog& catalog,
             const json::Value& value,
             const DataPath& path,
             std::vector<DataProblem>& problems)
      : catalog_(catalog), problems_(problems), reader_(value, path, kTaskKeys, problems) {}

  std::optional<Task> read() {
    const std::size_t before = problems_.size();
    task_.id = reader_.required_text("id");
    if (!task_.id.empty() && !is_word(task_.id)) {
      reader_.add({"id"}, "id", "an id is one word: letters, digits, _ and -, at most 64");
    }
    read_type();
    read_texts();
    read_plan();
    if (problems_.size() > before) {
      return std::nullopt;
    }
    task_.goal = goal_of(catalog_, task_.plan);
    task_.order = order_of(task_.plan);
    if (const auto stray = stray_operation(task_.goal)) {
      reader_.add(
          {"plan", fmt::to_string(*stray)},
          "goal",
          fmt::format("step {} ({}) does not lead to the last step, so the goal could be met "
                      "without it",
                      *stray + 1,
                      task_.plan[*stray].tool));
    }
    read_goal();
    read_order();
    task_.eligible = reader_.flag("eligible", true);
    if (problems_.size() > before) {
      return std::nullopt;
    }
    task_.hash = content_hash(task_);
    if (!reader_.has("eligible")) {
      judge_flaws();
    }
    return std::move(task_);
  }

 private:
  /// A mutation is keyed by the task's hash, and the flag is part of it: judged is the task as an
  /// eligible one, whose flawed plans are then exactly those that are shown.
  void judge_flaws() {
    task_.eligible = flaws_apply(catalog_, task_);
    if (!task_.eligible) {
      task_.hash = content_hash(task_);
    }
  }

  void read_type() {
    const std::string name = reader_.required_text("type");
    if (name.empty()) {
      return;
    }
    const auto type = task_type_from(name);
    if (!type) {
      std::vector<std::string> names;
      std::ranges::transform(kTaskTypes, std::back_inserter(names), [](TaskType known) {
        return std::string(to_string(known));
      });
      reader_.add({"type"},
                  "type",
                  fmt::format("there is no task type '{}'{}", name, base::suggestion(name, names)));
    }
    task_.type = type.value_or(TaskType::simple_task);
  }

  void read_texts() {
    if (reader_.has("text") == reader_.has("texts")) {
      reader_.add(
          {},
          "texts",
          "expected either 'text', which is the level easy, or 'texts' with a text per level");
      return;
    }
    if (reader_.has("text")) {
      set_text(reader_, "text", Difficulty::easy);
      return;
    }
    const json::Value& value = *reader_.get("texts");
    DataReader texts(value, reader_.path({"texts"}), kLevelKeys, problems_);
    if (value.is_object() && value.get_object().empty()) {
      texts.add({}, "texts", "'texts' is empty, expected a text for at least one level");
    }
    for (std::size_t i = 0; i < kLevelKeys.size(); ++i) {
      set_text(texts, kLevelKeys[i], kDifficulties[i]);
    }
  }

  void set_text(DataReader& reader, std::string_view key, Difficulty level) {
    std::string text = reader.text(key).value_or("");
    if (text.size() > kTextBytesMax) {
      reader.add({key}, "texts", fmt::format("longer than {} bytes", kTextBytesMax));
    }
    // A block of YAML ends with a line break that nobody means.
    task_.texts[static_cast<std::size_t>(level)] = base::trim(text);
  }

  void read_plan() {
    if (reader_.require("plan") == nullptr) {
      return;
    }
    const json::Array* steps = reader_.list("plan");
    if (steps == nullptr) {
      return;
    }
    if (steps->size() < kStepsMin || steps->size() > kStepsMax) {
      reader_.add(
          {"plan"},
          "plan",
          fmt::format(
              "the plan has {} steps, expected {} to {}", steps->size(), kStepsMin, kStepsMax));
      return;
    }
    for (std::size_t i = 0; i < steps->size(); ++i) {
      read_step((*steps)[i], i);
    }
  }

  void read_step(const json::Value& value, std::size_t position) {
    DataReader reader(
        value, reader_.path({"plan", fmt::to_string(position)}), kStepKeys, problems_);
    Step step{.tool = reader.required_text("tool"), .arguments = {}, .reason = {}};
    const ToolSpec* tool = catalog_.find(step.tool);
    if (tool == nullptr) {
      std::vector<std::string> names;
      std::ranges::transform(catalog_.tools(),
                             std::back_inserter(names),
                             [](const ToolSpec& known) { return known.name; });
      if (!step.tool.empty()) {
        reader.add({"tool"},
                   "tool",
                   fmt::format("step {}: there is no tool '{}'{}",
                               position + 1,
                               step.tool,
                               base::suggestion(step.tool, names)));
      }
      kinds_.emplace_back();
      task_.plan.push_back(std::move(step));
      return;
    }
    step.reason = reader.text("reason").value_or(tool->description);
    if (read_arguments(*tool, reader, step)) {
      for (const StepFault& fault : check_step(*tool, step, kinds_)) {
        reader.add({"arguments", fault.argument},
                   "argument",
                   fmt::format("step {}: {}", position + 1, fault.message));
      }
    }
    kinds_.push_back(kind_of_step(*tool, step, kinds_));
    task_.plan.push_back(std::move(step));
  }

  /// False after a problem: what check_step() would say then helps nobody.
  bool read_arguments(const ToolSpec& tool, DataReader& reader, Step& step) {
    const json::Value* value = reader.get("arguments");
    if (value == nullptr) {
      return true;
    }
    if (!value->is_object()) {
      reader.add({"arguments"},
                 "type",
                 fmt::format("'arguments' has to be a mapping, found {}", kind_name(*value)));
      return false;
    }
    bool good = true;
    for (const auto& argument : value->get_object()) {
      const std::string_view name = argument.key();
      const json::Value* property = property_of(tool, name);
      if (property == nullptr || accepted_kinds(*property) == nullptr) {
        step.arguments[name] = argument.value();
      } else if (const auto earlier = read_reference(name, argument.value(), reader)) {
        step.arguments[name] = make_reference(*earlier);
      } else {
        good = false;
      }
    }
    return good;
  }

  /// The position that {step: k} names.
  std::optional<std::size_t> read_reference(std::string_view name,
                                            const json::Value& value,
                                            DataReader& reader) {
    const std::size_t position = kinds_.size();
    if (!value.is_object()) {
      reader.add(
          {"arguments", name},
          "reference",
          fmt::format("step {}: '{}' takes the result of an earlier step, written as {{step: 1}}",
                      position + 1,
                      name));
      return std::nullopt;
    }
    const DataReader reference(value, reader.path({"arguments", name}), kReferenceKeys, problems_);
    const auto step = json::get_int(value, "step");
    if (!step || *step < 1 || static_cast<std::size_t>(*step) > position) {
      reader.add(
          {"arguments", name},
          "reference",
          position == 0
              ? fmt::format("step 1: '{}' takes the result of an earlier step, and there is none",
                            name)
              : fmt::format(
                    "step {}: '{}' has to name an earlier step, from {{step: 1}} to {{step: {}}}",
                    position + 1,
                    name,
                    position));
      return std::nullopt;
    }
    if (const std::string_view kind = kinds_[static_cast<std::size_t>(*step) - 1]; kind.empty()) {
      return std::nullopt;  // that step has a problem of its own
    }
    return static_cast<std::size_t>(*step) - 1;
  }

  /// A whole number from 1 to the number of steps, as a position.
  [[nodiscard]] std::optional<std::size_t> position_of(const json::Value& value) const {
    const std::int64_t* number = value.if_int64();
    if (number == nullptr || *number < 1 || static_cast<std::size_t>(*number) > task_.plan.size()) {
      return std::nullopt;
    }
    return static_cast<std::size_t>(*number) - 1;
  }

  void read_goal() {
    const json::Array* entries = reader_.list("goal");
    for (std::size_t i = 0; entries != nullptr && i < entries->size(); ++i) {
      read_checked_values((*entries)[i], i);
    }
  }

  /// Which values of one step the goal checks.
  void read_checked_values(const json::Value& value, std::size_t entry) {
    DataReader reader(value, reader_.path({"goal", fmt::to_string(entry)}), kGoalKeys, problems_);
    const json::Value* number = reader.require("step");
    const auto position = number == nullptr ? std::nullopt : position_of(*number);
    if (!position) {
      if (number != nullptr) {
        reader.add(
            {"step"},
            "goal",
            fmt::format("'step' has to be the number of a step, from 1 to {}", task_.plan.size()));
      }
      return;
    }
    static_cast<void>(reader.require("values"));
    Required& required = task_.goal.required[*position];
    json::Object checked;
    std::vector<std::string> names;
    for (const auto& known : required.values) {
      names.emplace_back(known.key());
    }
    const std::vector<std::string> wanted = reader.texts("values");
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const json::Value* known = required.values.if_contains(wanted[i]);
      if (known == nullptr) {
        reader.add({"values", fmt::to_string(i)},
                   "goal",
                   fmt::format("step {} ({}) has no value '{}'{}",
                               *position + 1,
                               required.tool,
                               wanted[i],
                               base::suggestion(wanted[i], names)));
      } else {
        checked[wanted[i]] = *known;
      }
    }
    required.values = std::move(checked);
  }

  /// Pairs besides those that the plan's references make.
  void read_order() {
    const json::Array* pairs = reader_.list("order");
    for (std::size_t i = 0; pairs != nullptr && i < pairs->size(); ++i) {
      const json::Value& item = (*pairs)[i];
      const json::Array* pair = item.if_array();
      const bool two = pair != nullptr && pair->size() == 2;
      const auto before = two ? position_of((*pair)[0]) : std::nullopt;
      const auto after = two ? position_of((*pair)[1]) : std::nullopt;
      if (!before || !after || *before >= *after) {
        reader_.add(
            {"order", fmt::to_string(i)},
            "order",
            fmt::format("expected two numbers of steps, from 1 to {}, the earlier one first",
                        task_.plan.size()));
        continue;
      }
      const std::pair<std::size_t, std::size_t> both(*before, *after);
      if (std::ranges::find(task_.order, both) == task_.order.end()) {
        task_.order.push_back(both);
      }
    }
  }

  const ToolCatalog& catalog_;
  std::vector<DataProblem>& problems_;
  DataReader reader_;
  Task task_;
  std::vector<std::string_view> kinds_;  // of the steps so far; "" after a problem
};

}  // namespace

std::optional<Task> declared_task(const ToolCatalog& catalog,
                                  const json::Value& value,
                                  const DataPath& path,
                                  std::vector<DataProblem>& problems) {
  return TaskReader(catalog, value, path, problems).read();
}

}  // namespace sortie::suite
