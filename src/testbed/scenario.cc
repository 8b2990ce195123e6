#include "sortie/testbed/scenario.h"

#include "sortie/base/time.h"
#include "sortie/quota/limit.h"
#include "sortie/sim/pools.h"
#include "sortie/sim/profile.h"
#include "sortie/spec/model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::testbed {

namespace {

quota::LimitKind kind_of(sim::Dimension dimension) {
  switch (dimension) {
    case sim::Dimension::requests:
      return quota::LimitKind::requests;
    case sim::Dimension::tokens:
      return quota::LimitKind::tokens;
    case sim::Dimension::concurrency:
      break;
  }
  return quota::LimitKind::concurrency;
}

quota::TokenCost cost_of(sim::TokenCost cost) {
  switch (cost) {
    case sim::TokenCost::input:
      return quota::TokenCost::input;
    case sim::TokenCost::output:
      return quota::TokenCost::output;
    case sim::TokenCost::input_output:
      return quota::TokenCost::input_plus_output;
    case sim::TokenCost::input_and_max_tokens:
      return quota::TokenCost::input_plus_max;
    case sim::TokenCost::larger_of_max_tokens_and_input:
      break;
  }
  return quota::TokenCost::max_of_max_and_input;
}

bool selects(const std::vector<std::string>& names, std::string_view name) {
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

/// Domains by the name of the pool that they stand for; limits of the same scope share one.
class Domains {
 public:
  Domains(const Scenario& scenario, Knowledge knowledge, double factor)
      : scenario_(scenario), knowledge_(knowledge), factor_(factor) {}

  void add(const KeySpec& key,
           const ModelSpec& model,
           spec::Topology& topology,
           spec::Route& route) {
    for (const sim::LimitProfile& limit : limits()) {
      const sim::Demand demand{.key = key.name,
                               .account = key.account.empty() ? key.name : key.account,
                               .model = model.name};
      if (!sim::applies(limit, demand)) {
        continue;
      }
      const std::string pool = sim::pool_name(limit, demand);
      const auto [place, is_new] = by_pool_.try_emplace(pool, topology.domains.size());
      if (is_new) {
        quota::Limit as_told =
            knowledge_ == Knowledge::quotas ? declared_quota(limit) : declared(limit);
        as_told.quota *= factor_;
        if (as_told.kind == quota::LimitKind::concurrency) {
          as_told.quota = std::max(1.0, std::round(as_told.quota));
        }
        topology.domains.push_back({.name = pool, .limits = {as_told}});
        if (knowledge_ == Knowledge::grouped) {
          topology.domains.back().limits.clear();
        }
      }
      route.domains.push_back(place->second);
    }
  }

 private:
  /// Who knows what shares a limit knows the true ones.
  /// As the client is told them.
  [[nodiscard]] const std::vector<sim::LimitProfile>& limits() const {
    return knowledge_ != Knowledge::grouped && scenario_.told.has_value() ? *scenario_.told
                                                                          : scenario_.limits;
  }

  const Scenario& scenario_;
  Knowledge knowledge_;
  double factor_;
  std::map<std::string, std::size_t> by_pool_;
};

std::size_t endpoint_of(spec::Topology& topology, const std::string& provider) {
  for (std::size_t i = 0; i < topology.endpoints.size(); ++i) {
    if (topology.endpoints[i].name == provider) {
      return i;
    }
  }
  topology.endpoints.emplace_back().name = provider;
  return topology.endpoints.size() - 1;
}

}  // namespace

std::string_view to_string(IncidentKind kind) {
  switch (kind) {
    case IncidentKind::key_revoked:
      return "key_revoked";
    case IncidentKind::key_slow:
      return "key_slow";
    case IncidentKind::server_errors:
      return "server_errors";
    case IncidentKind::outage:
      return "outage";
    case IncidentKind::limits_scaled:
      break;
  }
  return "limits_scaled";
}

bool serves(const ModelSpec& model, const KeySpec& key) {
  return selects(model.keys, key.name);
}

quota::Limit declared(const sim::LimitProfile& limit) {
  quota::Limit result = declared_quota(limit);
  const bool is_bucket = limit.dimension != sim::Dimension::concurrency &&
                         limit.shape == sim::Shape::token_bucket &&
                         !limit.enforced_over.has_value();
  if (is_bucket) {
    result.enforced_over = base::Duration::zero();
    result.bucket = limit.burst > 0 ? limit.burst : limit.quota;
  }
  return result;
}

quota::Limit declared_quota(const sim::LimitProfile& limit) {
  quota::Limit result{.kind = kind_of(limit.dimension),
                      .quota = limit.quota,
                      .window = limit.window,
                      .enforced_over = limit.enforced_over.value_or(base::Duration::zero()),
                      .cost = cost_of(limit.cost)};
  const bool is_small_bucket = limit.dimension == sim::Dimension::requests &&
                               limit.shape == sim::Shape::token_bucket && limit.burst > 0 &&
                               limit.burst < limit.quota && !limit.enforced_over.has_value();
  if (is_small_bucket) {
    result.enforced_over =
        base::from_seconds(limit.burst * base::seconds(limit.window) / limit.quota);
  }
  return result;
}

spec::Topology topology_of(const Scenario& scenario, Knowledge knowledge, double factor) {
  spec::Topology topology;
  for (const ModelSpec& model : scenario.models) {
    topology.models.emplace_back().name = model.name;
  }
  Domains domains(scenario, knowledge, factor);
  for (const KeySpec& key : scenario.keys) {
    const std::size_t endpoint = endpoint_of(topology, key.provider);
    topology.endpoints[endpoint].keys.push_back({.name = key.name, .account = {}, .secret = {}});
    for (std::size_t model = 0; model < scenario.models.size(); ++model) {
      if (!serves(scenario.models[model], key)) {
        continue;
      }
      spec::Route& route = topology.routes.emplace_back();
      route.name = key.provider + "/" + key.name + "/" + scenario.models[model].name;
      route.endpoint = endpoint;
      route.key = topology.endpoints[endpoint].keys.size() - 1;
      route.model = model;
      route.api_name = scenario.models[model].name;
      if (knowledge != Knowledge::hidden) {
        domains.add(key, scenario.models[model], topology, route);
      }
    }
  }
  return topology;
}

Scenario scaled(Scenario scenario, double share) {
  for (ModelSpec& model : scenario.models) {
    model.work.dialogues = std::max<std::size_t>(
        1,
        static_cast<std::size_t>(std::llround(share * static_cast<double>(model.work.dialogues))));
  }
  return scenario;
}

}  // namespace sortie::testbed
