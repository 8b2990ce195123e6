#include "sortie/sim/pools.h"

#include "sortie/base/time.h"
#include "sortie/sim/limiter.h"
#include "sortie/sim/profile.h"
#include "sortie/wire/message.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::sim {
namespace {

using base::Duration;
using base::Instant;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Instant at(Duration since_start) {
  return Instant(since_start);
}

LimitProfile requests(double quota) {
  LimitProfile limit;
  limit.name = "rpm";
  limit.quota = quota;
  return limit;
}

LimitProfile tokens(double quota, TokenCost cost, Settle settle = Settle::none) {
  LimitProfile limit;
  limit.name = "tpm";
  limit.dimension = Dimension::tokens;
  limit.quota = quota;
  limit.cost = cost;
  limit.settle = settle;
  return limit;
}

LimitProfile concurrency(double quota) {
  LimitProfile limit;
  limit.name = "slots";
  limit.dimension = Dimension::concurrency;
  limit.quota = quota;
  return limit;
}

Demand demand(std::string_view key = "key-1",
              std::string_view account = "a",
              std::string_view model = "m") {
  return {.key = key,
          .account = account,
          .model = model,
          .input = 100,
          .output = 50,
          .max_tokens = 1000};
}

TEST(LimitPools, every_key_has_a_pool_of_its_own) {
  LimitPools pools({requests(1)});
  Holding holding;
  EXPECT_FALSE(pools.admit(demand("key-1"), at(seconds(0)), holding));
  EXPECT_TRUE(pools.admit(demand("key-1"), at(seconds(0)), holding));
  EXPECT_FALSE(pools.admit(demand("key-2"), at(seconds(0)), holding));
}

TEST(LimitPools, keys_of_one_account_share_an_account_limit) {
  LimitProfile limit = requests(1);
  limit.per_key = false;
  limit.per_account = true;
  LimitPools pools({limit});
  Holding holding;
  EXPECT_FALSE(pools.admit(demand("key-1", "a"), at(seconds(0)), holding));
  EXPECT_TRUE(pools.admit(demand("key-2", "a"), at(seconds(0)), holding));
  EXPECT_FALSE(pools.admit(demand("key-3", "b"), at(seconds(0)), holding));
}

TEST(LimitPools, a_refused_request_takes_nothing_anywhere) {
  LimitPools pools({requests(10), tokens(160, TokenCost::input_output)});
  Holding holding;
  EXPECT_FALSE(pools.admit(demand(), at(seconds(0)), holding));
  for (int i = 0; i < 20; ++i) {
    const auto refusal = pools.admit(demand(), at(seconds(1)), holding);
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->dimension, Dimension::tokens);
  }
  wire::Headers headers;
  pools.append_headers(demand(), at(seconds(1)), headers);
  EXPECT_EQ(headers.find("x-ratelimit-remaining-requests"), "9");
}

TEST(LimitPools, refused_requests_count_where_the_profile_says_so) {
  LimitProfile limit = requests(1);
  limit.refused_count = true;
  LimitPools pools({limit});
  Holding holding;
  EXPECT_FALSE(pools.admit(demand(), at(seconds(0)), holding));
  EXPECT_TRUE(pools.admit(demand(), at(seconds(59)), holding));
  EXPECT_TRUE(pools.admit(demand(), at(seconds(61)), holding));
}

