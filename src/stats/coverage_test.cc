#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/stats/bootstrap.h"
#include "sortie/stats/logistic.h"
#include "sortie/stats/proportion.h"
#include "sortie/stats/stratified.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <boost/math/distributions/binomial.hpp>
#include <gtest/gtest.h>

// Whether the intervals of the tables keep their promise. A simulated campaign draws tasks of five
// types; a task is easier or harder for every model and in every cell alike, and on top of that
// each model finds it easier or harder for itself. What an interval has to contain is the success
// rate over all tasks that could have been drawn, types weighing as much as they have scored
// trials.

namespace sortie::stats {
namespace {

constexpr std::uint32_t kTypes = 5;
constexpr std::array<double, 5> kSizes = {3, 7, 14, 32, 72};
constexpr double kTaskSpread = 1.2;  // of log odds, shared by all cells
constexpr double kOwnSpread = 0.6;   // of log odds, one cell's own
constexpr std::size_t kFlaws = 7;
constexpr int kRepeats = 3;
constexpr int kCalls = 4;  // of which some meet an injected failure

struct World {
  std::string name;
  double level = 0;  // log odds of the middle type in the first cell
  std::array<std::uint32_t, kTypes> tasks = {20, 20, 20, 20, 20};
  double lost = 0;  // share of trials without a score
};

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

double type_effect(std::uint32_t type) {
  return 0.4 * (static_cast<double>(type) - 2);
}

/// Where more calls go wrong more of them meet an injected failure.
double failure_rate(double chance) {
  return 0.1 + 0.3 * (1 - chance);
}

/// Means over the population of tasks of one type.
struct Population {
  double rate = 0;      // of success
  double four = 0;      // of four successes of four
  double failures = 0;  // of a trial
  double same = 0;      // failures of a trial followed by the same call
};

/// By the trapezoid rule on the normal density.
const Population& population(std::uint32_t type, double level) {
  static std::map<std::pair<std::uint32_t, double>, Population> known;
  const auto [entry, is_new] = known.try_emplace({type, level});
  Population& mean = entry->second;
  if (is_new) {
    const double spread = std::sqrt(kTaskSpread * kTaskSpread + kOwnSpread * kOwnSpread);
    double weights = 0;
    for (int i = -400; i <= 400; ++i) {
      const double z = i / 50.0;
      const double weight = std::exp(-z * z / 2);
      const double p = sigmoid(level + type_effect(type) + spread * z);
      mean.rate += weight * p;
      mean.four += weight * std::pow(p, 4);
      mean.failures += weight * kCalls * failure_rate(p);
      mean.same += weight * kCalls * failure_rate(p) * p;
      weights += weight;
    }
    mean = {.rate = mean.rate / weights,
            .four = mean.four / weights,
            .failures = mean.failures / weights,
            .same = mean.same / weights};
  }
  return mean;
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
      : lost_(world.lost),
        random_(base::FieldHasher("coverage")
                    .field("world", world.name)
                    .field("campaign", number)
                    .finish()) {
    for (std::uint32_t type = 0; type < kTypes; ++type) {
      types_.insert(types_.end(), world.tasks.at(type), type);
    }
    for (const std::uint32_t type : types_) {
      effects_.push_back(type_effect(type) + kTaskSpread * random_.normal());
    }
  }

  [[nodiscard]] std::uint32_t tasks() const { return static_cast<std::uint32_t>(types_.size()); }

  [[nodiscard]] std::uint32_t type(std::uint32_t task) const { return types_[task]; }

  bool lost() { return lost_ > 0 && random_.uniform() < lost_; }

  double chance(std::uint32_t task, double level) {
    return sigmoid(level + effects_[task] + kOwnSpread * random_.normal());
  }

  bool happens(double chance) { return random_.uniform() < chance; }

  double success(std::uint32_t task, double level) {
    const double p = chance(task, level);
    return happens(p) ? 1 : 0;
  }

  /// Four things to do, each like a success.
  double graded(std::uint32_t task, double level) {
    const double p = chance(task, level);
    double done = 0;
    for (int part = 0; part < 4; ++part) {
      done += happens(p) ? 0.25 : 0;
    }
    return done;
  }

 private:
  double lost_;
  base::RandomStream random_;
  std::vector<std::uint32_t> types_;
  std::vector<double> effects_;
};

struct Covered {
  struct Count {
    int covered = 0;
    int of = 0;
  };

  std::map<std::string, Count> counts;

  void add(const std::string& kind, Interval interval, double truth) {
    Count& count = counts[kind];
    count.covered += interval.low <= truth && truth <= interval.high ? 1 : 0;
    ++count.of;
  }
};

/// Trials of one cell by type, and what their share of successes is expected to be.
struct ExpectedShare {
  std::array<StratumCount, kTypes> types;
  double sum = 0;
  double count = 0;

