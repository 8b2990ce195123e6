#include "sortie/analysis/agent_rates.h"

#include "sortie/analysis/comparisons.h"
#include "sortie/dialogue/rules.h"
#include "sortie/score/agents.h"
#include "sortie/score/score.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace sortie::analysis {

namespace {

/// What decides a dialogue of an agent beside the suite and the seed.
using PlayKey = std::tuple<const suite::Task*,
                           std::int64_t,  // repeat
                           std::string,   // prompt with its flaw
                           suite::Severity,
                           suite::Protocol,
                           double,  // tool_success_rate
                           int>;    // max_turns

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

/// Plays one agent, each dialogue once.
class AgentPlays {
 public:
  AgentPlays(score::Agent agent, score::Stage stage) : agent_(agent), stage_(stage) {}

  /// nullopt where the prompt's flaw does not apply to the task.
  const std::optional<score::Score>& of(const suite::Task& task, suite::TrialParams params) {
    const bool flawed = params.prompt.style == suite::PromptStyle::flawed;
    if (agent_ != score::Agent::plan_copier && !flawed) {
      // The others do not look at a plan, and none of these at the wording; what is flawed decides
      // which of their calls count as followed.
      params.prompt = {.style = suite::PromptStyle::baseline};
      params.severity = suite::Severity::severe;
    }
    params.difficulty = suite::Difficulty::easy;
    const PlayKey key{&task,
                      params.repeat,
                      suite::to_string(params.prompt),
                      params.severity,
                      params.protocol,
                      params.tool_success_rate,
                      params.max_turns};
    const auto [played, is_new] = played_.emplace(key, std::nullopt);
    if (is_new &&
        suite::shown_plan(stage_.rules->catalog(), task, params.prompt, params.severity)) {
      played->second = score::score(
          score::play(agent_, stage_, task, params), task, params, stage_.rules->catalog());
    }
    return played->second;
  }

 private:
  score::Agent agent_;
  score::Stage stage_;
  std::map<PlayKey, std::optional<score::Score>> played_;
};

void add_behaviour(const score::Score& score, ReferenceRate& rate) {
  rate.retry.same_call += score.retry.same;
  rate.retry.other_arguments += score.retry.arguments;
  rate.retry.other_tool += score.retry.tool;
  rate.retry.no_further_call += score.retry.none;
  if (const int places = score.flawed_places.value_or(0); places > 0) {
    const int followed = score.followed_places.value_or(0);
    ++rate.flawed;
    rate.obedience += static_cast<double>(followed) / places;
    rate.resistant += followed == 0 ? 1U : 0U;
    rate.recovered += followed > 0 && score.success ? 1U : 0U;
  }
}

/// By setting, what some model has scored in it.
std::map<Setting, std::set<Place>> places_of(const RunRows& rows) {
  std::map<Setting, std::set<Place>> places;
  for (std::size_t cell = 0; cell < rows.cells.size(); ++cell) {
    std::set<Place>& known = places[setting_of(rows.cells[cell].factors)];
    for (const TrialRow& row : rows.of_cell(cell)) {
      known.insert({.task = row.task, .repeat = row.repeat});
    }
  }
  return places;
}

/// nullopt: a trial of the setting cannot be played.
std::optional<ReferenceRate> rate_of(AgentPlays& plays,
                                     const RunRows& rows,
                                     const std::set<Place>& places,
                                     const suite::Suite& suite,
                                     const suite::TrialParams& params) {
  ReferenceRate rate;
  for (const Place& place : places) {
    const TaskInfo& info = rows.tasks[place.task];
    const suite::Task* task = suite.find(info.id);
    if (task == nullptr) {
      return std::nullopt;
    }
    suite::TrialParams own = params;
    own.repeat = static_cast<int>(place.repeat);
    const std::optional<score::Score>& score = plays.of(*task, own);
    if (!score) {
      return std::nullopt;
    }
    add_behaviour(*score, rate);
    for (ReferenceCount* count : {&rate.all, &rate.by_type[info.type]}) {
      ++count->n;
      count->successes += score->success ? 1U : 0U;
    }
  }
  return rate.all.n == 0 ? std::nullopt : std::optional(rate);
}

}  // namespace

std::vector<ReferenceRates> agent_rates(const RunRows& rows,
                                        const suite::Suite& suite,
                                        std::uint64_t seed) {
  const dialogue::Rules rules(suite);
  const score::CommonPlans common(suite);
  const std::map<Setting, std::set<Place>> places = places_of(rows);
  std::vector<ReferenceRates> out;
  for (const score::Agent agent : score::kTableAgents) {
    AgentPlays plays(agent, {.rules = &rules, .common = &common});
    ReferenceRates rates{.agent = std::string(score::title_of(agent)), .by_setting = {}};
    for (const auto& [setting, scored] : places) {
      const auto params = params_of(setting, seed);
      auto rate = params ? rate_of(plays, rows, scored, suite, *params) : std::nullopt;
      if (rate) {
        rates.by_setting.emplace(setting, *std::move(rate));
      }
    }
    out.push_back(std::move(rates));
  }
  return out;
}

}  // namespace sortie::analysis
