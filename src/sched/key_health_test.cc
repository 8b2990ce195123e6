#include "sortie/sched/key_health.h"

#include "sortie/base/time.h"
#include "sortie/sched/test_support.h"

#include <chrono>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using std::chrono::seconds;
using test::at;
using Refusal = KeyHealth::Refusal;

constexpr base::Instant kNever = base::Instant::max();

TEST(KeyHealth, a_rejected_key_is_asked_once_again_and_then_never) {
  KeyHealth key(seconds(60));
  EXPECT_EQ(key.earliest(at(1)), at(1));
  key.refused(Refusal::rejected, at(1), at(2));
  EXPECT_TRUE(key.may_return());
  EXPECT_EQ(key.earliest(at(10)), at(62));
  key.admit();
  EXPECT_EQ(key.earliest(at(62)), kNever);  // one request
  key.refused(Refusal::rejected, at(62), at(63));
  EXPECT_TRUE(key.is_dead());
  EXPECT_FALSE(key.may_return());
  EXPECT_EQ(key.earliest(at(1e6)), kNever);
}

TEST(KeyHealth, a_key_without_money_is_asked_every_half_hour) {
  KeyHealth key(seconds(60));
  key.refused(Refusal::out_of_money, at(0), at(0));
  double now = 60;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(key.earliest(at(now)), at(now));
    key.admit();
    key.refused(Refusal::out_of_money, at(now), at(now));
    EXPECT_FALSE(key.may_return());
    now += 1800;
  }
  key.admit();
  EXPECT_TRUE(key.ended(true, at(now), at(now + 1)));
  EXPECT_FALSE(key.is_dead());
}

TEST(KeyHealth, refusals_of_requests_sent_before_are_no_news) {
  KeyHealth key(seconds(60));
  key.refused(Refusal::rejected, at(0), at(1));
  key.refused(Refusal::rejected, at(0), at(2));
  EXPECT_TRUE(key.may_return());
  EXPECT_FALSE(key.ended(true, at(0), at(3)));
  EXPECT_TRUE(key.is_dead());
}

TEST(KeyHealth, a_check_without_a_verdict_is_repeated) {
  KeyHealth key(seconds(60));
  key.refused(Refusal::rejected, at(0), at(0));
  key.admit();
  EXPECT_FALSE(key.ended(false, at(60), at(65)));
  EXPECT_TRUE(key.may_return());
  EXPECT_EQ(key.earliest(at(65)), at(125));
}

TEST(KeyHealth, without_a_time_it_is_never_asked_again) {
  KeyHealth key(base::Duration::zero());
  key.refused(Refusal::rejected, at(0), at(0));
  EXPECT_FALSE(key.may_return());
  EXPECT_EQ(key.earliest(at(1e6)), kNever);
  key.revive();
  EXPECT_EQ(key.earliest(at(1)), at(1));
}

}  // namespace
}  // namespace sortie::sched
