#include "sortie/aio/loop.h"
#include "sortie/analysis/text_table.h"
#include "sortie/app/campaign_setup.h"
#include "sortie/app/command.h"
#include "sortie/app/key_memory.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/engine/shared_limits.h"
#include "sortie/engine/status.h"
#include "sortie/http/curl_transport.h"
#include "sortie/monitor/details.h"
#include "sortie/monitor/status_json.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/provider_headers.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/load.h"
#include "sortie/wire/scrub.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
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
  bool pools = false;
  bool json = false;
};

struct RouteCheck {
  std::string route;
  std::string model;
  bool simulated = false;
  bool good = false;
  std::string served;
  std::string problem;  // with what to do about it
  // What the answer tells; nothing if it tells neither.
  bool reachable = false;
  std::optional<bool> key_valid;
  std::optional<bool> deployment_exists;
  std::optional<double> remaining_requests;
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
    std::vector<std::size_t> all(topology_.routes.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    return ask(all);
  }

  /// One more question over each of these routes, at the same time.
  std::vector<RouteCheck> ask(const std::vector<std::size_t>& routes) {
    http::CurlTransport transport(*loop_, http::CurlTransport::Options{});
    aio::Loop::Work work(*loop_);
    results_.assign(topology_.routes.size(), {});
    waiting_ = routes.size();
    for (const std::size_t i : routes) {
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
    const base::Secret& key = secrets_[route.endpoint][route.key];
    const std::vector<chat::Message> messages = {{.role = chat::Role::user,
                                                  .text = "Reply with the word: ready",
                                                  .tool_calls = {},
                                                  .tool_call_id = {}}};
    provider::Call call = topology_.call_over(route);
    call.key = key.empty() ? nullptr : &key;
    call.messages = &messages;
    call.sampling.max_tokens = kAnswerTokens;
    wire::Request request = dialect_of(i).encode(call);
    provider::add_provider_headers(topology_.endpoints[route.endpoint].provider, request.headers);
    request.access =
        std::make_shared<const wire::Access>(topology_.endpoints[route.endpoint].access);
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
    auto decoded = dialect_of(i).decode(wire::scrubbed(*completion.outcome, scrubber_),
                                        topology_.rules_of(route.endpoint));
    if (!decoded.has_value()) {
      const quota::Signal& signal = decoded.error();
      result.reachable = true;
      if (signal.kind == quota::SignalClass::auth) {
        result.key_valid = false;
      } else if (signal.kind == quota::SignalClass::wrong_name) {
        result.key_valid = true;
        result.deployment_exists = false;
      }
      result.problem = scrubber_.scrub(fmt::format("{} (HTTP {} {}): {}",
                                                   quota::to_string(signal.kind),
                                                   signal.status,
                                                   signal.code,
                                                   signal.message));
      return;
    }
    result.reachable = true;
    result.key_valid = true;
    result.deployment_exists = true;
    result.remaining_requests = decoded->hints.remaining_requests;
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

/// Routes of one endpoint and name over different keys whose equal limits fall together when they
/// are asked in turns: A, B, A, B leaves 9, 8, 7, 6 of one pool, and 9, 9, 8, 8 of two. Others who
/// use the pool meanwhile, or a pool that fills up again, hide it: then nothing is claimed.
std::vector<std::vector<std::string>> shared_pools(const spec::Topology& topology,
                                                   const std::vector<RouteCheck>& checks,
                                                   Prober& prober) {
  std::vector<std::vector<std::string>> pools;
  std::vector<bool> placed(checks.size());
  for (std::size_t a = 0; a < checks.size(); ++a) {
    std::vector<std::string> pool = {checks[a].route};
    for (std::size_t b = a + 1; b < checks.size(); ++b) {
      const spec::Route& one = topology.routes[a];
      const spec::Route& other = topology.routes[b];
      const bool comparable =
          !placed[a] && !placed[b] && checks[a].remaining_requests &&
          checks[b].remaining_requests && checks[a].limit_requests == checks[b].limit_requests &&
          one.endpoint == other.endpoint && one.api_name == other.api_name && one.key != other.key;
      if (!comparable) {
        continue;
      }
      std::optional<double> before;
      bool together = true;
      for (const std::size_t route : {a, b, a, b}) {
        const auto left = prober.ask({route})[route].remaining_requests;
        together = together && left && (!before || *left == *before - 1);
        before = left;
      }
      if (together) {
        pool.push_back(checks[b].route);
        placed[b] = true;
      }
    }
    if (pool.size() > 1) {
      pools.push_back(std::move(pool));
    }
  }
  return pools;
}

/// Keys that seem to be one pool: by what is left of their limits, and what earlier runs found.
struct SharedKeys {
  std::vector<std::vector<std::string>> pools;  // routes that fall together
  std::vector<engine::SharedLimit> seen;        // the same, in the words of the endpoints file
  std::vector<RememberedShare> remembered;
};

std::vector<engine::SharedLimit> described(const std::vector<std::vector<std::string>>& pools,
                                           const spec::Topology& topology) {
  std::vector<engine::SharedLimit> limits;
  for (const std::vector<std::string>& pool : pools) {
    const sched::SharedPool shared{.name = base::join(pool, " + "), .members = pool, .since = {}};
    limits.push_back(engine::describe(shared, topology, {}));
    limits.back().is_remembered = false;
  }
  return limits;
}

std::string text_of(const SharedKeys& keys, base::WallTime now) {
  std::string text = monitor::shared_text(keys.seen);
  for (const RememberedShare& share : keys.remembered) {
    text += monitor::shared_text({share.limit});
    text += fmt::format("    # found {} ago; a run tries it again when that is more than a day\n",
                        base::human(std::chrono::duration_cast<base::Duration>(now - share.at)));
  }
  return text;
}

json::Array json_of(const SharedKeys& keys) {
  json::Array limits = monitor::to_json(keys.seen);
  for (const RememberedShare& share : keys.remembered) {
    json::Array one = monitor::to_json(std::vector{share.limit});
    one.front().as_object()["found_at"] = base::to_iso8601(share.at);
    limits.push_back(one.front());
  }
  return limits;
}

json::Value truth_or_null(const std::optional<bool>& truth) {
  return truth.has_value() ? json::Value(*truth) : json::Value(nullptr);
}

json::Value number_or_null(const std::optional<double>& number) {
  return number.has_value() ? json::Value(*number) : json::Value(nullptr);
}

int print(const std::vector<RouteCheck>& checks,
          const SharedKeys& keys,
          base::WallTime now,
          bool as_json) {
  bool good = true;
  json::Array rows;
  analysis::TextTable table({"route", "model", "served as", "latency s", "limits", "state"});
  for (const RouteCheck& check : checks) {
    good = good && check.good;
    rows.push_back(json::Object{{"route", check.route},
                                {"model", check.model},
                                {"simulated", check.simulated},
                                {"ok", check.good},
                                {"reachable", check.reachable},
                                {"key_valid", truth_or_null(check.key_valid)},
                                {"deployment_exists", truth_or_null(check.deployment_exists)},
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
  json::Array shared;
  for (const std::vector<std::string>& pool : keys.pools) {
    shared.push_back(json::Array(pool.begin(), pool.end()));
  }
  if (as_json) {
    print_json(json::Object{{"ok", good},
                            {"routes", std::move(rows)},
                            {"shared_pools", std::move(shared)},
                            {"shared_limits", json_of(keys)}});
  } else {
    print_text(table.render() + text_of(keys, now));
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
  Prober prober(*topology, secrets, scrubber);
  const std::vector<RouteCheck> checks = prober.run();
  SharedKeys keys;
  if (options.pools) {
    keys.pools = shared_pools(*topology, checks, prober);
    keys.seen = described(keys.pools, *topology);
  }
  const base::WallTime now = base::SystemClock().wall();
  // A memory that cannot be read is none: this command looks at the routes.
  if (const auto remembered = recall_limits(*topology, secrets, now)) {
    keys.remembered = shared_among(*remembered, *topology);
    // What was seen just now need not be said twice.
    std::erase_if(keys.remembered, [&](const RememberedShare& share) {
      return std::ranges::find(keys.seen, share.limit.name, &engine::SharedLimit::name) !=
             keys.seen.end();
    });
  }
  return print(checks, keys, now, options.json);
}

}  // namespace

void add_check(CLI::App& root, Action& action) {
  const auto options = std::make_shared<CheckOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand(
      "check", "One cheap call per route: reachable, key valid, served model, limits");
  command->add_option("ENDPOINTS", options->endpoints, "Endpoints file")->required();
  command->add_flag("--pools",
                    options->pools,
                    "Ask keys of equal limits four more times, in turns: which share one pool");
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer(
      "Example:  sortie check endpoints.yaml\nExit code 1 when a route does not answer as "
      "declared.");
  command->callback([&action, options] { action = [options] { return check(*options); }; });
}

}  // namespace sortie::app
