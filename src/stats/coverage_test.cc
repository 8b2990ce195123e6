#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/stats/bootstrap.h"
#include "sortie/stats/logistic.h"
#include "sortie/stats/proportion.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <boost/math/distributions/binomial.hpp>
#include <gtest/gtest.h>

// Whether the intervals of the tables keep their promise. A simulated campaign draws 20 tasks of
// each of five types; a task is easier or harder for every model and in every cell alike, and on
// top of that each model finds it easier or harder for itself. What an interval has to contain is
// the success rate over all tasks that could have been drawn, types weighing the same.

namespace sortie::stats {
namespace {

constexpr std::uint32_t kTypes = 5;
constexpr std::uint32_t kTasks = 100;
constexpr std::array<double, 5> kSizes = {3, 7, 14, 32, 72};
constexpr double kTaskSpread = 1.2;  // of log odds, shared by all cells
constexpr double kOwnSpread = 0.6;   // of log odds, one cell's own
constexpr std::size_t kFlaws = 7;

struct World {
  std::string name;
  double level = 0;  // log odds of the middle type in the first cell
};

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

double type_effect(std::uint32_t type) {
  return 0.4 * (static_cast<double>(type) - 2);
}

/// Mean success over the population of tasks, by the trapezoid rule on the normal density.
double population_rate(double level) {
  const double spread = std::sqrt(kTaskSpread * kTaskSpread + kOwnSpread * kOwnSpread);
  double sum = 0;
  double weights = 0;
  for (std::uint32_t type = 0; type < kTypes; ++type) {
    for (int i = -400; i <= 400; ++i) {
      const double z = i / 50.0;
      const double weight = std::exp(-z * z / 2);
      sum += weight * sigmoid(level + type_effect(type) + spread * z);
      weights += weight;
    }
  }
  return sum / weights;
}

double cell_level(const World& world, std::size_t cell) {
  return world.level - 0.25 * static_cast<double>(cell);
}

double size_level(const World& world, double size) {
  return world.level + 0.5 * (std::log2(size) - 4);
}

/// What a task's trials give in every cell of one campaign.
class Campaign {
 public:
  Campaign(const World& world, int number)
      : random_(base::FieldHasher("coverage")
                    .field("world", world.name)
                    .field("campaign", number)
                    .finish()) {
    for (std::uint32_t task = 0; task < kTasks; ++task) {
      effects_.push_back(type_effect(task % kTypes) + kTaskSpread * random_.normal());
    }
  }

  double chance(std::uint32_t task, double level) {
    return sigmoid(level + effects_[task] + kOwnSpread * random_.normal());
  }

  double success(std::uint32_t task, double level) {
    const double p = chance(task, level);
    return random_.uniform() < p ? 1 : 0;
  }

  /// Four things to do, each like a success.
  double graded(std::uint32_t task, double level) {
    const double p = chance(task, level);
    double done = 0;
    for (int part = 0; part < 4; ++part) {
      done += random_.uniform() < p ? 0.25 : 0;
    }
    return done;
  }

 private:
  base::RandomStream random_;
  std::vector<double> effects_;
};

struct Covered {
  std::map<std::string, int> counts;

