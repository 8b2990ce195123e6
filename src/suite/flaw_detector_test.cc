#include "sortie/suite/flaw_detector.h"

#include "sortie/suite/catalog.h"
#include "sortie/suite/example_task.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/flaws.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

namespace sortie::suite {

namespace {

using Flaws = std::set<Flaw>;

/// Plans by hand, from the example: read, parse, filter, aggregate, store.
class FlawDetector : public ::testing::Test {
 protected:
  [[nodiscard]] std::vector<Sighting> seen(const std::vector<Step>& plan) const {
    return detect(catalog_, task_, plan);
  }

  [[nodiscard]] Flaws flaws(const std::vector<Step>& plan) const { return flaws_of(seen(plan)); }

  [[nodiscard]] static Step step(std::string tool, json::Object arguments) {
    return {.tool = std::move(tool), .arguments = std::move(arguments), .reason = "r"};
  }

  ToolCatalog catalog_ = ToolCatalog::pilot();
  Task task_ = example_task(catalog_);
  std::vector<Step> plan_ = task_.plan;
};

TEST_F(FlawDetector, finds_nothing_in_the_right_plan_nor_where_reasons_differ) {
  EXPECT_TRUE(seen(plan_).empty());
  plan_[1].reason = "another reason";
  plan_[2].arguments["value"] = 200.0;
  EXPECT_TRUE(seen(plan_).empty());
}

TEST_F(FlawDetector, no_plan_at_all_leaves_every_step_out) {
  EXPECT_EQ(flaws({}), Flaws{Flaw::missing_step});
  EXPECT_EQ(seen({}).size(), task_.plan.size());
  EXPECT_EQ(seen({}).front().shown, std::nullopt);
}

TEST_F(FlawDetector, order_is_a_matter_of_dependent_steps) {
  std::swap(plan_[2], plan_[3]);
  plan_[2].arguments["source"] = make_reference(3);
  plan_[4].arguments["source"] = make_reference(2);
  const auto sightings = seen(plan_);
  ASSERT_EQ(sightings.size(), 1U);
  EXPECT_EQ(sightings[0].flaw, Flaw::sequence_disorder);
  EXPECT_EQ(sightings[0].place, (Place{.step = 3, .before = 2}));
  EXPECT_EQ(sightings[0].shown, 2U);
  EXPECT_EQ(sightings[0].input, 3U);
}

TEST_F(FlawDetector, a_tool_of_the_same_category_is_misuse_and_of_another_one_is_not) {
  plan_[3] = step("data_processing_transformer",
                  {{"source", make_reference(2)}, {"operation", "rank"}, {"field", "amount"}});
  const auto sightings = seen(plan_);
  ASSERT_EQ(sightings.size(), 1U);
  EXPECT_EQ(sightings[0].flaw, Flaw::tool_misuse);
  EXPECT_EQ(sightings[0].place, Place::of(3));
  EXPECT_EQ(sightings[0].shown, 3U);
  // Neither of the category nor the plan's end: none of the seven.
  plan_[3] = step("computation_predictor",
                  {{"source", make_reference(2)}, {"method", "linear"}, {"horizon", 3}});
  EXPECT_EQ(flaws(plan_), Flaws{});
}

TEST_F(FlawDetector, values_are_wrong_when_missing_different_or_too_many) {
  plan_[0].arguments.erase("path");
  plan_[1].arguments["format"] = "json";
  plan_[3].arguments["surprise"] = 1;
  const auto sightings = seen(plan_);
  ASSERT_EQ(sightings.size(), 3U);
  EXPECT_EQ(flaws_of(sightings), Flaws{Flaw::parameter_error});
  EXPECT_EQ(sightings[0].parameters, std::vector<std::string>{"path"});
  EXPECT_EQ(sightings[1].parameters, std::vector<std::string>{"format"});
  EXPECT_EQ(sightings[2].parameters, std::vector<std::string>{"surprise"});
}

TEST_F(FlawDetector, an_input_that_is_no_step_is_a_wrong_value) {
  plan_[2].arguments["source"] = "table#2";
  EXPECT_EQ(flaws(plan_), Flaws{Flaw::parameter_error});
  plan_[2].arguments.erase("source");
  EXPECT_EQ(flaws(plan_), Flaws{Flaw::parameter_error});
}

TEST_F(FlawDetector, what_is_left_out_is_missed_by_the_next_step_that_needs_it) {
  plan_.erase(plan_.begin() + 2);
  plan_[2].arguments["source"] = make_reference(1);
  plan_[3].arguments["source"] = make_reference(2);
  const auto sightings = seen(plan_);
  ASSERT_EQ(sightings.size(), 1U);
  EXPECT_EQ(sightings[0].flaw, Flaw::missing_step);
  EXPECT_EQ(sightings[0].place, Place::of(2));
  EXPECT_EQ(sightings[0].shown, 2U);
}

TEST_F(FlawDetector, a_step_twice_is_redundant_wherever_it_stands_again) {
  plan_.push_back(plan_[1]);
  const auto sightings = seen(plan_);
  ASSERT_EQ(sightings.size(), 1U);
  EXPECT_EQ(sightings[0].flaw, Flaw::redundant_operations);
  EXPECT_EQ(sightings[0].place, Place::of(1));
  EXPECT_EQ(sightings[0].shown, 5U);
}

TEST_F(FlawDetector, a_result_of_a_kind_that_is_not_taken_is_inconsistent) {
  // The filter is to work on the raw text again.
  plan_[2].arguments["source"] = make_reference(0);
  const auto sightings = seen(plan_);
  ASSERT_EQ(sightings.size(), 1U);
  EXPECT_EQ(sightings[0].flaw, Flaw::logical_inconsistency);
  EXPECT_EQ(sightings[0].place, (Place{.step = 2, .before = 1}));
  EXPECT_EQ(sightings[0].shown, 2U);
  EXPECT_EQ(sightings[0].input, 0U);
}

TEST_F(FlawDetector, another_end_is_drift_and_needs_a_way_that_goes_on) {
  plan_[4] = step("utility_helper", {{"source", make_reference(3)}, {"template", "brief"}});
  EXPECT_EQ(flaws(plan_), Flaws{Flaw::semantic_drift});
  // Not the neighbour of the step before it.
  plan_[4].arguments["source"] = make_reference(0);
  EXPECT_EQ(flaws(plan_), Flaws{});
}

TEST_F(FlawDetector, knows_which_right_step_a_shown_one_stands_for) {
  using Steps = std::vector<std::optional<std::size_t>>;
  plan_.erase(plan_.begin() + 2);
  plan_[2] = step("data_processing_transformer",
                  {{"source", make_reference(1)}, {"operation", "rank"}, {"field", "amount"}});
  plan_[3].arguments["source"] = make_reference(2);
  plan_.push_back(plan_[1]);
  EXPECT_EQ(counterparts(catalog_, task_, plan_).front(), 0U);
  EXPECT_EQ(counterparts(catalog_, task_, plan_).back(), 1U);
  EXPECT_EQ(counterparts(catalog_, task_, task_.plan), (Steps{0, 1, 2, 3, 4}));
  plan_ = task_.plan;
  plan_[3] = step("data_processing_transformer",
                  {{"source", make_reference(2)}, {"operation", "rank"}, {"field", "amount"}});
  plan_.push_back(step("utility_helper", {{"source", make_reference(4)}, {"template", "brief"}}));
  EXPECT_EQ(counterparts(catalog_, task_, plan_), (Steps{0, 1, 2, 3, 4, std::nullopt}));
}

TEST_F(FlawDetector, several_flaws_are_all_named) {
  plan_[0].arguments["path"] = "data/orders/b.csv";
  plan_.push_back(plan_[4]);
  EXPECT_EQ(flaws(plan_), (Flaws{Flaw::parameter_error, Flaw::redundant_operations}));
  plan_ = task_.plan;
  plan_[4] = step("utility_helper", {{"source", make_reference(3)}, {"template", "brief"}});
  plan_[3] = step("data_processing_transformer",
                  {{"source", make_reference(2)}, {"operation", "rank"}, {"field", "amount"}});
  plan_[1].arguments["format"] = "json";
  EXPECT_TRUE(flaws(plan_).contains(Flaw::tool_misuse));
  EXPECT_TRUE(flaws(plan_).contains(Flaw::parameter_error));
}

TEST_F(FlawDetector, survives_plans_that_make_no_sense) {
  for (Step& any : plan_) {
    any.arguments["source"] = make_reference(4);
  }
  plan_[2].arguments["source"] = make_reference(99);
  plan_[3].tool = "no_tool";
  EXPECT_FALSE(seen(plan_).empty());
}

// --- The whole suite ---

std::size_t dependencies(const Task& task) {
  std::size_t count = 0;
  for (const Step& step : task.plan) {
    count += static_cast<std::size_t>(std::ranges::count_if(
        step.arguments, [](const auto& a) { return step_reference(a.value()) >= 0; }));
  }
  return count;
}

std::size_t adjacent_pairs(const Task& task) {
  std::size_t count = 0;
  for (std::size_t i = 1; i < task.plan.size(); ++i) {
    count += std::ranges::any_of(task.plan[i].arguments,
                                 [i](const auto& a) {
                                   return step_reference(a.value()) ==
                                          static_cast<std::ptrdiff_t>(i) - 1;
                                 })
                 ? 1
                 : 0;
  }
  return count;
}

/// The numbers of places of light, medium and severe, as the benchmark's table has them. Medium of
/// sequence_disorder is "about half".
std::array<std::size_t, 3> places_wanted(Flaw flaw, const Task& task) {
  const std::size_t n = task.plan.size();
  const std::size_t half = n / 2 + 1;
  switch (flaw) {
    case Flaw::none:
      break;
    case Flaw::sequence_disorder:
      return {1, (dependencies(task) + 1) / 2, dependencies(task)};
    case Flaw::tool_misuse:
      return {1, (n + 2) / 3, half};
    case Flaw::parameter_error:
      return {1, 2, std::max<std::size_t>(3, half)};
    case Flaw::missing_step:
      return {1, std::min<std::size_t>(2, n - 2), n - 2};
    case Flaw::redundant_operations:
      return {1, 2, n};
    case Flaw::logical_inconsistency:
      return {1, std::min<std::size_t>(2, adjacent_pairs(task)), adjacent_pairs(task)};
    case Flaw::semantic_drift:
      return {1, n - half + 1, n - 1};
  }
  return {};
}

std::vector<Place> places_seen(const std::vector<Sighting>& sightings) {
  std::vector<Place> out;
  for (const Sighting& sighting : sightings) {
    out.push_back(sighting.place);
  }
  return out;
}

/// What one flaw of one task has to be, at every severity.
class FlawOfTask {
 public:
  FlawOfTask(const ToolCatalog& catalog, const Task& task, Flaw flaw)
      : catalog_(catalog), task_(task), flaw_(flaw) {}

