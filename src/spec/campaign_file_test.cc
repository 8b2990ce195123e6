#include "sortie/base/hash.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"
#include "sortie/spec/test_samples.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::spec {

namespace {

using samples::campaign_error;
using Names = std::vector<std::string>;

std::string file_with(std::string_view lines) {
  return fmt::format("version: 1\nname: test\nmodels: [sim-large]\n{}\n", lines);
}

Campaign campaign_with(std::string_view text, const CampaignOverrides& overrides = {}) {
  static const suite::Suite suite = samples::suite_of_samples();
  auto campaign = parse_campaign(text, "folder/c.yaml", suite, samples::topology(), overrides);
  EXPECT_TRUE(campaign) << campaign.error().message;
  return campaign ? *campaign : Campaign{};
}

std::string override_error(std::string_view text, const CampaignOverrides& overrides) {
  const auto campaign =
      parse_campaign(text, "c.yaml", samples::suite_of_samples(), samples::topology(), overrides);
  return campaign ? "" : campaign.error().message;
}

/// "optimal easy 0.8 baseline+prompts": what tells the cells of a test apart.
std::string description(const Cell& cell) {
  std::string scenarios;
  for (const std::string& scenario : cell.scenarios) {
    scenarios += (scenarios.empty() ? "" : "+") + scenario;
  }
  return fmt::format("{} {} {} {}",
                     suite::to_string(cell.params.prompt),
                     suite::to_string(cell.params.difficulty),
                     cell.params.tool_success_rate,
                     scenarios);
}

Names descriptions(const Campaign& campaign) {
  Names all;
  for (const Cell& cell : campaign.cells) {
    all.push_back(description(cell));
  }
  return all;
}

constexpr std::string_view kAll = R"(version: 1
name: pilot-all
suite: pilot/1
seed: 7
endpoints: ../endpoints.yaml
models: [sim-large, sim-small, sim-closed]
scenarios: [baseline, scale, flawed, reliability, prompts]
)";

TEST(CampaignFile, has_the_defaults_of_the_workload) {
  const Campaign campaign = campaign_with(file_with("scenarios: [baseline]"));
  EXPECT_EQ(campaign.name, "test");
  EXPECT_EQ(campaign.suite_name, "pilot/1");
  EXPECT_EQ(campaign.seed, 1U);
  EXPECT_EQ(campaign.endpoints_file, "folder/endpoints.yaml");
  ASSERT_EQ(campaign.cells.size(), 1U);
  const Cell& cell = campaign.cells[0];
  suite::TrialParams defaults;
  defaults.seed = 1;
  EXPECT_EQ(cell.params, defaults);
  EXPECT_EQ(cell.params.tool_success_rate, 0.8);
  EXPECT_EQ(cell.params.max_turns, 30);
  EXPECT_EQ(cell.instances, 20U);
  EXPECT_EQ(cell.repeats, 1U);
  EXPECT_EQ(cell.types.size(), 5U);
  EXPECT_EQ(cell.size(), 100U);
}

TEST(CampaignFile, keeps_its_text_for_the_manifest) {
  const std::string text = file_with("scenarios: [baseline]");
  const Campaign campaign = campaign_with(text);
  EXPECT_EQ(campaign.text, text);
  EXPECT_EQ(campaign.file_hash, base::digest_of(text));
  EXPECT_EQ(campaign.file, "folder/c.yaml");
}

TEST(Presets, have_the_trials_of_the_workloads_table) {
  const Campaign campaign = campaign_with(kAll);
  EXPECT_EQ(campaign.endpoints_file, "endpoints.yaml");
  std::map<std::string, std::uint64_t> trials;  // of sim-large, by owner
  std::map<std::size_t, std::uint64_t> per_model;
  for (const Cell& cell : campaign.cells) {
    per_model[cell.model] += cell.size();
    if (cell.model == 0) {
      trials[cell.scenarios.front()] += cell.size();
    }
  }
  const std::map<std::string, std::uint64_t> expected = {
      {"baseline", 100}, {"scale", 400}, {"flawed", 700}, {"reliability", 300}, {"prompts", 200}};
  EXPECT_EQ(trials, expected);
  EXPECT_EQ(per_model[0], 1700U);
  EXPECT_EQ(per_model[2], 1300U) << "without a size_b a model has no part in scale";
  EXPECT_EQ(campaign.trial_count(), 4700U);
}

