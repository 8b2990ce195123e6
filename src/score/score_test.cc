#include "sortie/score/score.h"

#include "sortie/dialogue/dialogue.h"
#include "sortie/dialogue/rules.h"
#include "sortie/score/attempts.h"
#include "sortie/score/test_support.h"
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
  EXPECT_DOUBLE_EQ(Made().read().read().call("utility_cache", {}).score().tool_coverage, 1.0 / 3);
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

// Was: one irrelevant call scored 0.508, which was called success.
TEST(Score, one_irrelevant_call_is_a_failure_without_progress) {
  const suite::Suite suite = suite::Suite::pilot().value();
  const dialogue::Rules rules(suite);
  for (const suite::Task& task : suite.tasks()) {
    const Score score =
        play(rules, task, {}, {use("integration_authenticator", {{"service", "s"}, {"role", "r"}})})
            .score;
    ASSERT_FALSE(score.success) << task.id;
    ASSERT_EQ(score.level, Level::failure) << task.id;
    ASSERT_EQ(score.progress, 0) << task.id;
  }
}

TEST(Score, retries_are_told_apart_by_what_came_next) {
  const Score score = Made()
                          .read(CallStatus::injected)
                          .read(CallStatus::injected)
                          .call("file_operations_reader", {{"path", "b.csv"}}, CallStatus::injected)
                          .parse(CallStatus::rejected, Rejection::unknown_handle)
                          .read(CallStatus::injected)
                          .quiet(2)
                          .score();
  EXPECT_EQ(score.retry.same, 1);
  EXPECT_EQ(score.retry.arguments, 1);
  EXPECT_EQ(score.retry.tool, 1);
  EXPECT_EQ(score.retry.none, 1);
  EXPECT_EQ(score.calls_injected, 4);
  // A rejected call is no injected failure, whatever follows it.
  EXPECT_EQ(Made().parse(CallStatus::rejected).parse().score().retry.same, 0);
}

TEST(Score, a_repeated_call_is_the_same_whatever_the_order_of_its_arguments) {
  const Score score = Made()
                          .call("data_processing_parser",
                                {{"source", "raw#1"}, {"format", "csv"}},
                                CallStatus::injected)
                          .call("data_processing_parser", {{"format", "csv"}, {"source", "raw#1"}})
                          .score();
  EXPECT_EQ(score.retry.same, 1);
}

TEST(Score, calls_per_answer_counts_answers_with_a_call) {
  EXPECT_EQ(Made().quiet(3).score().calls_per_answer, std::nullopt);
  Made made;
  made.read().quiet(1).parse();
  EXPECT_EQ(made.score().calls_per_answer, 1.0);
  // Written, but not run: one before it failed.
  made.transcript().turns.back().commands.emplace_back();
  EXPECT_EQ(made.score().calls_per_answer, 1.5);
}

TEST(Score, only_a_flawed_plan_can_be_followed) {
  EXPECT_EQ(Made().read().score().flawed_places, std::nullopt);
  EXPECT_EQ(Made().read().score().followed_places, std::nullopt);
}

// --- Operations that share a tool ---

TEST(Attempts, operations_of_one_tool_are_told_apart_by_their_values) {
  suite::Goal goal;
  goal.required = {{.tool = "file_operations_reader", .values = {{"path", "a"}}, .inputs = {}},
                   {.tool = "file_operations_reader", .values = {{"path", "b"}}, .inputs = {}}};
  Made made;
  made.call("file_operations_reader", {{"path", "b"}})
      .call("file_operations_reader", {{"path", "a"}})
      .call("file_operations_reader", {{"path", "c"}});
  const auto attempts = attempts_at_required(made.catalog(), made.transcript(), goal);
  EXPECT_EQ(attempts[0], (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(attempts[1], (std::vector<std::size_t>{0}));
}

TEST(Attempts, equal_operations_are_told_apart_by_their_inputs) {
  suite::Goal goal;
  goal.required = {
      {.tool = "file_operations_reader", .values = {{"path", "a"}}, .inputs = {}},
      {.tool = "data_processing_parser", .values = {{"format", "csv"}}, .inputs = {0}},
      {.tool = "file_operations_reader", .values = {{"path", "b"}}, .inputs = {}},
      {.tool = "data_processing_parser", .values = {{"format", "csv"}}, .inputs = {2}}};
  Made made;
  made.call("file_operations_reader", {{"path", "b"}})
      .call("data_processing_parser", {{"source", "raw#1"}, {"format", "csv"}})
      .call("file_operations_reader", {{"path", "a"}})
      .call("data_processing_parser", {{"source", "raw#3"}, {"format", "csv"}});
  const auto attempts = attempts_at_required(made.catalog(), made.transcript(), goal);
  EXPECT_EQ(attempts[1], (std::vector<std::size_t>{3}));
  EXPECT_EQ(attempts[3], (std::vector<std::size_t>{1}));
}

TEST(Attempts, values_are_compared_as_numbers) {
  const suite::ToolCatalog catalog = suite::ToolCatalog::pilot();
  const suite::Required required{.tool = "t", .values = {{"n", 3}}, .inputs = {}};
  suite::CallRecord call;
  call.tool = "t";
  call.arguments = {{"n", 3.0}};
  EXPECT_TRUE(has_checked_values(catalog, call, required));
  call.arguments = {{"n", "3"}};
  EXPECT_FALSE(has_checked_values(catalog, call, required));
}

// --- Real dialogues ---

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
         a.end == b.end && a.retry.same == b.retry.same && a.retry.none == b.retry.none &&
         a.calls_per_answer == b.calls_per_answer;
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
    RC_ASSERT(s.calls_injected == s.retry.same + s.retry.arguments + s.retry.tool + s.retry.none);
    RC_ASSERT(s.progress >= 0 && s.progress <= 1);
    RC_ASSERT(s.tool_coverage >= 0 && s.tool_coverage <= 1);
    RC_ASSERT(!s.order || (*s.order >= 0 && *s.order <= 1));
    RC_ASSERT(!s.efficiency || (*s.efficiency > 0 && *s.efficiency <= 1));
  }));
}

}  // namespace
}  // namespace sortie::score
