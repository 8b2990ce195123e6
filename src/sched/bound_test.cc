#include "sortie/sched/bound.h"

#include "sortie/sched/test_support.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using test::rpm;
using test::slots;
using test::tpm;
using test::World;

Bound bound_of(const World& world, const std::vector<WorkClass>& work) {
  const auto bound = lower_bound(world.topology(), work);
  EXPECT_TRUE(bound.has_value()) << (bound ? "" : bound.error().message);
  return bound.value_or(Bound{});
}

World keys(const std::vector<std::vector<quota::Limit>>& limits) {
  World world;
  const std::size_t model = world.model("m");
  const std::size_t endpoint = world.endpoint("e");
  for (std::size_t i = 0; i < limits.size(); ++i) {
    world.route(model, endpoint, {world.domain("key-" + std::to_string(i + 1), limits[i])});
  }
  return world;
}

TEST(LowerBound, of_equal_keys_is_requests_over_the_sum_of_limits) {
  const Bound bound = bound_of(keys({{rpm(600)}, {rpm(600)}, {rpm(600)}}), {{.requests = 9000}});
  EXPECT_NEAR(bound.seconds, 300, 1e-4);
  ASSERT_EQ(bound.bottlenecks.size(), 3U);
  for (const Bottleneck& one : bound.bottlenecks) {
    EXPECT_EQ(one.limit, "requests");
    EXPECT_NEAR(one.saving_of_ten_percent, 1 - 3 / 3.1, 1e-6);
  }
}

TEST(LowerBound, of_unequal_keys_names_the_largest_first) {
  const Bound bound = bound_of(keys({{rpm(300)}, {rpm(1200)}, {rpm(600)}}), {{.requests = 7000}});
  EXPECT_NEAR(bound.seconds, 7000 / 35.0, 1e-4);
  ASSERT_EQ(bound.bottlenecks.size(), 3U);
  EXPECT_EQ(bound.bottlenecks[0].domain, "key-2");
  EXPECT_NEAR(bound.bottlenecks[0].saving_of_ten_percent, 1 - 35 / 37.0, 1e-6);
  EXPECT_EQ(bound.bottlenecks[2].domain, "key-1");
}

