#include "sortie/suite/validator.h"

#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/embedded.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/own_suite.h"
#include "sortie/suite/plan_draft.h"
#include "sortie/suite/solutions.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::suite {

namespace {

using Rules = std::set<std::string>;

constexpr ValidationOptions kOwnSuite = {.lexicon = false, .full_size = false};

class Validator : public ::testing::Test {
 protected:
  void SetUp() override {
    auto suite = Suite::pilot();
    ASSERT_TRUE(suite) << suite.error().message;
    suite_ = std::move(*suite);
    task_ = *std::ranges::find_if(suite_.tasks(), [](const Task& task) {
      return task.type == TaskType::data_pipeline && task.plan.size() == 5;
    });
  }

  /// The rules that a changed task breaks, the hash taken anew.
  Rules broken(const ValidationOptions& options = {}) {
    task_.hash = content_hash(task_);
    Rules rules;
    for (const Finding& finding : validate_task(suite_.catalog(), task_, options)) {
      EXPECT_EQ(finding.task, task_.id);
      EXPECT_FALSE(finding.message.empty());
      rules.insert(finding.rule);
    }
    return rules;
  }

  std::string& text(Difficulty difficulty) {
    return task_.texts[static_cast<std::size_t>(difficulty)];
  }

  [[nodiscard]] Suite suite_of(const std::vector<Task>& tasks) const {
    Suite suite("own/1", suite_.catalog());
    EXPECT_TRUE(suite.add_tasks("own.json", task_file_text("own/1", tasks)));
    return suite;
  }

  [[nodiscard]] static Rules suite_rules(const Suite& suite, const ValidationOptions& options) {
    Rules rules;
    for (const Finding& finding : validate(suite, options)) {
      rules.insert(finding.rule);
    }
    return rules;
  }

  /// The tools of `pilot` after a change of the list in their file.
  template <class Change>
  [[nodiscard]] static ToolCatalog changed_catalog(const Change& change) {
    json::Object file = json::parse(embedded_tools())->get_object();
    change(file["tools"].get_array());
    auto catalog = ToolCatalog::from_text("tools.json", json::to_text(file));
    CHECK(catalog.has_value());
    return std::move(*catalog);
  }

  Suite suite_;
  Task task_;
};

/// The middle of sorted numbers.
std::size_t median(std::vector<std::size_t> numbers) {
  std::ranges::sort(numbers);
  return numbers[numbers.size() / 2];
}

}  // namespace

// The whole suite, and every tenth task by itself; all of them with SORTIE_FULL.
TEST_F(Validator, the_pilot_suite_has_no_finding) {
  std::vector<Finding> findings;
  if (std::getenv("SORTIE_FULL") != nullptr) {
    findings = validate(suite_);
  } else {
    findings = validate_whole(suite_);
    for (std::size_t i = 0; i < suite_.tasks().size(); i += 10) {
      std::ranges::move(validate_task(suite_.catalog(), suite_.tasks()[i]),
                        std::back_inserter(findings));
    }
  }
  for (const Finding& finding : findings) {
    ADD_FAILURE() << finding.task << ": " << finding.rule << ": " << finding.message;
  }
}

TEST_F(Validator, the_pilot_suite_as_a_whole_is_large_diverse_and_without_twins) {
  for (const TaskType type : kTaskTypes) {
    const auto counts = sequence_counts(suite_, type);
    std::size_t tasks = 0;
    std::size_t most = 0;
    std::vector<std::size_t> others;
    std::size_t states = 0;
    for (const auto& [sequence, count] : counts) {
      tasks += count;
      most = std::max(most, count);
    }
    for (std::size_t i = 0; i < suite_.tasks().size(); ++i) {
      const Task& task = suite_.tasks()[i];
      if (task.type == type && (i % 10 == 0 || std::getenv("SORTIE_FULL") != nullptr)) {
        others.push_back(other_chains(suite_.catalog(), task, 100).found.size());
        const auto calls = calls_of(suite_.catalog(), task);
        const Solutions found = shortest_solutions(suite_.catalog(), task, calls, task.plan.size());
        states = std::max(states, found.states);
      }
    }
    fmt::print(
        "{}: {} tasks, {} sequences, at most {:.1f} % of the tasks each; other chains of a "
        "task (counted up to 100): least {}, median {}; at most {} sets of calls searched\n",
        to_string(type),
        tasks,
        counts.size(),
        100.0 * static_cast<double>(most) / static_cast<double>(tasks),
        std::ranges::min(others),
        median(others),
        states);
    EXPECT_GE(tasks, 100U);
    EXPECT_GE(suite_.eligible(type), 80U);
    EXPECT_GE(counts.size(), 25U);
    EXPECT_LE(most * 100, tasks * 5);
    EXPECT_GE(std::ranges::min(others), 3U);
  }
}

// --- One task ---

TEST_F(Validator, a_plan_that_does_not_work_is_not_solvable) {
  task_.plan.back().arguments.erase(task_.plan.back().arguments.begin());
  EXPECT_TRUE(broken().contains("solvable"));
}

