#pragma once

#include "sortie/chat/message.h"
#include "sortie/dialogue/dialogue.h"
#include "sortie/dialogue/rules.h"
#include "sortie/dialogue/transcript.h"
#include "sortie/score/score.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"
#include "sortie/suite/world.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// What the tests of this module share: transcripts by hand and whole dialogues.

namespace sortie::score {

/// Read, parse, store; the parse needs the read, the store needs the parse.
inline suite::Task chain_task() {
  suite::Task task;
  task.id = "chain";
  const auto result = [](int step) { return json::Value{{"$step", step}}; };
  task.plan = {{.tool = "file_operations_reader", .arguments = {{"path", "a.csv"}}, .reason = ""},
               {.tool = "data_processing_parser",
                .arguments = {{"source", result(0)}, {"format", "csv"}},
                .reason = ""},
               {.tool = "file_operations_writer",
                .arguments = {{"source", result(1)}, {"path", "b.csv"}},
                .reason = ""}};
  task.order = {{0, 1}, {1, 2}};
  task.goal.required = {
      {.tool = "file_operations_reader", .values = {{"path", "a.csv"}}, .inputs = {}},
      {.tool = "data_processing_parser", .values = {{"format", "csv"}}, .inputs = {0}},
      {.tool = "file_operations_writer", .values = {{"path", "b.csv"}}, .inputs = {1}}};
  return task;
}

/// A transcript by hand: one call a turn.
class Made {
 public:
  Made() {
    transcript_.end = dialogue::End::finish;
    transcript_.required_done = {false, false, false};
  }

  Made& call(std::string tool,
             json::Object arguments,
             suite::CallStatus status = suite::CallStatus::ok,
             suite::Rejection rejection = suite::Rejection::none) {
    dialogue::Turn turn;
    turn.understood = true;
    dialogue::Command command;
    command.name = tool;
    command.ran = true;
    command.succeeded = status == suite::CallStatus::ok;
    command.call = transcript_.calls.size();
    turn.commands.push_back(command);
    transcript_.turns.push_back(turn);
    suite::CallRecord record;
    record.tool = std::move(tool);
    record.arguments = std::move(arguments);
    record.result.status = status;
    record.rejection = rejection;
    if (status == suite::CallStatus::ok) {
      const suite::ToolSpec* spec = catalog_.find(record.tool);
      record.result.artifact = spec->kind + "#" + std::to_string(++results_);
    }
    transcript_.calls.push_back(record);
    return *this;
  }

  Made& read(suite::CallStatus status = suite::CallStatus::ok) {
    return call("file_operations_reader", {{"path", "a.csv"}}, status);
  }

  Made& parse(suite::CallStatus status = suite::CallStatus::ok,
              suite::Rejection rejection = suite::Rejection::none) {
    return call(
        "data_processing_parser", {{"source", "raw#1"}, {"format", "csv"}}, status, rejection);
  }

  Made& write(suite::CallStatus status = suite::CallStatus::ok,
              suite::Rejection rejection = suite::Rejection::none) {
    return call(
        "file_operations_writer", {{"source", "table#2"}, {"path", "b.csv"}}, status, rejection);
  }

  Made& turn(dialogue::Turn turn) {
    transcript_.turns.push_back(std::move(turn));
    return *this;
  }

  Made& quiet(int turns) {
    for (int i = 0; i < turns; ++i) {
      turn({.understood = true});
    }
    return *this;
  }

  Made& end(dialogue::End end) {
    transcript_.end = end;
    return *this;
  }

  Made& done(std::vector<bool> required, double progress) {
    transcript_.required_done = std::move(required);
    transcript_.progress = progress;
    return *this;
  }

  Made& solved() {
    transcript_.goal_met = true;
    return done({true, true, true}, 1);
  }

  Made& unclean() {
    transcript_.clean = false;
    return *this;
  }

  [[nodiscard]] Score score() const {
    return score::score(transcript_, chain_task(), {}, catalog_);
  }

  [[nodiscard]] std::string label() const {
    const Score s = score();
    return std::string(to_string(s.label)) + "@" +
           (s.label_turn ? std::to_string(*s.label_turn) : "-");
  }

  dialogue::Transcript& transcript() { return transcript_; }

  [[nodiscard]] const suite::ToolCatalog& catalog() const { return catalog_; }

 private:
  suite::ToolCatalog catalog_ = suite::ToolCatalog::pilot();
  dialogue::Transcript transcript_;
  int results_ = 0;
};

struct Played {
  Score score;
  dialogue::Transcript transcript;
};

/// Plays the given answers, then finishes.
inline Played play(const dialogue::Rules& rules,
                   const suite::Task& task,
                   const suite::TrialParams& params,
                   const std::vector<std::string>& answers) {
  dialogue::Dialogue dialogue(rules, task, params);
  for (std::size_t i = 0; std::holds_alternative<dialogue::AskModel>(dialogue.need()); ++i) {
    chat::Answer answer;
    answer.text = i < answers.size() ? answers[i] : "<finish></finish>";
    dialogue.step(dialogue::Answered{answer});
  }
  return {.score = score(dialogue.transcript(), task, params, rules.catalog()),
          .transcript = dialogue.transcript()};
}

inline std::string use(std::string_view tool, const json::Object& arguments) {
  return "<use_tool>" + json::to_text({{"name", tool}, {"arguments", arguments}}) + "</use_tool>";
}

/// The calls of a task's plan in the given order of steps, written without reading any reply.
/// Handles are numbered in the order of results, so this works where no call fails.
inline std::vector<std::string> plan_calls(const suite::ToolCatalog& catalog,
                                           const suite::Task& task,
                                           const std::vector<std::size_t>& order) {
  std::vector<std::string> calls;
  std::vector<std::string> handles(task.plan.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const suite::Step& step = task.plan[order[i]];
    json::Object arguments;
    for (const auto& [name, value] : step.arguments) {
      const auto reference = json::get_int(value, "$step");
      arguments[name] =
          reference ? json::Value(handles[static_cast<std::size_t>(*reference)]) : value;
    }
    calls.push_back(use(step.tool, arguments));
    handles[order[i]] = catalog.find(step.tool)->kind + "#" + std::to_string(i + 1);
  }
  return calls;
}

inline std::vector<std::string> plan_calls(const suite::ToolCatalog& catalog,
                                           const suite::Task& task) {
  std::vector<std::size_t> order(task.plan.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  return plan_calls(catalog, task, order);
}

/// The admissible order that always takes the last step of the plan that can be made.
inline std::vector<std::size_t> last_first(const suite::Task& task) {
  std::vector<std::size_t> order;
  std::vector<bool> made(task.plan.size());
  while (order.size() < task.plan.size()) {
    for (std::size_t step = task.plan.size(); step-- > 0;) {
      const bool ready = !made[step] && std::ranges::all_of(task.order, [&](const auto& pair) {
        return pair.second != step || made[pair.first];
      });
      if (ready) {
        made[step] = true;
        order.push_back(step);
        break;
      }
    }
  }
  return order;
}

/// The calls that carry out a plan as it stands, step by step, where no call fails by luck. A step
/// without a result is named by a handle that does not exist.
inline std::vector<std::string> literal_calls(const suite::ToolCatalog& catalog,
                                              const suite::Task& task,
                                              const std::vector<suite::Step>& plan) {
  const suite::Execution execution = suite::execute_literally(catalog, task, plan);
  std::vector<std::string> calls;
  for (const suite::CallRecord& call : execution.world.calls()) {
    calls.push_back(use(call.tool, call.arguments));
  }
  return calls;
}

}  // namespace sortie::score
