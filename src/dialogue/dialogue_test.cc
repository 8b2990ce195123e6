#include "sortie/dialogue/dialogue.h"

#include "sortie/base/json.h"
#include "sortie/dialogue/rules.h"
#include "sortie/dialogue/texts.h"
#include "sortie/suite/suite.h"

#include <functional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::dialogue {
namespace {

suite::Step step(std::string tool, json::Object arguments) {
  return {.tool = std::move(tool), .arguments = std::move(arguments), .reason = "It comes next."};
}

json::Value result_of(int step) {
  return {{"$step", step}};
}

/// Read a file, parse it, convert it, store it.
suite::Task chain_task() {
  suite::Task task;
  task.id = "simple_task-001";
  task.texts.fill(
      "Read data/orders.csv as csv, turn it into json and store that at out/orders.json.");
  task.plan = {
      step("file_operations_reader", {{"path", "data/orders.csv"}}),
      step("data_processing_parser", {{"source", result_of(0)}, {"format", "csv"}}),
      step("file_operations_converter", {{"source", result_of(1)}, {"to", "json"}}),
      step("file_operations_writer", {{"source", result_of(2)}, {"path", "out/orders.json"}})};
  task.order = {{0, 1}, {1, 2}, {2, 3}};
  task.goal.required = {
      {.tool = "file_operations_reader", .values = {{"path", "data/orders.csv"}}, .inputs = {}},
      {.tool = "data_processing_parser", .values = {{"format", "csv"}}, .inputs = {0}},
      {.tool = "file_operations_converter", .values = {{"to", "json"}}, .inputs = {1}},
      {.tool = "file_operations_writer", .values = {{"path", "out/orders.json"}}, .inputs = {2}}};
  task.hash = base::digest_of("chain");
  return task;
}

struct World {
  World() = default;
  World(const World&) = delete;  // the rules point to the catalog
  World& operator=(const World&) = delete;

  suite::ToolCatalog catalog = suite::ToolCatalog::pilot();
  Rules rules{catalog};
  suite::Task task = chain_task();
  suite::TrialParams params{
      .prompt = {.style = suite::PromptStyle::baseline}, .tool_success_rate = 1, .seed = 7};

  [[nodiscard]] Dialogue start(DialogueOptions options = {}) const {
    return {rules, task, params, options};
  }
};

chat::Answer says(std::string text) {
  chat::Answer answer;
  answer.text = std::move(text);
  return answer;
}

std::string use(std::string_view tool, const json::Value& arguments) {
  const json::Value call = {{"name", tool}, {"arguments", arguments}};
  return "<use_tool>" + json::to_text(call) + "</use_tool>";
}

Need tell(Dialogue& dialogue, std::string text) {
  return dialogue.step(Answered{says(std::move(text))});
}

std::string last(const Dialogue& dialogue) {
  return dialogue.history().back().text;
}

const std::string kRead = use("file_operations_reader", {{"path", "data/orders.csv"}});

/// Follows a plan call by call, repeats what fails by luck, and finishes: the reference that reads
/// no texts.
class PlanFollower {
 public:
  explicit PlanFollower(std::vector<suite::Step> plan) : plan_(std::move(plan)) {}

  std::string answer(const Dialogue& dialogue) {
    if (asked_) {
      read(dialogue.history().back().text);
    }
    asked_ = true;
    if (handles_.size() == plan_.size()) {
      return "<finish>done</finish>";
    }
    const suite::Step& next = plan_[handles_.size()];
    json::Object arguments;
    for (const auto& [name, value] : next.arguments) {
      arguments[name] = resolved(value);
    }
    return use(next.tool, arguments);
  }

 private:
  void read(std::string_view reply) {
    constexpr std::string_view kArtifact = R"({"artifact":")";
    const std::size_t at = reply.find(kArtifact);
    if (at != std::string_view::npos) {
      const std::string_view rest = reply.substr(at + kArtifact.size());
      handles_.emplace_back(rest.substr(0, rest.find('"')));
    }
  }

