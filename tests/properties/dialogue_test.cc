#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/dialogue/parser.h"
#include "sortie/score/score.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/world.h"

#include "properties/support.h"
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

// Dialogues of scripted agents over the whole suite.

namespace sortie::properties {
namespace {

using dialogue::Dialogue;
using dialogue::End;
using suite::CallStatus;

suite::TrialParams params_at(double rate, std::uint64_t seed) {
  return {
      .prompt = {.style = suite::PromptStyle::baseline}, .tool_success_rate = rate, .seed = seed};
}

/// The handle that the last reply gives, "" if none.
std::string handle_in(std::string_view reply) {
  constexpr std::string_view kMember = R"({"artifact":")";
  const std::size_t at = reply.find(kMember);
  return at == std::string_view::npos
             ? ""
             : std::string(
                   reply.substr(at + kMember.size(),
                                reply.find('"', at + kMember.size()) - at - kMember.size()));
}

/// Reads replies, follows the plan, repeats what failed. `slips` makes it write nonsense now and
/// then, as decided by the trial's own random numbers.
class Follower {
 public:
  Follower(const suite::Task& task, const suite::TrialParams& params, double slips)
      : task_(&task),
        dialogue_(rules(), task, params),
        random_(base::digest_of(fmt::format("slips {} {}", task.id, params.seed))),
        slips_(slips) {}

  [[nodiscard]] bool open() const { return is_open(dialogue_); }

  void answer() {
    if (random_.uniform() < slips_) {
      constexpr std::array<std::string_view, 6> kSlips = {
          "I am not sure what comes next.",
          "<find_tool>something else</find_tool>",
          "<use_tool>{broken",
          R"(<use_tool>{"name": "utility_logger", "arguments": {"source": "none#1"}}</use_tool>)",
          "<show_tool>no_such_tool</show_tool><finish>done</finish>",
          "<finish>enough</finish>"};
      const auto which = random_.below(random_.below(5) == 0 ? 6 : 5);
      dialogue_.step(dialogue::Answered{says(std::string(kSlips.at(which)))});
      return;
    }
    if (artifacts_.size() == task_->plan.size()) {
      dialogue_.step(dialogue::Answered{says("<finish>done</finish>")});
      return;
    }
    const suite::Step& step = task_->plan[artifacts_.size()];
    dialogue_.step(
        dialogue::Answered{says(use_tool(step.tool, suite::bound_arguments(step, artifacts_)))});
    if (std::string handle = handle_in(dialogue_.history().back().text); !handle.empty()) {
      artifacts_.push_back(std::move(handle));
    }
  }

  [[nodiscard]] const dialogue::Transcript& transcript() const { return dialogue_.transcript(); }

 private:
  const suite::Task* task_;
  Dialogue dialogue_;
  base::RandomStream random_;
  double slips_;
  std::vector<std::string> artifacts_;
};

TEST(Loop, no_retrying_agent_ends_as_a_loop_at_0_6) {
  const std::size_t trials = full_or_tenth(100'000);
  std::size_t finished = 0;
  std::size_t longest = 0;  // retries in a row
  for (std::size_t i = 0; i < trials; ++i) {
    const suite::Task& task = pilot().tasks()[i % pilot().tasks().size()];
    Follower agent(task, params_at(0.6, i), 0);
    while (agent.open()) {
      agent.answer();
    }
    ASSERT_NE(agent.transcript().end, End::loop) << task.id << " seed " << i;
    finished += agent.transcript().end == End::finish ? 1 : 0;
    std::size_t retries = 0;
    for (const suite::CallRecord& call : agent.transcript().calls) {
      retries = call.result.status == CallStatus::injected ? retries + 1 : 0;
      longest = std::max(longest, retries);
    }
  }
  // Runs that the loop rule would have to see if it saw them: five equal answers and more.
  EXPECT_GE(longest, 6U);
  fmt::print("{} trials, {} finished, longest run of equal failed answers {}\n",
             trials,
             finished,
             longest);
}

struct Row {
  std::string id;
  std::string scores;

  bool operator==(const Row&) const = default;
};

std::string text_of(const score::Score& score) {
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}",
                     score.success,
                     score.clean,
                     score.progress,
                     to_string(score.level),
                     score.order.value_or(-1),
                     score.tool_coverage,
                     score.efficiency.value_or(-1),
                     score.calls,
                     score.calls_ok,
                     score.calls_rejected,
                     score.calls_injected,
                     score.turns,
                     score.turns_repaired,
                     to_string(score.label),
                     score.label_turn.value_or(-1),
                     to_string(score.end));
}

