#include "sortie/analysis/agent_rates.h"

#include "sortie/analysis/scenario_tables.h"
#include "sortie/analysis/trial_rows.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

/// Rows over every tenth task of the pilot suite.
class AgentRates : public testing::Test {
 protected:
  AgentRates() {
    for (std::size_t i = 0; i < suite_.tasks().size(); i += 10) {
      const suite::Task& task = suite_.tasks()[i];
      rows_.tasks.push_back({.id = task.id, .type = std::string(suite::to_string(task.type))});
    }
  }

  /// A cell with the trials of tasks [from, to), repeat 0, all failed: agents are not asked.
  void cell(const std::string& model, const std::string& prompt, std::size_t from, std::size_t to) {
    PlannedCell& cell = rows_.cells.emplace_back();
    cell.factors = {.id = fmt::format("{}", rows_.cells.size()),
                    .model = model,
                    .scenarios = {"baseline"},
                    .prompt = prompt,
                    .flaw = "none",
                    .severity = "",
                    .difficulty = "easy",
                    .protocol = "text",
                    .tool_success_rate = 1,
                    .max_turns = 30};
    cell.first_row = rows_.rows.size();
    cell.row_count = to - from;
    cell.planned = rows_.tasks.size();
    for (std::size_t task = from; task < to; ++task) {
      TrialRow& row = rows_.rows.emplace_back();
      row.cell = static_cast<std::uint32_t>(rows_.cells.size() - 1);
      row.task = static_cast<std::uint32_t>(task);
    }
  }

  [[nodiscard]] Setting setting(const std::string& prompt) const {
    Setting setting = setting_of(rows_.cells.front().factors);
    setting.prompt = prompt;
    return setting;
  }

  [[nodiscard]] const ReferenceRate& rate(const std::vector<ReferenceRates>& rates,
                                          const std::string& agent,
                                          const std::string& prompt) const {
    for (const ReferenceRates& own : rates) {
      if (own.agent == agent) {
        return own.by_setting.at(setting(prompt));
      }
    }
    throw std::out_of_range(agent);
  }

  suite::Suite suite_ = suite::Suite::pilot().value();
  RunRows rows_;
};

TEST_F(AgentRates, are_what_the_agents_are_made_to_achieve) {
  const std::size_t tasks = rows_.tasks.size();
  cell("a", "optimal", 0, tasks);
  cell("a", "baseline", 0, tasks);
  const auto rates = agent_rates(rows_, suite_, 7);
  ASSERT_EQ(rates.size(), 3U);
  for (const char* prompt : {"optimal", "baseline"}) {
    EXPECT_EQ(rate(rates, "perfect", prompt).all.n, tasks);
    EXPECT_EQ(rate(rates, "perfect", prompt).all.successes, tasks);
    EXPECT_LE(rate(rates, "text_blind", prompt).all.successes * 100, 15 * tasks);
  }
  EXPECT_EQ(rate(rates, "plan_copier", "optimal").all.successes, tasks);
  EXPECT_EQ(rate(rates, "plan_copier", "baseline").all.successes, 0U);
  std::uint64_t n = 0;
  for (const auto& [type, count] : rate(rates, "perfect", "optimal").by_type) {
    EXPECT_GT(count.n, 0U) << type;
    EXPECT_EQ(count.successes, count.n) << type;
    n += count.n;
  }
  EXPECT_EQ(n, tasks);
}

TEST_F(AgentRates, are_over_the_trials_that_any_model_has_scored) {
  const std::size_t tasks = rows_.tasks.size();
  cell("a", "optimal", 0, tasks / 2);
  cell("b", "optimal", tasks / 4, tasks);
  EXPECT_EQ(rate(agent_rates(rows_, suite_, 7), "perfect", "optimal").all.n, tasks);
}

TEST_F(AgentRates, what_was_played_is_not_played_again) {
  const std::size_t tasks = rows_.tasks.size();
  cell("a", "optimal", 0, tasks / 2);
  PlayBook book;
  ASSERT_EQ(agent_rates(rows_, suite_, 7, book).size(), 3U);
  cell("b", "optimal", tasks / 4, tasks);
  PlayBook more = book;
  const auto rates = agent_rates(rows_, suite_, 7, more);
  EXPECT_EQ(rate(rates, "perfect", "optimal").all.n, tasks);
  EXPECT_EQ(rate(rates, "perfect", "optimal").all.successes, tasks);
  for (auto& [factors, plays] : book.plays) {
    for (Play& play : plays.plays) {
      play.success = false;
    }
  }
  const auto altered = agent_rates(rows_, suite_, 7, book);
  EXPECT_EQ(rate(altered, "perfect", "optimal").all.successes, tasks - tasks / 2);
}

TEST_F(AgentRates, are_none_with_a_task_of_another_suite) {
  rows_.tasks.front().id = "no_such_task";
  cell("a", "optimal", 0, 2);
  for (const ReferenceRates& rates : agent_rates(rows_, suite_, 7)) {
    EXPECT_TRUE(rates.by_setting.empty()) << rates.agent;
  }
}

TEST_F(AgentRates, say_who_follows_a_flawed_plan) {
  cell("a", "flawed_tool_misuse", 0, rows_.tasks.size());
  const auto rates = agent_rates(rows_, suite_, 1);
  const ReferenceRate& copier = rate(rates, "plan_copier", "flawed_tool_misuse");
  EXPECT_EQ(copier.flawed, rows_.tasks.size());
  EXPECT_EQ(copier.resistant, 0U);
  EXPECT_EQ(copier.recovered, 0U);
  EXPECT_DOUBLE_EQ(copier.obedience, static_cast<double>(copier.flawed));
  const ReferenceRate& perfect = rate(rates, "perfect", "flawed_tool_misuse");
  EXPECT_EQ(perfect.flawed, rows_.tasks.size());
  EXPECT_EQ(perfect.resistant, perfect.flawed);
  EXPECT_EQ(perfect.all.successes, perfect.all.n);
}

TEST_F(AgentRates, retry_the_same_call) {
  cell("a", "optimal", 0, rows_.tasks.size());
  rows_.cells.front().factors.tool_success_rate = 0.6;
  const auto rates = agent_rates(rows_, suite_, 1);
  const ReferenceRate& perfect = rate(rates, "perfect", "optimal");
  EXPECT_GT(perfect.retry.total(), 0);
  EXPECT_EQ(perfect.retry.same_call + perfect.retry.no_further_call, perfect.retry.total());
}

}  // namespace
}  // namespace sortie::analysis
