#include "sortie/score/score.h"

#include "sortie/dialogue/dialogue.h"
#include "sortie/dialogue/rules.h"
#include "sortie/score/attempts.h"
#include "sortie/suite/suite.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::score {
namespace {

using dialogue::End;
using suite::CallStatus;
using suite::Rejection;

/// Read, parse, store; the parse needs the read, the store needs the parse.
suite::Task chain_task() {
  suite::Task task;
  task.id = "chain";
  const auto result = [](int step) { return json::Value{{"$step", step}}; };
  task.plan = {
      {.tool = "reader", .arguments = {{"path", "a.csv"}}, .reason = ""},
      {.tool = "parser", .arguments = {{"source", result(0)}, {"format", "csv"}}, .reason = ""},
      {.tool = "writer", .arguments = {{"source", result(1)}, {"path", "b.csv"}}, .reason = ""}};
  task.order = {{0, 1}, {1, 2}};
  task.goal.required = {{.tool = "reader", .values = {{"path", "a.csv"}}, .inputs = {}},
                        {.tool = "parser", .values = {{"format", "csv"}}, .inputs = {0}},
                        {.tool = "writer", .values = {{"path", "b.csv"}}, .inputs = {1}}};
  return task;
}

/// A transcript by hand: one call a turn.
class Made {
 public:
  Made() {
    transcript_.end = End::finish;
    transcript_.required_done = {false, false, false};
  }

  Made& call(std::string tool,
             json::Object arguments,
             CallStatus status = CallStatus::ok,
             Rejection rejection = Rejection::none) {
    dialogue::Turn turn;
    turn.understood = true;
    dialogue::Command command;
    command.name = tool;
    command.ran = true;
    command.succeeded = status == CallStatus::ok;
    command.call = transcript_.calls.size();
    turn.commands.push_back(command);
    transcript_.turns.push_back(turn);
    suite::CallRecord record;
    record.tool = std::move(tool);
    record.arguments = std::move(arguments);
    record.result.status = status;
    record.rejection = rejection;
    transcript_.calls.push_back(record);
    return *this;
  }

  Made& read(CallStatus status = CallStatus::ok) {
    return call("reader", {{"path", "a.csv"}}, status);
  }

  Made& parse(CallStatus status = CallStatus::ok, Rejection rejection = Rejection::none) {
    return call("parser", {{"source", "raw#1"}, {"format", "csv"}}, status, rejection);
  }