TEST(Scores, do_not_depend_on_the_order_in_which_trials_run) {
  const std::size_t trials = full_or_tenth(5'000);
  const auto task_of = [](std::size_t i) -> const suite::Task& {
    return pilot().tasks()[i % pilot().tasks().size()];
  };
  const auto agent_of = [&](std::size_t i) {
    return Follower(task_of(i), params_at(0.7, i / 7), 0.2);
  };
  const auto scored = [&](const Follower& agent, std::size_t i) {
    return text_of(
        score::score(agent.transcript(), task_of(i), params_at(0.7, i / 7), pilot().catalog()));
  };
  std::vector<std::string> in_order(trials);
  std::set<std::string> different;
  for (std::size_t i = 0; i < trials; ++i) {
    Follower agent = agent_of(i);
    while (agent.open()) {
      agent.answer();
    }
    in_order[i] = scored(agent, i);
    different.insert(in_order[i]);
  }
  EXPECT_GT(different.size(), trials / 50);  // the table says something
  std::vector<std::size_t> order(trials);
  for (std::size_t i = 0; i < trials; ++i) {
    order[i] = trials - 1 - i;
  }
  for (const std::string_view name : {"reversed", "shuffled"}) {
    if (name == "shuffled") {
      base::RandomStream(base::digest_of(name)).shuffle(std::span(order));
    }
    for (const std::size_t i : order) {
      Follower agent = agent_of(i);
      while (agent.open()) {
        agent.answer();
      }
      ASSERT_EQ(scored(agent, i), in_order[i]) << name << " " << task_of(i).id;
    }
  }
  // All at once, one answer each in turn.
  std::vector<Follower> agents;
  for (std::size_t i = 0; i < trials; ++i) {
    agents.push_back(agent_of(i));
  }
  for (bool any = true; any;) {
    any = false;
    for (const std::size_t i : order) {
      if (agents[i].open()) {
        agents[i].answer();
        any = true;
      }
    }
  }
  for (std::size_t i = 0; i < trials; ++i) {
    ASSERT_EQ(scored(agents[i], i), in_order[i]) << "interleaved " << task_of(i).id;
  }
  fmt::print("{} trials in four orders, {} different rows\n", trials, different.size());
}

TEST(CopiesInOneAnswer, draw_no_more_than_up_to_the_first_failure) {
  std::array<std::size_t, dialogue::kCommandsMax + 1> drawn{};
  const std::uint64_t seeds = full_or_tenth(100);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    for (const suite::Task& task : pilot().tasks()) {
      const suite::TrialParams params = params_at(0.6, seed);
      const suite::Luck luck(seed, task.hash, 0, 0.6);
      const suite::Step& first = task.plan.front();
      const std::string call = use_tool(first.tool, first.arguments);
      std::string answer;
      for (int i = 0; i < 10; ++i) {
        answer += call;
      }
      std::size_t expected = 0;
      while (expected < dialogue::kCommandsMax && luck.succeeds(first.tool, expected)) {
        ++expected;
      }
      const bool failed = expected < dialogue::kCommandsMax;
      expected += failed ? 1 : 0;
      Dialogue dialogue(rules(), task, params);
      dialogue.step(dialogue::Answered{says(answer)});
      // The next call draws the number after those that were drawn.
      dialogue.step(dialogue::Answered{says(call)});
      dialogue.step(dialogue::ContextFull{});
      const auto& calls = dialogue.transcript().calls;
      ASSERT_EQ(calls.size(), expected + 1) << task.id << " seed " << seed;
      for (std::size_t nth = 0; nth < calls.size(); ++nth) {
        ASSERT_EQ(calls[nth].result.status == CallStatus::ok, luck.succeeds(first.tool, nth));
      }
      const auto& commands = dialogue.transcript().turns[0].commands;
      ASSERT_EQ(commands.size(), dialogue::kCommandsMax);
      for (std::size_t i = 0; i < commands.size(); ++i) {
        ASSERT_EQ(commands[i].ran, i < expected);
      }
      ++drawn.at(expected);
    }
  }
  // P(one draw) = 0.4: copies buy nothing.
  const std::size_t all = seeds * pilot().tasks().size();
  EXPECT_GT(tail_bound({.successes = drawn[1], .trials = all}, 0.4), kErrorMax);
}

TEST(Finish, counts_only_if_everything_before_it_in_its_answer_succeeded) {
  std::size_t counted = 0;
  std::size_t refused = 0;
  for (const suite::Task& task : pilot().tasks()) {
    const suite::TrialParams params = params_at(0.6, 3);
    const suite::Luck luck(3, task.hash, 0, 0.6);
    Dialogue dialogue(rules(), task, params);
    const suite::Step& first = task.plan.front();
    dialogue.step(
        dialogue::Answered{says(use_tool(first.tool, first.arguments) + "<finish>done</finish>")});
    ASSERT_EQ(is_open(dialogue), !luck.succeeds(first.tool, 0)) << task.id;
    (is_open(dialogue) ? refused : counted) += 1;
  }
  EXPECT_GT(counted, 0U);
  EXPECT_GT(refused, 0U);
}

// Was: 8,523 of 8,523 calls lacked the close tag and were ignored.
TEST(Was, a_call_without_its_close_tag_runs_8523_of_8523_times) {
  constexpr std::size_t kCalls = 8'523;
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kForms = {
      {{"<use_tool>", ""}, {"I call the tool.\n\n<use_tool>\n", "\n"}, {"<tool_call>\n", "\n"}}};
  std::size_t run = 0;
  for (std::size_t i = 0; run < kCalls; ++i) {
    const suite::Task& task = pilot().tasks()[i % pilot().tasks().size()];
    const auto& [before, after] = kForms.at((i / pilot().tasks().size()) % kForms.size());
    for (const suite::Step& step : task.plan) {
      if (run == kCalls) {
        break;
      }
      const json::Object arguments =
          suite::bound_arguments(step, std::vector<std::string>(task.plan.size(), "raw#1"));
      json::Object call;
      call["name"] = step.tool;
      call["arguments"] = arguments;
      const auto parsed = dialogue::parse_answer(
          says(std::string(before) + json::to_text(call) + std::string(after)), {});
      ASSERT_EQ(parsed.commands.size(), 1U) << task.id;
      ASSERT_TRUE(parsed.commands[0].readable);
      ASSERT_EQ(parsed.commands[0].name, step.tool);
      ASSERT_EQ(parsed.commands[0].arguments, arguments);
      ASSERT_FALSE(parsed.repairs.empty());
      ++run;
    }
  }
  EXPECT_EQ(run, kCalls);
}

}  // namespace
}  // namespace sortie::properties
