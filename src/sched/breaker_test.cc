#include "sortie/sched/breaker.h"

#include "sortie/sched/test_support.h"

#include <vector>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using test::at;

/// A request that is sent and ends at the same instant.
void request(Breaker& breaker, double seconds, Health health, double uniform = 0.5) {
  ASSERT_EQ(breaker.earliest(at(seconds)), at(seconds));
  breaker.admit();
  breaker.ended(at(seconds), at(seconds), health, uniform);
}

void break_it(Breaker& breaker, double seconds) {
  for (int i = 0; i < 3; ++i) {
    request(breaker, seconds, Health::unreachable);
  }
  ASSERT_FALSE(breaker.is_closed());
}

TEST(Breaker, opens_after_three_requests_in_a_row_that_reached_nothing) {
  Breaker breaker;
  request(breaker, 1, Health::unreachable);
  request(breaker, 2, Health::unreachable);
  EXPECT_TRUE(breaker.is_closed());
  request(breaker, 3, Health::unreachable);
  EXPECT_FALSE(breaker.is_closed());
  EXPECT_EQ(breaker.earliest(at(3)), at(5));
}

TEST(Breaker, any_answer_ends_a_row_of_unreachable_requests) {
  Breaker breaker;
  request(breaker, 1, Health::unreachable);
  request(breaker, 2, Health::unreachable);
  request(breaker, 3, Health::alive);
  request(breaker, 4, Health::unreachable);
  EXPECT_TRUE(breaker.is_closed());
}

TEST(Breaker, answers_to_older_requests_do_not_end_a_row) {
  Breaker breaker;
  for (int i = 0; i < 5; ++i) {
    breaker.admit();  // sent at 1, while the server was still there
  }
  request(breaker, 2, Health::unreachable);
  breaker.ended(at(1), at(2), Health::good, 0.5);
  request(breaker, 3, Health::unreachable);
  breaker.ended(at(1), at(3), Health::alive, 0.5);
  EXPECT_TRUE(breaker.is_closed());
  request(breaker, 4, Health::unreachable);
  EXPECT_FALSE(breaker.is_closed());
}

TEST(Breaker, ails_when_a_quarter_of_at_least_ten_requests_fails) {
  Breaker breaker;
  const auto fail = [&](int failures, int answers) {
    for (int i = 0; i < answers; ++i) {
      request(breaker, 1, Health::good);
    }
    for (int i = 0; i < failures; ++i) {
      request(breaker, 1, Health::failing);
    }
  };
  fail(2, 6);
  EXPECT_FALSE(breaker.is_ailing(at(1)));  // eight
  fail(0, 2);
  EXPECT_FALSE(breaker.is_ailing(at(1)));  // two of ten
  fail(1, 1);
  EXPECT_TRUE(breaker.is_ailing(at(1)));  // three of twelve
  EXPECT_TRUE(breaker.is_closed());
  EXPECT_FALSE(breaker.is_ailing(at(21.5)));
}

TEST(Breaker, opens_when_half_of_at_least_five_requests_fail) {
  Breaker breaker;
  request(breaker, 1, Health::good);
  request(breaker, 2, Health::good);
  request(breaker, 3, Health::failing);
  request(breaker, 4, Health::failing);
  EXPECT_TRUE(breaker.is_closed());
  request(breaker, 5, Health::failing);
  EXPECT_FALSE(breaker.is_closed());
}

TEST(Breaker, forgets_what_is_older_than_twenty_seconds) {
  Breaker breaker;
  for (int i = 0; i < 4; ++i) {
    request(breaker, 1, Health::failing);
  }
  for (int i = 0; i < 4; ++i) {
    request(breaker, 21.5, Health::good);
  }
  request(breaker, 21.6, Health::failing);
  EXPECT_TRUE(breaker.is_closed());
}

TEST(Breaker, stays_closed_whatever_limits_say) {
  Breaker breaker;
  for (int i = 0; i < 100; ++i) {
    request(breaker, 1, Health::alive);
  }
  EXPECT_TRUE(breaker.is_closed());
}

TEST(Breaker, lets_exactly_one_request_through_when_its_time_is_over) {
  Breaker breaker;
  break_it(breaker, 0);
  EXPECT_EQ(breaker.earliest(at(1)), at(2));
  EXPECT_EQ(breaker.earliest(at(3)), at(3));
  breaker.admit();
  EXPECT_EQ(breaker.earliest(at(3)), base::Instant::max());
  breaker.ended(at(3), at(4), Health::good, 0.5);
  EXPECT_TRUE(breaker.is_closed());
  EXPECT_EQ(breaker.earliest(at(4)), at(4));
}

TEST(Breaker, opens_for_twice_as_long_after_each_failed_probe_up_to_twenty_seconds) {
  Breaker breaker;
  break_it(breaker, 0);
  double now = 0;
  for (const double open : {2.0, 4.0, 8.0, 16.0, 20.0, 20.0}) {
    EXPECT_NEAR(base::seconds(breaker.earliest(at(now)) - at(now)), open, 1e-6);
    now += open;
    request(breaker, now, Health::failing);
  }
}

