#include "sortie/aio/loop.h"
#include "sortie/analysis/text_table.h"
#include "sortie/app/campaign_setup.h"
#include "sortie/app/command.h"
#include "sortie/base/text.h"
#include "sortie/http/curl_transport.h"
#include "sortie/provider/dialect.h"
#include "sortie/spec/load.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

constexpr std::int64_t kAnswerTokens = 16;
constexpr base::Duration kAnswerTime = std::chrono::seconds(60);

struct CheckOptions {
  std::string endpoints;
  bool json = false;
};

struct RouteCheck {
  std::string route;
  std::string model;
  bool simulated = false;
  bool good = false;
  std::string served;
  std::string problem;  // with what to do about it
  std::optional<double> limit_requests;
  std::optional<double> limit_tokens;
  double latency_seconds = 0;
};

/// Asks every route one short question at the same time and collects what came back.
class Prober final : public wire::CompletionSink {
 public:
  Prober(const spec::Topology& topology,
         const std::vector<std::vector<base::Secret>>& secrets,
         const base::Scrubber& scrubber)
      : topology_(topology), secrets_(secrets), scrubber_(scrubber), loop_(aio::Loop::real()) {}

  std::vector<RouteCheck> run() {
    http::CurlTransport transport(*loop_, http::CurlTransport::Options{});
    aio::Loop::Work work(*loop_);
    results_.resize(topology_.routes.size());
    waiting_ = results_.size();
    for (std::size_t i = 0; i < results_.size(); ++i) {
      results_[i].route = topology_.routes[i].name;
      results_[i].model = topology_.models[topology_.routes[i].model].name;
      results_[i].simulated = topology_.models[topology_.routes[i].model].simulated;
      transport.start({i}, question(i), *this);
    }
    if (waiting_ > 0) {
      loop_->run();
    }
    work.release();
    return std::move(results_);
  }

  void completed(wire::Completion completion) override {
    const std::size_t i = static_cast<std::size_t>(completion.id.value);
    results_[i].latency_seconds = base::seconds(completion.ended_at - completion.sent_at);
    judge(i, completion);
    if (--waiting_ == 0) {
      loop_->stop();
    }
  }

 private:
  [[nodiscard]] const provider::Dialect& dialect_of(std::size_t route) const {
    return *provider::find_dialect(topology_.endpoints[topology_.routes[route].endpoint].dialect);
  }

  [[nodiscard]] wire::Request question(std::size_t i) const {
    const spec::Route& route = topology_.routes[i];
    const spec::Model& model = topology_.models[route.model];
    const base::Secret& key = secrets_[route.endpoint][route.key];
    const std::vector<chat::Message> messages = {{.role = chat::Role::user,
                                                  .text = "Reply with the word: ready",
                                                  .tool_calls = {},
                                                  .tool_call_id = {}}};
    chat::Sampling sampling;
    sampling.max_tokens = kAnswerTokens;
    wire::Request request =
        dialect_of(i).encode({.base_url = topology_.endpoints[route.endpoint].base_url,
                              .api_name = route.api_name,
                              .key = key.empty() ? nullptr : &key,
                              .messages = &messages,
                              .functions = nullptr,
                              .sampling = sampling,
                              .capability = &model.capability});
    request.timeouts.first_byte = kAnswerTime;
    request.timeouts.total = kAnswerTime;
    return request;
  }

  void judge(std::size_t i, const wire::Completion& completion) {
    RouteCheck& result = results_[i];
    const spec::Route& route = topology_.routes[i];
    if (!completion.outcome.has_value()) {
      result.problem = scrubber_.scrub(provider::signal_of(completion.outcome.error()).message);
      return;
    }
    auto decoded = dialect_of(i).decode(*completion.outcome);
    if (!decoded.has_value()) {
      const quota::Signal& signal = decoded.error();
      result.problem = scrubber_.scrub(fmt::format("{} (HTTP {} {}): {}",
                                                   quota::to_string(signal.kind),
                                                   signal.status,
                                                   signal.code,
                                                   signal.message));
      return;
    }
    result.served = decoded->answer.served_model;
    result.limit_requests = decoded->hints.limit_requests;
    result.limit_tokens = decoded->hints.limit_tokens;
    result.good = provider::accepts_served_model(route.api_name, route.served_as, result.served);
    if (!result.good) {
      result.problem = fmt::format(
          "another model answers; if it is the right one, add to the route: served_as: [{}]",
          base::shortened(base::valid_utf8(result.served), 100));
    }
  }

  const spec::Topology& topology_;
  const std::vector<std::vector<base::Secret>>& secrets_;
  const base::Scrubber& scrubber_;
  std::unique_ptr<aio::Loop> loop_;
  std::vector<RouteCheck> results_;
  std::size_t waiting_ = 0;
};

json::Value number_or_null(const std::optional<double>& number) {
  return number.has_value() ? json::Value(*number) : json::Value(nullptr);
}

int print(const std::vector<RouteCheck>& checks, bool as_json) {
  bool good = true;
  json::Array rows;
  analysis::TextTable table({"route", "model", "served as", "latency s", "limits", "state"});
  for (const RouteCheck& check : checks) {
    good = good && check.good;
    rows.push_back(json::Object{{"route", check.route},
                                {"model", check.model},
                                {"simulated", check.simulated},
                                {"ok", check.good},
                                {"served_model", check.served},
                                {"problem", check.problem},
                                {"limit_requests", number_or_null(check.limit_requests)},
                                {"limit_tokens", number_or_null(check.limit_tokens)},
                                {"latency_seconds", check.latency_seconds}});
    std::string limits;
    if (check.limit_requests.has_value()) {
      limits += fmt::format("{:.0f} requests ", *check.limit_requests);
    }
    if (check.limit_tokens.has_value()) {
      limits += fmt::format("{:.0f} tokens", *check.limit_tokens);
    }
    table.add({check.route,
               check.model + (check.simulated ? " (simulated)" : ""),
               check.served,
               fmt::format("{:.2f}", check.latency_seconds),
               limits.empty() ? "–" : limits,
               check.good ? "ok" : check.problem});
  }
  if (as_json) {
    print_json(json::Object{{"ok", good}, {"routes", std::move(rows)}});
  } else {
    print_text(table.render());
  }
  return good ? kDone : kLosses;
}

int check(const CheckOptions& options) {
  const auto topology = spec::load_endpoints(options.endpoints);
  if (!topology.has_value()) {
    return fail(topology.error(), options.json);
  }
  std::vector<std::vector<base::Secret>> secrets;
  base::Scrubber scrubber;
  if (const base::Status resolved = resolve_secrets(*topology, {}, secrets, scrubber);
      !resolved.has_value()) {
    return fail(resolved.error(), options.json);
  }
  return print(Prober(*topology, secrets, scrubber).run(), options.json);
}

}  // namespace

void add_check(CLI::App& root, Action& action) {
  const auto options = std::make_shared<CheckOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand(
      "check", "One cheap call per route: reachable, key valid, served model, limits");
  command->add_option("ENDPOINTS", options->endpoints, "Endpoints file")->required();
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer(
      "Example:  sortie check endpoints.yaml\nExit code 1 when a route does not answer as "
      "declared.");
  command->callback([&action, options] { action = [options] { return check(*options); }; });
}

}  // namespace sortie::app
