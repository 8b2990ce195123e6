#include "sortie/base/hash.h"
#include "sortie/dialogue/rules.h"
#include "sortie/score/score.h"
#include "sortie/sim/play.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

// Error labels against known causes: simulated models that make exactly one kind of fatal mistake
// work on the pilot through real dialogues, and the label of each failed trial is compared with the
// mistake its model makes.

namespace sortie {
namespace {

/// Each model is named after the label that its only mistake deserves. Refusals and cut answers
/// begin with the second answer: where no call ever ran the label is that of silence.
constexpr std::string_view kCauses = R"(version: 1
seed: 5
providers:
  causes:
    listen: 127.0.0.1:0
    models:
      no_command: {skill: {format: {no_command: 1}}}
      tool_call_format: {skill: {format: {unreadable: 1}}}
      refused: {skill: {refusal: {chance: 1, from: 2}}}
      truncated: {skill: {truncated: {chance: 1, from: 2}}}
      loop: {skill: {loop: 1}}
      tool_selection: {skill: {misread: 1, mistakes: {wrong_tool: 1}, repair: 0, rejected: {give_up: 1}}}
      parameter_config: {skill: {misread: 1, mistakes: {wrong_value: 1}, repair: 0, rejected: {give_up: 1}}}
      sequence_order: {skill: {misread: 1, mistakes: {wrong_order: 1}, repair: 0, rejected: {go_on: 1}}}
      dependency: {skill: {misread: 1, mistakes: {stale_handle: 1}, repair: 0, rejected: {give_up: 1}}}
      early_finish: {skill: {early_finish: 1}}
      max_turns: {skill: {dawdle: 12}}
)";

bool full() {
  return std::getenv("SORTIE_FULL") != nullptr;
}

class Causes : public testing::Test {
 protected:
  static const suite::Suite& pilot() {
    static const suite::Suite kPilot = suite::Suite::pilot().value();
    return kPilot;
  }

  /// Plays one trial without a plan at a rate of 0.8.
  score::Score play(const std::string& model, std::size_t index, std::size_t number) {
    const suite::Task& task = pilot().tasks()[index];
    suite::TrialParams params;
    params.prompt = {.style = suite::PromptStyle::baseline, .flaw = suite::Flaw::none};
    params.seed = 11;
    const sim::Played played = sim::play(provider_,
                                         rules_,
                                         task,
                                         {.model = model,
                                          .key = base::digest_of(fmt::format("trial {}", number)),
                                          .params = params});
    return score::score(played.transcript, task, params, pilot().catalog());
  }

  static std::vector<std::size_t> tasks(std::size_t per_type) {
    std::vector<std::size_t> out;
    for (const suite::TaskType type : suite::kTaskTypes) {
      const std::size_t count = std::min(per_type, pilot().eligible(type));
      const std::vector<std::size_t> drawn = pilot().draw(11, type, count);
      out.insert(out.end(), drawn.begin(), drawn.end());
    }
    return out;
  }

  sim::Profile profile_ = sim::parse_profile("causes.yaml", kCauses).value();
  dialogue::Rules rules_{pilot()};
  sim::SimulatedProvider provider_{profile_.providers.front(), profile_.seed, pilot()};
};

TEST_F(Causes, are_what_the_labels_of_failed_trials_say) {
  const std::vector<std::size_t> drawn = tasks(full() ? 80 : 8);
  std::string matrix;
  for (const sim::ModelProfile& model : profile_.providers.front().models) {
    std::map<std::string, std::size_t> labels;
    std::size_t failed = 0;
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      const score::Score score = play(model.name, drawn[i], i);
      if (!score.success) {
        ++failed;
        ++labels[std::string(score::to_string(score.label))];
      }
    }
    matrix += fmt::format("{:<17} {:>4} of {:>4} failed:", model.name, failed, drawn.size());
    for (const auto& [label, count] : labels) {
      matrix += fmt::format(" {} {}", label, count);
    }
    const double diagonal =
        failed == 0 ? 0 : static_cast<double>(labels[model.name]) / static_cast<double>(failed);
    matrix += fmt::format("  diagonal {:.1f} %\n", 100 * diagonal);
    EXPECT_GE(10 * failed, 4 * drawn.size()) << model.name << " seldom failed";
    EXPECT_GE(diagonal, 0.95) << model.name;
  }
  fmt::print("{}", matrix);
}

}  // namespace
}  // namespace sortie