  [[nodiscard]] json::Value resolved(const json::Value& value) const {
    const auto reference = json::get_int(value, "$step");
    return reference ? json::Value(handles_.at(static_cast<std::size_t>(*reference))) : value;
  }

  std::vector<suite::Step> plan_;
  std::vector<std::string> handles_;
  bool asked_ = false;
};

End run(Dialogue& dialogue, const std::function<std::string(const Dialogue&)>& agent) {
  Need need = dialogue.need();
  while (std::holds_alternative<AskModel>(need)) {
    need = tell(dialogue, agent(dialogue));
  }
  return std::get<Ended>(need).end;
}

End follow_plan(Dialogue& dialogue, const suite::Task& task) {
  PlanFollower agent(task.plan);
  return run(dialogue, [&](const Dialogue& d) { return agent.answer(d); });
}

// --- Running ---

TEST(Dialogue, following_the_plan_reaches_the_goal) {
  const World world;
  Dialogue dialogue = world.start();
  EXPECT_EQ(follow_plan(dialogue, world.task), End::finish);
  const Transcript& transcript = dialogue.transcript();
  EXPECT_TRUE(transcript.goal_met);
  EXPECT_TRUE(transcript.clean);
  EXPECT_EQ(transcript.progress, 1);
  EXPECT_EQ(transcript.calls.size(), 4U);
  EXPECT_EQ(dialogue.turns_done(), 5);
  EXPECT_EQ(transcript.required_done, (std::vector<bool>{true, true, true, true}));
}

TEST(Dialogue, following_the_plan_reaches_the_goal_through_failures) {
  World world;
  world.params.tool_success_rate = 0.6;
  world.params.max_turns = 60;
  int injected = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    world.params.seed = seed;
    Dialogue dialogue = world.start();
    EXPECT_EQ(follow_plan(dialogue, world.task), End::finish);
    EXPECT_TRUE(dialogue.transcript().goal_met);
    for (const suite::CallRecord& call : dialogue.transcript().calls) {
      injected += call.result.status == suite::CallStatus::injected ? 1 : 0;
    }
  }
  EXPECT_GT(injected, 0);
}

TEST(Dialogue, an_agent_that_reads_nothing_does_not_reach_the_goal) {
  const World world;
  Dialogue dialogue = world.start();
  std::size_t next = 0;
  const End end = run(dialogue, [&](const Dialogue&) {
    const auto& tools = world.catalog.tools();
    return next < tools.size() ? use(tools[next++].name, json::Object()) : "<finish></finish>";
  });
  EXPECT_EQ(end, End::max_turns);
  EXPECT_FALSE(dialogue.transcript().goal_met);
}

TEST(Dialogue, commands_of_one_answer_run_in_order) {
  const World world;
  Dialogue dialogue = world.start();
  const Need need = tell(
      dialogue,
      kRead + use("data_processing_parser", {{"source", "raw#1"}, {"format", "csv"}}) +
          use("file_operations_converter", {{"source", "table#2"}, {"to", "json"}}) +
          use("file_operations_writer", {{"source", "document#3"}, {"path", "out/orders.json"}}) +
          "<finish>ok</finish>");
  ASSERT_TRUE(std::holds_alternative<Ended>(need)) << last(dialogue);
  EXPECT_TRUE(dialogue.transcript().goal_met);
  EXPECT_EQ(dialogue.turns_done(), 1);
  EXPECT_EQ(dialogue.transcript().turns[0].commands[3].call, 3U);
}

