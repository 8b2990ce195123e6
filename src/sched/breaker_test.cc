#include "sortie/sched/breaker.h"

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/sched/test_support.h"

#include <deque>
#include <string>
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

TEST(Breaker, ails_when_what_fails_of_other_turns_explains_a_row_of_failures) {
  Breaker breaker;
  const auto fail = [&](int failures, int answers) {
    for (int i = 0; i < answers; ++i) {
      request(breaker, 1, Health::good);
    }
    for (int i = 0; i < failures; ++i) {
      request(breaker, 1, Health::failing);
    }
  };
  fail(3, 8);
  EXPECT_TRUE(breaker.is_ailing(at(1), 1));   // two of ten others: 0.2
  EXPECT_FALSE(breaker.is_ailing(at(1), 2));  // nine others say too little
  fail(0, 30);
  EXPECT_TRUE(breaker.is_ailing(at(1), 1));   // two of forty others: 0.05
  EXPECT_TRUE(breaker.is_ailing(at(1), 2));   // one of 39: 0.0007
  EXPECT_FALSE(breaker.is_ailing(at(1), 3));  // none of the others: the turn is to blame
  fail(5, 0);
  EXPECT_TRUE(breaker.is_ailing(at(1), 3));   // five of 43: 0.0016
  EXPECT_FALSE(breaker.is_ailing(at(1), 4));  // four of 42: 0.00008
  EXPECT_TRUE(breaker.is_closed());
  EXPECT_FALSE(breaker.is_ailing(at(21.5), 1));
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
  for (int now = 4; now < 8; ++now) {
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

TEST(Breaker, half_open_takes_the_first_token_for_the_answer_and_counts_it_once) {
  Breaker breaker;
  carry(breaker, 0, 60);
  break_it(breaker, 1);
  breaker.admit();
  EXPECT_EQ(breaker.earliest(at(4)), base::Instant::max());
  breaker.began(at(4), at(5));
  // The step of two: one of them is still answering.
  EXPECT_EQ(breaker.earliest(at(5)), at(5));
  breaker.admit();
  EXPECT_EQ(breaker.earliest(at(5)), base::Instant::max());
  breaker.ended(at(4), at(9), Health::good, 0.5, true);
  EXPECT_EQ(breaker.earliest(at(9)), at(9)) << "its end makes room";
  breaker.admit();
  EXPECT_EQ(breaker.earliest(at(9)), base::Instant::max()) << "and is no step";
}

TEST(Breaker, half_open_what_fails_after_its_first_token_has_failed) {
  Breaker breaker;
  carry(breaker, 0, 60);
  break_it(breaker, 1);
  double now = 1;
  for (const double open : {2.0, 4.0, 8.0, 16.0, 20.0}) {
    EXPECT_NEAR(base::seconds(breaker.earliest(at(now)) - at(now)), open, 1e-6);
    now += open;
    breaker.admit();
    breaker.began(at(now), at(now));
    breaker.ended(at(now), at(now), Health::failing, 0.5, true);
  }
}

TEST(Breaker, closed_by_first_tokens_it_still_counts_its_openings) {
  Breaker breaker;
  double now = 0;
  for (const double open : {2.0, 4.0, 8.0}) {
    break_it(breaker, now);
    EXPECT_NEAR(base::seconds(breaker.earliest(at(now)) - at(now)), open, 1e-6);
    now += open;
    breaker.admit();
    breaker.began(at(now), at(now));
    EXPECT_TRUE(breaker.is_closed());
    breaker.ended(at(now), at(now), Health::failing, 0.5, true);
  }
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

TEST(Breaker, half_open_opens_again_when_half_of_at_least_five_failed) {
  Breaker breaker;
  carry(breaker, 0, 60);
  break_it(breaker, 1);
  request(breaker, 3, Health::failing);  // the second rest is of 4 s
  request(breaker, 7, Health::good);
  request(breaker, 8, Health::failing);
  request(breaker, 9, Health::failing);
  request(breaker, 10, Health::good);
  EXPECT_EQ(breaker.earliest(at(10)), at(10)) << "four say too little";
  request(breaker, 11, Health::failing);
  EXPECT_EQ(breaker.earliest(at(11)), at(13)) << "answers came since the last rest: 2 s again";
}

TEST(Breaker, closed_it_goes_on_with_what_it_saw_half_open) {
  Breaker breaker;
  carry(breaker, 0, 7);
  break_it(breaker, 1);
  double now = 4;
  for (const bool is_good : {true, false, true, true, false, true, true, true, true}) {
    ASSERT_FALSE(breaker.is_closed());
    request(breaker, now, is_good ? Health::good : Health::failing);
    now += 1;
  }
  ASSERT_TRUE(breaker.is_closed());
  for (int i = 0; i < 4; ++i) {
    request(breaker, now, Health::failing);
  }
  EXPECT_TRUE(breaker.is_closed()) << "6 of 13 failed";
  request(breaker, now, Health::failing);
  EXPECT_FALSE(breaker.is_closed()) << "7 of 14";
}

struct Served {
  int sent = 0;
  int answered = 0;
};

/// Ten minutes of 20 requests in flight, half a second each, of which a share fails by chance.
Served serve(double failing, int seed) {
  base::RandomStream random(base::digest_of("breaker" + std::to_string(seed)));
  Breaker breaker;
  std::deque<double> on_way;
  Served served;
  for (int tenth = 0; tenth < 6000; ++tenth) {
    const double now = tenth / 10.0;
    for (; !on_way.empty() && on_way.front() <= now - 0.5; on_way.pop_front()) {
      const bool is_good = random.uniform() >= failing;
      served.answered += is_good ? 1 : 0;
      breaker.ended(
          at(on_way.front()), at(now), is_good ? Health::good : Health::failing, random.uniform());
    }
    for (; on_way.size() < 20 && breaker.earliest(at(now)) <= at(now); ++served.sent) {
      breaker.admit();
      on_way.push_back(now);
    }
  }
  return served;
}

TEST(Breaker, a_server_that_fails_a_third_of_all_requests_by_chance_is_used) {
  for (int seed = 1; seed <= 20; ++seed) {
    const Served served = serve(1.0 / 3, seed);
    EXPECT_GT(served.answered, 0.9 * 600 * 40 * 2 / 3) << seed;
  }
}

TEST(Breaker, a_dead_server_costs_a_request_every_twenty_seconds) {
  for (int seed = 1; seed <= 20; ++seed) {
    EXPECT_LE(serve(1, seed).sent, 20 + 600 / 16 + 4) << seed;
  }
}

TEST(Breaker, a_server_that_hardly_ever_answers_costs_little_more) {
  for (int seed = 1; seed <= 20; ++seed) {
    const Served served = serve(0.95, seed);
    EXPECT_LE(served.sent, 150) << seed;
  }
}

}  // namespace
}  // namespace sortie::sched