  /// Checks the plan at a severity; false if it is not offered.
  bool check(Severity severity) {
    const std::string where =
        fmt::format("{} {} {}", task_.id, to_string(flaw_), to_string(severity));
    const auto flawed = flawed_plan(catalog_, task_, flaw_, severity);
    if (!flawed) {
      return false;
    }
    const std::vector<Step>& plan = flawed->steps;
    EXPECT_FALSE(same_plan(plan, task_.plan)) << where << " is a no-op";
    for (const FlawedPlan& other : offered_) {
      EXPECT_FALSE(same_plan(plan, other.steps)) << where << " equals another severity";
      EXPECT_TRUE(std::ranges::includes(flawed->places, other.places)) << where;
    }
    check_count(*flawed, severity, where);
    const Execution literal = execute_literally(catalog_, task_, plan);
    EXPECT_EQ(literal.world.goal_met(), flaw_ == Flaw::redundant_operations) << where;
    if (flaw_ == Flaw::redundant_operations) {
      EXPECT_EQ(literal.calls_ok(), task_.plan.size() + flawed->places.size()) << where;
    }
    const auto sightings = detect(catalog_, task_, plan);
    EXPECT_EQ(flaws_of(sightings), Flaws{flaw_}) << where;
    EXPECT_EQ(sightings.size(), flawed->places.size()) << where;
    if (places_seen(sightings) != flawed->places) {
      explained_otherwise.push_back(where);
    }
    offered_.push_back(*flawed);
    return true;
  }

