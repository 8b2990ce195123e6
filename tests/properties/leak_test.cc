#include "sortie/suite/arguments.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/world.h"

#include "properties/support.h"
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

// What a model reads names no tool but the ones that it wrote itself. Exempt are the replies to
// searches and lookups, the functions of the native protocol, and the texts at very_easy.

namespace sortie::properties {
namespace {

using dialogue::Dialogue;
using suite::CallStatus;
using suite::Protocol;

constexpr std::array kProtocols = {Protocol::text, Protocol::native};

std::vector<std::string> names_in(std::string_view text) {
  std::vector<std::string> names;
  for (const suite::ToolSpec& tool : pilot().catalog().tools()) {
    if (text.contains(tool.name)) {
      names.push_back(tool.name);
    }
  }
  return names;
}

/// Names in `text` that `allowed` does not have.
std::vector<std::string> leaks(std::string_view text, std::string_view allowed) {
  auto names = names_in(text);
  std::erase_if(names, [&](const std::string& name) { return allowed.contains(name); });
  return names;
}

suite::TrialParams params_of(suite::PromptStyle style, Protocol protocol) {
  return {.prompt = {.style = style}, .tool_success_rate = 1, .protocol = protocol};
}

/// What was said after the last answer.
std::string replies(const Dialogue& dialogue, std::size_t from) {
  std::string out;
  for (std::size_t i = from; i < dialogue.history().size(); ++i) {
    if (dialogue.history()[i].role != chat::Role::assistant) {
      out += dialogue.history()[i].text + "\n";
    }
  }
  return out;
}

std::string told_after(Dialogue& dialogue, chat::Answer answer) {
  const std::size_t before = dialogue.history().size();
  dialogue.step(dialogue::Answered{std::move(answer)});
  return replies(dialogue, before);
}

/// A call in the form of the protocol.
chat::Answer call_of(Protocol protocol, std::string_view tool, const json::Object& arguments) {
  if (protocol == Protocol::text) {
    return says(use_tool(tool, arguments));
  }
  chat::Answer answer;
  answer.finish = chat::FinishReason::tool_calls;
  answer.tool_calls.push_back(
      {.id = "c", .name = std::string(tool), .arguments = json::to_text(arguments)});
  return answer;
}

TEST(Leaks, no_system_text_names_a_tool) {
  for (const Protocol protocol : kProtocols) {
    EXPECT_TRUE(names_in(rules().system_prompt(protocol)).empty());
  }
}

// Was: basic_task prompts listed the answer.
TEST(Was, no_first_prompt_without_a_plan_names_a_tool) {
  std::size_t prompts = 0;
  for (const suite::Task& task : pilot().tasks()) {
    std::string of_task;
    for (const suite::Step& step : task.plan) {
      of_task += step.tool + " ";
    }
    for (const Protocol protocol : kProtocols) {
      for (const auto style : {suite::PromptStyle::baseline, suite::PromptStyle::cot}) {
        for (const suite::Difficulty difficulty : suite::kDifficulties) {
          suite::TrialParams params = params_of(style, protocol);
          params.difficulty = difficulty;
          const Dialogue dialogue(rules(), task, params);
          ASSERT_EQ(dialogue.history().size(), 2U);
          const bool by_design = difficulty == suite::Difficulty::very_easy;
          EXPECT_TRUE(leaks(replies(dialogue, 0), by_design ? of_task : "").empty())
              << task.id << " " << to_string(difficulty);
          ++prompts;
        }
      }
    }
  }
  fmt::print("{} first prompts\n", prompts);
}

TEST(Prompts, of_all_styles_are_identical_to_the_byte_apart_from_plan_and_cot) {
  const auto without = [](std::string prompt, std::string_view block) {
    const std::size_t at = prompt.find(block);
    EXPECT_NE(at, std::string::npos);
    return at == std::string::npos ? prompt : prompt.erase(at, block.size());
  };
  std::optional<std::string> cot_block;
  std::size_t planned_prompts = 0;
  for (const suite::Task& task : pilot().tasks()) {
    for (const suite::Difficulty difficulty : suite::kDifficulties) {
      suite::TrialParams params = params_of(suite::PromptStyle::baseline, Protocol::text);
      params.difficulty = difficulty;
      const std::string baseline = rules().first_prompt(task, params);
      params.prompt.style = suite::PromptStyle::cot;
      const std::string cot = rules().first_prompt(task, params);
      if (!cot_block) {
        const auto same = std::ranges::mismatch(baseline, cot);
        cot_block = cot.substr(static_cast<std::size_t>(same.in2 - cot.begin()),
                               cot.size() - baseline.size());
      }
      ASSERT_EQ(without(cot, *cot_block), baseline) << task.id;
      std::vector<suite::Prompt> planned = {{.style = suite::PromptStyle::optimal}};
      for (const suite::Flaw flaw : suite::kPlanFlaws) {
        planned.push_back({.style = suite::PromptStyle::flawed, .flaw = flaw});
      }
      for (const suite::Prompt prompt : planned) {
        params.prompt = prompt;
        for (const suite::Severity severity : suite::kSeverities) {
          // The level and the plan do not touch each other.
          if (severity != suite::Severity::severe && difficulty != suite::Difficulty::easy &&
              std::getenv("SORTIE_FULL") == nullptr) {
            continue;
          }
          params.severity = severity;
          const auto plan = rules().plan_text(task, params);
          // At severe every flaw exists for every task that presets draw from.
          EXPECT_TRUE(plan || !task.eligible || severity != suite::Severity::severe) << task.id;
          if (plan) {
            ++planned_prompts;
            ASSERT_EQ(without(rules().first_prompt(task, params), *plan), baseline) << task.id;
          }
        }
      }
    }
  }
  fmt::print("{} first prompts with a plan\n", planned_prompts);
  EXPECT_GT(planned_prompts, 27'000U);
}

// Was: 15,449 help messages printed the required tools in order.
TEST(Was, no_help_message_of_20000_names_a_tool) {
  std::size_t messages = 0;
  chat::Answer cut = says("I will now");
  cut.finish = chat::FinishReason::length;
  const std::array<chat::Answer, 4> silent = {
      says("I am not sure."), says(""), cut, says("<use_tool>{broken</use_tool>")};
  for (const suite::Task& task : pilot().tasks()) {
    for (const Protocol protocol : kProtocols) {
      for (const suite::Difficulty difficulty : suite::kDifficulties) {
        suite::TrialParams params = params_of(suite::PromptStyle::optimal, protocol);
        params.difficulty = difficulty;
        Dialogue dialogue(rules(), task, params);
        for (const chat::Answer& answer : silent) {
          const std::string told = told_after(dialogue, answer);
          ASSERT_FALSE(told.empty());
          EXPECT_TRUE(names_in(told).empty()) << told;
          ++messages;
        }
      }
    }
  }
  EXPECT_GE(messages, 15'449U);
  fmt::print("{} help messages\n", messages);
}

TEST(Leaks, no_reply_to_a_name_that_no_tool_has_names_one) {
  for (const Protocol protocol : kProtocols) {
    suite::TrialParams params = params_of(suite::PromptStyle::baseline, protocol);
    params.max_turns = 1'000;
    Dialogue dialogue(rules(), pilot().tasks().front(), params);
    for (const suite::ToolSpec& tool : pilot().catalog().tools()) {
      for (const std::string& near : {tool.operation,
                                      tool.category,
                                      tool.name.substr(0, tool.name.size() - 1),
                                      tool.name.substr(1),
                                      tool.category + "." + tool.operation,
                                      tool.category + "_" + tool.operation.substr(1)}) {
        for (chat::Answer answer : {call_of(protocol, near, {}),
                                    call_of(protocol, "show_tool", {{"name", near}}),
                                    says("<show_tool>" + near + "</show_tool>")}) {
          const std::string told = told_after(dialogue, std::move(answer));
          EXPECT_TRUE(names_in(told).empty()) << near << ": " << told;
        }
      }
    }
    const std::string nothing = told_after(dialogue, says("<find_tool>qwertz</find_tool>"));
    EXPECT_TRUE(names_in(nothing).empty());
    for (const std::string& category : pilot().catalog().categories()) {
      EXPECT_TRUE(nothing.contains(category)) << nothing;
    }
  }
}

/// Values that are wrong for most parameters, whatever they take.
json::Array odd_values() {
  json::Array values = json::parse(R"([null, true, 7, -1e300, 1e300, 0.5, [], [1, "a"], {},
      {"$step": 0}, "", "zzz", "raw#99", "#", "no/such/file.csv", "/etc/passwd", "../up.csv",
      "out/", "https://nowhere.example.com/x", "ftp://x"])")
                           .value()
                           .as_array();
  values.emplace_back(std::string(300, 'x'));
  return values;
}

/// What the calls of a plan have yielded.
struct Results {
  std::vector<std::string> handles;
  std::string field = "amount";  // of a table: the last one, which holds numbers
};

/// Something that fits the schema.
json::Value fitting(const json::Value& property, const Results& results) {
  const std::vector<std::string>& handles = results.handles;
  if (suite::accepted_kinds(property) != nullptr) {
    for (const std::string& handle : handles) {
      const std::string kind = handle.substr(0, handle.find('#'));
      if (suite::accepts_kind(property, kind)) {
        return json::Value(std::string_view(handle));
      }
    }
    return json::Value(handles.empty() ? "raw#1" : std::string_view(handles.front()));
  }
  if (const json::Array* values = json::get_array(property, "enum")) {
    return values->front();
  }
  if (const json::Value* least = json::find(property, "minimum")) {
    return *least;
  }
  const std::string_view format = json::get_string(property, "format").value_or("");
  if (format == "path") {
    return "data/orders.csv";
  }
  if (format == "url") {
    return "https://api.example.com/v1/orders";
  }
  return format.empty() ? json::Value(1) : json::Value(std::string_view(results.field));
}

/// Everything wrong with a call of `tool` that one parameter can show.
std::vector<json::Object> wrong_calls(const suite::ToolSpec& tool, const Results& results) {
  const json::Object& properties = *json::get_object(tool.parameters, "properties");
  json::Object base;
  for (const auto& property : properties) {
    if (suite::is_required(tool, property.key())) {
      base[property.key()] = fitting(property.value(), results);
    }
  }
  std::vector<json::Object> calls = {base, {}};
  json::Object extra = base;
  extra["no_such_parameter"] = 1;
  calls.push_back(extra);
  for (const auto& property : properties) {
    json::Object without = base;
    without.erase(property.key());
    calls.push_back(without);
    json::Array values = odd_values();
    for (const std::string& handle : results.handles) {
      values.emplace_back(std::string_view(handle));
    }
    if (const json::Array* choices = json::get_array(property.value(), "enum")) {
      values.insert(values.end(), choices->begin(), choices->end());
    }
    for (const json::Value& value : values) {
      json::Object changed = base;
      changed[property.key()] = value;
      calls.push_back(std::move(changed));
    }
  }
  return calls;
}

struct Seen {
  std::size_t replies = 0;
  std::map<std::string, std::set<suite::Rejection>> rejections;  // per tool
  std::set<std::string> codes;
};

/// The text between `open` and the next quote.
std::string member_of(std::string_view text, std::string_view open) {
  const std::size_t at = text.find(open);
  if (at == std::string_view::npos) {
    return {};
  }
  const std::string_view rest = text.substr(at + open.size());
  return std::string(rest.substr(0, rest.find('"')));
}

/// Follows the plan, then makes every wrong call of every tool.
void provoke(const suite::Task& task, Protocol protocol, Seen& seen) {
  suite::TrialParams params = params_of(suite::PromptStyle::baseline, protocol);
  params.max_turns = 1'000'000;
  Dialogue dialogue(rules(), task, params);
  Results results;
  for (const suite::Step& step : task.plan) {
    const std::string told = told_after(
        dialogue, call_of(protocol, step.tool, suite::bound_arguments(step, results.handles)));
    ASSERT_TRUE(leaks(told, step.tool).empty()) << told;
    results.handles.push_back(member_of(told, R"("artifact":")"));
    if (step.tool == "data_processing_parser") {
      const std::string fields = told.substr(told.find(R"("fields":[)"));
      const std::string last = fields.substr(0, fields.find("\"]"));
      results.field = last.substr(last.rfind('"') + 1);
    }
  }
  // A table without rows, first of all handles: what cannot be computed.
  const auto table = std::ranges::find_if(
      results.handles, [](const std::string& handle) { return handle.starts_with("table#"); });
  if (table != results.handles.end()) {
    const std::string told = told_after(dialogue,
                                        call_of(protocol,
                                                "data_processing_filter",
                                                {{"source", std::string_view(*table)},
                                                 {"field", std::string_view(results.field)},
                                                 {"operator", ">"},
                                                 {"value", 1e15}}));
    ASSERT_TRUE(told.contains(R"("artifact":")")) << told;
    results.handles.insert(results.handles.begin(), member_of(told, R"("artifact":")"));
  }
  for (const suite::ToolSpec& tool : pilot().catalog().tools()) {
    for (const json::Object& arguments : wrong_calls(tool, results)) {
      const std::string told = told_after(dialogue, call_of(protocol, tool.name, arguments));
      ASSERT_TRUE(leaks(told, tool.name).empty()) << told;
      ASSERT_TRUE(is_open(dialogue));
      ++seen.replies;
    }
    // After a rejected call: other tools that the model wrote, and no further one.
    const auto other = pilot().catalog().tools()[seen.replies % 30].name;
    chat::Answer answer = call_of(protocol, tool.name, {});
    const chat::Answer second = call_of(protocol, other, {});
    answer.text += second.text + (protocol == Protocol::text ? "<finish>done</finish>" : "");
    answer.tool_calls.insert(
        answer.tool_calls.end(), second.tool_calls.begin(), second.tool_calls.end());
    const std::string told = told_after(dialogue, std::move(answer));
    ASSERT_TRUE(told.contains("not run, since command 1 did not succeed")) << told;
    ASSERT_TRUE(leaks(told, tool.name + " " + other).empty()) << told;
    ++seen.replies;
  }
  dialogue.step(dialogue::ContextFull{});
  for (const suite::CallRecord& call : dialogue.transcript().calls) {
    if (call.result.status == CallStatus::rejected) {
      seen.rejections[call.tool].insert(call.rejection);
      seen.codes.insert(call.result.code);
    }
  }
}

/// One task of each type and length; all if SORTIE_FULL is set.
std::vector<const suite::Task*> tasks_to_provoke() {
  std::vector<const suite::Task*> tasks;
  std::set<std::pair<suite::TaskType, std::size_t>> seen;
  for (const suite::Task& task : pilot().tasks()) {
    if (seen.emplace(task.type, task.plan.size()).second || std::getenv("SORTIE_FULL") != nullptr) {
      tasks.push_back(&task);
    }
  }
  return tasks;
}

TEST(Leaks, no_rejection_and_no_not_run_message_names_a_tool_that_the_model_did_not_write) {
  Seen seen;
  const auto tasks = tasks_to_provoke();
  for (const suite::Task* task : tasks) {
    for (const Protocol protocol : kProtocols) {
      provoke(*task, protocol, seen);
      if (HasFatalFailure()) {
        return;
      }
    }
  }
  for (const suite::ToolSpec& tool : pilot().catalog().tools()) {
    const auto& kinds = seen.rejections[tool.name];
    EXPECT_TRUE(kinds.contains(suite::Rejection::parameter)) << tool.name;
    if (!tool.handle_parameters().empty()) {
      EXPECT_TRUE(kinds.contains(suite::Rejection::unknown_handle)) << tool.name;
      EXPECT_TRUE(kinds.contains(suite::Rejection::wrong_kind)) << tool.name;
    }
  }
  for (const std::string_view code : {"INVALID_INPUT",
                                      "FILE_NOT_FOUND",
                                      "PERMISSION_DENIED",
                                      "INVALID_RESPONSE",
                                      "CALCULATION_ERROR"}) {
    EXPECT_TRUE(seen.codes.contains(std::string(code))) << code;
  }
  fmt::print(
      "{} tasks, {} replies, codes {}\n", tasks.size(), seen.replies, fmt::join(seen.codes, " "));
}

TEST(Leaks, no_injected_failure_names_a_tool_that_the_model_did_not_write) {
  for (const suite::Task& task : pilot().tasks()) {
    for (const Protocol protocol : kProtocols) {
      suite::TrialParams params = params_of(suite::PromptStyle::baseline, protocol);
      params.tool_success_rate = 1e-12;
      Dialogue dialogue(rules(), task, params);
      const suite::Step& first = task.plan.front();
      const std::string told = told_after(dialogue, call_of(protocol, first.tool, first.arguments));
      ASSERT_TRUE(told.contains("may be repeated")) << told;
      EXPECT_TRUE(leaks(told, first.tool).empty()) << told;
    }
  }
}

}  // namespace
}  // namespace sortie::properties
