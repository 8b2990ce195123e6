#include "sortie/quota/settled_window.h"

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/limit.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::quota {
namespace {

using base::Instant;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};

TEST(SettledWindow, lets_through_the_quota_and_then_waits_for_the_oldest) {
  SettledWindow window(minutes(1), 100);
  window.add(kStart, kStart, 60);
  window.add(kStart + seconds(10), kStart + seconds(10), 40);
  const Instant at = window.earliest(kStart + seconds(20), 50);
  EXPECT_GE(at, kStart + seconds(60));
  EXPECT_LE(at, kStart + seconds(60) + std::chrono::milliseconds(30));
  EXPECT_EQ(window.earliest(at, 50), at);
  EXPECT_GE(window.earliest(at, 70), kStart + seconds(70));
}

TEST(SettledWindow, counts_a_correction_at_the_moment_of_its_request) {
  SettledWindow window(minutes(1), 100);
  window.add(kStart, kStart, 50);
  window.add(kStart + seconds(5), kStart, 50);
  EXPECT_GT(window.earliest(kStart + seconds(5), 1), kStart + seconds(59));
  window.add(kStart + seconds(6), kStart, -70);
  EXPECT_EQ(window.earliest(kStart + seconds(6), 70), kStart + seconds(6));
  // What has left the window is settled without effect.
  window.add(kStart + seconds(70), kStart, 1000);
  EXPECT_EQ(window.earliest(kStart + seconds(70), 100), kStart + seconds(70));
}

TEST(SettledWindow, lets_a_request_beyond_the_quota_go_alone) {
  SettledWindow window(seconds(1), 10);
  EXPECT_EQ(window.earliest(kStart, 50), kStart);
  window.add(kStart, kStart, 1);
  EXPECT_GE(window.earliest(kStart, 50), kStart + seconds(1));
}

TEST(UnsettledCosts, expect_more_of_requests_in_flight_where_long_answers_cost_more) {
  UnsettledCosts costs;
  EXPECT_NEAR(costs.shortfall(1000, 1), 1000, 1e-9);  // four times a quarter
  EXPECT_NEAR(costs.shortfall(1000, 4), 2000, 1e-9);
  for (int i = 0; i < 2000; ++i) {
    costs.settled(1, 1000, 900);   // short answers, 100 less
    costs.settled(3, 1000, 1100);  // long ones, 100 more
  }
  // Of those in flight three in four are long: 50 more in the mean, σ 87.
  // The prior and the last answer weigh a little, too.
  EXPECT_NEAR(costs.shortfall(1000, 100), 5000 + 4 * 86.6 * 10, 100);
}

double log_normal(base::RandomStream& random, double median, double sigma) {
  return median * std::exp(sigma * random.normal());
}

/// What a server counts that charges real tokens at once, over its last minute.
class SlidingMinute {
 public:
  double take(Instant now, double units) {
    while (!taken_.empty() && taken_.front().first + minutes(1) <= now) {
      sum_ -= taken_.front().second;
      taken_.pop_front();
    }
    taken_.emplace_back(now, units);
    return sum_ += units;
  }

 private:
  std::deque<std::pair<Instant, double>> taken_;
  double sum_ = 0;
};

struct InFlight {
  Instant ends;
  Reservation reservation;
  RequestSize used;

  bool operator>(const InFlight& other) const { return ends > other.ends; }
};

/// Sends whatever a limit of tokens admits for two minutes: the sizes of inputs are known, outputs
/// only in the mean. Returns the most that the server counted in a minute, of its quota.
double most_in_a_minute(std::uint64_t seed, double quota) {
  constexpr double kMeanOutput = 240;  // 200 · e^(0.6²/2)
  const Limit limit{.kind = LimitKind::tokens, .quota = quota};
  DomainLimiter domain({.name = "d", .limits = {limit}}, {.jitter_seconds = 0, .learning = {}});
  base::RandomStream random(base::FieldHasher("sortie.quota.settled_window_test")
                                .field("seed", static_cast<std::int64_t>(seed))
                                .finish());
  std::priority_queue<InFlight, std::vector<InFlight>, std::greater<>> in_flight;
  SlidingMinute server;
  double most = 0;
  Instant now = kStart;
  while (now < kStart + minutes(2)) {
    const RequestSize size{.input = log_normal(random, 2000, 0.7), .output = kMeanOutput};
    for (Instant at = domain.earliest(now, size); true; at = domain.earliest(now, size)) {
      if (!in_flight.empty() && in_flight.top().ends <= at) {
        InFlight ended = in_flight.top();
        in_flight.pop();
        now = std::max(now, ended.ends);
        domain.settle(now, ended.reservation, ended.used);
        domain.release(now, ended.reservation);
        continue;
      }
      now = std::max(now, at);
      if (domain.earliest(now, size) <= now) {
        break;
      }
    }
    const RequestSize used{.input = size.input, .output = log_normal(random, 200, 0.6)};
    most = std::max(most, server.take(now, used.input + used.output));
    in_flight.push({.ends = now + base::from_seconds(1 + 0.02 * used.output),
                    .reservation = domain.reserve(now, size),
                    .used = used});
  }
  return most / quota;
}

TEST(SettledWindow, keeps_what_is_only_known_with_the_answer_within_a_sliding_minute) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    for (const double quota : {100'000.0, 600'000.0}) {
      const double most = most_in_a_minute(seed, quota);
      EXPECT_LE(most, 1) << "seed " << seed << ", quota " << quota;
      EXPECT_GT(most, 0.9) << "seed " << seed << ", quota " << quota;
    }
  }
}

}  // namespace
}  // namespace sortie::quota
