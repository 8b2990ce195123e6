#include "sortie/app/run_ending.h"

#include "sortie/app/command.h"
#include "sortie/base/time.h"
#include "sortie/engine/speed.h"
#include "sortie/monitor/details.h"
#include "sortie/monitor/status_json.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace sortie::app {

namespace {

/// The worst first.
constexpr std::array kByWeight = {kRefused, kInterrupted, kLosses, kDone};

int exit_code_of(engine::RunEnd end) {
  switch (end) {
    case engine::RunEnd::complete:
      return kDone;
    case engine::RunEnd::with_losses:
    case engine::RunEnd::budget_used:
    case engine::RunEnd::deadline:
    case engine::RunEnd::drained:
      return kLosses;
    case engine::RunEnd::interrupted:
      return kInterrupted;
    case engine::RunEnd::failed:
      return kRefused;
  }
  return kRefused;
}

std::string_view to_string(engine::RunEnd end) {
  switch (end) {
    case engine::RunEnd::complete:
      return "complete";
    case engine::RunEnd::with_losses:
      return "with_losses";
    case engine::RunEnd::budget_used:
      return "budget_used";
    case engine::RunEnd::deadline:
      return "deadline";
    case engine::RunEnd::drained:
      return "drained";
    case engine::RunEnd::interrupted:
      return "interrupted";
    case engine::RunEnd::failed:
      return "failed";
  }
  return "failed";
}

std::string ending(const engine::RunResult& result,
                   const std::string& directory,
                   const std::string& again) {
  switch (result.end) {
    case engine::RunEnd::complete:
      return fmt::format(
          "Complete. Ledger {0}/ledger.db\nNext: sortie report {0}   sortie show {0} 1   sortie "
          "verify {0}\n",
          directory);
    case engine::RunEnd::with_losses:
      return fmt::format(
          "Finished with losses: {}.\nSee: sortie status {}\nWhen the cause is mended: {} "
          "--retry-losses\n",
          result.message,
          directory,
          again);
    case engine::RunEnd::budget_used:
      return fmt::format(
          "Stopped: {}.\nGo on with a higher budget, --max-cost … or --max-tokens …: {}\n",
          result.message,
          again);
    case engine::RunEnd::deadline:
    case engine::RunEnd::drained:
      return fmt::format(
          "Stopped: {}. What was begun is saved.\nGo on with: {}\n", result.message, again);
    case engine::RunEnd::interrupted:
      return fmt::format("Interrupted; everything that was answered is saved. Go on with: {}\n",
                         again);
    case engine::RunEnd::failed:
      return fmt::format("Stopped: {}. Finished work is safe; once mended, go on with: {}\n",
                         result.message,
                         again);
  }
  return {};
}

json::Object document(const RunOutcome& outcome) {
  const engine::RunStatus& status = outcome.status;
  return {{"run", outcome.directory},
          {"end", to_string(outcome.result.end)},
          {"message", outcome.result.message},
          {"planned", status.planned()},
          {"scored", status.scored()},
          {"lost", status.lost()},
          {"attempts", status.attempts},
          {"turns", status.turns},
          {"seconds", base::seconds(status.elapsed)},
          {"cost_micro_usd", status.cost_micro_usd},
          {"reused", analysis::to_json(outcome.reused)},
          {"budget", monitor::to_json(status.budget)},
          {"speed", status.speed.has_value() ? engine::to_json(*status.speed) : nullptr},
          {"shared_limits", monitor::to_json(outcome.status.shared_limits)},
          {"tables", analysis::to_json(outcome.summary)}};
}

}  // namespace

int exit_code_of(std::span<const RunOutcome> outcomes) {
  const auto weight = [](const RunOutcome& outcome) {
    return std::ranges::find(kByWeight, exit_code_of(outcome.result.end));
  };
  return *weight(*std::ranges::min_element(outcomes, {}, weight));
}

json::Value to_json(std::span<const RunOutcome> outcomes) {
  if (outcomes.size() == 1) {
    return document(outcomes.front());
  }
  json::Array campaigns;
  for (const RunOutcome& outcome : outcomes) {
    json::Object one = document(outcome);
    one["campaign"] = outcome.status.run;
    campaigns.push_back(std::move(one));
  }
  return json::Object{{"campaigns", std::move(campaigns)}};
}

std::string to_text(std::span<const RunOutcome> outcomes) {
  std::string text;
  for (const RunOutcome& outcome : outcomes) {
    text += fmt::format(
        "\n{}{}\n{}{}{}",
        outcomes.size() > 1 ? fmt::format("== {} ==\n\n", outcome.status.run) : "",
        analysis::to_text(outcome.summary),
        outcome.reused.empty()
            ? ""
            : to_text(analysis::reused_table(outcome.reused, analysis::Language::english)) + "\n",
        monitor::speed_text(outcome.status.speed),
        ending(outcome.result, outcome.directory, outcome.again));
  }
  if (!outcomes.empty()) {  // campaigns of one process have their limits in common
    text += monitor::shared_text(outcomes.back().status.shared_limits);
  }
  return text;
}

}  // namespace sortie::app