  void add_trial(std::uint32_t type, bool success, double expected) {
    types.at(type).successes += success ? 1U : 0U;
    ++types.at(type).n;
    sum += expected;
    count += 1;
  }

  void add(const std::string& kind, Covered& covered) const {
    covered.add(kind, stratified_score(types), sum / count);
  }
};

void cover_cell(const World& world, Campaign& campaign, Covered& covered) {
  ExpectedShare success;
  for (std::uint32_t task = 0; task < campaign.tasks(); ++task) {
    if (!campaign.lost()) {
      const std::uint32_t type = campaign.type(task);
      success.add_trial(
          type, campaign.success(task, world.level) > 0, population(type, world.level).rate);
    }
  }
  success.add("score within types, one cell", covered);
  for (std::uint32_t type = 0; type < kTypes; ++type) {
    const StratumCount& trials = success.types.at(type);
    if (trials.n > 0) {
      covered.add("Wilson, one type of a cell",
                  wilson(trials.successes, trials.n),
                  population(type, world.level).rate);
    }
  }
}

/// Resistance: a trial in which none of four flawed places was followed.
void cover_resistance(const World& world, Campaign& campaign, Covered& covered) {
  ExpectedShare resistance;
  for (std::uint32_t task = 0; task < campaign.tasks(); ++task) {
    if (!campaign.lost()) {
      const std::uint32_t type = campaign.type(task);
      resistance.add_trial(
          type, campaign.graded(task, world.level) == 1, population(type, world.level).four);
    }
  }
  resistance.add("score within types, resistance", covered);
}

/// Results of tasks, and what they are expected to be.
struct Expected {
  std::vector<TaskResult> tasks;
  double sum = 0;
  double count = 0;

  void add(const std::string& kind, const BootstrapOptions& options, Covered& covered) const {
    covered.add(kind, bootstrap_mean(tasks, options), sum / count);
  }
};

void cover_pooled(const World& world,
                  Campaign& campaign,
                  const BootstrapOptions& options,
                  Covered& covered) {
  Expected pooled;
  for (std::uint32_t task = 0; task < campaign.tasks(); ++task) {
    TaskResult& result = pooled.tasks.emplace_back();
    result.stratum = campaign.type(task);
    for (std::size_t cell = 0; cell < kFlaws; ++cell) {
      if (campaign.lost()) {
        continue;
      }
      result.sum += campaign.success(task, cell_level(world, cell));
      result.count += 1;
      pooled.sum += population(campaign.type(task), cell_level(world, cell)).rate;
      pooled.count += 1;
    }
  }
  pooled.add("bootstrap over tasks, pooled cells", options, covered);
}

/// Calls that met an injected failure, and those of them that were followed by the same call.
TaskResult failures_of(Campaign& campaign, std::uint32_t task, double level) {
  TaskResult failures{.stratum = campaign.type(task)};
  const double same = campaign.chance(task, level);
  for (int call = 0; call < kCalls; ++call) {
    if (campaign.happens(failure_rate(same))) {
      failures.count += 1;
      failures.sum += campaign.happens(same) ? 1 : 0;
    }
  }
  return failures;
}

/// What is printed of one cell beside its success: repeats, the share of flawed places that were
/// followed, the shares of what followed a failure.
void cover_one_cell(const World& world,
                    Campaign& campaign,
                    const BootstrapOptions& options,
                    Covered& covered) {
  Expected repeats;
  Expected obedience;
  Expected retries;
  for (std::uint32_t task = 0; task < campaign.tasks(); ++task) {
    const Population& mean = population(campaign.type(task), world.level);
    TaskResult& own = repeats.tasks.emplace_back();
    own.stratum = campaign.type(task);
    const double p = campaign.chance(task, world.level);
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      if (!campaign.lost()) {
        own.sum += campaign.happens(p) ? 1 : 0;
        own.count += 1;
        repeats.sum += mean.rate;
        repeats.count += 1;
      }
    }
    if (!campaign.lost()) {
      obedience.tasks.push_back(
          {.stratum = campaign.type(task), .sum = campaign.graded(task, world.level), .count = 1});
      obedience.sum += mean.rate;
      obedience.count += 1;
    }
    if (!campaign.lost()) {
      retries.tasks.push_back(failures_of(campaign, task, world.level));
      retries.sum += mean.same;
      retries.count += mean.failures;
    }
  }
  repeats.add("bootstrap over tasks, repeats", options, covered);
  obedience.add("share of flawed places followed", options, covered);
  retries.add("share of injected failures", options, covered);
}

/// Pairs of tasks, and what their difference is expected to be.
struct ExpectedPairs {
  std::vector<PairedTask> tasks;
  double sum = 0;
  double pairs = 0;