TEST(Dialogue, commands_after_the_first_failure_are_not_run) {
  const World world;
  Dialogue dialogue = world.start();
  tell(dialogue,
       kRead + use("data_processing_parser", {{"source", "raw#9"}, {"format", "csv"}}) + kRead +
           "<finish>done</finish>");
  EXPECT_TRUE(std::holds_alternative<AskModel>(dialogue.need()));
  const auto& commands = dialogue.transcript().turns[0].commands;
  ASSERT_EQ(commands.size(), 4U);
  EXPECT_TRUE(commands[0].succeeded);
  EXPECT_TRUE(commands[1].ran);
  EXPECT_FALSE(commands[1].succeeded);
  EXPECT_FALSE(commands[2].ran);
  EXPECT_EQ(commands[2].call, std::nullopt);
  EXPECT_FALSE(commands[3].ran);
  const std::string reply = last(dialogue);
  EXPECT_NE(
      reply.find("[1] use_tool file_operations_reader: ok\n{\"artifact\":\"raw#1\",\"result\":{"),
      std::string::npos)
      << reply;
  EXPECT_NE(
      reply.find("[2] use_tool data_processing_parser: rejected\n{\"code\":\"INVALID_INPUT\""),
      std::string::npos);
  EXPECT_NE(
      reply.find("[3] use_tool file_operations_reader: not run, since command 2 did not succeed"),
      std::string::npos);
  EXPECT_NE(reply.find("[4] finish: not run, since command 2 did not succeed"), std::string::npos);
}

TEST(Dialogue, commands_not_run_draw_no_luck) {
  World world;
  world.params.tool_success_rate = 0.5;
  const std::string broken = use("nothing", json::Object());
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    world.params.seed = seed;
    Dialogue plain = world.start();
    tell(plain, kRead);
    Dialogue other = world.start();
    tell(other, broken + kRead + kRead);
    tell(other, kRead);
    EXPECT_EQ(last(plain), last(other));
  }
}

TEST(Dialogue, a_finish_counts_only_after_success) {
  const World world;
  Dialogue dialogue = world.start();
  tell(dialogue, "<show_tool>no_such_tool</show_tool><finish>done</finish>");
  EXPECT_TRUE(std::holds_alternative<AskModel>(dialogue.need()));
  tell(dialogue, "<use_tool>{broken</use_tool><finish>done</finish>");
  EXPECT_TRUE(std::holds_alternative<AskModel>(dialogue.need()));
  tell(dialogue, "<find_tool>zzz</find_tool><finish>done</finish><find_tool>csv</find_tool>");
  ASSERT_TRUE(std::holds_alternative<Ended>(dialogue.need()));
  EXPECT_EQ(dialogue.transcript().end, End::finish);
  EXPECT_FALSE(dialogue.transcript().turns[2].commands[2].ran);
}

TEST(Dialogue, at_most_eight_commands_run) {
  const World world;
  Dialogue dialogue = world.start();
  std::string answer;
  for (int i = 0; i < 10; ++i) {
    answer += "<find_tool>csv</find_tool>";
  }
  tell(dialogue, answer + "<finish></finish>");
  EXPECT_TRUE(std::holds_alternative<AskModel>(dialogue.need()));
  EXPECT_EQ(dialogue.transcript().turns[0].commands.size(), 8U);
  EXPECT_TRUE(last(dialogue).ends_with("at most 8 are taken from one answer."));
}

TEST(Dialogue, reaching_the_goal_does_not_end_it) {
  const World world;
  Dialogue dialogue = world.start();
  PlanFollower agent(world.task.plan);
  for (int i = 0; i < 4; ++i) {
    tell(dialogue, agent.answer(dialogue));
  }
  EXPECT_TRUE(std::holds_alternative<AskModel>(dialogue.need()));
}

// --- Ends ---

TEST(Dialogue, five_equal_answers_with_equal_replies_are_a_loop) {
  const World world;
  Dialogue dialogue = world.start();
  for (int i = 0; i < 4; ++i) {
    tell(dialogue, "<find_tool>csv</find_tool> try " + std::to_string(i));
    ASSERT_TRUE(std::holds_alternative<AskModel>(dialogue.need())) << i;
  }
  tell(dialogue, "<find_tool>csv</find_tool>");
  EXPECT_EQ(dialogue.transcript().end, End::loop);
  EXPECT_EQ(dialogue.turns_done(), 5);
}

