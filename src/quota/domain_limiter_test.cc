#include "sortie/quota/domain_limiter.h"

#include "sortie/base/time.h"
#include "sortie/quota/concurrency.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/signal.h"

#include <chrono>
#include <optional>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::quota {
namespace {

using base::Instant;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};
constexpr RequestSize kSmall{.input = 800, .output = 200, .max_output = 1000};

Limit rpm(double quota) {
  return {.kind = LimitKind::requests, .quota = quota, .window = minutes(1)};
}

Limit tpm(double quota, TokenCost cost = TokenCost::input_plus_output) {
  return {.kind = LimitKind::tokens,
          .quota = quota,
          .window = minutes(1),
          .enforced_over = {},
          .cost = cost};
}

Limit in_flight(double slots) {
  return {.kind = LimitKind::concurrency, .quota = slots};
}

DomainLimiter limiter_of(std::vector<Limit> limits, DomainOptions options = {}) {
  return DomainLimiter({.name = "alpha/key-1×sim-large", .limits = std::move(limits)}, options);
}

TEST(DomainLimiter, without_limits_admits_at_once) {
  DomainLimiter limiter = limiter_of({});
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(limiter.earliest(kStart, kSmall), kStart);
    (void)limiter.reserve(kStart, kSmall);
  }
  EXPECT_EQ(limiter.in_flight(), 100U);
}