TEST_F(Validator, an_effect_that_nobody_asked_for_is_not_a_solution) {
  task_.eligible = false;
  task_.plan.push_back(
      {.tool = "file_operations_writer",
       .arguments = {{"source", make_reference(task_.plan.size() - 1)}, {"path", "out/extra.csv"}},
       .reason = "r"});
  EXPECT_TRUE(broken(kOwnSuite).contains("solvable"));
}

TEST_F(Validator, a_goal_that_does_not_need_a_step_is_found) {
  // Only the source is asked for: everything after it is unnecessary.
  task_.goal.required.resize(1);
  task_.eligible = false;
  const Rules rules = broken();
  EXPECT_TRUE(rules.contains("necessary"));
  EXPECT_TRUE(rules.contains("complete"));
  EXPECT_TRUE(rules.contains("decodable"));
}

TEST_F(Validator, a_value_that_is_not_checked_is_found) {
  task_.goal.required.back().values.clear();
  task_.eligible = false;
  EXPECT_EQ(broken(), (Rules{"decodable", "necessary"}));
  // The author of another suite may leave a value open.
  EXPECT_EQ(broken(kOwnSuite), Rules{});
}

TEST_F(Validator, a_plan_that_takes_a_detour_is_not_complete) {
  task_ = *suite_.find("multi_stage_pipeline-001");
  task_.eligible = false;
  // Both strands watch the same service: one series is enough.
  task_.plan[1].arguments = task_.plan[0].arguments;
  task_.goal = goal_of(suite_.catalog(), task_.plan);
  EXPECT_TRUE(broken(kOwnSuite).contains("complete"));
}

TEST_F(Validator, a_task_that_the_kinds_give_away_does_not_need_its_text) {
  // A listing is made by one tool alone.
  task_ = *suite_.find("simple_task-001");
  task_.eligible = false;
  task_.plan = {{.tool = "file_operations_scanner",
                 .arguments = {{"directory", "shared/oslo/2020-q1"}, {"extension", "csv"}},
                 .reason = "r"}};
  task_.goal = goal_of(suite_.catalog(), task_.plan);
  task_.texts.fill("scan shared/oslo/2020-q1 for csv");
  text(Difficulty::very_easy) = "file_operations_scanner shared/oslo/2020-q1 csv";
  EXPECT_EQ(broken(kOwnSuite), Rules{"needs_text"});
}

TEST_F(Validator, a_world_with_nothing_but_what_is_needed_has_no_distractors) {
  const ToolCatalog catalog = changed_catalog([&](json::Array& tools) {
    for (auto tool = tools.begin(); tool != tools.end();) {
      const std::string name(*json::get_string(*tool, "name"));
      // Another source is no distractor: it takes nothing that the plan has.
      const bool needed = name == "file_operations_scanner" ||
                          std::ranges::find(task_.plan, name, &Step::tool) != task_.plan.end();
      tool = needed ? tool + 1 : tools.erase(tool);
    }
  });
  task_.eligible = false;
  task_.hash = content_hash(task_);
  const auto findings = validate_task(catalog, task_, kOwnSuite);
  EXPECT_TRUE(
      std::ranges::any_of(findings, [](const Finding& f) { return f.rule == "distractors"; }));
}

TEST_F(Validator, a_value_missing_in_a_text_is_found) {
  text(Difficulty::hard) = "We would like something to happen.";
  EXPECT_EQ(broken(), (Rules{"decodable", "verbatim"}));
  EXPECT_EQ(broken(kOwnSuite), Rules{"verbatim"});
}

TEST_F(Validator, a_level_that_a_suite_of_ones_own_lacks_is_no_finding) {
  text(Difficulty::hard).clear();
  EXPECT_EQ(broken(kOwnSuite), Rules{});
}

TEST_F(Validator, a_value_inside_a_longer_word_does_not_count) {
  Task task = task_;
  task.goal.required = {
      {.tool = task.plan[0].tool, .values = {{"path", "a/b.csv"}, {"n", 5}}, .inputs = {}}};
  EXPECT_EQ(masked_text(task, "take 5 from a/b.csv."), "take _ from _.");
  EXPECT_EQ(masked_text(task, "take 15 or 5.5 or x-5 from data/a/b.csv2"),
            "take 15 or 5.5 or x-5 from data/a/b.csv2");
}

TEST_F(Validator, a_text_that_asks_for_the_same_in_another_order_is_not_decoded_to_the_goal) {
  std::string& medium = text(Difficulty::medium);
  const std::size_t second = medium.find(". ") + 2;
  const std::size_t third = medium.find(". ", second) + 2;
  const std::size_t fourth = medium.find(". ", third) + 2;
  medium = medium.substr(0, second) + medium.substr(third, fourth - third) +
           medium.substr(second, third - second) + medium.substr(fourth);
  EXPECT_EQ(broken(), Rules{"decodable"});
}