TEST(Dialogue, a_different_answer_starts_the_count_again) {
  const World world;
  Dialogue dialogue = world.start();
  for (int i = 0; i < 4; ++i) {
    tell(dialogue, "<find_tool>csv</find_tool>");
  }
  tell(dialogue, "<find_tool>json</find_tool>");
  for (int i = 0; i < 4; ++i) {
    tell(dialogue, "<find_tool>csv</find_tool>");
    ASSERT_TRUE(std::holds_alternative<AskModel>(dialogue.need())) << i;
  }
  tell(dialogue, "<find_tool>csv</find_tool>");
  EXPECT_EQ(dialogue.transcript().end, End::loop);
}

TEST(Dialogue, retrying_after_an_injected_failure_is_never_a_loop) {
  World world;
  world.params.tool_success_rate = 1e-12;
  Dialogue dialogue = world.start();
  EXPECT_EQ(run(dialogue, [](const Dialogue&) { return kRead; }), End::max_turns);
  EXPECT_EQ(dialogue.turns_done(), 30);
  EXPECT_TRUE(dialogue.transcript().turns[0].injected);
  EXPECT_NE(last(dialogue).find(": failed\n{\"code\":"), std::string::npos) << last(dialogue);
}

TEST(Dialogue, silence_is_a_loop_too) {
  const World world;
  Dialogue dialogue = world.start();
  EXPECT_EQ(run(dialogue, [](const Dialogue&) { return "I do not know."; }), End::loop);
  EXPECT_EQ(dialogue.turns_done(), 5);
}

TEST(Dialogue, equal_answers_with_different_replies_are_no_loop) {
  const World world;
  Dialogue dialogue = world.start();
  bool cut = false;
  while (std::holds_alternative<AskModel>(dialogue.need())) {
    chat::Answer answer = says("I do not know.");
    answer.finish = cut ? chat::FinishReason::length : chat::FinishReason::stop;
    cut = !cut;
    dialogue.step(Answered{answer});
  }
  EXPECT_EQ(dialogue.transcript().end, End::max_turns);
}

TEST(Dialogue, it_ends_after_its_turns) {
  World world;
  world.params.max_turns = 3;
  Dialogue dialogue = world.start();
  int n = 0;
  EXPECT_EQ(
      run(dialogue, [&](const Dialogue&) { return fmt::format("<find_tool>{}</find_tool>", n++); }),
      End::max_turns);
  EXPECT_EQ(dialogue.turns_done(), 3);
}

TEST(Dialogue, a_finish_in_the_last_turn_counts) {
  World world;
  world.params.max_turns = 1;
  Dialogue dialogue = world.start();
  tell(dialogue, "<finish></finish>");
  EXPECT_EQ(dialogue.transcript().end, End::finish);
}

TEST(Dialogue, a_filtered_answer_ends_it_and_runs_nothing) {
  const World world;
  Dialogue dialogue = world.start();
  chat::Answer answer = says(kRead);
  answer.finish = chat::FinishReason::content_filter;
  dialogue.step(Answered{answer});
  EXPECT_EQ(dialogue.transcript().end, End::filtered);
  EXPECT_TRUE(dialogue.transcript().turns[0].filtered);
  EXPECT_TRUE(dialogue.transcript().calls.empty());
}

TEST(Dialogue, a_prompt_that_is_too_long_ends_it_without_a_turn) {
  const World world;
  Dialogue dialogue = world.start();
  tell(dialogue, kRead);
  dialogue.step(ContextFull{});
  EXPECT_EQ(dialogue.transcript().end, End::context_full);
  EXPECT_EQ(dialogue.turns_done(), 1);
  EXPECT_EQ(dialogue.transcript().calls.size(), 1U);
}

// --- What the model reads ---

