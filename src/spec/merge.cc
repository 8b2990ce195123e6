#include "sortie/spec/merge.h"

#include "sortie/base/text.h"
#include "sortie/chat/message.h"
#include "sortie/quota/limit.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::spec {
namespace {

constexpr std::size_t kConflictsMax = 10;

std::string text_of(const Position& where) {
  return fmt::format("{}:{}:{}", where.file, where.line, where.column);
}

bool same_price(const Model& a, const Model& b) {
  return a.priced == b.priced && a.price.input == b.price.input &&
         a.price.output == b.price.output && a.price.cached_input == b.price.cached_input;
}

/// A relative path means another file beside another endpoints file.
std::string place_of(const SecretRef& ref) {
  if (ref.kind != SecretRef::Kind::file) {
    return ref.target;
  }
  const std::filesystem::path folder = std::filesystem::path(ref.where.file).parent_path();
  return std::filesystem::absolute(folder / ref.target).lexically_normal().string();
}

bool same_secret(const SecretRef& a, const SecretRef& b) {
  return a.kind == b.kind && place_of(a) == place_of(b) && a.argv == b.argv;
}

/// What two declarations differ in, by the names of the file's keys; nullopt: they agree.
class Differences {
 public:
  Differences& of(std::string_view key, bool same) {
    if (!same) {
      keys_.emplace_back(key);
    }
    return *this;
  }

  [[nodiscard]] std::optional<std::string> text() const {
    return keys_.empty() ? std::nullopt : std::optional(base::join(keys_, ", "));
  }

 private:
  std::vector<std::string> keys_;
};

Differences between(const Model& a, const Model& b) {
  return Differences()
      .of("revision", a.revision == b.revision)
      .of("family", a.family == b.family)
      .of("size_b", a.size_b == b.size_b)
      .of("reasoning", a.reasoning == b.reasoning)
      .of("price", same_price(a, b))
      .of("sampling", a.sampling == b.sampling)
      .of("parameters", a.capability == b.capability)
      .of("context", a.context == b.context)
      .of("reasoning_field", a.reasoning_field == b.reasoning_field)
      .of("commands_from_reasoning", a.commands_from_reasoning == b.commands_from_reasoning)
      .of("simulated endpoints", a.simulated == b.simulated);
}

Differences between(const Endpoint& a, const Endpoint& b) {
  return Differences()
      .of("dialect", a.dialect == b.dialect)
      .of("base_url", a.base_url == b.base_url)
      .of("provider", a.provider == b.provider)
      .of("stream", a.stream == b.stream)
      .of("api_version", a.api_version == b.api_version)
      .of("organization", a.organization == b.organization)
      .of("project", a.project == b.project)
      .of("simulated", a.simulated == b.simulated)
      .of("http", a.access.http == b.access.http)
      .of("ca_file", a.access.ca_file == b.access.ca_file)
      .of("proxy", a.access.proxy == b.access.proxy)
      .of("connections_max", a.access.connections_max == b.access.connections_max)
      .of("first_byte_timeout", a.first_byte_seconds == b.first_byte_seconds)
      .of("limits", a.limits == b.limits);
}

Differences between(const Key& a, const Key& b) {
  return Differences()
      .of("account", a.account == b.account)
      .of("secret", same_secret(a.secret, b.secret));
}

class Merger {
 public:
  base::Result<MergedTopology> merge(std::span<const Topology* const> topologies) {
    for (const Topology* one : topologies) {
      add(*one);
    }
    check_routes_of_models(topologies);
    if (!conflicts_.empty()) {
      return base::bad_input(base::join(conflicts_, "\n"));
    }
    return std::move(merged_);
  }

 private:
  void add(const Topology& one) {
    if (merged_.places.empty()) {
      result().file = one.file;
      result().text = one.text;
      result().file_hash = one.file_hash;
      result().signals = one.signals;
    } else if (one.signals.rows != result().signals.rows) {
      conflict({.file = one.file, .line = 1, .column = 1},
               "table",
               "signals",
               {.file = result().file, .line = 1, .column = 1},
               "their rows differ");
    }
    MergedPlaces places;
    for (const Model& model : one.models) {
      places.models.push_back(place(model, "model", result().models));
    }
    for (const Endpoint& endpoint : one.endpoints) {
      add_endpoint(endpoint, places);
    }
    const std::vector<std::size_t> domains = add_domains(one);
    routes_.emplace_back();
    for (const Route& route : one.routes) {
      add_route(route, one, places, domains);
    }
    merged_.places.push_back(std::move(places));
  }

  Topology& result() { return merged_.topology; }

  void conflict(const Position& here,
                std::string_view what,
                std::string_view name,
                const Position& there,
                std::string_view why) {
    if (conflicts_.size() < kConflictsMax) {
      conflicts_.push_back(
          fmt::format("{}: {} '{}' is not what {} says: {}; campaigns that run together need one "
                      "definition: write it alike, or give it a name of its own",
                      text_of(here),
                      what,
                      name,
                      text_of(there),
                      why));
    }
  }

  /// The place of what has this name, where it is put if it is new.
  template <class Part>
  std::size_t place(const Part& part, std::string_view what, std::vector<Part>& known) {
    const auto found = std::ranges::find(known, part.name, &Part::name);
    const auto at = static_cast<std::size_t>(found - known.begin());
    if (found == known.end()) {
      known.push_back(part);
    } else if (const auto why = between(*found, part).text()) {
      conflict(part.where, what, part.name, found->where, *why + " differ");
    }
    return at;
  }

