#include "sortie/stats/bootstrap.h"

#include "sortie/base/random.h"

#include <vector>

#include <gtest/gtest.h>

namespace sortie::stats {
namespace {

TEST(Bootstrap, is_a_function_of_its_inputs_and_seed) {
  std::vector<TaskResult> tasks;
  for (std::uint32_t i = 0; i < 100; ++i) {
    tasks.push_back({.stratum = i % 5, .sum = i % 3 == 0 ? 1.0 : 0.0, .count = 1});
  }
  const Interval a = bootstrap_mean(tasks, {.seed = base::digest_of("a")});
  const Interval again = bootstrap_mean(tasks, {.seed = base::digest_of("a")});
  EXPECT_EQ(a.low, again.low);
  EXPECT_EQ(a.high, again.high);
  EXPECT_LT(a.low, 0.34);
  EXPECT_GT(a.high, 0.34);
}

TEST(Bootstrap, without_variation_has_no_width) {
  const std::vector<TaskResult> tasks(50, {.stratum = 1, .sum = 2, .count = 2});
  const Interval interval = bootstrap_mean(tasks, {});
  EXPECT_EQ(interval.low, 1);
  EXPECT_EQ(interval.high, 1);
  EXPECT_EQ(bootstrap_mean({}, {}).low, 0);
  EXPECT_EQ(bootstrap_mean({}, {}).high, 1);
}

TEST(Bootstrap, covers_the_truth_where_trials_share_tasks) {
  // 60 tasks whose own success rate is 0 or 1, each tried ten times: the pooled share has the
  // variance of 60, not of 600.
  base::RandomStream random(base::digest_of("coverage"));
  int covered = 0;
  constexpr int kWorlds = 200;
  for (int world = 0; world < kWorlds; ++world) {
    std::vector<TaskResult> tasks;
    for (std::uint32_t i = 0; i < 60; ++i) {
      tasks.push_back({.stratum = i % 5, .sum = random.uniform() < 0.5 ? 10.0 : 0.0, .count = 10});
    }
    const Interval interval = bootstrap_mean(
        tasks, {.draws = 400, .seed = base::FieldHasher("t").field("world", world).finish()});
    covered += interval.low <= 0.5 && interval.high >= 0.5 ? 1 : 0;
  }
  EXPECT_GE(covered, kWorlds * 88 / 100);
  EXPECT_LE(covered, kWorlds);
}

}  // namespace
}  // namespace sortie::stats