  Made& write(CallStatus status = CallStatus::ok, Rejection rejection = Rejection::none) {
    return call("writer", {{"source", "table#2"}, {"path", "b.csv"}}, status, rejection);
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

  Made& end(End end) {
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

  [[nodiscard]] Score score() const { return score::score(transcript_, chain_task(), {}); }

  [[nodiscard]] std::string label() const {
    const Score s = score();
    return std::string(to_string(s.label)) + "@" +
           (s.label_turn ? std::to_string(*s.label_turn) : "-");
  }

  dialogue::Transcript& transcript() { return transcript_; }

 private:
  dialogue::Transcript transcript_;
};

TEST(Score, success_is_the_goal_whatever_ended_the_dialogue) {
  for (const End end : {End::finish, End::max_turns, End::loop, End::filtered, End::context_full}) {
    const Score score = Made().read().parse().write().solved().end(end).score();
    EXPECT_TRUE(score.success);
    EXPECT_TRUE(score.clean);
    EXPECT_EQ(score.progress, 1);
    EXPECT_EQ(score.level, Level::full);
    EXPECT_EQ(score.label, Label::none);
    EXPECT_EQ(score.label_turn, std::nullopt);
    EXPECT_EQ(score.end, end);
  }
}

TEST(Score, clean_is_a_success_without_other_effects) {
  EXPECT_FALSE(Made().read().solved().unclean().score().clean);
  EXPECT_FALSE(Made().read().score().clean);
}

TEST(Score, partial_needs_half_the_progress_and_two_operations) {
  EXPECT_EQ(Made().read().done({true, true, false}, 0.5).score().level, Level::partial);
  EXPECT_EQ(Made().read().done({true, true, false}, 0.49).score().level, Level::failure);
  EXPECT_EQ(Made().read().done({true, false, false}, 0.9).score().level, Level::failure);
}

TEST(Score, order_looks_at_first_attempts_valid_or_rejected) {
  EXPECT_EQ(Made().read().parse().write().score().order, 1);
  EXPECT_EQ(Made().read().score().order, std::nullopt);
  EXPECT_EQ(Made()
                .parse(CallStatus::rejected, Rejection::unknown_handle)
                .read()
                .parse()
                .write()
                .score()
                .order,
            0.5);
  EXPECT_EQ(Made().write(CallStatus::rejected).parse(CallStatus::rejected).read().score().order, 0);
}

TEST(Score, coverage_counts_required_tools_that_succeeded) {
  EXPECT_DOUBLE_EQ(Made().read().read().call("cache", {}).score().tool_coverage, 1.0 / 3);
  EXPECT_DOUBLE_EQ(Made().read().parse(CallStatus::injected).score().tool_coverage, 1.0 / 3);
  EXPECT_DOUBLE_EQ(Made().score().tool_coverage, 0);
}

TEST(Score, efficiency_forgives_injected_failures_alone) {
  EXPECT_EQ(Made().read(CallStatus::injected).read().parse().write().solved().score().efficiency,
            1);
  EXPECT_EQ(Made().read().parse().write().write().write().write().solved().score().efficiency, 0.5);
  EXPECT_EQ(Made().read().parse().write().score().efficiency, std::nullopt);
}

TEST(Score, calls_are_counted_by_what_became_of_them) {
  const Score score = Made()
                          .read(CallStatus::injected)
                          .read()
                          .parse(CallStatus::rejected, Rejection::parameter)
                          .call("nothing", {}, CallStatus::rejected, Rejection::unknown_tool)
                          .score();
  EXPECT_EQ(score.calls, 4);
  EXPECT_EQ(score.calls_ok, 1);
  EXPECT_EQ(score.calls_rejected, 2);
  EXPECT_EQ(score.calls_injected, 1);
}

TEST(Score, turns_and_flags_are_counted) {
  const Score score = Made()
                          .read()
                          .turn({.repairs = {"code_fence"}, .understood = true})
                          .turn({.empty = true})
                          .turn({.truncated = true})
                          .turn({.refused = true})
                          .turn({.filtered = true})
                          .end(End::filtered)
                          .score();
  EXPECT_EQ(score.turns, 6);
  EXPECT_EQ(score.turns_repaired, 1);
  EXPECT_EQ(score.turns_not_understood, 3);
  EXPECT_TRUE(score.empty && score.truncated && score.refused && score.filtered);
  EXPECT_FALSE(score.context_full);
  EXPECT_TRUE(Made().end(End::context_full).score().context_full);
}

// --- Labels ---

TEST(Label, without_any_call_it_is_silence_or_format) {
  EXPECT_EQ(Made().turn({.understood = true}).turn({}).turn({}).label(), "no_command@1");
  EXPECT_EQ(Made().turn({.understood = true}).label(), "no_command@0");
  EXPECT_EQ(Made().turn({}).turn({.unreadable = 1}).turn({}).label(), "tool_call_format@1");
  EXPECT_EQ(Made().end(End::context_full).label(), "no_command@-");
}

TEST(Label, silence_comes_before_refusal_cut_and_loop) {
  EXPECT_EQ(Made().turn({.refused = true}).label(), "no_command@0");
  EXPECT_EQ(Made().turn({.unreadable = 1, .truncated = true}).end(End::loop).label(),
            "tool_call_format@0");
}

TEST(Label, refused_and_truncated_need_the_last_answer_or_half_of_all) {
  EXPECT_EQ(Made().read().turn({.refused = true}).label(), "refused@1");
  EXPECT_EQ(Made().read().turn({.filtered = true}).end(End::filtered).label(), "refused@1");
  EXPECT_EQ(Made().read().turn({.truncated = true}).label(), "truncated@1");
  EXPECT_EQ(Made().turn({.truncated = true}).turn({.truncated = true}).read().read().label(),
            "truncated@0");
  EXPECT_EQ(
      Made().turn({.truncated = true}).read().quiet(2).done({true, false, false}, 0.3).label(),
      "early_finish@3");
  EXPECT_EQ(Made()
                .read()
                .turn({.understood = true, .truncated = true})
                .done({true, false, false}, 0.3)
                .label(),
            "early_finish@1");
}

TEST(Label, refusal_comes_before_cut_and_cut_before_loop) {
  EXPECT_EQ(Made().read().turn({.truncated = true, .refused = true}).label(), "refused@1");
  EXPECT_EQ(Made().read().turn({.truncated = true}).end(End::loop).label(), "truncated@1");
}

TEST(Label, a_loop_is_shown_by_its_first_turn) {
  EXPECT_EQ(Made()
                .read()
                .parse(CallStatus::rejected, Rejection::parameter)
                .parse(CallStatus::rejected, Rejection::parameter)
                .parse(CallStatus::rejected, Rejection::parameter)
                .parse(CallStatus::rejected, Rejection::parameter)
                .parse(CallStatus::rejected, Rejection::parameter)
                .end(End::loop)
                .label(),
            "loop@1");
}

TEST(Label, a_tool_that_is_not_needed_in_place_of_one_that_is) {
  EXPECT_EQ(Made().read().call("mapper", {}).done({true, false, false}, 0.3).label(),
            "tool_selection@1");
  EXPECT_EQ(Made()
                .read()
                .call("nothing", {}, CallStatus::rejected, Rejection::unknown_tool)
                .done({true, false, false}, 0.3)
                .label(),
            "tool_selection@1");
}

TEST(Label, a_tool_that_is_not_needed_before_the_operation_was_due_shows_nothing) {
  EXPECT_EQ(Made().call("cache", {}).read().done({true, false, false}, 0.3).label(),
            "early_finish@1");
}

TEST(Label, wrong_values_are_a_matter_of_parameters) {
  const std::vector<bool> one_done = {true, false, false};
  EXPECT_EQ(
      Made().read().parse(CallStatus::rejected, Rejection::parameter).done(one_done, 0.3).label(),
      "parameter_config@1");
  EXPECT_EQ(Made()
                .read()
                .call("parser", {{"source", "raw#1"}, {"format", "json"}})
                .done(one_done, 0.3)
                .label(),
            "parameter_config@1");
  EXPECT_EQ(Made().read().call("parser", {{"source", "raw#1"}}).done(one_done, 0.3).label(),
            "parameter_config@1");
}

TEST(Label, an_attempt_before_its_predecessor_is_a_matter_of_order) {
  EXPECT_EQ(Made()
                .parse(CallStatus::rejected, Rejection::unknown_handle)
                .read()
                .done({true, false, false}, 0.3)
                .label(),
            "sequence_order@0");
}

TEST(Label, a_wrong_handle_in_the_right_order_is_a_matter_of_dependency) {
  const std::vector<bool> one_done = {true, false, false};
  EXPECT_EQ(Made()
                .read()
                .parse(CallStatus::rejected, Rejection::unknown_handle)
                .done(one_done, 0.3)
                .label(),
            "dependency@1");
  EXPECT_EQ(
      Made().read().parse(CallStatus::rejected, Rejection::wrong_kind).done(one_done, 0.3).label(),
      "dependency@1");
  EXPECT_EQ(Made().read().parse().done(one_done, 0.3).label(), "dependency@1");
}

TEST(Label, the_last_attempt_that_was_not_bad_luck_decides) {
  const std::vector<bool> one_done = {true, false, false};
  EXPECT_EQ(Made()
                .read()
                .parse(CallStatus::rejected, Rejection::parameter)
                .parse(CallStatus::rejected, Rejection::unknown_handle)
                .parse(CallStatus::injected)
                .done(one_done, 0.3)
                .label(),
            "dependency@2");
  EXPECT_EQ(Made().read().parse(CallStatus::injected).done(one_done, 0.3).label(),
            "early_finish@1");
}

TEST(Label, the_first_operation_that_never_succeeded_decides) {
  EXPECT_EQ(Made()
                .read()
                .parse()
                .call("writer", {{"source", "table#2"}, {"path", "c.csv"}})
                .done({true, true, false}, 0.7)
                .label(),
            "parameter_config@2");
}

TEST(Label, finishing_early_is_the_last_resort_of_a_finish) {
  EXPECT_EQ(Made().read().quiet(2).done({true, false, false}, 0.3).label(), "early_finish@2");
}

TEST(Label, running_out_of_turns_needs_recent_progress) {
  EXPECT_EQ(Made().read().quiet(4).done({true, false, false}, 0.3).end(End::max_turns).label(),
            "max_turns@4");
  EXPECT_EQ(Made().read().quiet(5).done({true, false, false}, 0.3).end(End::max_turns).label(),
            "other@5");
  EXPECT_EQ(Made().read().done({true, false, false}, 0.3).end(End::context_full).label(),
            "other@0");
}

TEST(Label, names_are_distinct) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Label::other); ++i) {
    names.insert(to_string(static_cast<Label>(i)));
  }
  EXPECT_EQ(names.size(), 13U);
  EXPECT_EQ(to_string(Level::partial), "partial");
}

