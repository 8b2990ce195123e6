#include "sortie/monitor/status_read.h"

#include "sortie/base/time.h"
#include "sortie/quota/limit.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::monitor {

namespace {

constexpr double kSecondsMax = 3e9;  // a century: more would not fit into a Duration

std::optional<double> number(const json::Value& value, std::string_view name) {
  const json::Value* member = json::find(value, name);
  return member == nullptr ? std::nullopt : json::as_number(*member);
}

std::uint64_t count(const json::Value& value, std::string_view name) {
  return static_cast<std::uint64_t>(std::clamp(number(value, name).value_or(0), 0.0, 1e18));
}

std::int64_t amount(const json::Value& value, std::string_view name) {
  return static_cast<std::int64_t>(std::clamp(number(value, name).value_or(0), -1e18, 1e18));
}

std::string text(const json::Value& value, std::string_view name) {
  return std::string(json::get_string(value, name).value_or(""));
}

bool flag(const json::Value& value, std::string_view name, bool missing = false) {
  return json::get_bool(value, name).value_or(missing);
}

std::optional<base::Duration> duration(const json::Value& value, std::string_view name) {
  const auto seconds = number(value, name);
  return seconds.has_value()
             ? std::optional(base::from_seconds(std::clamp(*seconds, -kSecondsMax, kSecondsMax)))
             : std::nullopt;
}

/// As base::to_iso8601 writes it.
std::optional<base::WallTime> point(const json::Value& value, std::string_view name) {
  std::tm parts{};
  const std::string written = text(value, name);
  const char* rest = ::strptime(written.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) {
    return std::nullopt;
  }
  const double fraction = *rest == '.' ? std::strtod(rest, nullptr) : 0;
  return base::WallTime(std::chrono::seconds(::timegm(&parts))) +
         std::chrono::microseconds(std::llround(fraction * 1e6));
}

std::vector<std::string> texts(const json::Value& value, std::string_view name) {
  std::vector<std::string> all;
  if (const json::Array* array = json::get_array(value, name)) {
    for (const json::Value& one : *array) {
      all.emplace_back(one.is_string() ? std::string_view(one.get_string()) : std::string_view());
    }
  }
  return all;
}

/// What `read` makes of each element of the array.
template <class Read>
auto each(const json::Value& value, std::string_view name, Read read) {
  std::vector<decltype(read(value))> all;
  if (const json::Array* array = json::get_array(value, name)) {
    for (const json::Value& one : *array) {
      all.push_back(read(one));
    }
  }
  return all;
}

engine::ModelProgress model_of(const json::Value& value) {
  return {.model = text(value, "model"),
          .simulated = flag(value, "simulated"),
          .planned = count(value, "planned"),
          .scored = count(value, "scored"),
          .succeeded = count(value, "succeeded"),
          .reused = count(value, "reused"),
          .lost = count(value, "lost"),
          .running = count(value, "running"),
          .turns = count(value, "turns"),
          .paused = flag(value, "paused"),
          .share = number(value, "share").value_or(1)};
}

engine::ScenarioProgress scenario_of(const json::Value& value) {
  return {.model = text(value, "model"),
          .scenario = text(value, "scenario"),
          .cells = count(value, "cells"),
          .trials = {.planned = count(value, "planned"),
                     .scored = count(value, "scored"),
                     .succeeded = count(value, "succeeded"),
                     .lost = count(value, "lost"),
                     .running = count(value, "running"),
                     .in_flight = count(value, "in_flight")}};
}

engine::RouteProgress route_of(const json::Value& value) {
  return {.route = text(value, "route"),
          .model = text(value, "model"),
          .domains = texts(value, "domains"),
          .usable = flag(value, "usable", true),
          .reason = text(value, "reason"),
          .in_flight = count(value, "in_flight"),
          .answered = count(value, "answered"),
          .failed = count(value, "failed"),
          .throttled = count(value, "throttled"),
          .closed_for = duration(value, "closed_for_seconds"),
          .breaker_open = flag(value, "breaker_open"),
          .latency_p50 = duration(value, "latency_p50_seconds"),
          .latency_p95 = duration(value, "latency_p95_seconds")};
}

quota::LimitKind kind_of(std::string_view name) {
  for (const auto kind : {quota::LimitKind::tokens, quota::LimitKind::concurrency}) {
    if (quota::to_string(kind) == name) {
      return kind;
    }
  }
  return quota::LimitKind::requests;
}

engine::LimitUse limit_of(const json::Value& value) {
  engine::LimitUse use{.domain = text(value, "domain"),
                       .limit = {.kind = kind_of(text(value, "kind"))},
                       .used = number(value, "used").value_or(0),
                       .allowed = number(value, "allowed").value_or(0),
                       .closed_for = duration(value, "closed_for_seconds"),
                       .learned = flag(value, "learned"),
                       .confidence = number(value, "confidence").value_or(1)};
  use.limit.quota = number(value, "quota").value_or(0);
  use.limit.window = duration(value, "window_seconds").value_or(use.limit.window);
  return use;
}

engine::SharedLimit shared_of(const json::Value& value) {
  return {.name = text(value, "name"),
          .members = texts(value, "members"),
          .is_over = flag(value, "over"),
          .is_remembered = flag(value, "remembered"),
          .subject = text(value, "subject"),
          .declaration = texts(value, "declare")};
}

engine::BudgetUse budget_of(const json::Value& value) {
  engine::BudgetUse use;
  if (number(value, "max_cost_micro_usd").has_value()) {
    use.limits.cost = amount(value, "max_cost_micro_usd");
  }
  if (number(value, "max_tokens").has_value()) {
    use.limits.tokens = amount(value, "max_tokens");
  }
  use.spent = {.cost = amount(value, "spent_micro_usd"), .tokens = amount(value, "spent_tokens")};
  use.reserved = {.cost = amount(value, "reserved_micro_usd"),
                  .tokens = amount(value, "reserved_tokens")};
  use.deadline = point(value, "deadline");
  return use;
}

engine::ControlChange change_of(const json::Value& value) {
  return {.at = point(value, "at").value_or(base::WallTime()),
          .author = text(value, "author"),
          .reason = text(value, "reason"),
          .text = text(value, "change")};
}

engine::Problem problem_of(const json::Value& value) {
  return {.at = point(value, "at").value_or(base::WallTime()), .text = text(value, "text")};
}

engine::Phase phase_of(std::string_view name) {
  return name == "running"    ? engine::Phase::running
         : name == "stopping" ? engine::Phase::stopping
                              : engine::Phase::finished;
}

std::optional<engine::TimeLeft> time_left_of(const json::Value& status) {
  const json::Value* left = json::find(status, "time_left");
  if (left == nullptr || !left->is_object()) {
    return std::nullopt;
  }
  return engine::TimeLeft{
      .earliest = duration(*left, "earliest_seconds").value_or(base::Duration()),
      .likely = duration(*left, "likely_seconds").value_or(base::Duration()),
      .latest = duration(*left, "latest_seconds").value_or(base::Duration())};
}

}  // namespace