TEST(LimitPools, charges_tokens_by_each_rule) {
  const std::vector<std::pair<TokenCost, double>> costs = {
      {TokenCost::input, 100},
      {TokenCost::output, 50},
      {TokenCost::input_output, 150},
      {TokenCost::input_and_max_tokens, 1100},
      {TokenCost::larger_of_max_tokens_and_input, 1000}};
  for (const auto& [cost, expected] : costs) {
    LimitPools pools({tokens(10'000, cost)});
    Holding holding;
    ASSERT_FALSE(pools.admit(demand(), at(seconds(0)), holding));
    wire::Headers headers;
    pools.append_headers(demand(), at(seconds(0)), headers);
    EXPECT_EQ(headers.find("x-ratelimit-remaining-tokens"),
              std::to_string(static_cast<int>(10'000 - expected)));
  }
}

TEST(LimitPools, a_reservation_is_settled_at_the_end) {
  LimitPools pools({tokens(1200, TokenCost::input_and_max_tokens, Settle::at_end)});
  Holding holding;
  ASSERT_FALSE(pools.admit(demand(), at(seconds(0)), holding));
  Holding second;
  EXPECT_TRUE(pools.admit(demand(), at(seconds(1)), second));
  pools.finish(holding, at(seconds(2)), false);
  wire::Headers headers;
  pools.append_headers(demand(), at(seconds(2)), headers);
  EXPECT_EQ(headers.find("x-ratelimit-remaining-tokens"), "1050");
}

TEST(LimitPools, a_slot_is_taken_until_the_end_and_through_the_grace_after_a_disconnect) {
  LimitProfile limit = concurrency(1);
  limit.release_grace = seconds(2);
  LimitPools pools({limit});
  Holding first;
  Holding other;
  ASSERT_FALSE(pools.admit(demand(), at(seconds(0)), first));
  EXPECT_TRUE(pools.admit(demand(), at(seconds(1)), other));
  pools.finish(first, at(seconds(2)), true);
  EXPECT_TRUE(pools.admit(demand(), at(milliseconds(3999)), other));
  Holding second;
  EXPECT_FALSE(pools.admit(demand(), at(seconds(4)), second));
  pools.finish(second, at(seconds(5)), false);
  EXPECT_FALSE(pools.admit(demand(), at(seconds(5)), other));
}

TEST(LimitPools, six_hundred_a_minute_enforced_over_a_second_refuses_an_eleventh_in_one_second) {
  LimitProfile limit = requests(600);
  limit.enforced_over = seconds(1);
  LimitPools pools({limit});
  Holding holding;
  for (int i = 0; i < 10; ++i) {
    ASSERT_FALSE(pools.admit(demand(), at(milliseconds(i)), holding));
  }
  const auto refusal = pools.admit(demand(), at(milliseconds(10)), holding);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->wait, milliseconds(990));
  EXPECT_DOUBLE_EQ(refusal->quota, 10);
}

TEST(LimitPools, evenly_spaced_requests_at_the_limit_are_never_refused) {
  for (const Shape shape : {Shape::sliding, Shape::fixed_aligned, Shape::fixed_first_use}) {
    LimitProfile limit = requests(600);
    limit.enforced_over = seconds(1);
    limit.shape = shape;
    LimitPools pools({limit});
    for (int i = 0; i < 2000; ++i) {
      Holding holding;
      ASSERT_FALSE(pools.admit(demand(), at(milliseconds(100) * i), holding)) << i;
    }
  }
}

TEST(LimitPools, counts_arrivals_before_the_retry_after_has_passed) {
  LimitPools pools({requests(1)});
  Holding holding;
  EXPECT_FALSE(pools.admit(demand(), at(seconds(0)), holding));
  EXPECT_TRUE(pools.admit(demand(), at(seconds(10)), holding));
  EXPECT_TRUE(pools.admit(demand(), at(seconds(59)), holding));
  EXPECT_FALSE(pools.admit(demand(), at(seconds(60)), holding));
  const PoolReport report = pools.report().at(0);
  EXPECT_EQ(report.name, "rpm/key-1");
  EXPECT_EQ(report.admitted, 2U);
  EXPECT_EQ(report.refused, 2U);
  EXPECT_EQ(report.early_arrivals, 1U);
  EXPECT_DOUBLE_EQ(report.peak_demand, 2);
}

TEST(LimitPools, hidden_limits_show_no_headers) {
  LimitProfile limit = requests(1);
  limit.headers = false;
  LimitPools pools({limit});
  Holding holding;
  EXPECT_FALSE(pools.admit(demand(), at(seconds(0)), holding));
  wire::Headers headers;
  pools.append_headers(demand(), at(seconds(0)), headers);
  EXPECT_TRUE(headers.empty());
}

TEST(LimitPools, selectors_leave_other_models_alone) {
  LimitProfile limit = requests(1);
  limit.models = {"m"};
  LimitPools pools({limit});
  Holding holding;
  EXPECT_FALSE(pools.admit(demand("key-1", "a", "m"), at(seconds(0)), holding));
  EXPECT_TRUE(pools.admit(demand("key-1", "a", "m"), at(seconds(0)), holding));
  EXPECT_FALSE(pools.admit(demand("key-1", "a", "other"), at(seconds(0)), holding));
  EXPECT_FALSE(pools.admit(demand("key-1", "a", "other"), at(seconds(0)), holding));
}

TEST(GoDuration, reads_as_go_writes_it) {
  EXPECT_EQ(go_duration(Duration::zero()), "0s");
  EXPECT_EQ(go_duration(std::chrono::microseconds(100)), "1ms");
  EXPECT_EQ(go_duration(milliseconds(120)), "120ms");
  EXPECT_EQ(go_duration(seconds(1)), "1s");
  EXPECT_EQ(go_duration(milliseconds(7660)), "7.66s");
  EXPECT_EQ(go_duration(minutes(6)), "6m0s");
  EXPECT_EQ(go_duration(std::chrono::hours(1) + minutes(2) + milliseconds(3500)), "1h2m3.5s");
}

TEST(LimitPools, scales_the_pools_of_a_key_alone) {
  LimitPools pools({requests(4), concurrency(4)});
  pools.scale(demand("key-1"), 0.5, at(seconds(0)));
  for (const auto& [key, admitted] : {std::pair("key-1", 2), std::pair("key-2", 4)}) {
    for (int i = 0; i < 4; ++i) {
      Holding holding;
      EXPECT_EQ(pools.admit(demand(key), at(seconds(0)), holding).has_value(), i >= admitted);
    }
  }
}

}  // namespace
}  // namespace sortie::sim
