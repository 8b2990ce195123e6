#pragma once

#include "sortie/analysis/comparisons.h"
#include "sortie/analysis/trial_rows.h"
#include "sortie/score/agents.h"
#include "sortie/suite/trial.h"

#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

// The dialogues of scripted agents that reports ask for. Each is played once: of tens of thousands
// of trials they cost more than all queries.

namespace sortie::analysis {

/// What decides a dialogue of an agent beside suite, seed, task and repeat.
struct PlayFactors {
  score::Agent agent = score::Agent::perfect;
  std::string prompt;  // with its flaw
  suite::Severity severity = suite::Severity::severe;
  suite::Protocol protocol = suite::Protocol::text;
  double tool_success_rate = 0;
  int max_turns = 0;

  auto operator<=>(const PlayFactors&) const = default;
};

/// What reports show of one dialogue.
struct Play {
  bool possible = false;  // the task is known, and the prompt's flaw applies to it
  bool success = false;
  std::int32_t flawed = 0;  // places of the plan, and of those
  std::int32_t followed = 0;
  RetryCounts retry;
};

struct Plays {
  std::vector<Place> places;  // ascending; tasks are numbers of PlayBook::tasks
  std::vector<Play> plays;    // of each
};

/// What was played before; may be kept between reports of one suite and seed.
struct PlayBook {
  std::vector<std::string> tasks;  // ids
  std::map<PlayFactors, Plays> plays;
};

/// What an agent's dialogue depends on in such a trial.
[[nodiscard]] PlayFactors factors_of(score::Agent agent, const suite::TrialParams& params);

/// Numbers tasks as `tasks` does. Dialogues of tasks that are not among them are dropped.
void renumber(PlayBook& book, std::span<const TaskInfo> tasks);

/// Where the dialogues are played.
struct PlayStage {
  score::Stage stage;
  const suite::Suite* suite = nullptr;
  std::uint64_t seed = 0;
};

/// Plays what the book lacks at these places (ascending), on all cores.
void play_missing(const PlayStage& stage,
                  const PlayFactors& factors,
                  std::span<const Place> places,
                  PlayBook& book);

}  // namespace sortie::analysis
