#include "sortie/analysis/agent_rates.h"

#include "sortie/analysis/agent_plays.h"
#include "sortie/analysis/comparisons.h"
#include "sortie/dialogue/rules.h"
#include "sortie/score/agents.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sortie::analysis {

namespace {

std::optional<suite::TrialParams> params_of(const Setting& setting, std::uint64_t seed) {
  const auto prompt = suite::prompt_from(setting.prompt);
  const auto difficulty = suite::difficulty_from(setting.difficulty);
  const auto protocol = suite::protocol_from(setting.protocol);
  if (!prompt || !difficulty || !protocol) {
    return std::nullopt;
  }
  return suite::TrialParams{
      .prompt = *prompt,
      .severity = suite::severity_from(setting.severity).value_or(suite::Severity::severe),
      .tool_success_rate = setting.tool_success_rate,
      .difficulty = *difficulty,
      .protocol = *protocol,
      .repeat = 0,
      .seed = seed,
      .max_turns = static_cast<int>(setting.max_turns)};
}

void add_behaviour(const Play& play, ReferenceRate& rate) {
  rate.retry.same_call += play.retry.same_call;
  rate.retry.other_arguments += play.retry.other_arguments;
  rate.retry.other_tool += play.retry.other_tool;
  rate.retry.no_further_call += play.retry.no_further_call;
  if (play.flawed > 0) {
    ++rate.flawed;
    rate.obedience += static_cast<double>(play.followed) / play.flawed;
    rate.resistant += play.followed == 0 ? 1U : 0U;
    rate.recovered += play.followed > 0 && play.success ? 1U : 0U;
  }
}

/// By setting, what some model has scored in it, ascending.
std::map<Setting, std::vector<Place>> places_of(const RunRows& rows) {
  std::map<Setting, std::vector<Place>> places;
  for (std::size_t cell = 0; cell < rows.cells.size(); ++cell) {
    std::vector<Place> own;
    for (const TrialRow& row : rows.of_cell(cell)) {
      own.push_back({.task = row.task, .repeat = row.repeat});
    }
    const auto repeated = std::ranges::unique(own);
    own.erase(repeated.begin(), repeated.end());
    std::vector<Place>& known = places[setting_of(rows.cells[cell].factors)];
    std::vector<Place> all;
    std::ranges::set_union(known, own, std::back_inserter(all));
    known = std::move(all);
  }
  return places;
}

/// nullopt: a trial of the setting cannot be played.
std::optional<ReferenceRate> rate_of(const Plays& played,
                                     const RunRows& rows,
                                     const std::vector<Place>& places) {
  ReferenceRate rate;
  std::vector<ReferenceCount*> by_type;  // by task
  for (const TaskInfo& task : rows.tasks) {
    by_type.push_back(&rate.by_type[task.type]);
  }
  std::size_t at = 0;
  for (const Place& place : places) {
    while (played.places[at] != place) {
      ++at;
    }
    const Play& play = played.plays[at];
    if (!play.possible) {
      return std::nullopt;
    }
    add_behaviour(play, rate);
    for (ReferenceCount* count : {&rate.all, by_type[place.task]}) {
      ++count->n;
      count->successes += play.success ? 1U : 0U;
    }
  }
  std::erase_if(rate.by_type, [](const auto& type) { return type.second.n == 0; });
  return rate.all.n == 0 ? std::nullopt : std::optional(rate);
}

}  // namespace

std::vector<ReferenceRates> agent_rates(const RunRows& rows,
                                        const suite::Suite& suite,
                                        std::uint64_t seed,
                                        PlayBook& book) {
  const dialogue::Rules rules(suite);
  const score::CommonPlans common(suite);
  const PlayStage stage{
      .stage = {.rules = &rules, .common = &common}, .suite = &suite, .seed = seed};
  renumber(book, rows.tasks);
  const std::map<Setting, std::vector<Place>> places = places_of(rows);
  std::vector<ReferenceRates> out;
  for (const score::Agent agent : score::kTableAgents) {
    ReferenceRates rates{.agent = std::string(score::to_string(agent)), .by_setting = {}};
    for (const auto& [setting, scored] : places) {
      const auto params = params_of(setting, seed);
      if (!params) {
        continue;
      }
      const PlayFactors factors = factors_of(agent, *params);
      play_missing(stage, factors, scored, book);
      if (auto rate = rate_of(book.plays.at(factors), rows, scored)) {
        rates.by_setting.emplace(setting, *std::move(rate));
      }
    }
    out.push_back(std::move(rates));
  }
  return out;
}

std::vector<ReferenceRates> agent_rates(const RunRows& rows,
                                        const suite::Suite& suite,
                                        std::uint64_t seed) {
  PlayBook book;
  return agent_rates(rows, suite, seed, book);
}

}  // namespace sortie::analysis
