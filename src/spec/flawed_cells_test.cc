#include "sortie/spec/campaign.h"
#include "sortie/spec/load.h"
#include "sortie/spec/test_samples.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace sortie::spec {
namespace {

// The effect of a flaw is a paired difference: without the same tasks it would be one of tasks.
TEST(FlawedCells, have_exactly_the_tasks_of_the_right_plan_and_of_no_plan) {
  const auto suite = suite::Suite::pilot();
  ASSERT_TRUE(suite.has_value());
  const auto campaign = parse_campaign(
      "version: 1\nname: flaws\nsuite: pilot/1\nseed: 11\nmodels: [sim-large, sim-small]\n"
      "scenarios: [baseline, flawed, prompts]\n",
      "c.yaml",
      *suite,
      samples::topology());
  ASSERT_TRUE(campaign.has_value()) << (campaign ? "" : campaign.error().message);
  using Tasks = std::set<std::pair<std::size_t, int>>;
  std::map<std::size_t, std::map<std::string, Tasks>> by_model;
  for (std::size_t cell = 0; cell < campaign->cells.size(); ++cell) {
    Tasks tasks;
    for (std::uint64_t ordinal = 0; ordinal < campaign->cells[cell].size(); ++ordinal) {
      const Trial trial = campaign->trial(cell, ordinal);
      EXPECT_TRUE(suite->tasks()[trial.task].eligible);
      EXPECT_TRUE(suite::shown_plan(
          suite->catalog(), suite->tasks()[trial.task], trial.params.prompt, trial.params.severity))
          << suite->tasks()[trial.task].id;
      tasks.emplace(trial.task, trial.params.repeat);
    }
    by_model[campaign->cells[cell].model].emplace(
        suite::to_string(campaign->cells[cell].params.prompt), std::move(tasks));
  }
  ASSERT_EQ(by_model.size(), 2U);
  for (const auto& [model, cells] : by_model) {
    EXPECT_EQ(cells.size(), 7U + 3U);
    ASSERT_TRUE(cells.contains("optimal"));
    EXPECT_EQ(cells.at("optimal").size(), 100U);
    for (const auto& [prompt, tasks] : cells) {
      EXPECT_EQ(tasks, cells.at("optimal")) << prompt;
    }
  }
}

}  // namespace
}  // namespace sortie::spec