TEST(LowerBound, counts_tokens_by_each_limits_own_rule) {
  quota::Limit kept = tpm(60'000);
  kept.cost = quota::TokenCost::input_plus_max;
  const WorkClass work{
      .requests = 100, .input_tokens = 1000, .output_tokens = 200, .max_output_tokens = 4000};
  EXPECT_NEAR(bound_of(keys({{tpm(60'000)}}), {work}).seconds, 100 * 1200 / 1000.0, 1e-4);
  EXPECT_NEAR(bound_of(keys({{kept}}), {work}).seconds, 100 * 5000 / 1000.0, 1e-4);
}

TEST(LowerBound, is_that_of_the_tighter_of_two_limits) {
  const World world = keys({{rpm(600), tpm(60'000)}});
  const Bound bound =
      bound_of(world, {{.requests = 100, .input_tokens = 900, .output_tokens = 100}});
  EXPECT_NEAR(bound.seconds, 100, 1e-4);
  ASSERT_EQ(bound.bottlenecks.size(), 1U);
  EXPECT_EQ(bound.bottlenecks[0].limit, "tokens");
  EXPECT_NEAR(bound.bottlenecks[0].saving_of_ten_percent, 1 - 1 / 1.1, 1e-6);
}

TEST(LowerBound, of_slots_is_service_time_over_slots) {
  const Bound bound =
      bound_of(keys({{slots(30)}, {slots(10)}}), {{.requests = 1000, .service_seconds = 4}});
  EXPECT_NEAR(bound.seconds, 100, 1e-4);
  EXPECT_EQ(bound.bottlenecks.at(0).limit, "concurrency");
}

TEST(LowerBound, of_disjoint_rights_is_the_longest_of_each) {
  World world;
  const std::size_t endpoint = world.endpoint("e");
  world.route(world.model("a"), endpoint, {world.domain("da", {rpm(60)})});
  world.route(world.model("b"), endpoint, {world.domain("db", {rpm(60)})});
  const Bound bound =
      bound_of(world, {{.model = 0, .requests = 100}, {.model = 1, .requests = 250}});
  EXPECT_NEAR(bound.seconds, 250, 1e-4);
  ASSERT_EQ(bound.bottlenecks.size(), 1U);
  EXPECT_EQ(bound.bottlenecks[0].domain, "db");
}

TEST(LowerBound, gives_the_shared_key_to_whom_has_no_other) {
  // Model a may use both keys, b only the second: together 2 per second.
  World world;
  const std::size_t endpoint = world.endpoint("e");
  const std::size_t first = world.domain("first", {rpm(60)});
  const std::size_t second = world.domain("second", {rpm(60)});
  const std::size_t a = world.model("a");
  const std::size_t b = world.model("b");
  world.route(a, endpoint, {first});
  world.route(a, endpoint, {second});
  world.route(b, endpoint, {second});
  EXPECT_NEAR(
      bound_of(world, {{.model = a, .requests = 150}, {.model = b, .requests = 50}}).seconds,
      100,
      1e-4);
  EXPECT_NEAR(
      bound_of(world, {{.model = a, .requests = 50}, {.model = b, .requests = 150}}).seconds,
      150,
      1e-4);
}

TEST(LowerBound, two_keys_of_one_account_are_one_pool) {
  World world;
  const std::size_t model = world.model("m");
  const std::size_t endpoint = world.endpoint("e");
  const std::size_t account = world.domain("account", {rpm(600)});
  world.route(model, endpoint, {account});
  world.route(model, endpoint, {account});
  EXPECT_NEAR(bound_of(world, {{.requests = 1000}}).seconds, 100, 1e-4);
}

TEST(LowerBound, without_limits_is_the_critical_path) {
  const Bound bound =
      bound_of(keys({{}}), {{.requests = 1e6, .service_seconds = 2, .dialogue_seconds = 77}});
  EXPECT_EQ(bound.seconds, 77);
  ASSERT_EQ(bound.bottlenecks.size(), 1U);
  EXPECT_EQ(bound.bottlenecks[0].domain, "");
}

TEST(LowerBound, more_of_a_limit_helps_only_down_to_the_critical_path) {
  const Bound bound = bound_of(keys({{rpm(60)}}), {{.requests = 100, .dialogue_seconds = 95}});
  EXPECT_NEAR(bound.seconds, 100, 1e-4);
  EXPECT_NEAR(bound.bottlenecks.at(0).saving_of_ten_percent, 0.05, 1e-6);
}

TEST(LowerBound, of_nothing_is_nothing) {
  EXPECT_EQ(bound_of(keys({{rpm(60)}}), {}).seconds, 0);
  EXPECT_EQ(bound_of(keys({{rpm(60)}}), {{.requests = 0, .dialogue_seconds = 9}}).seconds, 0);
  EXPECT_TRUE(bound_of(keys({{rpm(60)}}), {}).bottlenecks.empty());
}

TEST(LowerBound, keeps_its_precision_for_ten_million_trials) {
  quota::Limit tokens = tpm(30e6);
  const World world = keys({{rpm(30), tokens}, {rpm(30'000), tokens}});
  const Bound bound = bound_of(world, {{.requests = 1e8, .input_tokens = 1}});
  EXPECT_NEAR(bound.seconds / (1e8 / (30'030 / 60.0)), 1, 1e-6);
}

TEST(LowerBound, keeps_its_precision_for_a_handful_of_requests_on_huge_limits) {
  const Bound bound = bound_of(keys({{rpm(30e6)}, {rpm(30e6)}, {rpm(60e6)}}), {{.requests = 10}});
  EXPECT_NEAR(bound.seconds / (10 / 2e6), 1, 1e-6);
  EXPECT_EQ(bound.bottlenecks.size(), 3U);
}

TEST(LowerBound, refuses_a_model_that_nothing_can_serve) {
  World world = keys({{rpm(60)}});
  const std::size_t orphan = world.model("orphan");
  const auto bound = lower_bound(world.topology(), {{.model = orphan, .requests = 1}});
  ASSERT_FALSE(bound.has_value());
  EXPECT_NE(bound.error().message.find("'orphan'"), std::string::npos);
  EXPECT_FALSE(lower_bound(keys({{rpm(0)}}).topology(), {{.requests = 1}}).has_value());
  EXPECT_FALSE(lower_bound(world.topology(), {{.model = 9, .requests = 1}}).has_value());
}

}  // namespace
}  // namespace sortie::sched
