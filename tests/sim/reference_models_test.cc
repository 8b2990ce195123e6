#include "sortie/base/hash.h"
#include "sortie/dialogue/dialogue.h"
#include "sortie/dialogue/rules.h"
#include "sortie/dialogue/transcript.h"
#include "sortie/score/score.h"
#include "sortie/sim/play.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"
#include "sortie/suite/world.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

// The provider of examples/pilot: the stand-ins for the reference campaigns together meet every
// branch of a dialogue.

namespace sortie {
namespace {

constexpr std::array<suite::Prompt, 3> kPrompts = {
    {{.style = suite::PromptStyle::baseline, .flaw = suite::Flaw::none},
     {.style = suite::PromptStyle::optimal, .flaw = suite::Flaw::none},
     {.style = suite::PromptStyle::flawed, .flaw = suite::Flaw::parameter_error}}};

constexpr std::array kBranches = {"repair unclosed_tag",
                                  "repair code_fence",
                                  "repair single_quotes",
                                  "repair trailing_comma",
                                  "repair call_syntax",
                                  "repair bare_call",
                                  "repair native_tool_call",
                                  "repair native_python_tag",
                                  "repair native_deepseek",
                                  "repair structured_calls",
                                  "repair from_reasoning",
                                  "no command",
                                  "unreadable",
                                  "several calls",
                                  "not run",
                                  "empty",
                                  "refused",
                                  "truncated",
                                  "early finish",
                                  "end finish",
                                  "end loop",
                                  "same call after a failure",
                                  "other arguments after a failure",
                                  "other tool after a failure",
                                  "gave up after a failure"};

/// How often something was seen, by its name.
using Seen = std::map<std::string, std::size_t>;

void note_turns(const dialogue::Transcript& transcript, Seen& seen) {
  for (const dialogue::Turn& turn : transcript.turns) {
    for (const std::string& repair : turn.repairs) {
      ++seen["repair " + repair];
    }
    seen["no command"] += !turn.understood && turn.unreadable == 0 && !turn.empty ? 1U : 0U;
    seen["unreadable"] += turn.unreadable;
    seen["several calls"] += turn.commands.size() > 1 ? 1U : 0U;
    seen["not run"] +=
        static_cast<std::size_t>(std::ranges::count(turn.commands, false, &dialogue::Command::ran));
    seen["empty"] += turn.empty ? 1U : 0U;
    seen["refused"] += turn.refused ? 1U : 0U;
    seen["truncated"] += turn.truncated ? 1U : 0U;
  }
  ++seen[fmt::format("end {}", dialogue::to_string(transcript.end))];
}

/// What came after each injected failure.
void note_retries(const dialogue::Transcript& transcript, Seen& seen) {
  const std::vector<suite::CallRecord>& calls = transcript.calls;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (calls[i].result.status != suite::CallStatus::injected) {
      continue;
    }
    if (i + 1 == calls.size()) {
      ++seen["gave up after a failure"];
    } else if (calls[i + 1].tool != calls[i].tool) {
      ++seen["other tool after a failure"];
    } else if (calls[i + 1].arguments != calls[i].arguments) {
      ++seen["other arguments after a failure"];
    } else {
      ++seen["same call after a failure"];
    }
  }
}

/// Every model of the provider at the same trials.
Seen play_all(const sim::ProviderProfile& shipped, std::uint64_t seed) {
  const suite::Suite pilot = suite::Suite::pilot().value();
  const dialogue::Rules rules(pilot);
  sim::SimulatedProvider provider(shipped, seed, pilot);
  std::vector<std::size_t> tasks;
  for (const suite::TaskType type : suite::kTaskTypes) {
    const auto drawn = pilot.draw(1, type, 12);
    tasks.insert(tasks.end(), drawn.begin(), drawn.end());
  }
  Seen seen;
  for (const sim::ModelProfile& model : shipped.models) {
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      suite::TrialParams params;
      params.prompt = kPrompts.at(i % kPrompts.size());
      params.seed = 1;
      const sim::Played played = sim::play(
          provider,
          rules,
          pilot.tasks()[tasks[i]],
          {.model = model.name, .key = base::digest_of(fmt::format("{}", i)), .params = params},
          {.commands_from_reasoning = true});
      note_turns(played.transcript, seen);
      note_retries(played.transcript, seen);
      seen["early finish"] +=
          played.transcript.end == dialogue::End::finish && !played.transcript.goal_met ? 1U : 0U;
    }
  }
  return seen;
}

TEST(ReferenceModels, together_exercise_every_branch_of_a_dialogue) {
  const auto profile = sim::load_profile(SORTIE_SOURCE_DIR "/examples/pilot/providers.yaml");
  ASSERT_TRUE(profile.has_value()) << profile.error().message;
  ASSERT_EQ(profile->providers.size(), 1U);
  const sim::ProviderProfile& shipped = profile->providers.front();
  EXPECT_EQ(shipped.name, "sim");
  EXPECT_EQ(shipped.port, 18810);
  EXPECT_EQ(shipped.path, "/v1");
  EXPECT_EQ(shipped.models.size(), 14U);
  EXPECT_TRUE(shipped.limits.empty());
  Seen seen = play_all(shipped, profile->seed);
  std::string counts;
  for (const auto& [what, count] : seen) {
    counts += fmt::format("{}: {}\n", what, count);
  }
  for (const char* branch : kBranches) {
    EXPECT_GT(seen[branch], 0U) << branch << " is missing among\n" << counts;
  }
}

}  // namespace
}  // namespace sortie