TEST(Dialogue, an_answer_without_commands_gets_help) {
  const World world;
  Dialogue dialogue = world.start();
  tell(dialogue, "Let me think.");
  EXPECT_TRUE(last(dialogue).starts_with("No command was understood in your answer."));
  EXPECT_FALSE(dialogue.transcript().turns[0].understood);
  chat::Answer cut = says("Let me thi");
  cut.finish = chat::FinishReason::length;
  dialogue.step(Answered{cut});
  EXPECT_TRUE(last(dialogue).starts_with("Your answer reached its length limit and was cut off."));
  EXPECT_TRUE(dialogue.transcript().turns[1].truncated);
  dialogue.step(Answered{says("")});
  EXPECT_TRUE(dialogue.transcript().turns[2].empty);
  EXPECT_EQ(dialogue.history()[dialogue.transcript().turns[2].answer].text, "(no text)");
}

TEST(Dialogue, a_refusal_is_a_turn_like_any_other) {
  const World world;
  Dialogue dialogue = world.start();
  chat::Answer answer;
  answer.refusal = "I cannot help with that.";
  dialogue.step(Answered{answer});
  EXPECT_TRUE(dialogue.transcript().turns[0].refused);
  EXPECT_EQ(dialogue.history()[2].text, "I cannot help with that.");
  EXPECT_TRUE(std::holds_alternative<AskModel>(dialogue.need()));
}

TEST(Dialogue, no_reply_to_a_mistake_names_a_tool_of_the_catalog) {
  const World world;
  Dialogue dialogue = world.start();
  for (const char* mistake :
       {"hello",
        "<use_tool>{oops</use_tool>",
        "<find_tool>qqqq</find_tool>",
        "<show_tool>reader</show_tool>",
        "<use_tool>{\"name\":\"reader\",\"arguments\":{}}</use_tool>",
        "<use_tool>{\"name\":\"file_operations_read\",\"arguments\":{}}</use_tool>"}) {
    tell(dialogue, mistake);
    for (const suite::ToolSpec& tool : world.catalog.tools()) {
      EXPECT_EQ(last(dialogue).find(tool.name), std::string::npos)
          << mistake << ": " << last(dialogue);
    }
  }
  EXPECT_EQ(world.catalog.find(kExampleTool), nullptr);
}

TEST(Dialogue, the_turn_budget_is_not_told) {
  World world;
  std::vector<std::vector<chat::Message>> histories;
  for (const int max_turns : {3, 300}) {
    world.params.max_turns = max_turns;
    Dialogue dialogue = world.start();
    for (const char* answer : {"what?", "<find_tool>csv</find_tool>"}) {
      tell(dialogue, answer);
    }
    histories.push_back(dialogue.history());
  }
  EXPECT_EQ(histories[0], histories[1]);
}

TEST(Dialogue, reasoning_is_not_sent_again) {
  const World world;
  Dialogue dialogue = world.start();
  chat::Answer answer = says("<think>secret</think>I search. <find_tool>csv</find_tool>");
  answer.reasoning = "more secrets";
  dialogue.step(Answered{answer});
  EXPECT_EQ(dialogue.history()[2].text, "I search. <find_tool>csv</find_tool>");
}

TEST(Dialogue, a_command_in_thought_runs_for_a_model_known_for_it_and_is_not_sent_again) {
  const World world;
  chat::Answer answer;
  answer.reasoning = "Perhaps " + kRead + " or rather <find_tool>csv</find_tool>";
  Dialogue strict = world.start();
  strict.step(Answered{answer});
  EXPECT_FALSE(strict.transcript().turns[0].understood);
  EXPECT_TRUE(last(strict).starts_with("No command was understood"));
  Dialogue tolerant = world.start({.commands_from_reasoning = true});
  tolerant.step(Answered{answer});
  ASSERT_EQ(tolerant.transcript().turns[0].commands.size(), 1U);
  EXPECT_EQ(tolerant.transcript().turns[0].repairs, std::vector<std::string>{"from_reasoning"});
  EXPECT_TRUE(last(tolerant).starts_with("[1] find_tool \"csv\": "));
  EXPECT_EQ(tolerant.history()[2].text, "(no text)");
}