  std::vector<std::string> explained_otherwise;

 private:
  void check_count(const FlawedPlan& flawed, Severity severity, const std::string& where) const {
    const std::size_t wanted = places_wanted(flaw_, task_)[static_cast<std::size_t>(severity)];
    // Where a branch allows no segment with half of the dependencies, the nearest one.
    const bool about = flaw_ == Flaw::sequence_disorder && severity == Severity::medium;
    const std::size_t count = flawed.places.size();
    EXPECT_TRUE(about ? count + 1 >= wanted && count <= wanted + 1 : count == wanted)
        << where << ": " << count << " places instead of " << wanted;
  }

  const ToolCatalog& catalog_;
  const Task& task_;
  Flaw flaw_;
  std::vector<FlawedPlan> offered_;
};

// Was: three of seven flaws left the plan unchanged (2,704 of 2,704 plans that were checked).
TEST(FlawsOfTheSuite, every_plan_has_its_own_flaw_alone_and_does_as_the_table_says) {
  const auto suite = Suite::pilot();
  ASSERT_TRUE(suite) << suite.error().message;
  std::map<std::pair<Flaw, Severity>, std::size_t> offered;
  std::size_t tasks = 0;
  std::vector<std::string> otherwise;  // by as many other places of the same flaw
  for (const Task& task : suite->tasks()) {
    if (!task.eligible) {
      continue;
    }
    ++tasks;
    EXPECT_TRUE(detect(suite->catalog(), task, task.plan).empty()) << task.id;
    for (const Flaw flaw : kPlanFlaws) {
      FlawOfTask plans(suite->catalog(), task, flaw);
      for (const Severity severity : kSeverities) {
        const bool there = plans.check(severity);
        EXPECT_TRUE(there || severity != Severity::severe) << task.id << " " << to_string(flaw);
        offered[{flaw, severity}] += there ? 1 : 0;
      }
      std::ranges::copy(plans.explained_otherwise, std::back_inserter(otherwise));
    }
  }
  fmt::print("{} eligible tasks; plans by flaw and severity (light, medium, severe):\n", tasks);
  std::size_t all = 0;
  for (const Flaw flaw : kPlanFlaws) {
    fmt::print("  {:<22}", to_string(flaw));
    for (const Severity severity : kSeverities) {
      const std::size_t count = offered[{flaw, severity}];
      all += count;
      fmt::print(" {:>4}", count);
    }
    fmt::print("\n");
    const std::size_t severe = offered[{flaw, Severity::severe}];
    EXPECT_EQ(severe, tasks) << to_string(flaw);
  }
  fmt::print("{} plans, 0 no-ops; can be explained by other places as well: {}\n",
             all,
             fmt::join(otherwise, ", "));
  EXPECT_LE(otherwise.size(), 1U);
  EXPECT_GE(all, 9'000U);
  EXPECT_GE(tasks, 400U);
}

}  // namespace

}  // namespace sortie::suite