base::Result<engine::RunStatus> status_from_json(const json::Value& document) {
  if (!json::get_string(document, "run").has_value() ||
      json::get_array(document, "models") == nullptr) {
    return base::bad_input("expected a run's status, with its name and models");
  }
  engine::RunStatus status;
  status.run = text(document, "run");
  status.phase = phase_of(text(document, "phase"));
  status.at = point(document, "at").value_or(base::WallTime());
  status.elapsed = duration(document, "elapsed_seconds").value_or(base::Duration());
  status.time_left = time_left_of(document);
  status.bound_left = duration(document, "bound_left_seconds");
  status.models = each(document, "models", model_of);
  status.scenarios = each(document, "scenarios", scenario_of);
  status.routes = each(document, "routes", route_of);
  status.limits = each(document, "limits", limit_of);
  status.shared_limits = each(document, "shared_limits", shared_of);
  if (const json::Value* budget = json::find(document, "budget")) {
    status.budget = budget_of(*budget);
  }
  status.paused = flag(document, "paused");
  status.draining = flag(document, "draining");
  status.changes = each(document, "changes", change_of);
  status.attempts = count(document, "attempts");
  status.turns = count(document, "turns");
  status.in_flight = count(document, "in_flight");
  status.in_flight_max = count(document, "in_flight_max");
  status.open = count(document, "open");
  status.open_max = count(document, "open_max");
  status.waiting = count(document, "waiting");
  status.unfunded = count(document, "unfunded");
  status.input_tokens = amount(document, "input_tokens");
  status.output_tokens = amount(document, "output_tokens");
  status.cost_micro_usd = amount(document, "cost_micro_usd");
  status.problems = each(document, "problems", problem_of);
  return status;
}

}  // namespace sortie::monitor