TEST(Dialogue, structured_calls_nobody_asked_for_go_back_as_commands) {
  const World world;
  Dialogue dialogue = world.start();
  chat::Answer answer = says("Now:");
  answer.tool_calls = {
      {.id = "a", .name = "file_operations_reader", .arguments = R"({"path":"data/orders.csv"})"}};
  dialogue.step(Answered{answer});
  EXPECT_EQ(dialogue.history()[2].text,
            "Now:\n<use_tool>{\"name\": \"file_operations_reader\", \"arguments\": "
            "{\"path\":\"data/orders.csv\"}}</use_tool>");
  EXPECT_TRUE(dialogue.history()[2].tool_calls.empty());
  EXPECT_EQ(dialogue.history()[3].role, chat::Role::user);
  EXPECT_EQ(dialogue.transcript().turns[0].repairs, std::vector<std::string>{"structured_calls"});
  EXPECT_TRUE(dialogue.functions().empty());
}

TEST(Dialogue, replies_to_searches_and_lookups_are_exact) {
  const World world;
  Dialogue dialogue = world.start();
  tell(dialogue, "<show_tool>data_processing_parser</show_tool><find_tool>qqq</find_tool>");
  const std::string reply = last(dialogue);
  EXPECT_TRUE(
      reply.starts_with("[1] show_tool data_processing_parser: ok\ndata_processing_parser: "))
      << reply;
  EXPECT_NE(reply.find("- source (string, required): "), std::string::npos) << reply;
  EXPECT_NE(reply.find("Takes the handle of a result of kind raw, document"), std::string::npos)
      << reply;
  EXPECT_NE(reply.find("[2] find_tool \"qqq\": nothing found. The categories of the catalog are: "),
            std::string::npos)
      << reply;
  EXPECT_EQ(reply.find("x-artifact"), std::string::npos);
}

// --- The native protocol ---

struct NativeWorld : World {
  NativeWorld() { params.protocol = suite::Protocol::native; }
};

TEST(NativeDialogue, offers_every_tool_and_the_three_commands) {
  const NativeWorld world;
  const Dialogue dialogue = world.start();
  std::set<std::string> names;
  for (const chat::ToolSchema& function : dialogue.functions()) {
    names.insert(function.name);
    const std::string schema = json::to_text(function.parameters);
    EXPECT_EQ(schema.find("\"x-"), std::string::npos) << schema;
    EXPECT_EQ(json::get_string(function.parameters, "type"), "object");
    EXPECT_FALSE(function.description.empty());
  }
  EXPECT_EQ(names.size(), world.catalog.tools().size() + 3);
  EXPECT_TRUE(names.contains("find_tool") && names.contains("show_tool") &&
              names.contains("finish"));
}