TEST_F(Validator, a_tool_name_above_very_easy_is_found_and_so_is_its_absence_there) {
  const std::string easy = text(Difficulty::easy);
  text(Difficulty::easy) += " Use network_router.";
  EXPECT_EQ(broken(), (Rules{"decodable", "names"}));
  text(Difficulty::easy) = easy;
  text(Difficulty::very_easy) = easy;
  EXPECT_EQ(broken(), (Rules{"decodable", "names"}));
  // Texts of one's own are as free as they like, but neither give tools away nor hold them back.
  EXPECT_EQ(broken(kOwnSuite), Rules{"names"});
  text(Difficulty::very_easy).clear();
  EXPECT_EQ(broken(kOwnSuite), Rules{});
}

TEST_F(Validator, a_tool_is_named_by_a_word_of_its_own_only) {
  text(Difficulty::easy) += " The file is network_router-2.";
  EXPECT_EQ(broken(kOwnSuite), Rules{});
  text(Difficulty::easy) += " Ask network_router.";
  EXPECT_EQ(broken(kOwnSuite), Rules{"names"});
}

TEST_F(Validator, a_stem_of_an_operation_from_medium_on_is_found) {
  text(Difficulty::medium) += " Afterwards, validate it.";
  EXPECT_EQ(broken(), (Rules{"decodable", "vocabulary"}));
}

TEST_F(Validator, a_stale_hash_is_found) {
  task_.hash = base::digest_of("other");
  const auto findings = validate_task(suite_.catalog(), task_);
  EXPECT_TRUE(std::ranges::any_of(findings, [](const Finding& f) { return f.rule == "hash"; }));
}

TEST_F(Validator, an_eligible_task_without_a_flaw_is_found) {
  // Two steps have no middle one to leave out.
  task_ = *suite_.find("simple_task-001");
  task_.plan.resize(2);
  task_.goal.required.resize(2);
  const auto findings = validate_task(suite_.catalog(), task_);
  EXPECT_TRUE(std::ranges::any_of(findings, [](const Finding& f) {
    return f.rule == "flaws" && f.message.find("missing_step") != std::string::npos;
  }));
}

// --- A suite ---

TEST_F(Validator, twins_are_found) {
  Task twin = task_;
  twin.id = "data_pipeline-999";
  const auto twins = [&](const ValidationOptions& options) {
    const auto findings = validate(suite_of({task_, twin}), options);
    return std::ranges::count_if(findings, [](const Finding& f) { return f.rule == "unique"; });
  };
  EXPECT_EQ(twins({.lexicon = true, .full_size = false}), 5);
  EXPECT_EQ(twins(kOwnSuite), 5);
}

TEST(OwnSuiteValidator, texts_that_differ_by_checked_values_only_are_twins) {
  const ToolCatalog catalog = own_catalog();
  const std::string other = changed(
      changed(changed(changed(kOwnTask, "refund-1", "refund-2"), "4711", "4712"), "4711", "4712"),
      "80 percent",
      "{} percent");
  const auto rules = [&](std::string_view text) {
    Suite suite("own/1", catalog);
    EXPECT_TRUE(suite.add_task(own_task(catalog)));
    EXPECT_TRUE(suite.add_task(own_task(catalog, text)));
    Rules found;
    for (const Finding& finding : validate(suite, kOwnSuite)) {
      if (!finding.advice) {
        found.insert(finding.task + " " + finding.rule);
      }
    }
    return found;
  };
  EXPECT_EQ(rules(changed(other, "{} percent", "80 percent")), Rules{"refund-2 unique"});
  EXPECT_EQ(rules(changed(other, "Pay {} percent", "Give 80 percent")), Rules{});
}

TEST_F(Validator, a_suite_that_is_too_small_is_found_where_size_matters) {
  const Suite small = suite_of({task_});
  EXPECT_EQ(suite_rules(small, {}), (Rules{"coverage", "diversity", "size"}));
  EXPECT_EQ(suite_rules(small, {.lexicon = true, .full_size = false}), Rules{});
  EXPECT_EQ(suite_rules(small, kOwnSuite), Rules{});
}

TEST_F(Validator, a_draw_that_repeats_a_sequence_is_found) {
  std::vector<Task> tasks(5, task_);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    tasks[i].id = fmt::format("data_pipeline-{}", 900 + i);
  }
  EXPECT_TRUE(suite_rules(suite_of(tasks), {}).contains("draw"));
  tasks.resize(3);
  EXPECT_FALSE(suite_rules(suite_of(tasks), {}).contains("draw"));
}

TEST_F(Validator, a_tool_without_wordings_is_found_where_the_lexicon_matters) {
  const ToolCatalog catalog = changed_catalog([](json::Array& tools) {
    json::Value tool = tools.back();
    tool.get_object()["name"] = "utility_whisperer";
    tool.get_object()["operation"] = "whisperer";
    tools.push_back(std::move(tool));
  });
  const Suite suite("own/1", catalog);
  EXPECT_EQ(suite_rules(suite, {.lexicon = true, .full_size = false}), Rules{"phrases"});
  EXPECT_EQ(suite_rules(suite, kOwnSuite), Rules{});
}

TEST_F(Validator, every_tool_is_needed_in_two_types_or_more) {
  const auto counts = coverage(suite_);
  EXPECT_EQ(counts.size(), 30U);
}

}  // namespace sortie::suite
