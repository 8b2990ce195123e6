#include "sortie/engine/speed.h"

#include "sortie/base/json.h"
#include "sortie/base/time.h"
#include "sortie/engine/learned_limits.h"
#include "sortie/engine/loss.h"
#include "sortie/engine/loss_meter.h"
#include "sortie/quota/learner.h"
#include "sortie/quota/limit.h"
#include "sortie/sched/bound.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"

#include <chrono>
#include <cstddef>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::engine {
namespace {

using quota::LimitKind;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::Instant kStart{};

/// One model over `keys` routes without a limit domain.
spec::Topology undeclared(std::size_t keys) {
  spec::Topology topology;
  topology.models.resize(1);
  topology.models[0].name = "m";
  topology.endpoints.resize(1);
  for (std::size_t i = 0; i < keys; ++i) {
    spec::Route route;
    route.name = "e/k" + std::to_string(i) + "/m";
    route.key = i;
    topology.routes.push_back(route);
  }
  return topology;
}

quota::PoolMemory learned(std::string pool, double per_second, double confidence) {
  return {.pool = std::move(pool),
          .limits = {{.kind = LimitKind::requests, .value = per_second, .confidence = confidence}}};
}

std::vector<sched::WorkClass> requests(double count) {
  return {{.model = 0, .requests = count}};
}

/// So many answers over each route, one a second.
void answer(LossMeter& meter, const std::vector<std::size_t>& routes, int count) {
  for (int i = 0; i < count; ++i) {
    const base::Instant now = kStart + seconds(i);
    for (const std::size_t route : routes) {
      meter.took(route, {}, now);
      meter.answered(route, {}, {}, now + milliseconds(500));
    }
  }
}

TEST(Speed, of_learned_limits_is_an_estimate_and_its_losses_add_up) {
  const spec::Topology pools = with_pools(undeclared(2));
  ASSERT_EQ(pools.domains.size(), 2U);
  LossMeter meter(pools, kStart);
  meter.observe({Loss::cut, Loss::cut}, kStart);
  answer(meter, {0, 1}, 100);
  meter.observe({Loss::tail, Loss::tail}, kStart + seconds(100));
  meter.observe({Loss::tail, Loss::tail}, kStart + seconds(120));
  const KnownLimits known{.learned = {learned("e/k0/m", 1.25, 0.8), learned("e/k1/m", 1.25, 0.6)},
                          .shared = {}};
  const SpeedReport report = speed_of(pools, known, requests(200), meter, 120).value();
  EXPECT_TRUE(report.is_estimate);
  EXPECT_DOUBLE_EQ(report.confidence, 0.6);
  EXPECT_NEAR(report.bound_seconds, 80, 1e-6);
  EXPECT_NEAR(report.losses[static_cast<std::size_t>(Loss::cut)], 20, 0.5);
  EXPECT_NEAR(report.losses[static_cast<std::size_t>(Loss::tail)], 20, 0.5);
  EXPECT_NEAR(std::accumulate(report.losses.begin(), report.losses.end(), 0.0), 40, 1e-9);
  const json::Value document = to_json(report);
  EXPECT_TRUE(document.at("estimated").as_bool());
  EXPECT_DOUBLE_EQ(document.at("confidence").to_number<double>(), 0.6);
}

TEST(Speed, an_estimate_below_what_was_delivered_is_no_bound) {
  const spec::Topology pools = with_pools(undeclared(1));
  LossMeter meter(pools, kStart);
  meter.observe({Loss::cut}, kStart);
  answer(meter, {0}, 100);
  meter.observe({Loss::cut}, kStart + seconds(100));
  const KnownLimits known{.learned = {learned("e/k0/m", 0.5, 0.9)}, .shared = {}};
  const SpeedReport report = speed_of(pools, known, requests(100), meter, 100).value();
  EXPECT_NEAR(report.fraction(), 1, 1e-9);
  EXPECT_LE(report.fraction(), 1);
}

TEST(Speed, a_limit_where_learning_starts_is_replaced_by_what_was_learned) {
  spec::Topology topology = undeclared(1);
  topology.domains.push_back(
      {.name = "d", .limits = {{.kind = LimitKind::requests, .quota = 30, .learn = true}}});
  topology.routes[0].domains = {0};
  const spec::Topology pools = with_pools(topology);
  LossMeter meter(pools, kStart);
  answer(meter, {0}, 100);
  meter.observe({Loss::cut}, kStart + seconds(100));
  const KnownLimits known{.learned = {learned("d", 2, 0.5)}, .shared = {}};
  const SpeedReport report = speed_of(pools, known, requests(100), meter, 100).value();
  EXPECT_NEAR(report.bound_seconds, 50, 1e-6);
  EXPECT_TRUE(report.is_estimate);
}

TEST(Speed, keys_that_were_found_to_share_a_limit_are_bounded_by_it) {
  const spec::Topology pools = with_pools(undeclared(2));
  LossMeter meter(pools, kStart);
  meter.observe({Loss::cut, Loss::cut}, kStart);
  answer(meter, {0, 1}, 50);
  meter.observe({Loss::cut, Loss::cut}, kStart + seconds(50));
  const std::string name = "e/k0/m + e/k1/m";
  sched::SharedPool shared{.name = name, .members = {"e/k0/m", "e/k1/m"}, .since = {}};
  KnownLimits known{.learned = {learned(name, 2.5, 0.7)}, .shared = {shared}};
  const SpeedReport report = speed_of(pools, known, requests(100), meter, 50).value();
  EXPECT_EQ(report.domain, name);
  EXPECT_NEAR(report.bound_seconds, 40, 1e-6);
  EXPECT_NEAR(report.losses[static_cast<std::size_t>(Loss::cut)], 10, 0.5);
  known.shared[0].is_over = true;
  EXPECT_FALSE(speed_of(pools, known, requests(100), meter, 50)->has_losses);
}

TEST(Speed, without_any_limit_there_is_no_bound_to_speak_of) {
  const spec::Topology pools = with_pools(undeclared(1));
  LossMeter meter(pools, kStart);
  answer(meter, {0}, 10);
  const SpeedReport report = speed_of(pools, {}, requests(10), meter, 10).value();
  EXPECT_FALSE(report.has_losses);
  EXPECT_FALSE(report.is_estimate);
  EXPECT_EQ(report.bound_seconds, 0);
}

}  // namespace
}  // namespace sortie::engine