TEST(NativeDialogue, answers_each_call_with_a_message) {
  const NativeWorld world;
  Dialogue dialogue = world.start();
  chat::Answer answer;
  answer.finish = chat::FinishReason::tool_calls;
  answer.tool_calls = {
      {.id = "one", .name = "file_operations_reader", .arguments = R"({"path":"data/orders.csv"})"},
      {.id = "", .name = "data_processing_parser", .arguments = R"({"source":"raw#1",)"},
      {.id = "one", .name = "finish", .arguments = "{}"}};
  dialogue.step(Answered{answer});
  const auto& history = dialogue.history();
  ASSERT_EQ(history.size(), 6U);
  EXPECT_EQ(history[2].tool_calls[1].id, "call_1_2");
  EXPECT_EQ(history[2].tool_calls[1].arguments, "{}");
  EXPECT_EQ(history[2].tool_calls[2].id, "call_1_3");
  EXPECT_EQ(history[3].role, chat::Role::tool);
  EXPECT_EQ(history[3].tool_call_id, "one");
  EXPECT_TRUE(
      history[3].text.starts_with("use_tool file_operations_reader: ok\n{\"artifact\":\"raw#1\""));
  EXPECT_NE(history[4].text.find("not understood; arguments have to be one complete JSON object"),
            std::string::npos);
  EXPECT_NE(history[5].text.find("not run, since command 2 did not succeed"), std::string::npos);
  EXPECT_EQ(dialogue.transcript().turns[0].unreadable, 1U);
  EXPECT_TRUE(dialogue.transcript().turns[0].repairs.empty());
}

TEST(NativeDialogue, calls_beyond_the_limit_are_answered_too) {
  const NativeWorld world;
  Dialogue dialogue = world.start();
  chat::Answer answer;
  for (int i = 0; i < 12; ++i) {
    answer.tool_calls.push_back(
        {.id = std::to_string(i), .name = "find_tool", .arguments = R"({"query":"csv"})"});
  }
  dialogue.step(Answered{answer});
  ASSERT_EQ(dialogue.history().size(), 3U + 12U);
  EXPECT_TRUE(dialogue.history()[10].text.starts_with("find_tool \"csv\": "));
  EXPECT_EQ(dialogue.history()[11].text,
            "The commands after these were not run: at most 8 are taken from one answer.");
}

TEST(NativeDialogue, an_answer_without_calls_gets_help_without_tags) {
  const NativeWorld world;
  Dialogue dialogue = world.start();
  tell(dialogue, "I am thinking.");
  EXPECT_EQ(dialogue.history().back().role, chat::Role::user);
  EXPECT_TRUE(last(dialogue).starts_with("No function was called"));
  EXPECT_EQ(dialogue.history()[0].text.find("<use_tool>"), std::string::npos);
}

TEST(NativeDialogue, calls_that_a_server_left_in_the_text_run) {
  const NativeWorld world;
  Dialogue dialogue = world.start();
  tell(
      dialogue,
      R"(<tool_call>{"name":"file_operations_reader","arguments":{"path":"data/orders.csv"}}</tool_call>)");
  EXPECT_EQ(dialogue.transcript().turns[0].repairs, std::vector<std::string>{"native_tool_call"});
  EXPECT_TRUE(last(dialogue).starts_with("[1] use_tool file_operations_reader: ok"));
}

// --- Replay ---

std::string text_of(const Dialogue& dialogue) {
  std::string out;
  for (const chat::Message& message : dialogue.history()) {
    out += std::string(to_string(message.role)) + message.text + message.tool_call_id + '\x01';
    for (const chat::ToolCall& call : message.tool_calls) {
      out += call.id + call.name + call.arguments + '\x02';
    }
  }
  const Transcript& transcript = dialogue.transcript();
  out += to_string(transcript.end);
  out += fmt::format("{}{}{}{}",
                     transcript.goal_met,
                     transcript.progress,
                     transcript.clean,
                     transcript.calls.size());
  for (const Turn& turn : transcript.turns) {
    out += fmt::format("{} {} {}", turn.answer, turn.understood, fmt::join(turn.repairs, ","));
    for (const Command& command : turn.commands) {
      out += fmt::format("{}{}{}", command.name, command.ran, json::to_text(command.arguments));
    }
  }
  for (const suite::CallRecord& call : transcript.calls) {
    out += call.tool + json::to_text(call.arguments) + call.result.code + call.result.message +
           json::to_text(call.result.value) + call.result.artifact;
  }
  return out;
}

chat::Answer any_answer() {
  chat::Answer answer;
  const auto pieces = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      std::string(kRead),
      use("data_processing_parser", {{"source", "raw#1"}, {"format", "csv"}}),
      use("file_operations_converter", {{"source", "table#2"}, {"to", "json"}}),
      use("file_operations_writer", {{"source", "document#3"}, {"path", "out/orders.json"}}),
      "<find_tool>csv</find_tool>",
      "<show_tool>data_processing_parser</show_tool>",
      "<use_tool>{'name': 'utility_cache'}",
      "<use_tool>{broken</use_tool>",
      "<think>hm</think>",
      "<finish>x</finish>",
      "\n",
      "text"));
  for (const std::string& piece : pieces) {
    answer.text += piece;
  }
  if (*rc::gen::inRange(0, 4) == 0) {
    answer.tool_calls.push_back(
        {.id = "", .name = "file_operations_reader", .arguments = R"({"path":"data/orders.csv"})"});
  }
  answer.finish = *rc::gen::element(chat::FinishReason::stop, chat::FinishReason::length);
  return answer;
}

