#include "sortie/spec/routes.h"

#include "sortie/base/text.h"
#include "sortie/spec/model.h"
#include "sortie/spec/node.h"
#include "sortie/spec/reader.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::spec {
namespace {

constexpr std::size_t kRoutesMax = 4'096;

/// One item of `routes:`, before it becomes a route for each of its keys.
struct Declared {
  Mark mark;
  std::size_t model = 0;
  std::string api_name;
  Mark api_name_mark;
  std::vector<std::size_t> keys;
  std::vector<std::string> served_as;
};

std::optional<std::size_t> model_named(const Node& node,
                                       const Topology& topology,
                                       Problems& problems) {
  const std::optional<std::string> name = read_text(node, "model", problems);
  if (!name) {
    return std::nullopt;
  }
  const std::optional<std::size_t> model = topology.find_model(*name);
  if (!model) {
    std::vector<std::string> known;
    std::ranges::transform(topology.models, std::back_inserter(known), &Model::name);
    report_unknown("model", {.text = *name, .mark = node.mark}, known, problems);
  }
  return model;
}

std::vector<std::size_t> keys_named(const Node& node,
                                    const Endpoint& endpoint,
                                    Problems& problems) {
  std::vector<std::string> known;
  std::ranges::transform(endpoint.keys, std::back_inserter(known), &Key::name);
  std::vector<std::size_t> keys;
  for (const Name& name : read_names(node, "keys", problems)) {
    const auto found = std::ranges::find(known, name.text);
    if (found == known.end()) {
      report_unknown("key", name, known, problems);
    } else {
      keys.push_back(static_cast<std::size_t>(std::distance(known.begin(), found)));
    }
  }
  return keys;
}

std::vector<std::size_t> all_keys(const Endpoint& endpoint) {
  std::vector<std::size_t> keys(endpoint.keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    keys[i] = i;
  }
  return keys;
}

std::optional<Declared> read_route(const Node& node,
                                   const Endpoint& endpoint,
                                   const Topology& topology,
                                   Problems& problems) {
  Declared declared;
  declared.mark = node.mark;
  if (node.kind == Node::Kind::scalar) {
    const std::optional<std::size_t> model = model_named(node, topology, problems);
    if (!model) {
      return std::nullopt;
    }
    declared.model = *model;
    declared.api_name = topology.models[*model].name;
    declared.keys = all_keys(endpoint);
    return declared;
  }
  Mapping mapping(node, "route", problems);
  const Node* model_node = mapping.require("model");
  const auto model =
      model_node != nullptr ? model_named(*model_node, topology, problems) : std::nullopt;
  const Node* keys = mapping.get("keys");
  declared.keys = keys != nullptr ? keys_named(*keys, endpoint, problems) : all_keys(endpoint);
  const std::optional<std::string> api_name = mapping.text("api_name");
  declared.api_name_mark = mapping.mark_of("api_name");
  if (api_name && api_name->empty()) {
    problems.add(declared.api_name_mark, "api_name: must not be empty");
  }
  if (const Node* served_as = mapping.get("served_as")) {
    for (Name& name : read_names(*served_as, "served_as", problems)) {
      declared.served_as.push_back(std::move(name.text));
    }
  }
  mapping.finish();
  if (!model) {
    return std::nullopt;
  }
  declared.model = *model;
  declared.api_name = api_name.value_or(topology.models[*model].name);
  return declared;
}

/// "alpha/key-1/api-name"; with the model where one deployment serves several, e.g. with different
/// sampling.
std::string route_name(const Declared& declared,
                       std::size_t key,
                       std::size_t endpoint,
                       const Topology& topology) {
  std::string name = fmt::format("{}/{}/{}",
                                 topology.endpoints[endpoint].name,
                                 topology.endpoints[endpoint].keys[key].name,
                                 declared.api_name);
  if (std::ranges::find(topology.routes, name, &Route::name) != topology.routes.end()) {
    name += fmt::format(" ({})", topology.models[declared.model].name);
  }
  return name;
}

void add_routes(const Declared& declared,
                std::size_t endpoint,
                Topology& topology,
                Problems& problems) {
  for (const std::size_t key : declared.keys) {
    if (topology.routes.size() >= kRoutesMax) {
      problems.add(declared.mark, fmt::format("routes: more than {} in all", kRoutesMax));
      return;
    }
    const bool known = std::ranges::any_of(topology.routes, [&](const Route& route) {
      return route.endpoint == endpoint && route.key == key && route.model == declared.model &&
             route.api_name == declared.api_name;
    });
    if (known) {
      problems.add(declared.mark,
                   fmt::format("route: key '{}' already serves '{}' as '{}'",
                               topology.endpoints[endpoint].keys[key].name,
                               topology.models[declared.model].name,
                               declared.api_name));
      continue;
    }
    topology.routes.push_back({.name = route_name(declared, key, endpoint, topology),
                               .endpoint = endpoint,
                               .key = key,
                               .model = declared.model,
                               .api_name = declared.api_name,
                               .served_as = declared.served_as,
                               .domains = {}});
  }
}

/// Answers of a simulator must never be counted as those of the model it plays.
void check_simulated(const Declared& declared,
                     std::size_t endpoint,
                     const Topology& topology,
                     Problems& problems) {
  for (const Route& route : topology.routes) {
    const Endpoint& other = topology.endpoints[route.endpoint];
    if (route.model == declared.model &&
        other.simulated != topology.endpoints[endpoint].simulated) {
      problems.add(declared.mark,
                   fmt::format("route: model '{}' is served by '{}', which is {}simulated; give "
                               "the simulated one a name "
                               "of its own",
                               topology.models[declared.model].name,
                               other.name,
                               other.simulated ? "" : "not "));
      return;
    }
  }
}

/// Billions of parameters that a model's name states: 72 in "acme-72b-chat".
std::optional<double> size_in(std::string_view name) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_word = [&](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  for (std::size_t at = 0; at < name.size(); ++at) {
    if (!is_digit(name[at]) || (at > 0 && (is_word(name[at - 1]) || name[at - 1] == '.'))) {
      continue;
    }
    double size = 0;
    const char* last = name.data() + name.size();
    const auto [end, error] =
        std::from_chars(name.data() + at, last, size, std::chars_format::fixed);
    const bool billions = error == std::errc{} && end != last && (*end == 'b' || *end == 'B');
    if (billions && (end + 1 == last || !is_word(end[1]))) {
      return size;
    }
  }
  return std::nullopt;
}

/// Another model that the name sent by a route belongs to: the one of that name, or the one that
/// the same endpoint serves under it.
const Model* owner_of(const Declared& declared, std::size_t endpoint, const Topology& topology) {
  const auto sent = [&](std::string_view name) {
    return base::equals_ignoring_case(name, declared.api_name);
  };
  for (const Model& model : topology.models) {
    if (sent(model.name)) {
      return &model;
    }
  }
  for (const Route& route : topology.routes) {
    if (route.endpoint == endpoint && route.model != declared.model && sent(route.api_name)) {
      return &topology.models[route.model];
    }
  }
  return nullptr;
}

/// What is sent decides who answers, and a server states the name that it was sent: under another
/// model's name that model would answer, and nothing later could tell. Allowed where the file says
/// which name the answers will state.
void check_name_sent(const Declared& declared,
                     std::size_t endpoint,
                     const Topology& topology,
                     Problems& problems) {
  const Model& model = topology.models[declared.model];
  if (!declared.served_as.empty() || base::equals_ignoring_case(declared.api_name, model.name)) {
    return;
  }
  std::string why;
  constexpr double kSameSize = 1.5;  // "7b" is 7.6, never 14
  const std::optional<double> size = size_in(declared.api_name);
  const std::optional<double> own = model.size_b ? model.size_b : size_in(model.name);
  if (const Model* owner = owner_of(declared, endpoint, topology)) {
    why = fmt::format("which is what '{}' is served under", owner->name);
  } else if (size && own && std::max(*size, *own) > kSameSize * std::min(*size, *own)) {
    why = fmt::format("a model of {} billion parameters by its name instead of {}", *size, *own);
  } else {
    return;
  }
  problems.add(declared.api_name_mark,
               fmt::format("route: sends '{}' for '{}', {}; if that is meant, say which name the "
                           "answers state: served_as: [{}]",
                           declared.api_name,
                           model.name,
                           why,
                           declared.api_name));
}

}  // namespace

void read_routes(const Node& node, std::size_t endpoint, Topology& topology, Problems& problems) {
  if (node.kind != Node::Kind::list || node.items.empty()) {
    problems.add(node.mark,
                 fmt::format("routes: expected a list of models or routes, found {}",
                             node.kind == Node::Kind::list ? "an empty one" : kind_name(node)));
    return;
  }
  for (const Node& item : node.items) {
    const std::optional<Declared> declared =
        read_route(item, topology.endpoints[endpoint], topology, problems);
    if (declared) {
      check_simulated(*declared, endpoint, topology, problems);
      check_name_sent(*declared, endpoint, topology, problems);
      add_routes(*declared, endpoint, topology, problems);
    }
  }
}

}  // namespace sortie::spec
