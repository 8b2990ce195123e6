#include "sortie/engine/loss_meter.h"

#include "sortie/engine/speed.h"

#include <chrono>
#include <cstdint>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::Instant kStart{};

/// One model over `keys` routes, each with a limit of its own.
spec::Topology topology_with(const quota::Limit& limit, std::size_t keys = 1) {
  spec::Topology topology;
  topology.models.resize(1);
  topology.models[0].name = "m";
  topology.endpoints.resize(1);
  for (std::size_t i = 0; i < keys; ++i) {
    topology.domains.push_back({.name = "d" + std::to_string(i), .limits = {limit}});
    spec::Route route;
    route.name = "e/k" + std::to_string(i) + "/m";
    route.key = i;
    route.domains = {i};
    topology.routes.push_back(route);
  }
  return topology;
}

quota::Limit per_second(double requests) {
  return {.kind = quota::LimitKind::requests, .quota = requests, .window = seconds(1)};
}

double at(const Losses& losses, Loss loss) {
  return losses[static_cast<std::size_t>(loss)];
}

TEST(LossMeter, loses_nothing_at_the_limits_own_pace) {
  const spec::Topology topology = topology_with(per_second(10));
  LossMeter meter(topology, kStart);
  meter.observe({Loss::margin}, kStart);
  for (int i = 0; i < 100; ++i) {
    meter.took(0, {}, kStart + milliseconds(100) * i);
  }
  meter.observe({Loss::margin}, kStart + seconds(10));
  const Losses losses = meter.of(0, quota::LimitKind::requests).value();
  EXPECT_NEAR(std::accumulate(losses.begin(), losses.end(), 0.0), 0, 1e-9);
}

TEST(LossMeter, gives_each_unused_moment_to_the_reason_that_held_then) {
  const spec::Topology topology = topology_with(per_second(10));
  LossMeter meter(topology, kStart);
  meter.observe({Loss::ramp}, kStart);
  meter.observe({Loss::margin}, kStart + seconds(2));
  // Two seconds' worth at once: they keep the limit busy until second 4.
  for (int i = 0; i < 20; ++i) {
    meter.took(0, {}, kStart + seconds(2));
  }
  meter.observe({Loss::gate}, kStart + seconds(5));
  meter.observe({Loss::tail}, kStart + seconds(8));
  meter.observe({Loss::tail}, kStart + seconds(9));
  const Losses losses = meter.of(0, quota::LimitKind::requests).value();
  EXPECT_NEAR(at(losses, Loss::ramp), 2, 1e-9);
  EXPECT_NEAR(at(losses, Loss::margin), 1, 1e-9);
  EXPECT_NEAR(at(losses, Loss::gate), 3, 1e-9);
  EXPECT_NEAR(at(losses, Loss::tail), 1, 1e-9);
}

TEST(LossMeter, counts_what_failed_as_lost_and_what_was_never_sent_as_unused) {
  const spec::Topology topology = topology_with(per_second(1));
  LossMeter meter(topology, kStart);
  meter.observe({Loss::margin}, kStart);
  meter.took(0, {}, kStart);
  meter.failed(0, {}, seconds(1), Loss::retry, kStart + seconds(1));
  meter.took(0, {}, kStart + seconds(1));
  meter.failed(0, {}, seconds(1), Loss::fault, kStart + seconds(2));
  meter.took(0, {}, kStart + seconds(2));
  meter.returned(0, {}, kStart + seconds(2));
  meter.observe({Loss::margin}, kStart + seconds(3));
  const Losses losses = meter.of(0, quota::LimitKind::requests).value();
  EXPECT_NEAR(at(losses, Loss::retry), 1, 1e-9);
  EXPECT_NEAR(at(losses, Loss::fault), 1, 1e-9);
  EXPECT_NEAR(at(losses, Loss::margin), 1, 1e-9);
}

