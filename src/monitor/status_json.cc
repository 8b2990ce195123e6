#include "sortie/monitor/status_json.h"

#include "sortie/base/time.h"
#include "sortie/quota/limit.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::monitor {

namespace {

std::string_view to_string(engine::Phase phase) {
  switch (phase) {
    case engine::Phase::running:
      return "running";
    case engine::Phase::stopping:
      return "stopping";
    case engine::Phase::finished:
      return "finished";
  }
  return "finished";
}

json::Value seconds_or_null(const std::optional<base::Duration>& duration) {
  return duration.has_value() ? json::Value(base::seconds(*duration)) : json::Value(nullptr);
}

template <class Number>
json::Value number_or_null(const std::optional<Number>& number) {
  return number.has_value() ? json::Value(*number) : json::Value(nullptr);
}

json::Array models_of(const engine::RunStatus& status) {
  json::Array models;
  for (const engine::ModelProgress& model : status.models) {
    models.push_back(json::Object{{"model", model.model},
                                  {"simulated", model.simulated},
                                  {"planned", model.planned},
                                  {"scored", model.scored},
                                  {"succeeded", model.succeeded},
                                  {"reused", model.reused},
                                  {"lost", model.lost},
                                  {"running", model.running},
                                  {"turns", model.turns},
                                  {"paused", model.paused},
                                  {"share", model.share}});
  }
  return models;
}

json::Array scenarios_of(const engine::RunStatus& status) {
  json::Array scenarios;
  for (const engine::ScenarioProgress& one : status.scenarios) {
    scenarios.push_back(to_json(one));
  }
  return scenarios;
}

json::Array routes_of(const engine::RunStatus& status) {
  json::Array routes;
  for (const engine::RouteProgress& route : status.routes) {
    routes.push_back(to_json(route));
  }
  return routes;
}

json::Array limits_of(const engine::RunStatus& status) {
  json::Array limits;
  for (const engine::LimitUse& use : status.limits) {
    limits.push_back(to_json(use));
  }
  return limits;
}

json::Array changes_of(const engine::RunStatus& status) {
  json::Array changes;
  for (const engine::ControlChange& change : status.changes) {
    changes.push_back(json::Object{{"at", base::to_iso8601(change.at)},
                                   {"author", change.author},
                                   {"reason", change.reason},
                                   {"change", change.text}});
  }
  return changes;
}

}  // namespace

json::Value to_json(const engine::ScenarioProgress& scenario) {
  return json::Object{{"model", scenario.model},
                      {"scenario", scenario.scenario},
                      {"cells", scenario.cells},
                      {"planned", scenario.trials.planned},
                      {"scored", scenario.trials.scored},
                      {"succeeded", scenario.trials.succeeded},
                      {"lost", scenario.trials.lost},
                      {"running", scenario.trials.running},
                      {"in_flight", scenario.trials.in_flight}};
}

json::Value to_json(const engine::RouteProgress& route) {
  return json::Object{{"route", route.route},
                      {"model", route.model},
                      {"domains", json::Array(route.domains.begin(), route.domains.end())},
                      {"usable", route.usable},
                      {"reason", route.reason},
                      {"in_flight", route.in_flight},
                      {"answered", route.answered},
                      {"failed", route.failed},
                      {"throttled", route.throttled},
                      {"closed_for_seconds", seconds_or_null(route.closed_for)},
                      {"breaker_open", route.breaker_open},
                      {"latency_p50_seconds", seconds_or_null(route.latency_p50)},
                      {"latency_p95_seconds", seconds_or_null(route.latency_p95)}};
}

json::Value to_json(const engine::LimitUse& use) {
  const bool rate = use.limit.kind != quota::LimitKind::concurrency;
  return json::Object{
      {"domain", use.domain},
      {"kind", quota::to_string(use.limit.kind)},
      {"quota", use.limit.quota},
      {"window_seconds", rate ? json::Value(base::seconds(use.limit.window)) : nullptr},
      {"learned", use.learned},
      {"confidence", use.confidence},
      {"used", use.used},
      {"allowed", use.allowed},
      {"closed_for_seconds", seconds_or_null(use.closed_for)}};
}

json::Value to_json(const engine::BudgetUse& budget) {
  return json::Object{{"max_cost_micro_usd", number_or_null(budget.limits.cost)},
                      {"max_tokens", number_or_null(budget.limits.tokens)},
                      {"spent_micro_usd", budget.spent.cost},
                      {"spent_tokens", budget.spent.tokens},
                      {"reserved_micro_usd", budget.reserved.cost},
                      {"reserved_tokens", budget.reserved.tokens},
                      {"deadline",
                       budget.deadline.has_value() ? json::Value(base::to_iso8601(*budget.deadline))
                                                   : json::Value(nullptr)}};
}

json::Value to_json(const std::optional<engine::TimeLeft>& left) {
  if (!left.has_value()) {
    return nullptr;
  }
  return json::Object{{"earliest_seconds", base::seconds(left->earliest)},
                      {"likely_seconds", base::seconds(left->likely)},
                      {"latest_seconds", base::seconds(left->latest)}};
}

json::Array to_json(const std::vector<engine::SharedLimit>& shared) {
  json::Array limits;
  for (const engine::SharedLimit& limit : shared) {
    limits.push_back(
        json::Object{{"name", limit.name},
                     {"members", json::Array(limit.members.begin(), limit.members.end())},
                     {"over", limit.is_over},
                     {"remembered", limit.is_remembered},
                     {"subject", limit.subject},
                     {"declare", json::Array(limit.declaration.begin(), limit.declaration.end())}});
  }
  return limits;
}

json::Value to_json(const engine::RunStatus& status) {
  json::Array problems;
  for (const engine::Problem& problem : status.problems) {
    problems.push_back(json::Object{{"at", base::to_iso8601(problem.at)}, {"text", problem.text}});
  }
  return json::Object{{"version", 1},
                      {"run", status.run},
                      {"phase", to_string(status.phase)},
                      {"paused", status.paused},
                      {"draining", status.draining},
                      {"at", base::to_iso8601(status.at)},
                      {"elapsed_seconds", base::seconds(status.elapsed)},
                      {"time_left", to_json(status.time_left)},
                      {"bound_left_seconds", seconds_or_null(status.bound_left)},
                      {"planned", status.planned()},
                      {"scored", status.scored()},
                      {"lost", status.lost()},
                      {"attempts", status.attempts},
                      {"turns", status.turns},
                      {"in_flight", status.in_flight},
                      {"in_flight_max", status.in_flight_max},
                      {"open", status.open},
                      {"open_max", status.open_max},
                      {"waiting", status.waiting},
                      {"unfunded", status.unfunded},
                      {"input_tokens", status.input_tokens},
                      {"output_tokens", status.output_tokens},
                      {"cost_micro_usd", status.cost_micro_usd},
                      {"budget", to_json(status.budget)},
                      {"models", models_of(status)},
                      {"scenarios", scenarios_of(status)},
                      {"routes", routes_of(status)},
                      {"limits", limits_of(status)},
                      {"shared_limits", to_json(status.shared_limits)},
                      {"changes", changes_of(status)},
                      {"problems", std::move(problems)}};
}

}  // namespace sortie::monitor