TEST(Breaker, spreads_its_times_by_a_fifth) {
  for (const double uniform : {0.0, 1.0}) {
    Breaker breaker;
    request(breaker, 0, Health::unreachable);
    request(breaker, 0, Health::unreachable);
    request(breaker, 0, Health::unreachable, uniform);
    EXPECT_NEAR(base::seconds(breaker.open_until() - at(0)), 1.6 + 0.8 * uniform, 1e-6);
  }
}

TEST(Breaker, a_probe_without_a_verdict_makes_room_for_another) {
  for (const Health health : {Health::alive, Health::unknown}) {
    Breaker breaker;
    break_it(breaker, 0);
    request(breaker, 2, health);
    EXPECT_FALSE(breaker.is_closed());
    EXPECT_EQ(breaker.earliest(at(2)), at(2));
  }
}

TEST(Breaker, ignores_the_late_ends_of_requests_sent_before_it_opened) {
  Breaker breaker;
  break_it(breaker, 10);
  breaker.ended(at(9), at(11), Health::good, 0.5);
  EXPECT_FALSE(breaker.is_closed());
  EXPECT_EQ(breaker.earliest(at(12)), at(12));
  breaker.admit();
  breaker.ended(at(9), at(12), Health::failing, 0.5);
  EXPECT_EQ(breaker.earliest(at(12)), base::Instant::max());
  breaker.ended(at(12), at(13), Health::good, 0.5);
  for (int i = 0; i < 10; ++i) {
    breaker.ended(at(9), at(14), Health::failing, 0.5);
  }
  EXPECT_TRUE(breaker.is_closed());
}

/// So many at once, while it is closed.
void carry(Breaker& breaker, double seconds, int requests) {
  for (int i = 0; i < requests; ++i) {
    breaker.admit();
  }
  for (int i = 0; i < requests; ++i) {
    breaker.ended(at(seconds), at(seconds), Health::good, 0.5);
  }
}

/// How many it lets through at once; they are answered a second later.
int step(Breaker& breaker, double now) {
  int requests = 0;
  for (; !breaker.is_closed() && breaker.earliest(at(now)) <= at(now); ++requests) {
    breaker.admit();
  }
  for (int i = 0; i < requests; ++i) {
    breaker.ended(at(now), at(now + 1), Health::good, 0.5);
  }
  return requests;
}

TEST(Breaker, returns_by_doubling_and_then_at_half_of_what_there_was) {
  Breaker breaker;
  carry(breaker, 0, 60);
  break_it(breaker, 1);
  std::vector<int> steps;
  for (double now = 4; !breaker.is_closed(); now += 1) {
    steps.push_back(step(breaker, now));
  }
  EXPECT_EQ(steps, (std::vector{1, 2, 4, 8, 30}));
}

TEST(Breaker, each_good_answer_makes_its_part_of_the_room_at_once) {
  Breaker breaker;
  carry(breaker, 0, 100);
  break_it(breaker, 1);
  for (double now = 4; now < 8; now += 1) {
    step(breaker, now);  // 1, 2, 4, 8: the next one is 50, half of what there was
  }
  const auto fill = [&] {
    int admitted = 0;
    for (; breaker.earliest(at(8)) <= at(8); ++admitted) {
      breaker.admit();
    }
    return admitted;
  };
  EXPECT_EQ(fill(), 50);
  // Half of them answered: half of the way from 50 to 100, and what was answered makes room, too.
  for (int i = 0; i < 25; ++i) {
    breaker.ended(at(8), at(9), Health::good, 0.5);
  }
  EXPECT_EQ(fill(), 25 + 25);
}

TEST(Breaker, does_not_hold_back_what_there_never_was) {
  Breaker breaker;
  carry(breaker, 0, 7);
  break_it(breaker, 1);
  std::vector<int> steps;
  for (double now = 4; !breaker.is_closed(); now += 1) {
    steps.push_back(step(breaker, now));
  }
  EXPECT_EQ(steps, (std::vector{1, 2, 4}));
}

TEST(Breaker, opens_again_when_half_a_step_fails) {
  Breaker breaker;
  carry(breaker, 0, 60);
  break_it(breaker, 1);
  step(breaker, 4);
  step(breaker, 5);
  for (int i = 0; i < 4; ++i) {
    breaker.admit();
  }
  breaker.ended(at(6), at(7), Health::failing, 0.5);
  EXPECT_EQ(breaker.earliest(at(7)), at(7));
  breaker.ended(at(6), at(7), Health::failing, 0.5);
  EXPECT_EQ(breaker.earliest(at(7)), at(11));  // the second time
}

}  // namespace
}  // namespace sortie::sched
