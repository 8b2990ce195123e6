#pragma once

#include "sortie/base/hash.h"
#include "sortie/chat/message.h"
#include "sortie/provider/dialect.h"
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
  double cached_input = 0;
};

struct Model {
  std::string name;      // canonical: what every table says
  std::string revision;  // declared, "" if none; part of a trial's key
  std::string family;
  std::optional<double> size_b;  // billions of parameters
  bool reasoning = false;
  bool simulated = false;  // every endpoint that serves it is simulated: never a contestant
  Price price;
  bool priced = false;  // the file states a price; without one it counts as free
  Position where;       // of its name
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
  std::string dialect;   // "openai"
  std::string base_url;  // without trailing slash
  bool simulated =
      false;  // receives X-Sortie-Attempt headers; its models are marked as simulated everywhere
  wire::Access access;
  std::vector<Key> keys;
  std::size_t connections_max = 256;
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
  std::string text;  // of the file, for the manifest: it holds references to secrets, never secrets
  base::Digest file_hash;  // of its bytes
  std::string file;

  [[nodiscard]] std::optional<std::size_t> find_model(std::string_view name) const;
  [[nodiscard]] std::vector<std::size_t> routes_of(std::size_t model) const;
};

}  // namespace sortie::spec