// --- Operations that share a tool ---

TEST(Attempts, operations_of_one_tool_are_told_apart_by_their_values) {
  suite::Goal goal;
  goal.required = {{.tool = "reader", .values = {{"path", "a"}}, .inputs = {}},
                   {.tool = "reader", .values = {{"path", "b"}}, .inputs = {}}};
  Made made;
  made.call("reader", {{"path", "b"}})
      .call("reader", {{"path", "a"}})
      .call("reader", {{"path", "c"}});
  const auto attempts = attempts_at_required(made.transcript(), goal);
  EXPECT_EQ(attempts[0], (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(attempts[1], (std::vector<std::size_t>{0}));
}

TEST(Attempts, equal_operations_are_told_apart_by_their_inputs) {
  suite::Goal goal;
  goal.required = {{.tool = "reader", .values = {{"path", "a"}}, .inputs = {}},
                   {.tool = "parser", .values = {{"format", "csv"}}, .inputs = {0}},
                   {.tool = "reader", .values = {{"path", "b"}}, .inputs = {}},
                   {.tool = "parser", .values = {{"format", "csv"}}, .inputs = {2}}};
  Made made;
  made.call("reader", {{"path", "b"}})
      .call("parser", {{"source", "raw#1"}, {"format", "csv"}})
      .call("reader", {{"path", "a"}})
      .call("parser", {{"source", "raw#3"}, {"format", "csv"}});
  made.transcript().calls[0].result.artifact = "raw#1";
  made.transcript().calls[2].result.artifact = "raw#3";
  const auto attempts = attempts_at_required(made.transcript(), goal);
  EXPECT_EQ(attempts[1], (std::vector<std::size_t>{3}));
  EXPECT_EQ(attempts[3], (std::vector<std::size_t>{1}));
}

TEST(Attempts, values_are_compared_as_numbers) {
  const suite::Required required{.tool = "t", .values = {{"n", 3}}, .inputs = {}};
  suite::CallRecord call;
  call.tool = "t";
  call.arguments = {{"n", 3.0}};
  EXPECT_TRUE(has_checked_values(call, required));
  call.arguments = {{"n", "3"}};
  EXPECT_FALSE(has_checked_values(call, required));
}

// --- Real dialogues ---

struct Played {
  Score score;
  dialogue::Transcript transcript;
};

/// Plays the given answers, then finishes.
Played play(const dialogue::Rules& rules,
            const suite::Task& task,
            const suite::TrialParams& params,
            const std::vector<std::string>& answers) {
  dialogue::Dialogue dialogue(rules, task, params);
  for (std::size_t i = 0; std::holds_alternative<dialogue::AskModel>(dialogue.need()); ++i) {
    chat::Answer answer;
    answer.text = i < answers.size() ? answers[i] : "<finish></finish>";
    dialogue.step(dialogue::Answered{answer});
  }
  return {.score = score(dialogue.transcript(), task, params), .transcript = dialogue.transcript()};
}

std::string use(std::string_view tool, const json::Object& arguments) {
  return "<use_tool>" + json::to_text({{"name", tool}, {"arguments", arguments}}) + "</use_tool>";
}

/// The calls of a task's plan in the given order of steps, written without reading any reply.
/// Handles are numbered in the order of results, so this works where no call fails.
std::vector<std::string> plan_calls(const suite::ToolCatalog& catalog,
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

std::vector<std::string> plan_calls(const suite::ToolCatalog& catalog, const suite::Task& task) {
  std::vector<std::size_t> order(task.plan.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  return plan_calls(catalog, task, order);
}

/// The admissible order that always takes the last step of the plan that can be made.
std::vector<std::size_t> last_first(const suite::Task& task) {
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

/// Two steps of one tool that differ in their inputs alone.
bool has_equal_steps(const suite::Task& task) {
  std::set<std::string> seen;
  return std::ranges::any_of(task.plan, [&](const suite::Step& step) {
    json::Object values;
    for (const auto& [name, value] : step.arguments) {
      if (!json::get_int(value, "$step")) {
        values[name] = value;
      }
    }
    return !seen.insert(step.tool + json::canonical(values)).second;
  });
}

TEST(PilotSuite, a_plan_scores_full_and_each_step_less_scores_less) {
  const suite::Suite suite = suite::Suite::pilot().value();
  ASSERT_FALSE(suite.tasks().empty());
  const dialogue::Rules rules(suite);
  const suite::TrialParams params{.prompt = {}, .tool_success_rate = 1};
  int told_apart = 0;
  for (const suite::Task& task : suite.tasks()) {
    const std::vector<std::string> calls = plan_calls(suite.catalog(), task);
    const Score full = play(rules, task, params, calls).score;
    ASSERT_TRUE(full.success && full.clean) << task.id;
    ASSERT_EQ(full.efficiency, 1) << task.id;
    ASSERT_EQ(full.order, 1) << task.id;
    ASSERT_EQ(full.tool_coverage, 1) << task.id;
    const std::vector<std::string> but_last(calls.begin(), calls.end() - 1);
    const Score less = play(rules, task, params, but_last).score;
    ASSERT_FALSE(less.success) << task.id;
    ASSERT_LT(less.progress, 1) << task.id;
    ASSERT_EQ(less.label, Label::early_finish) << task.id;
    const Score reversed = play(rules, task, params, {calls.rbegin(), calls.rend()}).score;
    ASSERT_FALSE(reversed.success) << task.id;
    // Two equal steps cannot be told apart while their inputs do not exist.
    if (has_equal_steps(task)) {
      ASSERT_LT(reversed.order, 1) << task.id;
    } else {
      ASSERT_EQ(reversed.order, 0) << task.id;
      ++told_apart;
    }
  }
  EXPECT_GT(told_apart, 400);
}

bool same(const Score& a, const Score& b) {
  return a.success == b.success && a.clean == b.clean && a.progress == b.progress &&
         a.level == b.level && a.order == b.order && a.tool_coverage == b.tool_coverage &&
         a.efficiency == b.efficiency && a.calls == b.calls && a.calls_ok == b.calls_ok &&
         a.calls_rejected == b.calls_rejected && a.calls_injected == b.calls_injected &&
         a.turns == b.turns && a.label == b.label && a.turns_repaired == b.turns_repaired &&
         a.turns_not_understood == b.turns_not_understood && a.label_turn == b.label_turn &&
         a.end == b.end;
}

TEST(PilotSuite, any_admissible_order_scores_full) {
  const suite::Suite suite = suite::Suite::pilot().value();
  const dialogue::Rules rules(suite);
  const suite::TrialParams params{.prompt = {}, .tool_success_rate = 1};
  int other_order = 0;
  for (const suite::Task& task : suite.tasks()) {
    const std::vector<std::size_t> order = last_first(task);
    other_order += std::ranges::is_sorted(order) ? 0 : 1;
    const Score score = play(rules, task, params, plan_calls(suite.catalog(), task, order)).score;
    ASSERT_TRUE(score.success) << task.id;
    ASSERT_EQ(score.order, 1) << task.id;
    ASSERT_EQ(score.efficiency, 1) << task.id;
  }
  EXPECT_GT(other_order, 50);
}

TEST(PilotSuite, any_dialogue_scores_the_same_when_replayed_and_keeps_its_promises) {
  const suite::Suite suite = suite::Suite::pilot().value();
  ASSERT_FALSE(suite.tasks().empty());
  const dialogue::Rules rules(suite);
  EXPECT_TRUE(rc::check([&] {
    const suite::Task& task =
        suite.tasks()[*rc::gen::inRange<std::size_t>(0, suite.tasks().size())];
    const suite::TrialParams params{.prompt = {},
                                    .tool_success_rate = *rc::gen::element(0.5, 1.0),
                                    .seed = *rc::gen::arbitrary<std::uint64_t>(),
                                    .max_turns = 12};
    std::vector<std::string> pool = plan_calls(suite.catalog(), task);
    const std::vector<std::string> plan = pool;
    pool.insert(pool.end(),
                {"hm", "<use_tool>{", use("nothing", {}), use(task.plan.front().tool, {})});
    std::vector<std::string> answers =
        *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(pool));
    if (*rc::gen::arbitrary<bool>()) {
      answers.insert(answers.begin(), plan.begin(), plan.end());
    }
    const Played first = play(rules, task, params, answers);
    RC_ASSERT(same(first.score, play(rules, task, params, answers).score));
    const Score& s = first.score;
    RC_CLASSIFY(s.success);
    RC_ASSERT(s.success == (s.level == Level::full));
    RC_ASSERT(s.success == (s.label == Label::none));
    RC_ASSERT(s.success == (s.progress == 1));
    RC_ASSERT(s.success == s.efficiency.has_value());
    RC_ASSERT(!s.clean || s.success);
    RC_ASSERT(s.success || s.label_turn.has_value());
    RC_ASSERT(!s.label_turn || (*s.label_turn >= 0 && *s.label_turn < s.turns));
    RC_ASSERT(s.calls == s.calls_ok + s.calls_rejected + s.calls_injected);
    RC_ASSERT(s.progress >= 0 && s.progress <= 1);
    RC_ASSERT(s.tool_coverage >= 0 && s.tool_coverage <= 1);
    RC_ASSERT(!s.order || (*s.order >= 0 && *s.order <= 1));
    RC_ASSERT(!s.efficiency || (*s.efficiency > 0 && *s.efficiency <= 1));
  }));
}

}  // namespace
}  // namespace sortie::score