  void add(const std::string& kind, const BootstrapOptions& options, Covered& covered) const {
    covered.add(kind, bootstrap_difference(tasks, options).interval, sum / pairs);
  }
};

void cover_differences(const World& world,
                       Campaign& campaign,
                       const BootstrapOptions& options,
                       Covered& covered) {
  const double other = world.level - 0.8;
  ExpectedPairs single;
  ExpectedPairs graded;
  ExpectedPairs pooled;
  for (std::uint32_t task = 0; task < campaign.tasks(); ++task) {
    const std::uint32_t type = campaign.type(task);
    const double expected = population(type, world.level).rate - population(type, other).rate;
    // One trial of a pair is lost: the pair is.
    const auto add = [&](ExpectedPairs& to, double first, double second) {
      if (campaign.lost() || campaign.lost()) {
        return;
      }
      PairedTask& result = to.tasks.back();
      result.first += first;
      result.second += second;
      result.pairs += 1;
      to.sum += expected;
      to.pairs += 1;
    };
    for (ExpectedPairs* pairs : {&single, &graded, &pooled}) {
      pairs->tasks.emplace_back().stratum = type;
    }
    const double first = campaign.success(task, world.level);
    add(single, first, campaign.success(task, other));
    const double first_graded = campaign.graded(task, world.level);
    add(graded, first_graded, campaign.graded(task, other));
    for (std::size_t model = 0; model < kSizes.size(); ++model) {
      const double of_model = campaign.success(task, world.level);
      add(pooled, of_model, campaign.success(task, other));
    }
  }
  single.add("paired difference, success", options, covered);
  graded.add("paired difference, graded", options, covered);
  pooled.add("paired difference, pooled models", options, covered);
}

void cover_slope(const World& world,
                 Campaign& campaign,
                 const BootstrapOptions& options,
                 Covered& covered) {
  std::vector<double> x;
  std::vector<LogisticPoint> expected;
  for (const double size : kSizes) {
    x.push_back(std::log2(size));
    expected.push_back({.x = x.back()});
  }
  std::vector<SizedTask> tasks;
  for (std::uint32_t task = 0; task < campaign.tasks(); ++task) {
    SizedTask& results = tasks.emplace_back();
    results.stratum = campaign.type(task);
    // Fits are of the trials that every size has: a task is there for all or for none.
    const bool lost = campaign.lost();
    for (std::size_t i = 0; i < kSizes.size(); ++i) {
      const double level = size_level(world, kSizes.at(i));
      results.successes.push_back(lost ? 0 : campaign.success(task, level));
      results.n.push_back(lost ? 0 : 1);
      expected[i].successes += lost ? 0 : population(campaign.type(task), level).rate;
      expected[i].n += lost ? 0 : 1;
    }
  }
  std::erase_if(tasks, [](const SizedTask& task) { return task.n.front() == 0; });
  const auto truth = fit_logistic(expected, LogisticMethod::likelihood);
  const auto slope = bootstrap_slope(x, tasks, options);
  if (!truth.has_value() || !slope.has_value()) {
    FAIL() << world.name << ": no slope";
  }
  covered.add("slope on log2 of parameters", slope->interval, truth->slope);
}

/// 93 to 97 % of the intervals of 2,000 campaigns; of fewer what a coverage within these bounds can
/// give.
Interval allowed(int intervals) {
  constexpr int kFull = 2000;
  if (intervals >= kFull) {
    return {.low = 0.93 * intervals, .high = 0.97 * intervals};
  }
  const boost::math::binomial_distribution<double> least(intervals, 0.93);
  const boost::math::binomial_distribution<double> most(intervals, 0.97);
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
    cover_one_cell(world, campaign, options, covered);
    cover_differences(world, campaign, options, covered);
    cover_slope(world, campaign, options, covered);
    cover_resistance(world, campaign, covered);
  }
  EXPECT_EQ(covered.counts.size(), 11U);
  for (const auto& [kind, count] : covered.counts) {
    EXPECT_GE(count.of, campaigns);
    const Interval bounds = allowed(count.of);
    std::printf("  %s, %s: %d of %d\n", world.name.c_str(), kind.c_str(), count.covered, count.of);
    EXPECT_GE(count.covered, bounds.low) << world.name << ", " << kind;
    EXPECT_LE(count.covered, bounds.high) << world.name << ", " << kind;
  }
}

TEST(Coverage, is_kept_where_about_half_of_the_trials_succeed) {
  check_coverage({.name = "middle", .level = 0.4});
}

TEST(Coverage, is_kept_where_most_trials_succeed) {
  check_coverage({.name = "high", .level = 2.2});
}

TEST(Coverage, is_kept_where_types_have_20_and_5_tasks) {
  check_coverage({.name = "unequal", .level = 0.4, .tasks = {20, 5, 20, 5, 20}});
}

TEST(Coverage, is_kept_where_losses_left_types_unequal) {
  check_coverage({.name = "lost", .level = 0.4, .tasks = {20, 5, 20, 5, 20}, .lost = 0.15});
}

}  // namespace
}  // namespace sortie::stats