TEST(DomainLimiter, waits_for_the_slowest_of_its_limits) {
  DomainLimiter limiter = limiter_of({rpm(6000), tpm(60'000)});
  (void)limiter.reserve(kStart, kSmall);
  const Instant at = limiter.earliest(kStart, kSmall);
  EXPECT_GE(at - kStart, milliseconds(1000));  // 1,000 tokens at a bit less than 1,000 a second
  EXPECT_LE(at - kStart, milliseconds(1050));
}

TEST(DomainLimiter, gives_unused_tokens_back_where_the_provider_does) {
  DomainLimiter settled = limiter_of({tpm(60'000)});
  DomainLimiter kept = limiter_of({tpm(60'000, TokenCost::input_plus_max)});
  for (DomainLimiter* limiter : {&settled, &kept}) {
    Reservation reservation = limiter->reserve(kStart, kSmall);
    limiter->settle(kStart, reservation, {.input = 50, .output = 10});
    limiter->release(kStart, reservation);
  }
  EXPECT_LT(settled.earliest(kStart, kSmall), kStart + milliseconds(100));
  EXPECT_GT(kept.earliest(kStart, kSmall), kStart + milliseconds(1000));
}

TEST(DomainLimiter, a_persons_limit_replaces_those_of_its_kind_until_it_is_lifted) {
  DomainLimiter limiter = limiter_of({rpm(60), tpm(6'000'000)});
  (void)limiter.reserve(kStart, kSmall);
  EXPECT_GT(limiter.earliest(kStart, kSmall), kStart + milliseconds(900));

  limiter.set_override(rpm(6000), kStart);
  const Instant sooner = limiter.earliest(kStart, kSmall);
  EXPECT_GT(sooner, kStart);  // no burst
  EXPECT_LT(sooner, kStart + milliseconds(20));
  ASSERT_EQ(limiter.domain().limits.size(), 2U);
  EXPECT_EQ(limiter.domain().limits.back(), rpm(6000));
  EXPECT_EQ(limiter.status(kStart).limits.back().limit, rpm(6000));

  limiter.set_override(rpm(6), sooner);
  EXPECT_GT(limiter.earliest(sooner, kSmall), kStart + seconds(9));

  limiter.lift_override(LimitKind::requests, kStart + seconds(1));
  const Instant again = limiter.earliest(kStart + seconds(1), kSmall);
  EXPECT_GT(again, kStart + milliseconds(1900));
  EXPECT_LT(again, kStart + milliseconds(2100));
  EXPECT_EQ(limiter.domain().limits.front(), rpm(60));
}

TEST(DomainLimiter, a_persons_number_of_slots_counts_what_is_in_flight) {
  for (const bool declared : {false, true}) {
    DomainLimiter limiter = limiter_of(declared ? std::vector{in_flight(3)} : std::vector<Limit>{});
    std::vector<Reservation> open;
    open.push_back(limiter.reserve(kStart, kSmall));
    open.push_back(limiter.reserve(kStart, kSmall));
    limiter.set_override(in_flight(1), kStart);
    EXPECT_EQ(limiter.earliest(kStart, kSmall), kUntilFreed);
    limiter.release(kStart, open[0]);
    EXPECT_EQ(limiter.earliest(kStart, kSmall), kUntilFreed);
    limiter.set_override(in_flight(5), kStart);
    EXPECT_EQ(limiter.earliest(kStart, kSmall), kStart);
    limiter.lift_override(LimitKind::concurrency, kStart);
    open.push_back(limiter.reserve(kStart, kSmall));
    open.push_back(limiter.reserve(kStart, kSmall));
    EXPECT_EQ(limiter.earliest(kStart, kSmall) == kUntilFreed, declared);
  }
}

TEST(DomainLimiter, a_request_from_before_a_persons_limit_is_settled_where_it_was_counted) {
  DomainLimiter limiter = limiter_of({tpm(60'000)});
  Reservation before = limiter.reserve(kStart, kSmall);
  limiter.set_override(tpm(30'000), kStart);
  const Instant at = limiter.earliest(kStart, kSmall);
  limiter.settle(kStart, before, {.input = 0, .output = 0});
  EXPECT_EQ(limiter.earliest(kStart, kSmall), at);
  LimitHints hints;
  hints.remaining_tokens = 10;
  limiter.observe(kStart + seconds(1), hints, before);
  limiter.release(kStart, before);
  limiter.lift_override(LimitKind::tokens, kStart + seconds(1));
  EXPECT_LT(limiter.earliest(kStart + seconds(1), kSmall), kStart + milliseconds(2100));
}

TEST(DomainLimiter, settles_a_reservation_once) {
  DomainLimiter limiter = limiter_of({tpm(60'000)});
  Reservation reservation = limiter.reserve(kStart, kSmall);
  limiter.settle(kStart, reservation, {.input = 900, .output = 100});
  const Instant before = limiter.earliest(kStart, kSmall);
  limiter.settle(kStart, reservation, {});
  limiter.cancel(kStart, reservation);
  EXPECT_EQ(limiter.earliest(kStart, kSmall), before);
  EXPECT_EQ(limiter.in_flight(), 1U);
}

TEST(DomainLimiter, frees_the_slot_of_a_cancelled_request_after_its_grace) {
  DomainLimiter limiter = limiter_of({in_flight(1)});
  Reservation reservation = limiter.reserve(kStart, kSmall);
  EXPECT_EQ(limiter.earliest(kStart, kSmall), kUntilFreed);
  limiter.release(kStart, reservation, seconds(10));
  limiter.release(kStart, reservation);  // no effect
  EXPECT_EQ(limiter.earliest(kStart, kSmall), kStart + seconds(10));
  EXPECT_EQ(limiter.in_flight(), 0U);
}

TEST(DomainLimiter, gives_everything_back_for_a_request_that_was_never_sent) {
  DomainLimiter limiter = limiter_of({rpm(60), tpm(60'000), in_flight(1)});
  Reservation reservation = limiter.reserve(kStart, kSmall);
  limiter.cancel(kStart, reservation);
  EXPECT_LE(limiter.earliest(kStart, kSmall), kStart + std::chrono::microseconds(1));
  EXPECT_EQ(limiter.status(kStart).limits[0].used, 0);
  EXPECT_EQ(limiter.in_flight(), 0U);
}

TEST(DomainLimiter, a_gate_is_closed_for_everybody_and_never_shortened) {
  DomainLimiter limiter = limiter_of({});
  limiter.gate(kStart + seconds(30));
  limiter.gate(kStart + seconds(10));
  EXPECT_EQ(limiter.earliest(kStart, kSmall), kStart + seconds(30));
  EXPECT_EQ(limiter.status(kStart).gate, kStart + seconds(30));
  EXPECT_EQ(limiter.earliest(kStart + seconds(30), kSmall), kStart + seconds(30));
  EXPECT_EQ(limiter.status(kStart + seconds(30)).gate, std::nullopt);
  limiter.gate(kStart, base::Duration::max());  // absurd hints do not overflow
  EXPECT_LT(limiter.earliest(kStart, kSmall), kUntilFreed);
  limiter.open_gate();
  EXPECT_EQ(limiter.earliest(kStart, kSmall), kStart);
}

TEST(DomainLimiter, stretches_a_hint_by_at_most_five_percent) {
  EXPECT_EQ(gate_wait(seconds(100), 0), seconds(100));
  EXPECT_NEAR(base::seconds(gate_wait(seconds(100), 0.999)), 104.995, 1e-6);
  EXPECT_EQ(gate_wait(seconds(-3), 0.5), base::Duration::zero());
}

TEST(DomainLimiter, uses_only_its_share_of_a_pool) {
  DomainLimiter limiter =
      limiter_of({rpm(600), in_flight(10)}, {.jitter_seconds = 0, .share = 0.5});
  (void)limiter.reserve(kStart, kSmall);
  EXPECT_GE(limiter.earliest(kStart, kSmall) - kStart, milliseconds(200));
  EXPECT_EQ(limiter.status(kStart).limits[1].allowed, 5);
}

LimitHints nothing_left(base::Duration reset, std::optional<double> limit = std::nullopt) {
  LimitHints hints;
  hints.limit_requests = limit;
  hints.remaining_requests = 0;
  hints.reset_requests = reset;
  return hints;
}

TEST(DomainLimiter, what_remains_of_a_declared_limit_never_slows_it_down) {
  // Paced requests fill a minute's window, and its reset is a minute away.
  DomainLimiter told = limiter_of({rpm(600), tpm(600'000)});
  DomainLimiter untold = limiter_of({rpm(600), tpm(600'000)});
  Instant now = kStart;
  for (int i = 0; i < 1300; ++i) {
    now = untold.earliest(now, kSmall);
    ASSERT_EQ(told.earliest(now, kSmall), now) << i;
    const Reservation reservation = told.reserve(now, kSmall);
    (void)untold.reserve(now, kSmall);
    LimitHints hints = nothing_left(minutes(1), 600);
    hints.limit_tokens = 600'000;
    hints.remaining_tokens = 0;
    hints.reset_tokens = minutes(6);
    told.observe(now + milliseconds(20), hints, reservation);
    now += milliseconds(20);
  }
}

TEST(DomainLimiter, a_gate_that_a_refusal_closed_is_not_opened_by_what_remains) {
  DomainLimiter limiter = limiter_of({});
  const Reservation reservation = limiter.reserve(kStart, kSmall);
  limiter.gate(kStart + seconds(30));
  LimitHints hints = nothing_left(seconds(1), 600);
  limiter.observe(kStart, hints, reservation);
  hints.remaining_requests = 600;
  limiter.observe(kStart + seconds(1), hints, reservation);
  EXPECT_EQ(limiter.earliest(kStart + seconds(1), kSmall), kStart + seconds(30));
}

TEST(DomainLimiter, a_limit_that_is_not_declared_waits_for_its_next_unit) {
  // Empty, and full in a minute: one request in a tenth of a second.
  DomainLimiter limiter = limiter_of({});
  const Reservation reservation = limiter.reserve(kStart, kSmall);
  limiter.observe(kStart + milliseconds(10), nothing_left(minutes(1), 600), reservation);
  EXPECT_EQ(limiter.status(kStart + milliseconds(10)).gate, kStart + milliseconds(100));
  // A second later it is there again, whenever the answer came.
  DomainLimiter late = limiter_of({});
  const Reservation slow = late.reserve(kStart, kSmall);
  late.observe(kStart + seconds(1), nothing_left(minutes(1), 600), slow);
  EXPECT_EQ(late.status(kStart + seconds(1)).gate, std::nullopt);
}

TEST(DomainLimiter, tokens_that_are_not_declared_wait_for_those_of_a_request) {
  DomainLimiter limiter = limiter_of({});
  const Reservation reservation = limiter.reserve(kStart, kSmall);  // 1,000 tokens
  LimitHints hints;
  hints.limit_tokens = 60'000;
  hints.remaining_tokens = 0;
  hints.reset_tokens = minutes(1);
  limiter.observe(kStart, hints, reservation);
  EXPECT_EQ(limiter.status(kStart).gate, kStart + seconds(1));
}

TEST(DomainLimiter, numbers_without_a_limit_close_the_gate_until_the_reset) {
  DomainLimiter limiter = limiter_of({});
  const Reservation reservation = limiter.reserve(kStart, kSmall);
  LimitHints hints;
  hints.remaining_tokens = 0;
  hints.reset_tokens = seconds(7);
  limiter.observe(kStart, hints, reservation);
  EXPECT_EQ(limiter.earliest(kStart, kSmall), kStart + seconds(7));
}

TEST(DomainLimiter, ignores_what_says_nothing_about_now) {
  DomainLimiter limiter = limiter_of({});
  const Reservation reservation = limiter.reserve(kStart, kSmall);
  LimitHints hints = nothing_left(seconds(1));  // over when it is read
  hints.remaining_tokens = -1;                  // "unknown"
  hints.reset_tokens = minutes(6);
  limiter.observe(kStart + seconds(2), hints, reservation);
  EXPECT_EQ(limiter.earliest(kStart + seconds(2), kSmall), kStart + seconds(2));
  LimitHints endless;
  endless.remaining_requests = 0;  // no reset
  limiter.observe(kStart + seconds(2), endless, reservation);
  EXPECT_EQ(limiter.earliest(kStart + seconds(2), kSmall), kStart + seconds(2));
}

TEST(DomainLimiter, shows_what_is_used_and_allowed) {
  DomainLimiter limiter = limiter_of({rpm(600), tpm(60'000), in_flight(4)});
  Reservation reservation = limiter.reserve(kStart, kSmall);
  limiter.settle(kStart, reservation, {.input = 700, .output = 100});
  const DomainStatus status = limiter.status(kStart);
  EXPECT_EQ(status.name, "alpha/key-1×sim-large");
  EXPECT_EQ(status.in_flight, 1U);
  ASSERT_EQ(status.limits.size(), 3U);
  EXPECT_EQ(status.limits[0].used, 1);
  EXPECT_NEAR(status.limits[0].allowed, 594, 1e-9);
  EXPECT_EQ(status.limits[1].used, 800);
  EXPECT_EQ(status.limits[2].used, 1);
  EXPECT_EQ(status.limits[2].allowed, 4);
}

TEST(DomainLimiter, admits_exactly_at_the_instant_it_named) {
  EXPECT_TRUE(rc::check([] {
    DomainLimiter limiter = limiter_of(
        {rpm(*rc::gen::inRange(10, 5000)), tpm(*rc::gen::inRange(5'000, 500'000)), in_flight(5)});
    std::vector<Reservation> open;
    Instant now = kStart;
    for (int i = 0; i < 60; ++i) {
      const RequestSize size{.input = static_cast<double>(*rc::gen::inRange(1, 3000)),
                             .output = static_cast<double>(*rc::gen::inRange(0, 1000))};
      Instant at = limiter.earliest(now, size);
      if (at == kUntilFreed) {
        const RequestSize used{.input = size.input,
                               .output = static_cast<double>(*rc::gen::inRange(0, 2000))};
        limiter.settle(now, open.front(), used);
        limiter.release(now, open.front(), milliseconds(*rc::gen::inRange(0, 500)));
        open.erase(open.begin());
        at = limiter.earliest(now, size);
      }
      RC_ASSERT(at >= now);
      RC_ASSERT(at < kUntilFreed);
      // sched::OpeningBounds relies on it.
      const RequestSize larger{
          .input = size.input + static_cast<double>(*rc::gen::inRange(0, 3000)),
          .output = size.output + static_cast<double>(*rc::gen::inRange(0, 1000))};
      RC_ASSERT(limiter.earliest(now, larger) >= at);
      if (at > now + milliseconds(1)) {
        RC_ASSERT(limiter.earliest(at - milliseconds(1), size) > at - milliseconds(1));
      }
      now = at;
      open.push_back(limiter.reserve(now, size));  // CHECKs that all limits admit it
      RC_ASSERT(open.size() <= 5U);
      for (const LimitStatus& limit : limiter.status(now).limits) {
        RC_ASSERT(limit.used >= 0);
      }
    }
  }));
}

}  // namespace
}  // namespace sortie::quota
