#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/limit.h"
#include "sortie/sim/profile.h"
#include "sortie/spec/model.h"
#include "sortie/testbed/workload.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A world in which schedulers are compared, as data: keys, the limits that are really enforced,
// what goes wrong and when, and what the client is told of it all.

namespace sortie::testbed {

struct KeySpec {
  std::string name;
  std::string account;  // of the limits per account; empty: an account of its own
  std::string provider = "alpha";
};

struct ModelSpec {
  std::string name;
  WorkloadShape work;
  std::vector<std::string> keys;  // that serve it; empty: all
  double weight = 1;              // a person's wish: how much more of shared limits it should get
};

/// How a refusal looks to the client, after its provider's dialect was decoded.
struct RefusalStyle {
  bool named = true;  // says which dimension refused
  bool hint = true;   // carries a Retry-After, in whole seconds
  int status = 429;
  // The hint is drawn from this range instead of being the time that the limit needs.
  std::optional<std::pair<double, double>> hint_seconds;
};

enum class IncidentKind : std::uint8_t {
  key_revoked,    // 401 from then on
  key_slow,       // service takes `factor` times as long
  server_errors,  // `factor` of the requests are answered 500 after 0.3 s
  outage,         // connections are refused
  limits_scaled,  // every limit of the key is multiplied by `factor`
};

/// Something that happens between two instants, given as shares of the bound without incidents.
struct Incident {
  IncidentKind kind = IncidentKind::key_revoked;
  std::string key;  // empty: all
  double from = 0;
  double until = std::numeric_limits<double>::infinity();
  double factor = 1;
};

struct Scenario {
  std::string name;
  std::string summary;  // one line for people
  std::vector<KeySpec> keys;
  std::vector<ModelSpec> models;
  std::vector<sim::LimitProfile> limits;
  RefusalStyle refusal;
  bool headers = false;       // answers carry x-ratelimit-* of the limits that show themselves
  double hung = 0;            // share of attempts that are never answered
  double stall_seconds = 60;  // silence after which the client gives an attempt up
  double collapse_above =
      0;  // requests in flight on a key beyond which its throughput falls; 0: never
  std::vector<Incident> incidents;
  // What the client is told with Knowledge::declared, where that is not what is enforced.
  std::optional<std::vector<sim::LimitProfile>> told;
};

/// What the client knows of the limits.
enum class Knowledge : std::uint8_t {
  declared,  // also that a bucket is one, and what it holds
  quotas,    // how much in which time, but not how that is counted
  hidden,
  scaled,
  grouped,  // which routes share a limit, but not how much it allows
};

[[nodiscard]] std::string_view to_string(IncidentKind kind);

/// True when the key serves the model.
[[nodiscard]] bool serves(const ModelSpec& model, const KeySpec& key);

/// The limit as its owner would declare it to the client: a token bucket as one, with what it
/// holds.
[[nodiscard]] quota::Limit declared(const sim::LimitProfile& limit);

/// The same where the owner knows no more than quota and time. A token bucket of requests whose
/// capacity is less than a minute's is declared as enforced over the time that fills it.
[[nodiscard]] quota::Limit declared_quota(const sim::LimitProfile& limit);

/// What the client believes: models, routes (key by key, models inside) and, with
/// Knowledge::declared, the limits; with `scaled` each times `factor`.
[[nodiscard]] spec::Topology topology_of(const Scenario& scenario,
                                         Knowledge knowledge,
                                         double factor = 1);

/// The same world with `share` of the dialogues.
[[nodiscard]] Scenario scaled(Scenario scenario, double share);

}  // namespace sortie::testbed
