#include "sortie/monitor/web_metrics.h"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::monitor {

namespace {

using Labels = std::vector<std::pair<std::string_view, std::string>>;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') {
      out += '\\';
    }
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out;
}

/// One metric with its samples: all samples of a family stand together in the format.
class Family {
 public:
  Family(std::string_view name, std::string_view type, std::string_view help)
      : name_(name), text_(fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help)) {}

  void add(const Labels& labels, double value) {
    text_ += name_;
    text_ += '{';
    bool first = true;
    for (const auto& [label, said] : labels) {
      text_ += fmt::format("{}{}=\"{}\"", first ? "" : ",", label, escaped(said));
      first = false;
    }
    text_ += fmt::format("}} {}\n", json::number_text(value));
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string name_;
  std::string text_;
};

std::optional<double> number(const json::Value& value, std::string_view name) {
  const json::Value* member = json::find(value, name);
  if (member != nullptr && member->is_bool()) {
    return member->get_bool() ? 1 : 0;
  }
  return member == nullptr ? std::nullopt : json::as_number(*member);
}

void add(Family& family, const Labels& labels, std::optional<double> value, double unit = 1) {
  if (value.has_value()) {
    family.add(labels, *value * unit);
  }
}

std::string text(const json::Value& value, std::string_view name) {
  return std::string(json::get_string(value, name).value_or(""));
}

Labels with(Labels labels, std::string_view name, std::string value) {
  labels.emplace_back(name, std::move(value));
  return labels;
}

constexpr double kMicro = 1e-6;

struct Metrics {
  Family elapsed{"sortie_run_elapsed_seconds", "gauge", "Time since the run's start."};
  Family left{"sortie_run_left_seconds",
              "gauge",
              "Until the run ends: earliest, likely, latest; the range is to hold in 9 of 10."};
  Family bound{"sortie_run_bound_left_seconds",
               "gauge",
               "The least time in which the limits in force would let through what is left."};
  Family paused{"sortie_run_paused", "gauge", "1 while a person has paused the run."};
  Family in_flight{"sortie_requests_in_flight", "gauge", "Requests under way, by route."};
  Family waiting{"sortie_turns_waiting", "gauge", "Turns that wait for a limit."};
  Family unfunded{"sortie_turns_unfunded", "gauge", "Turns that the budget does not cover now."};
  Family tokens{"sortie_tokens_total", "counter", "Tokens since the start, by direction."};
  Family cost{"sortie_cost_dollars_total", "counter", "US dollars billed since the start."};
  Family budget{"sortie_budget_dollars", "gauge", "US dollars: max, spent, reserved."};
  Family trials{"sortie_trials", "gauge", "Trials by state: planned, scored, lost, running."};
  Family succeeded{"sortie_trials_succeeded", "gauge", "Scored trials that succeeded."};
  Family turns{"sortie_turns_total", "counter", "Answers that became turns since the start."};
  Family model_paused{"sortie_model_paused", "gauge", "1 while a person has paused the model."};
  Family requests{
      "sortie_requests_total", "counter", "Ended requests: answered, throttled, failed."};
  Family usable{"sortie_route_usable", "gauge", "0 when the route is out until the run ends."};
  Family closed{"sortie_route_closed_seconds", "gauge", "Until the route's gate opens; 0: open."};
  Family breaker{"sortie_route_breaker_open", "gauge", "1 while failures keep the route closed."};
  Family latency{"sortie_route_latency_seconds",
                 "gauge",
                 "Within which half and 95 % of the route's last answers came."};
  Family quota{"sortie_limit_quota", "gauge", "The limit: per window, or at once."};
  Family used{"sortie_limit_used", "gauge", "Used in the last window, or in flight."};
  Family allowed{"sortie_limit_allowed", "gauge", "What the own pace allows of it."};
  Family learned{"sortie_limit_learned", "gauge", "1 for a limit that nobody declared."};

  void add_run(const std::string& run, const json::Value& status);

  [[nodiscard]] std::string text() const {
    std::string all;
    for (const Family* family :
         {&elapsed, &left,    &bound,   &paused,    &in_flight, &waiting,      &unfunded, &tokens,
          &cost,    &budget,  &trials,  &succeeded, &turns,     &model_paused, &requests, &usable,
          &closed,  &breaker, &latency, &quota,     &used,      &allowed,      &learned}) {
      all += family->text();
    }
    return all;
  }

