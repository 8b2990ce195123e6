#include "sortie/quota/chance_refusals.h"

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

#include <gtest/gtest.h>

// One client that always has work for a server that answers at once and refuses what `refuses`
// says. It sends so many a second, a twentieth of that in the last ten seconds of a minute, and
// waits a second after a refusal that it takes for a limit's.

namespace sortie::quota {
namespace {

using base::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Finding = ChanceRefusals::Finding;

base::RandomStream random_of(std::int64_t seed) {
  return base::RandomStream(base::FieldHasher("sortie.test.chance").field("seed", seed).finish());
}

struct Outcome {
  std::size_t sent = 0;
  std::size_t limits = 0;     // refusals that were taken for a limit's
  std::size_t explained = 0;  // and for chance
  std::size_t found = 0;      // times that chance was found
  double share = 0;
};

Outcome drive(ChanceRefusals& chance,
              const std::function<bool(double)>& refuses,
              std::size_t requests,
              Instant now = Instant{},
              double per_second = 20) {
  Outcome outcome;
  for (; outcome.sent < requests; ++outcome.sent) {
    const double t = base::seconds(now.time_since_epoch());
    const ChanceRefusals::Load load = chance.sent(now, 1, 1000);
    const bool is_slow = static_cast<std::int64_t>(t) % 60 >= 50;
    now += base::from_seconds((is_slow ? 20 : 1) / per_second);
    if (!refuses(t)) {
      continue;
    }
    const Finding finding = chance.refused(load);
    outcome.limits += finding == Finding::limit ? 1 : 0;
    outcome.explained += finding == Finding::limit ? 0 : 1;
    outcome.found += finding == Finding::found ? 1 : 0;
    if (finding == Finding::limit) {
      now += seconds(1);
    }
  }
  outcome.share = chance.share();
  return outcome;
}

TEST(ChanceRefusals, are_found_within_a_few_dozen_and_then_explained) {
  for (const double share : {0.05, 0.08, 0.2}) {
    std::size_t given_up = 0;
    std::size_t limits = 0;
    for (std::int64_t seed = 1; seed <= 20; ++seed) {
      base::RandomStream random = random_of(seed);
      ChanceRefusals chance;
      const Outcome outcome = drive(chance, [&](double) { return random.uniform() < share; }, 5000);
      EXPECT_GE(outcome.found, 1U) << share << ' ' << seed;
      limits += outcome.limits;
      given_up += outcome.found - 1;
    }
    EXPECT_LE(given_up, 2U) << share;
    EXPECT_LE(limits, 20U * 50) << share;
  }
}

TEST(ChanceRefusals, of_three_requests_in_a_thousand_are_not_looked_for) {
  base::RandomStream random = random_of(1);
  ChanceRefusals chance;
  const Outcome outcome = drive(chance, [&](double) { return random.uniform() < 0.003; }, 20'000);
  EXPECT_EQ(outcome.explained, 0U);
}

/// Refuses what exceeds a bucket.
std::function<bool(double)> beyond_bucket(double rate, double capacity) {
  return [rate, capacity, level = capacity, at = 0.0](double t) mutable {
    level = std::min(capacity, level + rate * (t - at));
    at = t;
    if (level < 1) {
      return true;
    }
    level -= 1;
    return false;
  };
}

/// Refuses what exceeds `count` in each aligned window.
std::function<bool(double)> beyond_window(double count, double window) {
  return [count, window, used = 0.0, at = 0.0](double t) mutable {
    if (std::floor(t / window) > std::floor(at / window)) {
      used = 0;
    }
    at = t;
    if (used >= count) {
      return true;
    }
    used += 1;
    return false;
  };
}

TEST(ChanceRefusals, are_none_of_a_bucket_or_a_window) {
  for (const double rate : {0.3, 1.0, 3.0, 8.0, 15.0, 30.0}) {
    for (const double window : {1.0, 10.0, 60.0}) {
      for (const double excess : {1.05, 1.2, 2.0, 4.0}) {
        const double capacity = std::max(1.0, rate * window);
        ChanceRefusals bucket;
        const auto beyond = beyond_bucket(rate, capacity);
        EXPECT_EQ(drive(bucket, beyond, 5000, Instant{}, excess * rate).explained, 0U)
            << rate << ' ' << window << ' ' << excess;
        ChanceRefusals aligned;
        const auto after = beyond_window(capacity, window);
        EXPECT_EQ(drive(aligned, after, 5000, Instant{}, excess * rate).explained, 0U)
            << rate << ' ' << window << ' ' << excess;
      }
    }
  }
}

/// How often chance is found where `refuses` is asked with the requests in flight, of which there
/// are few and many.
std::size_t found_in_flight(const std::function<bool(std::size_t)>& refuses) {
  base::RandomStream random = random_of(3);
  ChanceRefusals chance;
  Instant now{};
  std::size_t found = 0;
  for (int i = 0; i < 5000; ++i) {
    const auto in_flight = static_cast<std::size_t>(1 + random.uniform() * 30);
    const auto load = chance.sent(now, in_flight, 1000);
    now += milliseconds(i % 200 < 100 ? 50 : 500);
    if (refuses(in_flight)) {
      now += seconds(1);
      found += chance.refused(load) == Finding::found ? 1 : 0;
    }
  }
  return found;
}

TEST(ChanceRefusals, are_none_of_slots) {
  base::RandomStream random = random_of(4);
  EXPECT_EQ(found_in_flight([](std::size_t in_flight) { return in_flight > 27; }), 0U);
  EXPECT_GT(found_in_flight([&](std::size_t) { return random.uniform() < 0.1; }), 0U);
}

TEST(ChanceRefusals, that_are_heard_late_do_not_end) {
  // A hundred requests a second, answers after a second: more are on their way than between two
  // refusals.
  base::RandomStream random = random_of(9);
  ChanceRefusals chance;
  std::deque<std::pair<ChanceRefusals::Load, bool>> on_way;
  std::size_t limits = 0;
  std::size_t found = 0;
  Instant now{};
  for (int i = 0; i < 20'000; ++i) {
    on_way.emplace_back(chance.sent(now, 1 + static_cast<std::size_t>(i % 16), 1000),
                        random.uniform() < 0.2);
    now += milliseconds(i % 400 < 200 ? 5 : 20);
    if (on_way.size() > 100) {
      if (on_way.front().second) {
        const Finding finding = chance.refused(on_way.front().first);
        limits += finding == Finding::limit ? 1 : 0;
        found += finding == Finding::found ? 1 : 0;
      }
      on_way.pop_front();
    }
  }
  EXPECT_GE(found, 1U);
  EXPECT_LE(found, 2U);
  EXPECT_LE(limits, 400U);
}

TEST(ChanceRefusals, a_limit_that_comes_later_is_told_from_them) {
  base::RandomStream random = random_of(5);
  ChanceRefusals chance;
  const auto by_chance = [&](double) { return random.uniform() < 0.1; };
  ASSERT_GT(drive(chance, by_chance, 2000).share, 0);
  const Outcome outcome = drive(
      chance,
      [&, beyond = beyond_bucket(5, 5)](double t) mutable { return beyond(t) || by_chance(t); },
      100,
      Instant{} + seconds(6000));
  EXPECT_GT(outcome.limits, 0U);
  EXPECT_LE(outcome.explained, 40U);
}

TEST(ChanceRefusals, end_when_nothing_is_refused_any_more) {
  base::RandomStream random = random_of(7);
  ChanceRefusals chance;
  ASSERT_GT(drive(chance, [&](double) { return random.uniform() < 0.1; }, 2000).share, 0);
  EXPECT_EQ(drive(chance, [](double) { return false; }, 3000, Instant{} + seconds(6000)).share, 0);
}

}  // namespace
}  // namespace sortie::quota
