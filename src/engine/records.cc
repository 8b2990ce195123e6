#include "sortie/engine/records.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::engine {

namespace {

std::string_view name_of(suite::CallStatus status) {
  switch (status) {
    case suite::CallStatus::ok:
      return "ok";
    case suite::CallStatus::rejected:
      return "rejected";
    case suite::CallStatus::injected:
      return "injected";
  }
  return "ok";
}

ledger::CallRecord to_record(ledger::TrialId trial, std::size_t n, const suite::CallRecord& call) {
  const bool injected = call.result.status == suite::CallStatus::injected;
  ledger::CallRecord record;
  record.trial = trial;
  record.n = static_cast<std::int64_t>(n);
  record.tool = call.tool;
  record.arguments = json::canonical(call.arguments);
  record.status = name_of(call.result.status);
  record.code = call.result.code;
  record.result = call.result.status == suite::CallStatus::ok ? json::to_text(call.result.value)
                                                              : call.result.message;
  record.origin = injected ? "injected" : "world";
  record.artifact = call.result.artifact;
  return record;
}

}  // namespace

ledger::CellRecord to_record(const spec::Topology& topology, const spec::Cell& cell) {
  const spec::Model& model = topology.models[cell.model];
  const bool flawed = cell.params.prompt.flaw != suite::Flaw::none;
  return {
      .id = cell.id,
      .model = model.name,
      .simulated = model.simulated,
      .scenarios = base::join(cell.scenarios, ","),
      .prompt = suite::to_string(cell.params.prompt),
      .flaw = std::string(suite::to_string(cell.params.prompt.flaw)),
      .severity = flawed ? std::string(suite::to_string(cell.params.severity)) : std::string(),
      .difficulty = std::string(suite::to_string(cell.params.difficulty)),
      .protocol = std::string(suite::to_string(cell.params.protocol)),
      .tool_success_rate = cell.params.tool_success_rate,
      .max_turns = cell.params.max_turns,
      .planned = static_cast<std::int64_t>(cell.size()),
  };
}

ledger::ScoreRecord to_record(ledger::TrialId trial, const score::Score& score) {
  ledger::ScoreRecord record;
  record.trial = trial;
  record.scorer = score::kScorerVersion;
  record.success = score.success;
  record.clean = score.clean;
  record.progress = score.progress;
  record.level = score::to_string(score.level);
  record.order = score.order;
  record.tool_coverage = score.tool_coverage;
  record.efficiency = score.efficiency;
  record.calls = score.calls;
  record.calls_ok = score.calls_ok;
  record.calls_rejected = score.calls_rejected;
  record.calls_injected = score.calls_injected;
  record.turns = score.turns;
  record.turns_repaired = score.turns_repaired;
  record.turns_not_understood = score.turns_not_understood;
  record.label = score::to_string(score.label);
  if (score.label_turn.has_value()) {
    record.label_turn = *score.label_turn;
  }
  record.empty = score.empty;
  record.truncated = score.truncated;
  record.filtered = score.filtered;
  record.refused = score.refused;
  record.context_full = score.context_full;
  if (score.flawed_places.has_value() && score.followed_places.has_value()) {
    record.flawed_places = *score.flawed_places;
    record.followed_places = *score.followed_places;
  }
  record.retry_same = score.retry.same;
  record.retry_arguments = score.retry.arguments;
  record.retry_tool = score.retry.tool;
  record.retry_none = score.retry.none;
  record.calls_per_answer = score.calls_per_answer;
  return record;
}

std::vector<ledger::CallRecord> calls_of(ledger::TrialId trial,
                                         const dialogue::Transcript& transcript) {
  std::vector<ledger::CallRecord> records;
  records.reserve(transcript.calls.size());
  for (std::size_t n = 0; n < transcript.calls.size(); ++n) {
    records.push_back(to_record(trial, n, transcript.calls[n]));
  }
  for (std::size_t turn = 0; turn < transcript.turns.size(); ++turn) {
    for (const dialogue::Command& command : transcript.turns[turn].commands) {
      if (command.call.has_value()) {
        records[*command.call].turn = static_cast<std::int64_t>(turn);
      }
    }
  }
  return records;
}

std::string_view outcome_of(quota::SignalClass kind) {
  using quota::SignalClass;
  switch (kind) {
    case SignalClass::throttle:
    case SignalClass::concurrency:
    case SignalClass::ramp:
      return "throttled";
    case SignalClass::daily_cap:
    case SignalClass::out_of_money:
      return "quota_exhausted";
    case SignalClass::auth:
      return "auth";
    case SignalClass::stall:
      return "timeout";
    case SignalClass::not_processed:
    case SignalClass::broken:
      return "connection";
    case SignalClass::wrong_model:
      return "wrong_model";
    case SignalClass::cancelled:
      return "cancelled";
    case SignalClass::overload:
    case SignalClass::transient:
    case SignalClass::wrong_name:
    case SignalClass::bad_request:
      return "provider_error";
  }
  return "provider_error";
}

std::int64_t cost_of(const spec::Price& price, const chat::Usage& usage) {
  // Dollars per million tokens are micro-dollars per token.
  // A server that counts cached input beside the rest must not earn us money.
  const std::int64_t cached = std::min(usage.cached_input, usage.input);
  const std::int64_t fresh = usage.input - cached;
  const double cached_price = price.cached_input.value_or(price.input);
  return std::llround(static_cast<double>(fresh) * price.input +
                      static_cast<double>(cached) * cached_price +
                      static_cast<double>(usage.output) * price.output);
}

}  // namespace sortie::engine