TEST(LossMeter, settles_tokens_to_what_was_used) {
  const spec::Topology topology =
      topology_with({.kind = quota::LimitKind::tokens, .quota = 1000, .window = seconds(1)});
  LossMeter meter(topology, kStart);
  meter.observe({Loss::margin}, kStart);
  const quota::RequestSize size{.input = 2000, .output = 1000, .max_output = 4000};
  meter.took(0, size, kStart);
  // It used one second's worth, in a second: what was thought to keep it busy for longer is free.
  meter.answered(0, size, {.input = 900, .output = 100, .max_output = 4000}, kStart + seconds(1));
  meter.observe({Loss::idle}, kStart + seconds(1));
  meter.observe({Loss::idle}, kStart + seconds(2));
  const Losses losses = meter.of(0, quota::LimitKind::tokens).value();
  EXPECT_NEAR(at(losses, Loss::margin), 0, 1e-9);
  EXPECT_NEAR(at(losses, Loss::idle), 1, 1e-9);
}

TEST(LossMeter, counts_free_slots_of_concurrency) {
  const spec::Topology topology =
      topology_with({.kind = quota::LimitKind::concurrency, .quota = 4});
  LossMeter meter(topology, kStart);
  meter.observe({Loss::idle}, kStart);
  meter.took(0, {}, kStart);
  meter.took(0, {}, kStart);
  meter.answered(0, {}, {}, kStart + seconds(2));
  meter.failed(0, {}, seconds(4), Loss::fault, kStart + seconds(4));
  const Losses losses = meter.of(0, quota::LimitKind::concurrency).value();
  EXPECT_NEAR(at(losses, Loss::idle), 2 * 0.5 + 2 * 0.75, 1e-9);
  EXPECT_NEAR(at(losses, Loss::fault), 1, 1e-9);
}

TEST(Speed, adds_up_to_the_time_beyond_the_bound) {
  const spec::Topology topology = topology_with(per_second(10), 3);
  LossMeter meter(topology, kStart);
  const std::vector<Loss> margin(3, Loss::margin);
  meter.observe(std::vector<Loss>(3, Loss::ramp), kStart);
  meter.observe(margin, kStart + seconds(1));
  double answered = 0;
  std::uint64_t draws = 7;
  for (int i = 0; i < 400; ++i) {
    draws = draws * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto route = static_cast<std::size_t>(i % 3);
    const base::Instant now = kStart + seconds(1) + milliseconds(40) * i;
    meter.took(route, {}, now);
    if (draws >> 40U & 7U) {
      meter.answered(route, {}, {}, now + milliseconds(20));
      ++answered;
    } else {
      meter.failed(route, {}, milliseconds(20), Loss::fault, now + milliseconds(20));
    }
  }
  meter.observe(margin, kStart + seconds(18));
  const auto report = speed_of(topology, {}, {{.model = 0, .requests = answered}}, meter, 18);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_NEAR(report->bound_seconds, answered / 30, 1e-9);
  ASSERT_TRUE(report->has_losses);
  EXPECT_NEAR(std::accumulate(report->losses.begin(), report->losses.end(), 0.0),
              18 - report->bound_seconds,
              1e-9);
  // With equal keys nothing depends on which of them a request used: no residue.
  EXPECT_NEAR(at(report->losses, Loss::ramp), 1, 1e-9);
  EXPECT_NEAR(at(report->losses, Loss::placement), 0, 1e-6);
}

TEST(Speed, without_a_limit_is_bounded_by_the_longest_dialogue) {
  spec::Topology topology = topology_with(per_second(10));
  topology.domains[0].limits.clear();
  LossMeter meter(topology, kStart);
  const auto report =
      speed_of(topology, {}, {{.model = 0, .requests = 5, .dialogue_seconds = 4}}, meter, 8);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->bound_seconds, 4);
  EXPECT_EQ(report->fraction(), 0.5);
  EXPECT_FALSE(report->has_losses);
}

}  // namespace
}  // namespace sortie::engine
