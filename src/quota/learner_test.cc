#include "sortie/quota/learner.h"

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/quota/attribution.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/signal.h"

#include <chrono>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::quota {
namespace {

using base::Instant;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr RequestSize kSize{.input = 100, .output = 20, .max_output = 4000};

DomainLimiter unknown() {
  return DomainLimiter({.name = "p", .limits = {}}, {.learning = {.begins_with_ramp = true}});
}

/// As soon as it may, at most 50 a second.
Reservation send(DomainLimiter& limiter, Instant& now) {
  now = limiter.earliest(now + milliseconds(20), kSize);
  Reservation part = limiter.reserve(now, kSize);
  limiter.release(now, part);
  return part;
}

std::optional<LearnedLimit> learned(const DomainLimiter& limiter, LimitKind kind) {
  for (const LearnedLimit& limit : limiter.learner().limits()) {
    if (limit.kind == kind) {
      return limit;
    }
  }
  return std::nullopt;
}

TEST(Learner, blames_the_dimension_that_a_refusal_names) {
  DomainLimiter limiter = unknown();
  Instant now{};
  Reservation part;
  for (int i = 0; i < 40; ++i) {
    part = send(limiter, now);
  }
  limiter.learner().refused(now, part.learned, Dimension::tokens, now + seconds(1));
  EXPECT_TRUE(learned(limiter, LimitKind::tokens));
  EXPECT_FALSE(learned(limiter, LimitKind::requests));  // and its ramp is over
  EXPECT_FALSE(learned(limiter, LimitKind::concurrency));
}

TEST(Learner, a_header_ends_a_ramp_at_the_limit_it_names) {
  DomainLimiter limiter = unknown();
  Instant now{};
  const Reservation first = send(limiter, now);
  LimitHints hints;
  hints.limit_requests = 600;  // 10 a second
  limiter.observe(now, hints, first);
  for (int i = 0; i < 200; ++i) {
    (void)send(limiter, now);
  }
  const auto limit = learned(limiter, LimitKind::requests);
  ASSERT_TRUE(limit);
  EXPECT_EQ(limit.value().source, LimitSource::header);
  EXPECT_NEAR(limit.value().value, 10, 1e-9);
}

TEST(Learner, a_limit_of_a_day_is_no_limit_of_a_minute) {
  DomainLimiter limiter = unknown();
  Instant now{};
  const Reservation first = send(limiter, now);
  LimitHints hints;
  hints.limit_tokens = 14'400;  // Groq: so many a day; 30 used come back in 180 s
  hints.remaining_tokens = 14'370;
  hints.reset_tokens = seconds(180);
  limiter.observe(now, hints, first);
  EXPECT_FALSE(learned(limiter, LimitKind::tokens));
  hints.reset_tokens = milliseconds(125);  // as of a minute
  limiter.observe(now, hints, first);
  const auto limit = learned(limiter, LimitKind::tokens);
  ASSERT_TRUE(limit);
  EXPECT_NEAR(limit.value().value, 240, 1e-9);
}

TEST(Learner, a_header_below_what_was_delivered_is_not_believed) {
  DomainLimiter limiter = unknown();
  Instant now{};
  Reservation part = send(limiter, now);
  while (now < Instant{} + minutes(1)) {
    part = send(limiter, now);
  }
  LimitHints hints;
  hints.limit_requests = 20;  // the ten seconds' share of 120 a minute
  limiter.observe(now, hints, part);
  EXPECT_FALSE(learned(limiter, LimitKind::requests));
}

TEST(Learner, headers_do_not_touch_what_is_declared) {
  DomainLimiter limiter({.name = "p", .limits = {{.kind = LimitKind::requests, .quota = 60}}});
  Instant now{};
  const Reservation part = send(limiter, now);
  LimitHints hints;
  hints.limit_requests = 6000;
  limiter.observe(now, hints, part);
  EXPECT_TRUE(limiter.learner().limits().empty());
}

TEST(Learner, never_sends_above_a_declared_limit_and_learns_one_below) {
  DomainLimiter limiter({.name = "p", .limits = {{.kind = LimitKind::requests, .quota = 600}}});
  Instant now{};
  for (int i = 0; i < 50; ++i) {
    const Reservation part = send(limiter, now);
    if (i == 40) {
      limiter.learner().refused(now, part.learned, Dimension::requests, now + seconds(1));
    }
  }
  ASSERT_TRUE(learned(limiter, LimitKind::requests));
  EXPECT_LE(learned(limiter, LimitKind::requests).value().value, 10);
  // An hour without refusal: the learned limit rises, the declared one stays.
  std::vector<Instant> sent;
  while (now < Instant{} + hours(1)) {
    (void)send(limiter, now);
    sent.push_back(now);
  }
  for (std::size_t i = 600; i < sent.size(); ++i) {
    ASSERT_GE(sent[i] - sent[i - 600], minutes(1));
  }
}

TEST(Learner, what_the_owner_lets_it_learn_may_be_exceeded) {
  DomainLimiter limiter(
      {.name = "p", .limits = {{.kind = LimitKind::requests, .quota = 600, .learn = true}}});
  ASSERT_TRUE(learned(limiter, LimitKind::requests));
  EXPECT_EQ(learned(limiter, LimitKind::requests).value().source, LimitSource::declared);
  Instant now{};
  int count = 0;
  for (; now < Instant{} + minutes(10); ++count) {
    (void)send(limiter, now);
  }
  EXPECT_GT(count, 7000);
}

TEST(Learner, begins_a_little_below_what_an_earlier_run_learned) {
  DomainLimiter limiter = unknown();
  const LearnedLimit tokens{.kind = LimitKind::tokens,
                            .value = 5000,
                            .cost = TokenCost::input_plus_max,
                            .confidence = 0.9};
  const LearnedLimit slots{.kind = LimitKind::concurrency, .value = 7, .confidence = 0.5};
  limiter.learner().remember({}, tokens);
  limiter.learner().remember({}, slots);
  Instant now{};
  (void)send(limiter, now);
  EXPECT_EQ(limiter.learner().limits(), (std::vector{tokens, slots}));  // and no ramp
  EXPECT_NEAR(limiter.learner().tokens().pace(), 4000, 1);
}

TEST(Learner, shows_what_it_knows_with_source_and_confidence) {
  DomainLimiter limiter = unknown();
  limiter.learner().remember({}, {.kind = LimitKind::requests, .value = 2, .confidence = 0.75});
  const DomainStatus status = limiter.status({});
  ASSERT_EQ(status.limits.size(), 1U);
  EXPECT_EQ(status.limits[0].source, LimitSource::learned);
  EXPECT_EQ(status.limits[0].confidence, 0.75);
  EXPECT_NEAR(status.limits[0].limit.quota, 120, 1e-9);
  EXPECT_NEAR(status.limits[0].allowed, 96, 0.1);
}

TEST(Attribution, blames_the_meter_that_reads_the_same_each_time) {
  const auto after = [](auto readings_at) {
    Attribution attribution;
    for (int i = 0; i < 6; ++i) {
      attribution.observe(readings_at(i), false);
    }
    return attribution.likeliest();
  };
  constexpr double kMeasured = 50;
  EXPECT_EQ(after([](int i) {
              return Attribution::Readings{
                  10 + 0.1 * (i % 2), 9000.0 + 2000 * i, 60.0 + 9 * i, kMeasured};
            }),
            Dimension::requests);
  EXPECT_EQ(after([](int i) {
              return Attribution::Readings{
                  10.0 - i, 9000.0 + 90 * (i % 2), 60.0 - 5 * i, kMeasured};
            }),
            Dimension::tokens);
  EXPECT_EQ(after([](int i) {
              return Attribution::Readings{
                  10.0 + 2 * (i % 3), 9000.0 + 1500 * (i % 2), 60, kMeasured};
            }),
            Dimension::concurrency);
}

TEST(Attribution, takes_no_rate_for_evidence_that_was_hardly_measured) {
  Attribution attribution;
  for (int i = 0; i < 6; ++i) {
    attribution.observe({.requests = 1.0 + i, .tokens = 100, .in_flight = 1.0 + i, .measured = 3},
                        false);
  }
  EXPECT_EQ(attribution.likeliest(), Dimension::requests);
}

TEST(Learner, takes_back_the_limits_that_it_doubted_when_chance_explains_too_little) {
  DomainLimiter limiter = unknown();
  limiter.learner().remember({}, {.kind = LimitKind::requests, .value = 10, .confidence = 0.75});
  base::RandomStream random(base::FieldHasher("sortie.test.doubt").finish());
  Instant now{};
  for (int i = 0; i < 2000 && limiter.learner().chance().share() == 0; ++i) {
    const Reservation part = send(limiter, now);
    if (random.uniform() < 0.1) {
      (void)limiter.learner().came_by_chance(now, part.learned);
      now += seconds(2);
    }
  }
  ASSERT_GT(limiter.learner().chance().share(), 0);
  EXPECT_FALSE(learned(limiter, LimitKind::requests));
  int refused = 1;
  while (limiter.learner().came_by_chance(now, send(limiter, now).learned)) {
    ++refused;
  }
  EXPECT_LE(refused, 30);
  ASSERT_TRUE(learned(limiter, LimitKind::requests));
  EXPECT_NEAR(learned(limiter, LimitKind::requests).value().value, 10, 1);
}

TEST(Learner, one_refusal_beside_known_slots_is_no_silence) {
  // Slots were remembered, so that there was no ramp; the refusal is then taken for one of a rate.
  DomainLimiter limiter = unknown();
  Instant now = Instant{} + hours(16);
  limiter.learner().remember(now, {.kind = LimitKind::concurrency, .value = 1, .confidence = 0.3});
  (void)send(limiter, now);
  const Reservation part = send(limiter, now);
  const Instant open = now + seconds(1);
  limiter.learner().refused(now, part.learned, Dimension::unknown, open, true);
  ASSERT_TRUE(learned(limiter, LimitKind::requests));
  EXPECT_LE(limiter.earliest(open, kSize), open + seconds(1));
}

}  // namespace
}  // namespace sortie::quota