 private:
  void add_model(const Labels& run, const json::Value& model);
  void add_route(const Labels& run, const json::Value& route);
  void add_limit(const Labels& run, const json::Value& limit);
};

void Metrics::add_run(const std::string& name, const json::Value& status) {
  const Labels run = {{"run", name}};
  add(elapsed, run, number(status, "elapsed_seconds"));
  if (const json::Value* time_left = json::find(status, "time_left")) {
    for (const std::string_view which : {"earliest", "likely", "latest"}) {
      add(left,
          with(run, "which", std::string(which)),
          number(*time_left, fmt::format("{}_seconds", which)));
    }
  }
  add(bound, run, number(status, "bound_left_seconds"));
  add(paused, run, number(status, "paused"));
  add(waiting, run, number(status, "waiting"));
  add(unfunded, run, number(status, "unfunded"));
  add(tokens, with(run, "direction", "input"), number(status, "input_tokens"));
  add(tokens, with(run, "direction", "output"), number(status, "output_tokens"));
  add(cost, run, number(status, "cost_micro_usd"), kMicro);
  if (const json::Value* funds = json::find(status, "budget")) {
    add(budget, with(run, "kind", "max"), number(*funds, "max_cost_micro_usd"), kMicro);
    add(budget, with(run, "kind", "spent"), number(*funds, "spent_micro_usd"), kMicro);
    add(budget, with(run, "kind", "reserved"), number(*funds, "reserved_micro_usd"), kMicro);
  }
  const auto each = [&](std::string_view member, auto add_one) {
    if (const json::Array* array = json::get_array(status, member)) {
      for (const json::Value& value : *array) {
        (this->*add_one)(run, value);
      }
    }
  };
  each("models", &Metrics::add_model);
  each("routes", &Metrics::add_route);
  each("limits", &Metrics::add_limit);
}

void Metrics::add_model(const Labels& run, const json::Value& model) {
  const Labels labels = with(run, "model", sortie::monitor::text(model, "model"));
  for (const std::string_view state : {"planned", "scored", "lost", "running"}) {
    add(trials, with(labels, "state", std::string(state)), number(model, state));
  }
  add(succeeded, labels, number(model, "succeeded"));
  add(turns, labels, number(model, "turns"));
  add(model_paused, labels, number(model, "paused"));
}

void Metrics::add_route(const Labels& run, const json::Value& route) {
  const Labels labels = with(with(run, "route", sortie::monitor::text(route, "route")),
                             "model",
                             sortie::monitor::text(route, "model"));
  for (const std::string_view result : {"answered", "throttled", "failed"}) {
    add(requests, with(labels, "result", std::string(result)), number(route, result));
  }
  add(in_flight, labels, number(route, "in_flight"));
  add(usable, labels, number(route, "usable"));
  add(closed, labels, number(route, "closed_for_seconds").value_or(0));
  add(breaker, labels, number(route, "breaker_open"));
  add(latency, with(labels, "quantile", "0.5"), number(route, "latency_p50_seconds"));
  add(latency, with(labels, "quantile", "0.95"), number(route, "latency_p95_seconds"));
}

void Metrics::add_limit(const Labels& run, const json::Value& limit) {
  const std::optional<double> window = number(limit, "window_seconds");
  const Labels labels = with(with(with(run, "domain", sortie::monitor::text(limit, "domain")),
                                  "kind",
                                  sortie::monitor::text(limit, "kind")),
                             "window_seconds",
                             window.has_value() ? json::number_text(*window) : "");
  add(quota, labels, number(limit, "quota"));
  add(used, labels, number(limit, "used"));
  add(allowed, labels, number(limit, "allowed"));
  add(learned, labels, number(limit, "learned"));
}

}  // namespace

std::string prometheus_text(const std::vector<std::pair<std::string, json::Value>>& runs) {
  Metrics metrics;
  for (const auto& [name, status] : runs) {
    metrics.add_run(name, status);
  }
  return metrics.text();
}

}  // namespace sortie::monitor
