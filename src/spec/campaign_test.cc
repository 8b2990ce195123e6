#include "sortie/spec/campaign.h"

#include "sortie/spec/cells.h"
#include "sortie/spec/model.h"
#include "sortie/spec/test_samples.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::spec {

namespace {

const suite::Suite& sample_suite() {
  static const suite::Suite suite = samples::suite_of_samples();
  return suite;
}

Cell cell_of(std::size_t instances, std::size_t repeats, std::vector<suite::TaskType> types) {
  Cell cell;
  cell.instances = instances;
  cell.repeats = repeats;
  cell.types = std::move(types);
  return cell;
}

Campaign campaign_of(std::vector<Cell> cells, std::uint64_t seed = 7) {
  Campaign campaign;
  campaign.seed = seed;
  campaign.cells = std::move(cells);
  for (Cell& cell : campaign.cells) {
    cell.params.seed = seed;
  }
  campaign.bind(sample_suite());
  return campaign;
}

std::vector<suite::TaskType> all_types() {
  return {suite::kTaskTypes.begin(), suite::kTaskTypes.end()};
}

/// Any cell that the samples can fill.
Cell any_cell() {
  std::vector<suite::TaskType> types;
  for (const suite::TaskType type : suite::kTaskTypes) {
    if (*rc::gen::arbitrary<bool>()) {
      types.push_back(type);
    }
  }
  if (types.empty()) {
    types.push_back(suite::TaskType::basic_task);
  }
  return cell_of(
      *rc::gen::inRange<std::size_t>(1, 25), *rc::gen::inRange<std::size_t>(1, 5), types);
}

std::set<std::pair<std::size_t, int>> trials_of(const Campaign& campaign, std::size_t cell) {
  std::set<std::pair<std::size_t, int>> trials;
  for (std::uint64_t ordinal = 0; ordinal < campaign.cells[cell].size(); ++ordinal) {
    const Trial trial = campaign.trial(cell, ordinal);
    trials.emplace(trial.task, trial.params.repeat);
  }
  return trials;
}

TEST(Campaign, finds_each_trial_again_by_its_task_and_repeat) {
  EXPECT_TRUE(rc::check([] {
    const Campaign campaign = campaign_of({any_cell(), any_cell()});
    const auto index = *rc::gen::inRange<std::uint64_t>(0, campaign.trial_count());
    const Trial trial = campaign.trial_at(index);
    RC_ASSERT(campaign.ordinal_of(trial.cell, trial.task, trial.params.repeat) == trial.ordinal);
    const Trial same = campaign.trial(trial.cell, trial.ordinal);
    RC_ASSERT(same.task == trial.task);
    RC_ASSERT(same.params == trial.params);
  }));
}

TEST(Campaign, enumerates_every_trial_once) {
  EXPECT_TRUE(rc::check([] {
    const Campaign campaign = campaign_of({any_cell(), any_cell(), any_cell()});
    std::uint64_t index = 0;
    for (std::size_t cell = 0; cell < campaign.cells.size(); ++cell) {
      for (std::uint64_t ordinal = 0; ordinal < campaign.cells[cell].size(); ++ordinal, ++index) {
        const Trial trial = campaign.trial_at(index);
        RC_ASSERT(trial.cell == cell);
        RC_ASSERT(trial.ordinal == ordinal);
      }
      RC_ASSERT(trials_of(campaign, cell).size() == campaign.cells[cell].size());
    }
    RC_ASSERT(index == campaign.trial_count());
  }));
}

TEST(Campaign, is_balanced_over_types_in_every_prefix_of_a_cell) {
  const Campaign campaign = campaign_of({cell_of(6, 2, all_types())});
  std::map<suite::TaskType, int> counts;
  for (std::uint64_t ordinal = 0; ordinal < campaign.cells[0].size(); ++ordinal) {
    const Trial trial = campaign.trial(0, ordinal);
    ++counts[sample_suite().tasks()[trial.task].type];
    int least = counts.size() < suite::kTaskTypes.size() ? 0 : 1'000;
    int most = 0;
    for (const auto& [type, count] : counts) {
      least = std::min(least, count);
      most = std::max(most, count);
    }
    ASSERT_LE(most - least, 1) << "at " << ordinal;
  }
}

TEST(Campaign, runs_over_repeats_slowest) {
  const Campaign campaign = campaign_of({cell_of(3, 2, all_types())});
  for (std::uint64_t ordinal = 0; ordinal < 15; ++ordinal) {
    EXPECT_EQ(campaign.trial(0, ordinal).params.repeat, 0);
    EXPECT_EQ(campaign.trial(0, ordinal + 15).params.repeat, 1);
    EXPECT_EQ(campaign.trial(0, ordinal).task, campaign.trial(0, ordinal + 15).task);
  }
}

TEST(Campaign, contains_every_smaller_one) {
  EXPECT_TRUE(rc::check([] {
    const auto seed = *rc::gen::inRange<std::uint64_t>(0, 1'000);
    const Cell large = any_cell();
    Cell small = large;
    small.instances = *rc::gen::inRange<std::size_t>(1, large.instances + 1);
    small.repeats = *rc::gen::inRange<std::size_t>(1, large.repeats + 1);
    const Campaign smaller = campaign_of({small}, seed);
    const Campaign larger = campaign_of({large}, seed);
    RC_ASSERT(std::ranges::includes(trials_of(larger, 0), trials_of(smaller, 0)));
  }));
}

TEST(Campaign, gives_every_cell_the_same_tasks) {
  Cell other = cell_of(10, 1, all_types());
  other.params.tool_success_rate = 0.6;
  const Campaign campaign =
      campaign_of({cell_of(10, 1, all_types()), other, cell_of(24, 1, all_types())});
  EXPECT_EQ(trials_of(campaign, 0), trials_of(campaign, 1));
  EXPECT_EQ(campaign.trial(1, 3).params.tool_success_rate, 0.6);
}

TEST(Campaign, draws_other_tasks_with_another_seed) {
  EXPECT_NE(trials_of(campaign_of({cell_of(5, 1, all_types())}, 1), 0),
            trials_of(campaign_of({cell_of(5, 1, all_types())}, 2), 0));
}

TEST(Campaign, knows_what_a_cell_does_not_contain) {
  const Campaign campaign =
      campaign_of({cell_of(2, 2, {suite::TaskType::simple_task}), cell_of(20, 1, all_types())});
  const Trial inside = campaign.trial(0, 0);
  EXPECT_EQ(campaign.ordinal_of(0, inside.task, 1), 2U);
  EXPECT_FALSE(campaign.ordinal_of(0, inside.task, 2)) << "no third repeat";
  EXPECT_FALSE(campaign.ordinal_of(0, inside.task, -1));
  const Trial third_of_its_type = campaign.trial(1, 10);
  EXPECT_FALSE(campaign.ordinal_of(0, third_of_its_type.task, 0))
      << "drawn, but only for the larger cell";
  const Trial other_type = campaign.trial(1, 1);
  EXPECT_FALSE(campaign.ordinal_of(0, other_type.task, 0));
  EXPECT_FALSE(campaign.ordinal_of(0, 1'000'000, 0)) << "no such task";
}

TEST(Campaign, of_ten_million_trials_is_arithmetic) {
  constexpr std::size_t kCells = 1'000;
  constexpr std::uint64_t kTrials = 10'000'000;
  std::vector<Cell> cells;
  for (std::size_t i = 0; i < kCells; ++i) {
    cells.push_back(cell_of(20, 100, all_types()));
  }
  const Campaign campaign = campaign_of(std::move(cells));
  EXPECT_EQ(campaign.trial_count(), kTrials);
  for (const std::uint64_t index : {std::uint64_t{0}, kTrials / 3, kTrials - 1}) {
    const Trial trial = campaign.trial_at(index);
    EXPECT_EQ(trial.cell, index / 10'000);
    EXPECT_EQ(trial.ordinal, index % 10'000);
    EXPECT_EQ(campaign.ordinal_of(trial.cell, trial.task, trial.params.repeat), trial.ordinal);
  }
}

TEST(CampaignDeathTest, stops_on_a_trial_that_is_not_there) {
  const Campaign campaign = campaign_of({cell_of(1, 1, all_types())});
  EXPECT_DEATH((void)campaign.trial(0, 5), "ordinal");
  EXPECT_DEATH((void)campaign.trial_at(5), "end_index_");
}

}  // namespace

}  // namespace sortie::spec
