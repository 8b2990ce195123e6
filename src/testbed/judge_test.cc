#include "sortie/testbed/judge.h"

#include "sortie/base/time.h"
#include "sortie/quota/signal.h"
#include "sortie/testbed/building_blocks.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/truth.h"
#include "sortie/testbed/workload.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::testbed {
namespace {

constexpr double kForEver = std::numeric_limits<double>::infinity();

base::Instant at(double seconds) {
  return base::Instant() + base::from_seconds(seconds);
}

class JudgeTest : public testing::Test {
 protected:
  void build(Scenario scenario, std::vector<TimedIncident> incidents = {}) {
    scenario_ = std::move(scenario);
    incidents_ = std::move(incidents);
    workload_ = draw_workload({scenario_.models[0].work}, 1, 0);
    judge_ = std::make_unique<Judge>(scenario_, workload_, incidents_, 1);
  }

  Ruling ask(double seconds, std::uint32_t dialogue = 0, std::size_t route = 0) {
    return judge_->arrive({.route = route, .dialogue = dialogue}, at(seconds));
  }

  Scenario scenario_;
  Workload workload_;
  std::vector<TimedIncident> incidents_;
  std::unique_ptr<Judge> judge_;
};

TEST_F(JudgeTest, answers_take_the_time_that_was_drawn) {
  build(one_model("s", "", {rpm(600)}));
  const Ruling ruling = ask(0, 3);
  EXPECT_EQ(ruling.kind, Ruling::Kind::answer);
  EXPECT_EQ(ruling.seconds, static_cast<double>(workload_.turn(workload_.dialogues[3], 0).seconds));
}

TEST_F(JudgeTest, a_refusal_names_its_limit_and_the_wait_in_whole_seconds) {
  build(one_model("s", "", {rpm(60)}));
  EXPECT_TRUE(ask(0).is_admitted);
  const Ruling ruling = ask(0.1);
  EXPECT_EQ(ruling.kind, Ruling::Kind::error);
  EXPECT_EQ(ruling.signal.kind, quota::SignalClass::throttle);
  EXPECT_EQ(ruling.signal.dimension, quota::Dimension::requests);
  EXPECT_EQ(ruling.signal.wait, std::chrono::seconds(1));
  EXPECT_EQ(ruling.refused_by, 0U);
}

TEST_F(JudgeTest, a_gateway_may_say_neither) {
  Scenario scenario = one_model("s", "", {slots(1)});
  scenario.refusal = {.named = false, .hint = false, .status = 400, .hint_seconds = {}};
  build(scenario);
  EXPECT_TRUE(ask(0).is_admitted);
  const Ruling ruling = ask(0.1);
  EXPECT_EQ(ruling.signal.kind, quota::SignalClass::throttle);
  EXPECT_EQ(ruling.signal.dimension, quota::Dimension::unknown);
  EXPECT_EQ(ruling.signal.status, 400);
  EXPECT_FALSE(ruling.signal.wait.has_value());
}

TEST_F(JudgeTest, slots_come_back_when_the_answer_ends) {
  build(one_model("s", "", {slots(1)}));
  const Ruling first = ask(0);
  EXPECT_EQ(ask(1).signal.kind, quota::SignalClass::concurrency);
  judge_->finish(first, at(2), false);
  EXPECT_TRUE(ask(2).is_admitted);
}

TEST_F(JudgeTest, hints_may_be_drawn_from_a_range) {
  Scenario scenario = one_model("s", "", {rpm(60)});
  scenario.refusal.hint_seconds = {41, 60};
  build(scenario);
  EXPECT_TRUE(ask(0).is_admitted);
  for (std::uint32_t dialogue = 1; dialogue < 50; ++dialogue) {
    const Ruling ruling = ask(0.1, dialogue);
    EXPECT_GE(ruling.signal.wait, std::chrono::seconds(41));
    EXPECT_LE(ruling.signal.wait, std::chrono::seconds(60));
  }
}

TEST_F(JudgeTest, incidents_strike_their_key_in_their_time) {
  build(
      one_model("s", "", {rpm(60'000), rpm(60'000)}),
      {{.what = {.kind = IncidentKind::key_revoked, .key = "key-2"}, .from = 5, .until = kForEver},
       {.what = {.kind = IncidentKind::outage, .key = {}}, .from = 2, .until = 3},
       {.what = {.kind = IncidentKind::key_slow, .key = "key-1", .factor = 10},
        .from = 6,
        .until = 7},
       {.what = {.kind = IncidentKind::server_errors, .key = {}, .factor = 1},
        .from = 3,
        .until = 4}});
  const double seconds = ask(1).seconds;
  EXPECT_EQ(ask(2).signal.kind, quota::SignalClass::not_processed);
  EXPECT_EQ(ask(3).signal.kind, quota::SignalClass::transient);
  EXPECT_TRUE(ask(4.5, 0, 1).is_admitted);
  EXPECT_TRUE(ask(5, 0, 0).is_admitted);
  EXPECT_EQ(ask(5, 0, 1).signal.kind, quota::SignalClass::auth);
  EXPECT_DOUBLE_EQ(ask(6).seconds, 10 * seconds);
  EXPECT_EQ(ask(7).seconds, seconds);
}

TEST_F(JudgeTest, limits_change_when_their_incident_begins_and_ends) {
  build(one_model("s", "", {slots(4)}),
        {{.what = {.kind = IncidentKind::limits_scaled, .key = {}, .factor = 0.5},
          .from = 1,
          .until = 2}});
  EXPECT_EQ(judge_->next_change(), at(1));
  judge_->change(at(1));
  std::vector<Ruling> held = {ask(1), ask(1)};
  EXPECT_FALSE(ask(1).is_admitted);
  EXPECT_EQ(judge_->next_change(), at(2));
  judge_->change(at(2));
  EXPECT_TRUE(ask(2).is_admitted);
  EXPECT_FALSE(judge_->next_change().has_value());
}

TEST_F(JudgeTest, a_share_of_attempts_hangs_whatever_the_order) {
  Scenario scenario = one_model("s", "", {rpm(6e7)});
  scenario.hung = 0.1;
  build(scenario);
  std::vector<bool> forwards;
  for (std::uint32_t dialogue = 0; dialogue < 1000; ++dialogue) {
    forwards.push_back(ask(0, dialogue).kind == Ruling::Kind::silence);
  }
  EXPECT_NEAR(static_cast<double>(std::count(forwards.begin(), forwards.end(), true)), 100, 40);
  for (std::uint32_t dialogue = 1000; dialogue-- > 0;) {
    ASSERT_EQ(ask(1, dialogue).kind == Ruling::Kind::silence, forwards[dialogue]);
  }
}

}  // namespace
}  // namespace sortie::testbed