  void add(const std::string& kind, Interval interval, double truth) {
    counts[kind] += interval.low <= truth && truth <= interval.high ? 1 : 0;
  }
};

void cover_cell(const World& world, Campaign& campaign, Covered& covered) {
  std::uint64_t successes = 0;
  for (std::uint32_t task = 0; task < kTasks; ++task) {
    successes += campaign.success(task, world.level) > 0 ? 1U : 0U;
  }
  covered.add("Wilson, one cell", wilson(successes, kTasks), population_rate(world.level));
}

void cover_pooled(const World& world,
                  Campaign& campaign,
                  const BootstrapOptions& options,
                  Covered& covered) {
  std::vector<TaskResult> tasks;
  double truth = 0;
  for (std::size_t cell = 0; cell < kFlaws; ++cell) {
    truth += population_rate(cell_level(world, cell)) / kFlaws;
  }
  for (std::uint32_t task = 0; task < kTasks; ++task) {
    TaskResult& result = tasks.emplace_back();
    result.stratum = task % kTypes;
    for (std::size_t cell = 0; cell < kFlaws; ++cell) {
      result.sum += campaign.success(task, cell_level(world, cell));
      result.count += 1;
    }
  }
  covered.add("bootstrap over tasks, pooled cells", bootstrap_mean(tasks, options), truth);
}

void cover_differences(const World& world,
                       Campaign& campaign,
                       const BootstrapOptions& options,
                       Covered& covered) {
  const double other = world.level - 0.8;
  const double truth = population_rate(world.level) - population_rate(other);
  std::vector<PairedTask> single;
  std::vector<PairedTask> graded;
  std::vector<PairedTask> pooled;
  for (std::uint32_t task = 0; task < kTasks; ++task) {
    single.push_back({.stratum = task % kTypes,
                      .first = campaign.success(task, world.level),
                      .second = campaign.success(task, other),
                      .pairs = 1});
    graded.push_back({.stratum = task % kTypes,
                      .first = campaign.graded(task, world.level),
                      .second = campaign.graded(task, other),
                      .pairs = 1});
    PairedTask& all = pooled.emplace_back();
    all.stratum = task % kTypes;
    for (std::size_t model = 0; model < kSizes.size(); ++model) {
      all.first += campaign.success(task, world.level);
      all.second += campaign.success(task, other);
      all.pairs += 1;
    }
  }
  covered.add("paired difference, success", bootstrap_difference(single, options).interval, truth);
  covered.add("paired difference, graded", bootstrap_difference(graded, options).interval, truth);
  covered.add(
      "paired difference, pooled models", bootstrap_difference(pooled, options).interval, truth);
}

void cover_slope(const World& world,
                 Campaign& campaign,
                 const BootstrapOptions& options,
                 Covered& covered) {
  std::vector<double> x;
  std::vector<LogisticPoint> population;
  for (const double size : kSizes) {
    x.push_back(std::log2(size));
    population.push_back(
        {.x = x.back(), .successes = 1e6 * population_rate(size_level(world, size)), .n = 1e6});
  }
  std::vector<SizedTask> tasks;
  for (std::uint32_t task = 0; task < kTasks; ++task) {
    SizedTask& results = tasks.emplace_back();
    results.stratum = task % kTypes;
    for (const double size : kSizes) {
      results.successes.push_back(campaign.success(task, size_level(world, size)));
      results.n.push_back(1);
    }
  }
  const auto truth = fit_logistic(population, LogisticMethod::likelihood);
  const auto slope = bootstrap_slope(x, tasks, options);
  ASSERT_TRUE(truth.has_value() && slope.has_value());
  covered.add("slope on log2 of parameters", slope->interval, truth->slope);
}

/// 93 to 97 % of 2,000; of fewer campaigns what a coverage within these bounds can give.
Interval allowed(int campaigns) {
  constexpr int kFull = 2000;
  if (campaigns == kFull) {
    return {.low = 0.93 * kFull, .high = 0.97 * kFull};
  }
  const boost::math::binomial_distribution<double> least(campaigns, 0.93);
  const boost::math::binomial_distribution<double> most(campaigns, 0.97);
  return {.low = std::floor(boost::math::quantile(least, 1e-3)),
          .high = std::ceil(boost::math::quantile(boost::math::complement(most, 1e-3)))};
}

void check_coverage(const World& world) {
  const bool full = std::getenv("SORTIE_FULL") != nullptr;
  const int campaigns = full ? 2000 : 200;
  Covered covered;
  for (int number = 0; number < campaigns; ++number) {
    Campaign campaign(world, number);
    const BootstrapOptions options{
        .draws = full ? std::size_t{2000} : std::size_t{600},
        .seed = base::FieldHasher("coverage.seed").field("campaign", number).finish()};
    cover_cell(world, campaign, covered);
    cover_pooled(world, campaign, options, covered);
    cover_differences(world, campaign, options, covered);
    cover_slope(world, campaign, options, covered);
  }
  EXPECT_EQ(covered.counts.size(), 6U);
  const Interval bounds = allowed(campaigns);
  for (const auto& [kind, count] : covered.counts) {
    std::printf("  %s, %s: %d of %d\n", world.name.c_str(), kind.c_str(), count, campaigns);
    EXPECT_GE(count, bounds.low) << world.name << ", " << kind;
    EXPECT_LE(count, bounds.high) << world.name << ", " << kind;
  }
}

TEST(Coverage, is_kept_where_about_half_of_the_trials_succeed) {
  check_coverage({.name = "middle", .level = 0.4});
}

TEST(Coverage, is_kept_where_most_trials_succeed) {
  check_coverage({.name = "high", .level = 2.2});
}

}  // namespace
}  // namespace sortie::stats