TEST(Presets, share_cells_that_carry_every_scenario_owner_first) {
  const Campaign campaign =
      campaign_with(file_with("scenarios: [scale, reliability, '5.5', '5.1']"));
  EXPECT_EQ(descriptions(campaign),
            (Names{"optimal very_easy 0.8 scale",
                   "baseline very_easy 0.8 scale",
                   "optimal easy 0.8 baseline+scale+reliability+prompts",
                   "baseline easy 0.8 prompts+scale",
                   "optimal medium 0.8 scale",
                   "baseline medium 0.8 scale",
                   "optimal easy 0.9 reliability",
                   "optimal easy 0.7 reliability",
                   "optimal easy 0.6 reliability",
                   "cot easy 0.8 prompts"}));
}

TEST(Presets, own_their_shared_cell_where_the_other_scenario_is_not_listed) {
  EXPECT_EQ(
      descriptions(campaign_with(file_with("scenarios: [prompts]"))),
      (Names{"optimal easy 0.8 prompts", "baseline easy 0.8 prompts", "cot easy 0.8 prompts"}));
}

TEST(Presets, of_flaws_have_one_cell_per_flaw) {
  const Campaign campaign = campaign_with(file_with("scenarios: [5.3]"));
  std::set<std::string> prompts;
  for (const Cell& cell : campaign.cells) {
    prompts.insert(suite::to_string(cell.params.prompt));
    EXPECT_EQ(cell.params.severity, suite::Severity::severe);
  }
  EXPECT_EQ(prompts.size(), 7U);
  EXPECT_TRUE(prompts.contains("flawed_semantic_drift"));
}

TEST(Presets, take_the_campaigns_factors_where_they_do_not_vary_them) {
  const Campaign campaign = campaign_with(
      file_with("difficulty: hard\nmax_turns: 12\nprotocol: native\nscenarios: [reliability]"));
  ASSERT_EQ(campaign.cells.size(), 4U);
  for (const Cell& cell : campaign.cells) {
    EXPECT_EQ(cell.params.difficulty, suite::Difficulty::hard);
    EXPECT_EQ(cell.params.max_turns, 12);
    EXPECT_EQ(cell.params.protocol, suite::Protocol::native);
  }
}

