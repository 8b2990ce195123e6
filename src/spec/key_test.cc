#include "sortie/base/hash.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/cells.h"
#include "sortie/spec/factors.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"
#include "sortie/spec/test_samples.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::spec {

namespace {

/// A trial with everything its key is made of, as an editable value.
struct KeyFixture {
  suite::Suite suite = samples::suite_of_samples();
  Topology topology = samples::topology();
  Campaign campaign;
  base::Digest dialogue_version = base::digest_of("dialogue");
  base::Digest plan = base::digest_of("plan");
  Trial trial;

  KeyFixture() {
    Cell cell;
    cell.instances = 2;
    cell.types = {suite::TaskType::simple_task};
    campaign.cells = {cell, cell};
    campaign.cells[1].model = 1;
    campaign.bind(suite);
    trial = campaign.trial(0, 0);
    trial.params.prompt = {.style = suite::PromptStyle::flawed, .flaw = suite::Flaw::tool_misuse};
    trial.params.seed = 7;
  }

  [[nodiscard]] base::Digest key() const {
    return trial_key(
        {.suite = &suite, .dialogue_version = dialogue_version}, topology, campaign, trial, plan);
  }
};

TEST(TrialKey, changes_with_everything_that_decides_a_dialogue) {
  using Change = std::function<void(KeyFixture&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"task", [](KeyFixture& f) { f.trial.task = f.campaign.trial(0, 1).task; }},
      {"dialogue version", [](KeyFixture& f) { f.dialogue_version = base::digest_of("other"); }},
      {"plan", [](KeyFixture& f) { f.plan = base::digest_of("other"); }},
      {"model", [](KeyFixture& f) { f.trial.cell = 1; }},
      {"revision", [](KeyFixture& f) { f.topology.models[0].revision = "2"; }},
      {"simulated", [](KeyFixture& f) { f.topology.models[0].simulated = false; }},
      {"commands from reasoning",
       [](KeyFixture& f) { f.topology.models[0].commands_from_reasoning = true; }},
      {"temperature", [](KeyFixture& f) { f.topology.models[0].sampling.temperature = 0.7; }},
      {"no temperature", [](KeyFixture& f) { f.topology.models[0].sampling.temperature.reset(); }},
      {"top_p", [](KeyFixture& f) { f.topology.models[0].sampling.top_p = 1; }},
      {"max_tokens", [](KeyFixture& f) { f.topology.models[0].sampling.max_tokens = 1; }},
      {"prompt", [](KeyFixture& f) { f.trial.params.prompt = {.style = suite::PromptStyle::cot}; }},
      {"flaw", [](KeyFixture& f) { f.trial.params.prompt.flaw = suite::Flaw::missing_step; }},
      {"severity", [](KeyFixture& f) { f.trial.params.severity = suite::Severity::light; }},
      {"rate", [](KeyFixture& f) { f.trial.params.tool_success_rate = 0.81; }},
      {"difficulty", [](KeyFixture& f) { f.trial.params.difficulty = suite::Difficulty::hard; }},
      {"protocol", [](KeyFixture& f) { f.trial.params.protocol = suite::Protocol::native; }},
      {"repeat", [](KeyFixture& f) { f.trial.params.repeat = 1; }},
      {"seed", [](KeyFixture& f) { f.trial.params.seed = 8; }},
      {"max_turns", [](KeyFixture& f) { f.trial.params.max_turns = 31; }},
  };
  std::set<base::Digest> keys = {KeyFixture().key()};
  for (const auto& [what, change] : changes) {
    KeyFixture fixture;
    change(fixture);
    EXPECT_TRUE(keys.insert(fixture.key()).second) << what;
  }
}

TEST(TrialKey, does_not_depend_on_the_severity_without_a_flaw) {
  KeyFixture fixture;
  fixture.trial.params.prompt = {.style = suite::PromptStyle::optimal};
  const base::Digest key = fixture.key();
  fixture.trial.params.severity = suite::Severity::light;
  EXPECT_EQ(fixture.key(), key);
}

TEST(TrialKey, does_not_depend_on_routes_prices_or_the_size_of_the_campaign) {
  KeyFixture fixture;
  const base::Digest key = fixture.key();
  fixture.topology.routes.clear();
  fixture.topology.models[0].price = {.input = 9, .output = 9, .cached_input = 9};
  fixture.topology.models[0].family = "other";
  fixture.topology.models[0].capability.token_limit_parameter = "max_completion_tokens";
  fixture.topology.models[0].sampling.seed = 5;
  fixture.campaign.name = "other";
  fixture.campaign.cells[0].instances = 24;
  fixture.campaign.cells[0].scenarios = {"x"};
  fixture.trial.ordinal = 17;
  EXPECT_EQ(fixture.key(), key);
}

TEST(TrialKey, is_stable_for_ever) {
  // Finished trials are found by these: if this test fails, change the code back.
  Model model;
  model.name = "m";
  model.revision = "r1";
  model.simulated = true;
  model.sampling = {.temperature = 0.6, .top_p = 0.95, .max_tokens = 4096, .seed = {}};
  suite::TrialParams params;
  params.seed = 7;
  EXPECT_EQ(cell_id(model, params).hex(), "9a5f91725be70dec217fd42d0556a94c");
  params.prompt = {.style = suite::PromptStyle::flawed, .flaw = suite::Flaw::semantic_drift};
  model.sampling.temperature.reset();
  EXPECT_EQ(cell_id(model, params).hex(), "700161ffb59c6eed04adeb7dfee46696");
  params.repeat = 2;
  const KeyParts parts = {.task = base::digest_of("task"),
                          .world = base::digest_of("world"),
                          .dialogue = base::digest_of("dialogue"),
                          .plan = base::digest_of("plan"),
                          .model = &model,
                          .params = params};
  EXPECT_EQ(key_of(parts).hex(), "3711134bdeb8b5ff7ad60428fe650855");
}

TEST(ProviderSeed, is_derived_from_the_key_and_fits_31_bits) {
  EXPECT_EQ(provider_seed(base::digest_of("a")), 1'447'628'712);
  EXPECT_NE(provider_seed(base::digest_of("a")), provider_seed(base::digest_of("b")));
  for (int i = 0; i < 1'000; ++i) {
    const std::int64_t seed = provider_seed(base::digest_of(std::to_string(i)));
    ASSERT_GE(seed, 0);
    ASSERT_LT(seed, std::int64_t{1} << 31);
  }
}

}  // namespace

}  // namespace sortie::spec
