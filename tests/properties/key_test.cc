#include "sortie/base/hash.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/factors.h"
#include "sortie/spec/model.h"
#include "sortie/suite/task.h"
#include "sortie/suite/task_file.h"

#include "properties/support.h"
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

// A trial's key: the smallest change of each part that docs/reference/files.md lists changes it,
// and nothing else does.

namespace sortie::properties {
namespace {

struct Parts {
  spec::Model model;
  spec::KeyParts key;

  Parts() {
    const suite::Task& task = pilot().tasks().front();
    model.name = "acme-72b";
    model.revision = "2026-01";
    model.sampling = {.temperature = 0.6, .top_p = 0.95, .max_tokens = 4096, .seed = {}};
    key.task = task.hash;
    key.world = pilot().catalog().version();
    key.dialogue = rules().version();
    key.params.prompt = {.style = suite::PromptStyle::flawed, .flaw = suite::Flaw::tool_misuse};
    key.params.seed = 7;
    key.plan = rules().plan_digest(task, key.params);
  }

  [[nodiscard]] base::Digest digest() const {
    spec::KeyParts parts = key;
    parts.model = &model;
    return spec::key_of(parts);
  }
};

using Change = std::function<void(Parts&)>;

/// Adds the change of each byte of one part, in its lowest and its highest bit.
template <class Bytes>
void add_bytes(std::vector<Change>& changes, Bytes&& bytes_of) {
  Parts sample;
  for (std::size_t i = 0; i < bytes_of(sample).size(); ++i) {
    for (const unsigned bit : {1U, 128U}) {
      changes.emplace_back([=](Parts& parts) {
        auto& byte = bytes_of(parts)[i];
        byte = static_cast<std::remove_reference_t<decltype(byte)>>(
            static_cast<unsigned char>(byte) ^ bit);
      });
    }
  }
}

double above(double value) {
  return std::nextafter(value, std::numeric_limits<double>::infinity());
}

TEST(TrialKey, changes_with_one_byte_of_each_part) {
  std::vector<Change> changes;
  add_bytes(changes, [](Parts& p) -> auto& { return p.key.task.bytes; });
  add_bytes(changes, [](Parts& p) -> auto& { return p.key.world.bytes; });
  add_bytes(changes, [](Parts& p) -> auto& { return p.key.dialogue.bytes; });
  add_bytes(changes, [](Parts& p) -> auto& { return p.key.plan.bytes; });
  add_bytes(changes, [](Parts& p) -> auto& { return p.model.name; });
  add_bytes(changes, [](Parts& p) -> auto& { return p.model.revision; });
  const std::vector<Change> values = {
      [](Parts& p) { p.model.name += '\0'; },
      [](Parts& p) { p.model.revision.clear(); },
      [](Parts& p) { p.model.simulated = !p.model.simulated; },
      [](Parts& p) { p.model.commands_from_reasoning = !p.model.commands_from_reasoning; },
      [](Parts& p) { p.model.sampling.temperature = above(0.6); },
      [](Parts& p) { p.model.sampling.temperature.reset(); },
      [](Parts& p) { p.model.sampling.top_p = above(0.95); },
      [](Parts& p) { p.model.sampling.top_p.reset(); },
      [](Parts& p) { ++*p.model.sampling.max_tokens; },
      [](Parts& p) { p.model.sampling.max_tokens.reset(); },
      [](Parts& p) { p.key.params.tool_success_rate = above(0.8); },
      [](Parts& p) { ++p.key.params.repeat; },
      [](Parts& p) { ++p.key.params.seed; },
      [](Parts& p) { p.key.params.seed += 1ULL << 63U; },
      [](Parts& p) { ++p.key.params.max_turns; },
      [](Parts& p) { p.key.params.severity = suite::Severity::light; },
      [](Parts& p) { p.key.params.severity = suite::Severity::medium; },
      [](Parts& p) { p.key.params.protocol = suite::Protocol::native; },
      [](Parts& p) { p.key.params.prompt = {.style = suite::PromptStyle::baseline}; },
      [](Parts& p) { p.key.params.prompt = {.style = suite::PromptStyle::cot}; },
      [](Parts& p) { p.key.params.prompt = {.style = suite::PromptStyle::optimal}; },
  };
  changes.insert(changes.end(), values.begin(), values.end());
  for (const suite::Difficulty difficulty : suite::kDifficulties) {
    if (difficulty != Parts().key.params.difficulty) {
      changes.emplace_back([=](Parts& p) { p.key.params.difficulty = difficulty; });
    }
  }
  for (const suite::Flaw flaw : suite::kPlanFlaws) {
    if (flaw != Parts().key.params.prompt.flaw) {
      changes.emplace_back([=](Parts& p) { p.key.params.prompt.flaw = flaw; });
    }
  }
  std::set<base::Digest> keys = {Parts().digest()};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Parts parts;
    changes[i](parts);
    EXPECT_TRUE(keys.insert(parts.digest()).second) << "change " << i;
  }
  EXPECT_EQ(keys.size(), changes.size() + 1);
}

TEST(TrialKey, does_not_change_with_what_is_derived_from_it) {
  Parts parts;
  parts.model.sampling.seed = 5;
  EXPECT_EQ(parts.digest(), Parts().digest());
}

/// One byte of the content of a task: its JSON form with one letter of a text replaced.
TEST(TrialKey, a_tasks_hash_changes_with_one_byte_of_its_content) {
  const suite::Task& task = pilot().tasks().front();
  std::set<base::Digest> hashes = {suite::content_hash(task)};
  EXPECT_EQ(suite::content_hash(task), task.hash);
  for (std::size_t level = 0; level < task.texts.size(); ++level) {
    for (std::size_t i = 0; i < task.texts[level].size(); ++i) {
      suite::Task changed = task;
      changed.texts[level][i] ^= 1;
      EXPECT_TRUE(hashes.insert(suite::content_hash(changed)).second) << level << " " << i;
    }
  }
  const std::vector<std::function<void(suite::Task&)>> changes = {
      [](suite::Task& t) { t.id.back() ^= 1; },
      [](suite::Task& t) { t.type = suite::TaskType::data_pipeline; },
      [](suite::Task& t) { t.plan.front().tool.back() ^= 1; },
      [](suite::Task& t) { t.plan.front().reason.back() ^= 1; },
      [](suite::Task& t) { t.plan.front().arguments["x"] = 1; },
      [](suite::Task& t) { t.order.pop_back(); },
      [](suite::Task& t) { t.goal.required.front().tool.back() ^= 1; },
      [](suite::Task& t) { t.goal.required.front().values["x"] = 1; },
      [](suite::Task& t) { t.goal.required.back().inputs.push_back(0); },
      [](suite::Task& t) { t.eligible = !t.eligible; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    suite::Task changed = task;
    changes[i](changed);
    EXPECT_TRUE(hashes.insert(suite::content_hash(changed)).second) << "change " << i;
  }
}

spec::Campaign campaign_over(const suite::Suite& suite) {
  spec::Campaign campaign;
  spec::Cell cell;
  cell.types.assign(suite::kTaskTypes.begin(), suite::kTaskTypes.end());
  campaign.cells = {cell};
  campaign.bind(suite);
  return campaign;
}

TEST(TrialKey, adding_a_task_changes_none) {
  suite::Suite larger = suite::Suite::pilot().value();
  suite::Task extra = pilot().tasks().front();
  extra.id = "simple_task-999";
  extra.texts.front() += " Thank you.";
  extra.hash = suite::content_hash(extra);
  const auto added = larger.add_tasks(
      "extra", suite::task_file_text(larger.name(), std::span<const suite::Task>(&extra, 1)));
  ASSERT_TRUE(added.has_value()) << added.error().message;
  ASSERT_EQ(larger.tasks().size(), pilot().tasks().size() + 1);

  const dialogue::Rules larger_rules(larger);
  spec::Topology topology;
  topology.models.resize(1);
  topology.models[0].name = "m";
  const spec::Campaign before = campaign_over(pilot());
  const spec::Campaign after = campaign_over(larger);
  std::set<base::Digest> keys;
  for (std::size_t i = 0; i < pilot().tasks().size(); ++i) {
    const suite::Task& task = pilot().tasks()[i];
    ASSERT_EQ(larger.tasks()[i].id, task.id);
    spec::Trial trial;
    trial.task = i;
    const auto key = spec::trial_key({.suite = &pilot(), .dialogue_version = rules().version()},
                                     topology,
                                     before,
                                     trial,
                                     rules().plan_digest(task, trial.params));
    const auto same =
        spec::trial_key({.suite = &larger, .dialogue_version = larger_rules.version()},
                        topology,
                        after,
                        trial,
                        larger_rules.plan_digest(larger.tasks()[i], trial.params));
    EXPECT_EQ(key, same) << task.id;
    keys.insert(key);
  }
  EXPECT_EQ(keys.size(), pilot().tasks().size());
}

}  // namespace
}  // namespace sortie::properties