TEST(Scenario, of_ones_own_is_the_product_of_what_varies) {
  const Campaign campaign = campaign_with(file_with(R"(scenarios:
  - id: my-sweep
    difficulty: medium
    vary: {tool_success_rate: [0.9, 0.5], prompt: [optimal, baseline]}
    instances: 4
    repeats: 3)"));
  EXPECT_EQ(descriptions(campaign),
            (Names{"optimal medium 0.9 my-sweep",
                   "baseline medium 0.9 my-sweep",
                   "optimal medium 0.5 my-sweep",
                   "baseline medium 0.5 my-sweep"}));
  EXPECT_EQ(campaign.cells[0].instances, 4U);
  EXPECT_EQ(campaign.cells[0].repeats, 3U);
  EXPECT_EQ(campaign.trial_count(), 4U * 60U);
}

TEST(Scenario, shares_a_cell_with_the_larger_size) {
  const Campaign campaign = campaign_with(file_with(R"(instances: 5
scenarios:
  - {id: baseline, instances: 10}
  - prompts
  - {id: noise-floor, vary: {}, repeats: 3})"));
  EXPECT_EQ(description(campaign.cells[0]), "optimal easy 0.8 baseline+prompts+noise-floor");
  EXPECT_EQ(campaign.cells[0].instances, 10U);
  EXPECT_EQ(campaign.cells[0].repeats, 3U);
  EXPECT_EQ(campaign.cells[1].instances, 5U);
}

TEST(Scenario, can_be_of_some_models_only) {
  const Campaign campaign = campaign_with(R"(version: 1
name: test
models: [sim-closed, sim-large]
scenarios: [baseline, {id: cold, max_turns: 5, models: [sim-large]}]
)");
  ASSERT_EQ(campaign.cells.size(), 3U);
  EXPECT_EQ(campaign.cells[0].model, 2U) << "ordered as the campaign lists its models";
  EXPECT_EQ(campaign.cells[1].model, 0U);
  EXPECT_EQ(campaign.cells[2].model, 0U);
  EXPECT_EQ(campaign.cells[2].params.max_turns, 5);
}

TEST(Scenario, forgets_the_severity_where_no_plan_is_flawed) {
  const Campaign campaign = campaign_with(file_with(R"(severity: medium
scenarios:
  - {id: mine, vary: {severity: [medium, severe], prompt: [optimal, flawed_tool_misuse]}})"));
  ASSERT_EQ(campaign.cells.size(), 3U);
  EXPECT_EQ(campaign.cells[0].params.severity, suite::Severity::severe);
  EXPECT_EQ(campaign.cells[1].params.severity, suite::Severity::medium);
  EXPECT_EQ(campaign.cells[2].params.severity, suite::Severity::severe);
}

TEST(CellId, depends_on_factors_and_model_but_not_on_the_number_of_trials) {
  const auto id_of = [](std::string_view lines) {
    return campaign_with(file_with(lines)).cells[0].id;
  };
  const base::Digest id = id_of("scenarios: [baseline]");
  EXPECT_EQ(id_of("instances: 3\nrepeats: 2\nscenarios: [prompts]"), id);
  EXPECT_EQ(id_of("severity: light\nscenarios: [baseline]"), id);
  EXPECT_NE(id_of("seed: 2\nscenarios: [baseline]"), id);
  EXPECT_NE(id_of("max_turns: 2\nscenarios: [baseline]"), id);
  const auto with_prompt = [&](std::string_view prompt) {
    return id_of(fmt::format("scenarios: [{{id: own, prompt: {}}}]", prompt));
  };
  EXPECT_EQ(with_prompt("optimal"), with_prompt("optimal"));
  EXPECT_NE(with_prompt("flawed_tool_misuse"), with_prompt("optimal"));
  EXPECT_NE(with_prompt("flawed_tool_misuse"), with_prompt("flawed_missing_step"));
  EXPECT_NE(
      campaign_with("version: 1\nname: t\nmodels: [sim-small]\nscenarios: [baseline]").cells[0].id,
      id);
}

TEST(Overrides, keep_every_cell_that_a_wanted_scenario_shows) {
  const Campaign campaign =
      campaign_with(kAll, {.only = {"5.4"}, .models = {"sim-small"}, .limit = 0});
  EXPECT_EQ(descriptions(campaign),
            (Names{"optimal easy 0.8 baseline+scale+reliability+prompts",
                   "optimal easy 0.9 reliability",
                   "optimal easy 0.7 reliability",
                   "optimal easy 0.6 reliability"}));
  EXPECT_TRUE(
      std::ranges::all_of(campaign.cells, [](const Cell& cell) { return cell.model == 1; }));
}

TEST(Overrides, limit_the_trials_of_each_type_and_cell) {
  const std::string text = file_with("instances: 6\nrepeats: 3\nscenarios: [baseline]");
  const auto sizes = [&](std::size_t limit) {
    const Campaign campaign = campaign_with(text, {.only = {}, .models = {}, .limit = limit});
    return std::pair(campaign.cells[0].instances, campaign.cells[0].repeats);
  };
  EXPECT_EQ(sizes(2), std::pair(2UL, 1UL));
  EXPECT_EQ(sizes(6), std::pair(6UL, 1UL));
  EXPECT_EQ(sizes(13), std::pair(6UL, 2UL));
  EXPECT_EQ(sizes(100), std::pair(6UL, 3UL));
}

TEST(Overrides, that_name_nothing_are_refused) {
  EXPECT_EQ(override_error(kAll, {.only = {"flawd"}, .models = {}, .limit = 0}),
            "--only: this campaign has no 'flawd'; did you mean 'flawed'?");
  EXPECT_EQ(override_error(file_with("scenarios: [baseline]"),
                           {.only = {"5.3"}, .models = {}, .limit = 0}),
            "--only: this campaign has no 'flawed'; expected one of: baseline");
  EXPECT_EQ(override_error(kAll, {.only = {}, .models = {"sim-larg"}, .limit = 0}),
            "--model: this campaign has no 'sim-larg'; did you mean 'sim-large'?");
  EXPECT_EQ(
      override_error(kAll, {.only = {"scale"}, .models = {"sim-closed"}, .limit = 0}),
      "nothing is left of this campaign: the chosen scenarios have no cell of the chosen models");
}

TEST(CampaignFile, refuses_what_is_missing_or_unknown) {
  EXPECT_EQ(campaign_error(""), "c.yaml:1:1: campaign file: expected a mapping, found nothing");
  EXPECT_EQ(campaign_error("version: 1"),
            "c.yaml:1:1: campaign file: 'name' is missing\n"
            "c.yaml:1:1: campaign file: 'models' is missing\n"
            "c.yaml:1:1: campaign file: 'scenarios' is missing");
  EXPECT_EQ(campaign_error(file_with("scenarios: [baseline]\ninstance: 3")),
            "c.yaml:5:1: campaign file: unknown key 'instance'; did you mean 'instances'?");
  EXPECT_EQ(campaign_error(file_with("scenarios: [baseline]\nseed: -1")),
            "c.yaml:5:7: seed: must be at least 0 and at most 9223372036854775807, found -1");
  EXPECT_EQ(campaign_error(file_with("scenarios: [baseline]\nsuite: pilot/2")),
            "c.yaml:5:1: suite: 'pilot/2' is not here; this run has suite 'pilot/1'");
  EXPECT_EQ(campaign_error(file_with("scenarios: [baseline]\nname: x")),
            "c.yaml:5:1: duplicate key 'name', first in line 2");
  EXPECT_EQ(campaign_error("version: 1\nname: a/b\nmodels: [sim-large]\nscenarios: [baseline]"),
            "c.yaml:2:7: a name here has 1 to 128 characters: letters, digits, and . _ -; the "
            "first is no . or -");
}

TEST(CampaignFile, refuses_models_that_are_not_there) {
  const auto with_models = [](std::string_view models) {
    return fmt::format("version: 1\nname: t\nmodels: {}\nscenarios: [baseline]\n", models);
  };
  EXPECT_EQ(campaign_error(with_models("[sim-large, sim-smal]")),
            "c.yaml:3:21: unknown model 'sim-smal'; did you mean 'sim-small'?");
  EXPECT_EQ(campaign_error(with_models("[sim-large, sim-large]")),
            "c.yaml:3:21: models: 'sim-large' stands here twice");
  EXPECT_EQ(campaign_error(with_models("[]")), "c.yaml:3:9: models: the list is empty");
  EXPECT_EQ(campaign_error(with_models("{sim-large: }")),
            "c.yaml:3:9: models: expected a list of names, found a mapping");
}

TEST(CampaignFile, refuses_unknown_factor_values) {
  const auto with_factor = [](std::string_view factor) {
    return campaign_error(file_with(fmt::format("{}\nscenarios: [baseline]", factor)));
  };
  EXPECT_EQ(with_factor("prompt: optimum"),
            "c.yaml:4:9: unknown prompt 'optimum'; did you mean 'optimal'?");
  EXPECT_EQ(with_factor("prompt: flawed_tool_missuse"),
            "c.yaml:4:9: unknown prompt 'flawed_tool_missuse'; did you mean 'flawed_tool_misuse'?");
  EXPECT_EQ(with_factor("difficulty: veryeasy"),
            "c.yaml:4:13: unknown difficulty 'veryeasy'; did you mean 'very_easy'?");
  EXPECT_EQ(with_factor("severity: sever"),
            "c.yaml:4:11: unknown severity 'sever'; did you mean 'severe'?");
  EXPECT_EQ(with_factor("protocol: txt"),
            "c.yaml:4:11: unknown protocol 'txt'; did you mean 'text'?");
  EXPECT_EQ(with_factor("tool_success_rate: 80"),
            "c.yaml:4:20: tool_success_rate: must be greater than 0 and at most 1, found 80");
  EXPECT_EQ(with_factor("tool_success_rate: 0"),
            "c.yaml:4:20: tool_success_rate: must be greater than 0 and at most 1, found 0");
  EXPECT_EQ(with_factor("max_turns: many"),
            "c.yaml:4:12: max_turns: expected a whole number, found \"many\"");
  EXPECT_EQ(with_factor("task_types: [simple_tasks]"),
            "c.yaml:4:14: unknown task type 'simple_tasks'; did you mean 'simple_task'?");
}

TEST(CampaignFile, refuses_more_instances_than_the_suite_has_tasks) {
  EXPECT_EQ(
      campaign_error(file_with("task_types: [simple_task]\ninstances: 25\nscenarios: [baseline]")),
      "c.yaml:5:1: instances: 25 of each task type, but suite 'pilot/1' has only 24 eligible tasks "
      "of type "
      "simple_task");
  EXPECT_EQ(campaign_error(
                file_with("task_types: [basic_task]\nscenarios: [{id: baseline, instances: 30}]")),
            "c.yaml:5:28: instances: 30 of each task type, but suite 'pilot/1' has only 24 "
            "eligible tasks of type "
            "basic_task");
  EXPECT_EQ(campaign_error(file_with("instances: 0\nscenarios: [baseline]")),
            "c.yaml:4:12: instances: must be at least 1 and at most 1000000, found 0");
}

TEST(Scenarios, that_are_unknown_or_twice_are_refused) {
  EXPECT_EQ(campaign_error(file_with("scenarios: []")),
            "c.yaml:4:12: scenarios: expected a list of scenarios, found an empty one");
  EXPECT_EQ(campaign_error(file_with("scenarios: baseline")),
            "c.yaml:4:12: scenarios: expected a list of scenarios, found a text");
  EXPECT_EQ(campaign_error(file_with("scenarios: [flawd]")),
            "c.yaml:4:13: unknown scenario 'flawd'; did you mean 'flawed'?");
  EXPECT_EQ(campaign_error(file_with("scenarios: ['5.6']")),
            "c.yaml:4:13: unknown scenario '5.6'; expected one of: baseline, scale, flawed, "
            "reliability, prompts");
  EXPECT_EQ(campaign_error(file_with("scenarios: [baseline, '5.1']")),
            "c.yaml:4:23: scenario 'baseline' stands here twice");
  EXPECT_EQ(campaign_error(file_with("scenarios: [{vary: {}}]")),
            "c.yaml:4:13: scenario: 'id' is missing");
  EXPECT_EQ(campaign_error(file_with("scenarios: [{id: flawd, instances: 3}]")),
            "c.yaml:4:18: scenario 'flawd' is no preset and has neither vary: nor a factor; did "
            "you mean 'flawed'?");
  EXPECT_EQ(campaign_error(file_with("scenarios: [[baseline]]")),
            "c.yaml:4:13: scenario: expected a text, found a list");
}

TEST(Scenarios, that_change_a_preset_are_refused) {
  EXPECT_EQ(campaign_error(file_with("scenarios: [{id: prompts, difficulty: hard}]")),
            "c.yaml:4:27: scenario 'prompts' is a preset: its difficulty is fixed or the "
            "campaign's; give a scenario of "
            "your own an id of its own");
  EXPECT_EQ(campaign_error(file_with("scenarios: [{id: prompts, vary: {}}]")),
            "c.yaml:4:27: scenario 'prompts' is a preset and varies what it varies; give a "
            "scenario of your own an id of "
            "its own");
}

TEST(Scenarios, with_broken_sweeps_are_refused) {
  const auto with_vary = [](std::string_view vary) {
    return campaign_error(file_with(fmt::format("scenarios: [{{id: s, vary: {}}}]", vary)));
  };
  EXPECT_EQ(with_vary("[prompt]"), "c.yaml:4:27: vary: expected a mapping, found a list");
  EXPECT_EQ(with_vary("{promt: [optimal]}"),
            "c.yaml:4:28: vary: unknown key 'promt'; did you mean 'prompt'?");
  EXPECT_EQ(with_vary("{prompt: []}"), "c.yaml:4:28: vary: prompt has no values");
  EXPECT_EQ(with_vary("{prompt: [optimal, best]}"),
            "c.yaml:4:46: unknown prompt 'best'; expected one of: baseline, cot, optimal, "
            "flawed_sequence_disorder, "
            "flawed_tool_misuse, flawed_parameter_error, flawed_missing_step, "
            "flawed_redundant_operations, "
            "flawed_logical_inconsistency, flawed_semantic_drift");
  EXPECT_EQ(with_vary("{tool_success_rate: [0.9, 0.90]}"),
            "c.yaml:4:53: vary: tool_success_rate has this value twice");
  EXPECT_EQ(with_vary("{severity: [light, severe]}"),
            "c.yaml:4:28: vary: severity means something only with a flawed prompt");
  EXPECT_EQ(
      campaign_error(file_with("scenarios: [{id: s, prompt: cot, vary: {prompt: [optimal]}}]")),
      "c.yaml:4:41: vary: prompt has one value above and is varied here");
}

TEST(Scenarios, of_more_cells_than_can_be_held_are_refused) {
  std::string turns;
  std::string rates;
  for (int i = 1; i <= 400; ++i) {
    turns += fmt::format("{}{}", i == 1 ? "" : ", ", i);
    rates += fmt::format("{}{}", i == 1 ? "" : ", ", i / 400.0);
  }
  EXPECT_EQ(campaign_error(file_with(fmt::format(
                "scenarios: [{{id: s, vary: {{max_turns: [{}], tool_success_rate: [{}]}}}}]",
                turns,
                rates))),
            fmt::format("c.yaml:4:{}: vary: more than 100,000 combinations", 43 + turns.size()));
}

TEST(Scenarios, of_models_that_are_not_in_the_campaign_are_refused) {
  EXPECT_EQ(campaign_error(file_with("scenarios: [{id: baseline, models: [sim-small]}]")),
            "c.yaml:4:37: unknown model of this campaign 'sim-small'; expected one of: sim-large");
}

TEST(Scale, needs_sizes_of_one_family) {
  EXPECT_EQ(campaign_error("version: 1\nname: t\nmodels: [sim-closed]\nscenarios: [scale]"),
            "c.yaml:4:13: scenario 'scale': no model of this campaign has a size_b");
  EXPECT_EQ(campaign_error("version: 1\nname: t\nmodels: [sim-closed]\nscenarios: [{id: scale, "
                           "models: [sim-closed]}]"),
            "c.yaml:4:13: scenario 'scale': model 'sim-closed' has no size_b");
  const auto topology = parse_endpoints(R"(version: 1
models: {a: {family: f, size_b: 1}, b: {family: g, size_b: 2}}
endpoints: {e: {dialect: openai, base_url: "https://h", routes: [a, b]}}
)",
                                        "e.yaml");
  ASSERT_TRUE(topology) << topology.error().message;
  const auto error = [&](std::string_view scale) {
    const auto campaign =
        parse_campaign(fmt::format("version: 1\nname: t\nmodels: [a, b]\nscenarios: [{}]", scale),
                       "c.yaml",
                       samples::suite_of_samples(),
                       *topology);
    return campaign ? "" : campaign.error().message;
  };
  EXPECT_EQ(error("scale"),
            "c.yaml:4:13: scenario 'scale' compares models of one family, and those with a size_b "
            "are of 2 (f, g); choose "
            "with {id: scale, models: [...]}");
  EXPECT_EQ(error("{id: scale, models: [a]}"), "");
}

TEST(Flaws, that_do_not_exist_for_a_drawn_task_are_refused) {
  const auto with_severity = [](std::string_view severity) {
    return campaign_error(file_with(
        fmt::format("task_types: [simple_task]\ninstances: 3\nscenarios: [{{id: s, prompt: "
                    "flawed_missing_step, severity: {}}}]",
                    severity)));
  };
  EXPECT_EQ(with_severity("light"), "");
  // The tasks of the samples have two middle steps: to leave out two is to leave out all.
  const std::string error = with_severity("medium");
  EXPECT_TRUE(error.starts_with(
      "c.yaml:6:13: flaw missing_step at severity medium does not exist for 3 of the 3 "
      "drawn tasks, e.g. simple_task-0"))
      << error;
  EXPECT_TRUE(error.ends_with("; severity severe exists for all")) << error;
}

TEST(EndpointsPath, is_relative_to_the_campaigns_folder) {
  const std::string path = ::testing::TempDir() + "spec_campaign_test.yaml";
  const auto path_with = [&](std::string_view text) {
    std::FILE* file = std::fopen(path.c_str(), "w");
    std::fputs(std::string(text).c_str(), file);
    std::fclose(file);
    auto found = endpoints_path_of(path);
    return found ? *found : found.error().message;
  };
  EXPECT_EQ(path_with("version: 1\nname: x"), ::testing::TempDir() + "endpoints.yaml");
  EXPECT_EQ(path_with("endpoints: sub/e.yaml"), ::testing::TempDir() + "sub/e.yaml");
  EXPECT_EQ(path_with("endpoints: /etc/e.yaml"), "/etc/e.yaml");
  EXPECT_EQ(path_with("endpoints: []"), path + ":1:12: endpoints: expected a text, found a list");
  EXPECT_EQ(path_with("a: ["),
            path + ":1:4: not valid YAML: the [ that stands here is never closed");
  std::remove(path.c_str());
  EXPECT_EQ(endpoints_path_of("/nonexistent").error().message,
            "/nonexistent: cannot be read: No such file or directory");
}

TEST(Comparisons, are_with_the_first_model_and_exploratory_unless_declared) {
  const Campaign campaign =
      campaign_with("version: 1\nname: t\nmodels: [sim-small, sim-large]\nscenarios: [baseline]\n");
  EXPECT_EQ(campaign.comparisons.baseline_model, "sim-small");
  EXPECT_FALSE(campaign.comparisons.all_pairs);
  EXPECT_TRUE(campaign.comparisons.primary.empty());
}

TEST(Comparisons, name_a_model_and_primary_families_by_scenario_or_name) {
  const Campaign campaign = campaign_with(
      "version: 1\nname: t\nmodels: [sim-small, sim-large]\nscenarios: [baseline, flawed, "
      "prompts]\n"
      "baseline_model: sim-large\nprimary: ['5.3', baseline/without_plan]\n");
  EXPECT_EQ(campaign.comparisons.baseline_model, "sim-large");
  EXPECT_EQ(campaign.comparisons.primary,
            (Names{"flawed/right_plan", "flawed/no_plan", "baseline/without_plan"}));
  const Campaign pairs = campaign_with(
      "version: 1\nname: t\nmodels: [sim-small, sim-large]\nscenarios: [baseline]\n"
      "comparisons: all_pairs\n");
  EXPECT_TRUE(pairs.comparisons.all_pairs);
  EXPECT_EQ(pairs.comparisons.baseline_model, "");
}

TEST(Comparisons, declared_primary_have_cells_to_compare) {
  const auto error_of = [](std::string_view models, std::string_view lines) {
    return campaign_error(fmt::format("version: 1\nname: t\nmodels: [{}]\n{}\n", models, lines));
  };
  const std::string two = "sim-small, sim-large";
  EXPECT_EQ(error_of(two, "scenarios: [baseline]\nprimary: [baseline/without_plan]"),
            "c.yaml:5:11: primary: baseline/without_plan needs cells without a plan: add the "
            "scenario prompts");
  EXPECT_NE(error_of(two, "scenarios: [flawed]\nprimary: [flawed/no_plan]")
                .find("c.yaml:5:11: primary: flawed/no_plan needs cells without a plan"),
            std::string::npos);
  EXPECT_NE(error_of(two, "scenarios: [flawed]\nprimary: [flawed/right_plan]")
                .find("needs cells with the right plan: add the scenario prompts"),
            std::string::npos);
  EXPECT_NE(error_of(two, "prompt: baseline\nscenarios: [baseline]\nprimary: [baseline/with_plan]")
                .find("needs cells with the right plan"),
            std::string::npos);
  EXPECT_NE(error_of("sim-small", "scenarios: [baseline]\nprimary: [baseline/with_plan]")
                .find("has only one: add another one to models"),
            std::string::npos);
  // A scenario of one's own may show the cells as well; one without the second model does not.
  const std::string_view own =
      "scenarios: [baseline, {{id: own, vary: {{prompt: [baseline]}}{}}}]\n"
      "primary: [baseline/without_plan]";
  EXPECT_EQ(error_of(two, fmt::format(fmt::runtime(own), "")), "");
  EXPECT_NE(error_of(two, fmt::format(fmt::runtime(own), ", models: [sim-small]"))
                .find("needs cells without a plan"),
            std::string::npos);
  // A preset stands for those of its families that have cells.
  EXPECT_EQ(error_of(two, "scenarios: [baseline, flawed]\nprimary: ['5.1', '5.3']"), "");
  EXPECT_NE(error_of(two, "scenarios: [flawed]\nprimary: ['5.3']").find("flawed/no_plan needs"),
            std::string::npos);
  const Campaign some = campaign_with(
      "version: 1\nname: t\nmodels: [sim-small, sim-large]\nscenarios: [baseline, flawed]\n"
      "primary: ['5.3']\n");
  EXPECT_EQ(some.comparisons.primary, (Names{"flawed/right_plan"}));
}

TEST(Comparisons, that_cannot_be_are_refused_with_their_place) {
  const auto error_of = [](std::string_view lines) {
    return campaign_error(file_with(fmt::format("scenarios: [baseline]\n{}", lines)));
  };
  EXPECT_NE(error_of("comparisons: all_pair").find("c.yaml:5:1"), std::string::npos);
  EXPECT_NE(error_of("comparisons: all_pair").find("did you mean 'all_pairs'"), std::string::npos);
  EXPECT_NE(
      error_of("baseline_model: sim-small").find("unknown model of this campaign 'sim-small'"),
      std::string::npos);
  EXPECT_NE(error_of("comparisons: all_pairs\nbaseline_model: sim-large").find("c.yaml:6:1"),
            std::string::npos);
  EXPECT_NE(error_of("primary: [baseline, flawed]").find("which this campaign does not run"),
            std::string::npos);
  const std::string unknown = error_of("primary: [baseline/wihout_plan]");
  EXPECT_NE(unknown.find("c.yaml:5:11"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("did you mean 'baseline/without_plan'"), std::string::npos) << unknown;
}

}  // namespace

}  // namespace sortie::spec
