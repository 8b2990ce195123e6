#pragma once

#include "sortie/base/hash.h"
#include "sortie/chat/message.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/signals.h"
#include "sortie/quota/limit.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What endpoint files declare, resolved: models, keys, routes and the limit domains that routes
// drain. All references between them are positions in the Topology's vectors.

namespace sortie::spec {

/// Where a value was written, for messages. Line and column from 1.
struct Position {
  std::string file;
  int line = 0;
  int column = 0;
};

/// US dollars per million tokens.
struct Price {
  double input = 0;
  double output = 0;
  std::optional<double> cached_input = std::nullopt;  // nullopt: like input
};

struct Model {
  std::string name;      // canonical: what every table says
  std::string revision;  // declared, "" if none; part of a trial's key
  std::string family;
  std::optional<double> size_b;  // billions of parameters
  bool reasoning = false;
  bool simulated = false;  // every endpoint that serves it is simulated: never a contestant
  Price price;
  bool priced = false;                  // a price is known; without one it counts as free
  std::optional<std::int64_t> context;  // tokens that a request and its answer may hold together
  std::string reasoning_field;  // where its thoughts come: reasoning_content, reasoning, none; ""
  Position where;               // of its name
  provider::Capability capability;
  chat::Sampling sampling;  // as resolved for this model, without seed: part of a trial's key
  bool commands_from_reasoning = false;
};

/// A secret by reference: env:NAME, file:PATH, cmd:[argv…]. Never the value.
struct SecretRef {
  enum class Kind : std::uint8_t { none, env, file, cmd };
  Kind kind = Kind::none;
  std::string target;             // name or path
  std::vector<std::string> argv;  // cmd only
  Position where;
};

struct Key {
  std::string name;     // alias shown everywhere: never the secret
  std::string account;  // keys of one account share its domains; "" = an account of its own
  SecretRef secret;
};

struct Endpoint {
  std::string name;
  std::string dialect;      // a name that provider::find_dialect knows
  std::string provider;     // whose rules its errors follow, as signals name it; "" unknown
  std::string base_url;     // without trailing slash
  bool stream = false;      // answers come as event streams: a long one shows life while it is made
  std::string api_version;  // "" the dialect's own
  std::string organization;  // OpenAI only; "" none
  std::string project;
  bool simulated =
      false;  // receives X-Sortie-Attempt headers; its models are marked as simulated everywhere
  wire::Access access;
  std::vector<Key> keys;
  double first_byte_seconds =
      0;  // 0: the scheduler's limit of silence, which follows what the route has shown
  std::string limits;  // as written, as JSON; "" if none are
  Position where;      // of its name
};

/// One way to reach a model.
struct Route {
  std::string name;  // "alpha/key-1/sim-large"
  std::size_t endpoint = 0;
  std::size_t key = 0;    // within the endpoint
  std::size_t model = 0;  // in Topology::models
  std::string api_name;   // what the request says
  std::vector<std::string>
      served_as;  // acceptable served names; empty: the rule of provider::accepts_served_model
  std::vector<std::size_t> domains;  // in Topology::domains
};

struct Topology {
  std::vector<Model> models;
  std::vector<Endpoint> endpoints;
  std::vector<Route> routes;
  std::vector<quota::LimitDomain> domains;
  provider::SignalTable signals;  // the file's rows before the shipped ones
  std::string text;  // of the file, for the manifest: it holds references to secrets, never secrets
  base::Digest file_hash;  // of its bytes
  std::string file;

  [[nodiscard]] std::optional<std::size_t> find_model(std::string_view name) const;
  [[nodiscard]] std::vector<std::size_t> routes_of(std::size_t model) const;

  /// How the errors of an endpoint are read.
  [[nodiscard]] provider::SignalRules rules_of(std::size_t endpoint) const {
    return {.table = &signals, .provider = endpoints[endpoint].provider};
  }

  /// What a request over a route has in common with every other one over it: address, deployment,
  /// parameters, streaming. Key, messages, functions and sampling are the caller's.
  [[nodiscard]] provider::Call call_over(const Route& route) const;
};

}  // namespace sortie::spec
