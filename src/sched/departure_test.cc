#include "sortie/sched/departure.h"

#include <algorithm>
#include <chrono>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(Departure, keeps_requests_apart_that_became_durable_together) {
  Departure departure(milliseconds(100));
  const base::Instant now{std::chrono::seconds(1)};
  base::Instant last = now - std::chrono::hours(1);
  for (int i = 0; i < 10; ++i) {
    const base::Instant at = departure.next(now);
    EXPECT_GE(at - last, microseconds(99'900));
    departure.take(at);
    last = at;
  }
  EXPECT_EQ(last, now + 9 * microseconds(99'900));
}

TEST(Departure, makes_up_for_a_delay_within_a_thousand_times_its_length) {
  Departure departure(milliseconds(100));
  base::Instant bound{std::chrono::seconds(1)};
  departure.take(bound + milliseconds(50));  // one commit was slow
  base::Duration delay{};
  for (int i = 0; i < 600; ++i) {
    bound += milliseconds(100);
    const base::Instant at = departure.next(bound);
    delay = at - bound;
    departure.take(at);
  }
  EXPECT_EQ(delay, base::Duration::zero());
}

TEST(Departure, without_spacing_never_waits) {
  Departure departure(base::Duration::zero());
  const base::Instant now{std::chrono::seconds(1)};
  departure.take(now);
  EXPECT_EQ(departure.next(now), now);
}

}  // namespace
}  // namespace sortie::sched
