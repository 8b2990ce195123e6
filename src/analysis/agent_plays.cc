#include "sortie/analysis/agent_plays.h"

#include "sortie/analysis/all_cores.h"
#include "sortie/dialogue/rules.h"
#include "sortie/score/score.h"
#include "sortie/suite/shown_plans.h"
#include "sortie/suite/suite.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::analysis {

namespace {

constexpr std::size_t kAtOnce = 64;

suite::TrialParams params_of(const PlayFactors& factors, std::uint64_t seed) {
  suite::TrialParams params;
  params.prompt = suite::prompt_from(factors.prompt).value_or(suite::Prompt{});
  params.severity = factors.severity;
  params.tool_success_rate = factors.tool_success_rate;
  params.difficulty = suite::Difficulty::easy;
  params.protocol = factors.protocol;
  params.seed = seed;
  params.max_turns = factors.max_turns;
  return params;
}

Play play_of(const PlayStage& stage,
             score::Agent agent,
             const suite::Task& task,
             const suite::TrialParams& params) {
  Play play;
  const suite::ShownPlans& plans = stage.stage.rules->plans();
  if (params.prompt.style == suite::PromptStyle::flawed &&
      plans.flawed(task, params.prompt.flaw, params.severity) == nullptr) {
    return play;
  }
  const score::Score score =
      score::score(score::play(agent, stage.stage, task, params), task, params, plans);
  play.possible = true;
  play.success = score.success;
  play.flawed = score.flawed_places.value_or(0);
  play.followed = score.followed_places.value_or(0);
  play.retry = {.same_call = score.retry.same,
                .other_arguments = score.retry.arguments,
                .other_tool = score.retry.tool,
                .no_further_call = score.retry.none};
  return play;
}

}  // namespace

PlayFactors factors_of(score::Agent agent, const suite::TrialParams& params) {
  PlayFactors factors{.agent = agent,
                      .prompt = suite::to_string(params.prompt),
                      .severity = params.severity,
                      .protocol = params.protocol,
                      .tool_success_rate = params.tool_success_rate,
                      .max_turns = params.max_turns};
  if (agent != score::Agent::plan_copier && params.prompt.style != suite::PromptStyle::flawed) {
    // The others do not look at a plan, and none of these at the wording; what is flawed decides
    // which of their calls count as followed.
    factors.prompt = suite::to_string(suite::Prompt{.style = suite::PromptStyle::baseline});
    factors.severity = suite::Severity::severe;
  }
  return factors;
}

void renumber(PlayBook& book, std::span<const TaskInfo> tasks) {
  std::map<std::string_view, std::uint32_t> wanted;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    wanted.emplace(tasks[i].id, static_cast<std::uint32_t>(i));
  }
  std::vector<std::optional<std::uint32_t>> numbers;
  for (const std::string& id : book.tasks) {
    const auto found = wanted.find(id);
    numbers.push_back(found == wanted.end() ? std::nullopt : std::optional(found->second));
  }
  // Both lists are sorted by id, so that places stay ascending.
  for (auto& [factors, known] : book.plays) {
    Plays kept;
    for (std::size_t i = 0; i < known.places.size(); ++i) {
      if (const auto number = numbers[known.places[i].task]) {
        kept.places.push_back({.task = *number, .repeat = known.places[i].repeat});
        kept.plays.push_back(known.plays[i]);
      }
    }
    known = std::move(kept);
  }
  book.tasks.clear();
  for (const TaskInfo& task : tasks) {
    book.tasks.push_back(task.id);
  }
}

void play_missing(const PlayStage& stage,
                  const PlayFactors& factors,
                  std::span<const Place> places,
                  PlayBook& book) {
  Plays& known = book.plays[factors];
  Plays all;
  std::vector<std::size_t> missing;
  std::size_t old = 0;
  for (const Place& place : places) {
    for (; old < known.places.size() && known.places[old] < place; ++old) {
      all.places.push_back(known.places[old]);
      all.plays.push_back(known.plays[old]);
    }
    const bool is_known = old < known.places.size() && known.places[old] == place;
    if (!is_known) {
      missing.push_back(all.places.size());
    }
    all.places.push_back(place);
    all.plays.push_back(is_known ? known.plays[old++] : Play{});
  }
  for (; old < known.places.size(); ++old) {
    all.places.push_back(known.places[old]);
    all.plays.push_back(known.plays[old]);
  }
  const suite::TrialParams params = params_of(factors, stage.seed);
  on_all_cores(missing.size(), kAtOnce, [&](std::size_t i) {
    const Place& place = all.places[missing[i]];
    if (const suite::Task* task = stage.suite->find(book.tasks[place.task])) {
      suite::TrialParams own = params;
      own.repeat = static_cast<int>(place.repeat);
      all.plays[missing[i]] = play_of(stage, factors.agent, *task, own);
    }
  });
  known = std::move(all);
}

}  // namespace sortie::analysis
