#include "sortie/suite/shown_plans.h"

#include "sortie/suite/flaw_detector.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstddef>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::suite {
namespace {

class ShownPlansTest : public testing::Test {
 protected:
  const Suite suite_ = Suite::pilot().value();
  const ShownPlans plans_{suite_};
};

/// As the functions make it that remember nothing.
void expect_as_made_anew(
    const FlawedView* view, const Suite& suite, const Task& task, Flaw flaw, Severity severity) {
  const auto shown =
      shown_plan(suite.catalog(), task, {.style = PromptStyle::flawed, .flaw = flaw}, severity);
  ASSERT_EQ(view != nullptr, shown.has_value());
  if (view == nullptr) {
    return;
  }
  ASSERT_EQ(view->steps.size(), shown->size());
  for (std::size_t i = 0; i < shown->size(); ++i) {
    EXPECT_EQ(view->steps[i].tool, (*shown)[i].tool);
    EXPECT_EQ(view->steps[i].arguments, (*shown)[i].arguments);
  }
  EXPECT_EQ(view->counterparts, counterparts(suite.catalog(), task, *shown));
  auto sightings = detect(suite.catalog(), task, *shown);
  std::erase_if(sightings, [&](const Sighting& sighting) { return sighting.flaw != flaw; });
  ASSERT_EQ(view->sightings.size(), sightings.size());
  for (std::size_t i = 0; i < sightings.size(); ++i) {
    EXPECT_EQ(view->sightings[i].flaw, flaw);
    EXPECT_EQ(view->sightings[i].place.step, sightings[i].place.step);
    EXPECT_EQ(view->sightings[i].shown, sightings[i].shown);
  }
}

TEST_F(ShownPlansTest, are_those_that_are_made_anew_each_time) {
  for (std::size_t i = 0; i < suite_.tasks().size(); i += 25) {
    const Task& task = suite_.tasks()[i];
    for (const Flaw flaw : kPlanFlaws) {
      for (const Severity severity : kSeverities) {
        const auto first = plans_.flawed(task, flaw, severity);
        expect_as_made_anew(first.get(), suite_, task, flaw, severity);
        EXPECT_EQ(plans_.flawed(task, flaw, severity), first) << "made once";
      }
    }
  }
}

// A task that was changed keeps its id: what is known of the suite's own one is not its.
TEST_F(ShownPlansTest, a_task_that_is_not_the_suites_is_looked_at_itself) {
  const Task& own = suite_.tasks().front();
  const auto known = plans_.flawed(own, Flaw::missing_step, Severity::severe);
  ASSERT_NE(known, nullptr);
  Task other = own;
  ASSERT_GT(other.plan.size(), 0U);
  other.plan.resize(1);
  const auto view = plans_.flawed(other, Flaw::missing_step, Severity::severe);
  expect_as_made_anew(view.get(), suite_, other, Flaw::missing_step, Severity::severe);
  EXPECT_EQ(plans_.flawed(own, Flaw::missing_step, Severity::severe), known);
}

TEST_F(ShownPlansTest, many_threads_get_the_same) {
  constexpr std::size_t kTasks = 20;
  std::vector<std::vector<std::shared_ptr<const FlawedView>>> seen(4);
  {
    std::vector<std::jthread> threads;
    for (auto& own : seen) {
      threads.emplace_back([&] {
        for (std::size_t i = 0; i < kTasks; ++i) {
          own.push_back(
              plans_.flawed(suite_.tasks()[i], Flaw::sequence_disorder, Severity::severe));
        }
      });
    }
  }
  for (const auto& own : seen) {
    EXPECT_EQ(own, seen.front());
  }
}

}  // namespace
}  // namespace sortie::suite