TEST(Dialogue, replaying_the_answers_gives_the_same_dialogue) {
  World world;
  EXPECT_TRUE(rc::check([&] {
    world.params.tool_success_rate = *rc::gen::element(0.3, 0.6, 1.0);
    world.params.seed = *rc::gen::arbitrary<std::uint64_t>();
    world.params.max_turns = *rc::gen::inRange(1, 12);
    world.params.protocol = *rc::gen::element(suite::Protocol::text, suite::Protocol::native);
    std::vector<chat::Answer> answers;
    Dialogue first = world.start();
    while (std::holds_alternative<AskModel>(first.need())) {
      answers.push_back(any_answer());
      first.step(Answered{answers.back()});
    }
    Dialogue second = world.start();
    for (const chat::Answer& answer : answers) {
      RC_ASSERT(std::holds_alternative<AskModel>(second.need()));
      second.step(Answered{answer});
    }
    RC_ASSERT(text_of(first) == text_of(second));
  }));
}

TEST(Dialogue, without_prompts_it_is_the_same_but_for_them) {
  const World world;
  Dialogue asked = world.start();
  Dialogue played = world.start({.prompts = false});
  EXPECT_EQ(follow_plan(asked, world.task), End::finish);
  EXPECT_EQ(follow_plan(played, world.task), End::finish);
  EXPECT_EQ(played.transcript().progress, asked.transcript().progress);
  EXPECT_EQ(played.transcript().calls.size(), asked.transcript().calls.size());
  ASSERT_EQ(played.history().size(), asked.history().size());
  EXPECT_TRUE(played.history()[0].text.empty());
  EXPECT_TRUE(played.history()[1].text.empty());
  EXPECT_FALSE(asked.history()[1].text.empty());
  for (std::size_t i = 2; i < asked.history().size(); ++i) {
    EXPECT_EQ(played.history()[i].text, asked.history()[i].text);
  }
}

TEST(Dialogue, every_turn_has_a_reply_and_every_structured_call_its_own) {
  World world;
  EXPECT_TRUE(rc::check([&] {
    world.params.protocol = *rc::gen::element(suite::Protocol::text, suite::Protocol::native);
    Dialogue dialogue = world.start();
    while (std::holds_alternative<AskModel>(dialogue.need())) {
      const std::size_t before = dialogue.history().size();
      dialogue.step(Answered{any_answer()});
      const auto& history = dialogue.history();
      RC_ASSERT(history[before].role == chat::Role::assistant);
      RC_ASSERT(!history[before].text.empty() || !history[before].tool_calls.empty());
      const std::size_t replies = history.size() - before - 1;
      RC_ASSERT(replies == std::max<std::size_t>(1, history[before].tool_calls.size()));
      for (std::size_t i = before + 1; i < history.size(); ++i) {
        RC_ASSERT(!history[i].text.empty());
      }
    }
  }));
}

// --- The suite ---

TEST(PilotSuite, every_task_is_solved_by_its_plan) {
  const suite::Suite suite = suite::Suite::pilot().value();
  ASSERT_FALSE(suite.tasks().empty());
  const Rules rules(suite);
  for (const double rate : {1.0, 0.6}) {
    for (const suite::Task& task : suite.tasks()) {
      const suite::TrialParams params{
          .prompt = {}, .tool_success_rate = rate, .seed = 3, .max_turns = rate < 1 ? 100 : 30};
      Dialogue dialogue(rules, task, params);
      ASSERT_EQ(follow_plan(dialogue, task), End::finish) << task.id;
      ASSERT_TRUE(dialogue.transcript().goal_met) << task.id;
    }
  }
}

}  // namespace
}  // namespace sortie::dialogue