  void add_endpoint(const Endpoint& endpoint, MergedPlaces& places) {
    const std::size_t at = place(endpoint, "endpoint", result().endpoints);
    places.endpoints.push_back(at);
    std::vector<Key>& known = result().endpoints[at].keys;
    std::vector<std::size_t>& keys = places.keys.emplace_back();
    for (const Key& key : endpoint.keys) {
      const auto found = std::ranges::find(known, key.name, &Key::name);
      keys.push_back(static_cast<std::size_t>(found - known.begin()));
      if (found == known.end()) {
        known.push_back(key);
      } else if (const auto why = between(*found, key).text()) {
        const bool has_place = key.secret.kind != SecretRef::Kind::none;
        conflict(has_place ? key.secret.where : endpoint.where,
                 "key",
                 fmt::format("{}/{}", endpoint.name, key.name),
                 result().endpoints[at].where,
                 *why + " differ");
      }
    }
  }

  /// The place of the endpoint that a domain belongs to.
  static Position where(const Topology& topology, std::size_t domain) {
    for (const Route& route : topology.routes) {
      if (std::ranges::find(route.domains, domain) != route.domains.end()) {
        return topology.endpoints[route.endpoint].where;
      }
    }
    return {.file = topology.file, .line = 1, .column = 1};
  }

  std::vector<std::size_t> add_domains(const Topology& one) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < one.domains.size(); ++i) {
      const quota::LimitDomain& domain = one.domains[i];
      std::vector<quota::LimitDomain>& known = result().domains;
      const auto found = std::ranges::find(known, domain.name, &quota::LimitDomain::name);
      const auto at = static_cast<std::size_t>(found - known.begin());
      places.push_back(at);
      if (found == known.end()) {
        known.push_back(domain);
      } else if (found->limits != domain.limits) {
        conflict(
            where(one, i), "pool of limits", domain.name, where(result(), at), "its limits differ");
      }
    }
    return places;
  }

  void add_route(const Route& route,
                 const Topology& one,
                 const MergedPlaces& places,
                 const std::vector<std::size_t>& domains) {
    Route moved = route;
    moved.endpoint = places.endpoints[route.endpoint];
    moved.key = places.keys[route.endpoint][route.key];
    moved.model = places.models[route.model];
    std::ranges::transform(
        route.domains, moved.domains.begin(), [&](std::size_t domain) { return domains[domain]; });
    std::vector<Route>& known = result().routes;
    const auto found = std::ranges::find_if(known, [&](const Route& other) {
      return other.endpoint == moved.endpoint && other.key == moved.key &&
             other.model == moved.model && other.api_name == moved.api_name;
    });
    routes_.back().insert(static_cast<std::size_t>(found - known.begin()));
    if (found == known.end()) {
      if (std::ranges::find(known, moved.name, &Route::name) != known.end()) {
        moved.name += fmt::format(" ({})", result().models[moved.model].name);
      }
      known.push_back(std::move(moved));
      return;
    }
    const auto why = Differences()
                         .of("served_as", found->served_as == moved.served_as)
                         .of("the limits that it drains", found->domains == moved.domains)
                         .text();
    if (why) {
      conflict(one.endpoints[route.endpoint].where,
               "route",
               route.name,
               result().endpoints[moved.endpoint].where,
               *why + " differ");
    }
  }

  /// A campaign must not use a route that its own file does not name.
  void check_routes_of_models(std::span<const Topology* const> topologies) {
    std::vector<std::optional<std::size_t>> first(result().models.size());
    for (std::size_t i = 0; i < topologies.size(); ++i) {
      for (std::size_t m = 0; m < topologies[i]->models.size(); ++m) {
        const std::size_t model = merged_.places[i].models[m];
        const std::optional<std::size_t> known = first[model];
        if (!known) {
          first[model] = i;
          continue;
        }
        const std::size_t before = *known;
        const std::size_t other =
            only_in(routes_[before], routes_[i], model)
                .value_or(
                    only_in(routes_[i], routes_[before], model).value_or(result().routes.size()));
        if (other < result().routes.size()) {
          conflict(topologies[i]->models[m].where,
                   "model",
                   topologies[i]->models[m].name,
                   result().models[model].where,
                   fmt::format("only one of them has the route {}", result().routes[other].name));
        }
      }
    }
  }

  [[nodiscard]] std::optional<std::size_t> only_in(const std::set<std::size_t>& these,
                                                   const std::set<std::size_t>& others,
                                                   std::size_t model) const {
    for (const std::size_t route : these) {
      if (merged_.topology.routes[route].model == model && !others.contains(route)) {
        return route;
      }
    }
    return std::nullopt;
  }

  MergedTopology merged_;
  std::vector<std::set<std::size_t>> routes_;  // of each topology, in the merged one
  std::vector<std::string> conflicts_;
};

}  // namespace

base::Result<MergedTopology> merge_topologies(std::span<const Topology* const> topologies) {
  return Merger().merge(topologies);
}

void move_to(const MergedPlaces& places, Campaign& campaign) {
  for (Cell& cell : campaign.cells) {
    cell.model = places.models[cell.model];
  }
}

base::Status check_guarantees(std::span<const Campaign* const> campaigns) {
  double sum = 0;
  for (const Campaign* campaign : campaigns) {
    sum += campaign->share.guaranteed;
    if (sum >= 1) {
      return base::bad_input(fmt::format(
          "{}: guaranteed: {} makes {} with the campaigns before it; all that run together must "
          "stay below 1",
          text_of(campaign->share.where),
          campaign->share.guaranteed,
          sum));
    }
  }
  return {};
}

}  // namespace sortie::spec
