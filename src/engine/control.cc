#include "sortie/engine/control.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/engine/core.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::engine {

namespace {

using quota::Limit;
using quota::LimitKind;

constexpr std::array<std::string_view, 8> kActions = {
    "pause", "resume", "drain", "limit", "unlimit", "disable", "enable", "share"};
constexpr std::size_t kChangesMax = 50;
constexpr double kWeightMax = 1000;

std::string window_name(base::Duration window) {
  struct Window {
    double seconds;
    std::string_view name;
  };

  constexpr std::array kWindows = {
      Window{1, "s"}, Window{60, "min"}, Window{3600, "h"}, Window{86'400, "day"}};
  for (const Window& known : kWindows) {
    if (base::seconds(window) == known.seconds) {
      return std::string(known.name);
    }
  }
  return base::human(window);
}

std::string number(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15
             ? base::with_thousands(static_cast<long long>(value))
             : fmt::format("{:g}", value);
}

std::string limits_text(const std::vector<Limit>& limits) {
  std::vector<std::string> texts;
  for (const Limit& limit : limits) {
    texts.push_back(describe(limit));
  }
  return texts.empty() ? "unlimited" : base::join(texts, ", ");
}

std::unexpected<base::Error> unknown(std::string_view what,
                                     const std::string& name,
                                     const std::vector<std::string>& known) {
  return base::bad_input(
      fmt::format("this run has no {} '{}'{}", what, name, base::suggestion(name, known)));
}

/// Of the limits and keys, which belong to all campaigns of the process.
bool is_common(ControlAction action) {
  return action == ControlAction::limit || action == ControlAction::unlimit ||
         action == ControlAction::disable || action == ControlAction::enable;
}

}  // namespace

std::string_view to_string(ControlAction action) {
  return kActions[static_cast<std::size_t>(action)];
}

std::optional<ControlAction> control_action_from(std::string_view name) {
  const auto* found = std::ranges::find(kActions, name);
  return found == kActions.end()
             ? std::nullopt
             : std::optional(static_cast<ControlAction>(found - kActions.begin()));
}

std::vector<std::string> control_actions() {
  return {kActions.begin(), kActions.end()};
}

std::string describe(const Limit& limit) {
  if (limit.kind == LimitKind::concurrency) {
    return fmt::format("{} at once", number(limit.quota));
  }
  return fmt::format(
      "{} {}/{}", number(limit.quota), quota::to_string(limit.kind), window_name(limit.window));
}

base::Result<std::vector<std::string>> Engine::Core::control(const ControlCommand& command) {
  if (ended_ || stopping_) {
    return base::failure(
        base::Remedy::bad_input, base::ErrorCode::refused, "the run is ending already");
  }
  TRY_ASSIGN(std::vector<std::string> changes, change(command));
  if (command.dry_run || changes.empty()) {
    return changes;
  }
  record(command, changes, {});
  if (is_common(command.action)) {
    floor_.tell_others(place_,
                       [&](Engine::Core& other) { other.record(command, changes, name()); });
  }
  wake();
  return changes;
}

void Engine::Core::record(const ControlCommand& command,
                          const std::vector<std::string>& changes,
                          std::string_view through) {
  json::Array recorded;
  for (const std::string& text : changes) {
    recorded.emplace_back(text);
  }
  json::Object detail{{"action", to_string(command.action)},
                      {"author", command.author},
                      {"reason", command.reason},
                      {"changes", std::move(recorded)}};
  if (!through.empty()) {
    detail.emplace("through", through);
  }
  note_event("control",
             command.target.empty() ? name() : command.target,
             json::to_text(json::Value(std::move(detail))));
  if (counters_.changes.size() == kChangesMax) {
    counters_.changes.erase(counters_.changes.begin());
  }
  counters_.changes.push_back({.at = wall(),
                               .author = command.author,
                               .reason = command.reason,
                               .text = base::join(changes, "; ")});
}

/// Makes the change, unless it is a dry run, and says what it is in words: nothing if everything is
/// as wanted already.
base::Result<std::vector<std::string>> Engine::Core::change(const ControlCommand& command) {
  switch (command.action) {
    case ControlAction::pause:
      return set_paused(command, true);
    case ControlAction::resume:
      return set_paused(command, false);
    case ControlAction::drain:
      return start_draining(command);
    case ControlAction::limit:
    case ControlAction::unlimit:
      return change_limits(command);
    case ControlAction::disable:
    case ControlAction::enable:
      return set_key_enabled(command, command.action == ControlAction::enable);
    case ControlAction::share:
      return set_share(command);
  }
  return base::bad_input("unknown action");
}

base::Result<std::size_t> Engine::Core::model_named(const std::string& name) const {
  std::vector<std::string> known;
  for (std::size_t i = 0; i < models_.size(); ++i) {
    if (models_[i].progress.planned == 0) {
      continue;
    }
    known.push_back(context_.topology->models[i].name);
    if (known.back() == name) {
      return i;
    }
  }
  return unknown("model", name, known);
}

base::Result<std::vector<std::string>> Engine::Core::set_paused(const ControlCommand& command,
                                                                bool paused) {
  const std::string_view word = paused ? "paused" : "resumed";
  std::vector<std::string> changes;
  if (!command.target.empty()) {
    TRY_ASSIGN(const std::size_t index, model_named(command.target));
    ModelProgress& model = models_[index].progress;
    if (model.paused != paused) {
      changes.push_back(fmt::format("model {} {}", command.target, word));
      if (!command.dry_run) {
        model.paused = paused;
        apply_pauses();
      }
    }
    return changes;
  }
  if (counters_.paused != paused) {
    changes.push_back(fmt::format("run {}", word));
    if (!command.dry_run) {
      counters_.paused = paused;
      apply_pauses();
    }
  }
  return changes;
}

void Engine::Core::apply_pauses() {
  for (std::size_t cell = 0; cell < context_.campaign->cells.size(); ++cell) {
    const std::size_t model = context_.campaign->cells[cell].model;
    scheduler().set_group_paused(model, group_of(cell), is_paused(model), now());
  }
  tell_backlogs();
}

base::Result<std::vector<std::string>> Engine::Core::start_draining(const ControlCommand& command) {
  if (counters_.draining) {
    return std::vector<std::string>();
  }
  if (!command.dry_run) {
    counters_.draining = true;
    tell_backlogs();
  }
  return std::vector{
      fmt::format("draining: no dialogue begins any more, {} open ones are finished", open_count_)};
}

base::Result<std::vector<std::string>> Engine::Core::set_share(const ControlCommand& command) {
  TRY_ASSIGN(const std::size_t index, model_named(command.target));
  if (!(command.weight > 0) || command.weight > kWeightMax) {
    return base::bad_input(
        fmt::format("share of {}: expected a weight above 0 and at most {}, found {}",
                    command.target,
                    kWeightMax,
                    command.weight));
  }
  ModelProgress& model = models_[index].progress;
  std::vector<std::string> changes;
  if (model.share != command.weight) {
    changes.push_back(
        fmt::format("share of {}: {:g} (was {:g})", command.target, command.weight, model.share));
    if (!command.dry_run) {
      model.share = command.weight;
      for (std::size_t cell = 0; cell < context_.campaign->cells.size(); ++cell) {
        if (context_.campaign->cells[cell].model == index) {
          apply_share(cell);
        }
      }
    }
  }
  return changes;
}

/// What the campaign's file and people say of the cell's share.
void Engine::Core::apply_share(std::size_t cell) {
  const spec::CampaignShare& share = context_.campaign->share;
  const std::size_t model = context_.campaign->cells[cell].model;
  scheduler().set_group_share(model,
                              group_of(cell),
                              {.weight = share.priority * models_[model].progress.share,
                               .guaranteed = share.guaranteed,
                               .tenant = place_});
}

base::Result<std::vector<std::string>> Engine::Core::change_limits(const ControlCommand& command) {
  const std::vector<quota::LimitDomain>& domains = context_.topology->domains;
  const auto found = std::ranges::find(domains, command.target, &quota::LimitDomain::name);
  if (found == domains.end()) {
    std::vector<std::string> known;
    for (const quota::LimitDomain& domain : domains) {
      known.push_back(domain.name);
    }
    return unknown("limit domain", command.target, known);
  }
  const auto domain = static_cast<std::size_t>(found - domains.begin());
  std::vector<std::string> changes;
  const auto change_kind = [&](LimitKind kind, const std::vector<Limit>& wanted) {
    const std::vector<Limit> now_in_force = limits_in_force(domain, kind);
    if (now_in_force == wanted) {
      return false;
    }
    changes.push_back(fmt::format("{} of {}: {} (was {})",
                                  quota::to_string(kind),
                                  found->name,
                                  limits_text(wanted),
                                  limits_text(now_in_force)));
    return !command.dry_run;
  };
  if (command.action == ControlAction::limit) {
    if (command.limits.empty()) {
      return base::bad_input("limit: expected at least one limit such as requests=600/min");
    }
    for (const Limit& limit : command.limits) {
      if (change_kind(limit.kind, {limit})) {
        scheduler().limit_domain(domain, limit, now());
      }
    }
    return changes;
  }
  std::vector<LimitKind> kinds = command.kinds;
  if (kinds.empty()) {
    kinds = {LimitKind::requests, LimitKind::tokens, LimitKind::concurrency};
  }
  for (const LimitKind kind : kinds) {
    std::vector<Limit> declared;
    std::ranges::copy_if(found->limits, std::back_inserter(declared), [kind](const Limit& limit) {
      return limit.kind == kind;
    });
    if (change_kind(kind, declared)) {
      scheduler().lift_limit(domain, kind, now());
    }
  }
  return changes;
}

std::vector<Limit> Engine::Core::limits_in_force(std::size_t domain, LimitKind kind) const {
  std::vector<Limit> limits;
  const quota::DomainStatus status_of_domain = scheduler().domain_status(now())[domain];
  for (const quota::LimitStatus& status : status_of_domain.limits) {
    if (status.limit.kind == kind && status.source == quota::LimitSource::declared) {
      limits.push_back(status.limit);
    }
  }
  return limits;
}

base::Result<std::vector<std::string>> Engine::Core::set_key_enabled(const ControlCommand& command,
                                                                     bool enabled) {
  const spec::Topology& topology = *context_.topology;
  std::vector<std::string> known;
  std::vector<std::string> changes;
  bool is_known = false;
  for (std::size_t i = 0; i < topology.routes.size(); ++i) {
    const spec::Route& route = topology.routes[i];
    const spec::Endpoint& endpoint = topology.endpoints[route.endpoint];
    std::string key = fmt::format("{}/{}", endpoint.name, endpoint.keys[route.key].name);
    if (key != command.target) {
      if (std::ranges::find(known, key) == known.end()) {
        known.push_back(std::move(key));
      }
      continue;
    }
    is_known = true;
    if (enabled ? !scheduler().route_status(now())[i].disabled : floor_.taken_out()[i]) {
      continue;
    }
    changes.push_back(fmt::format("route {} {}", route.name, enabled ? "enabled" : "disabled"));
    if (command.dry_run) {
      continue;
    }
    floor_.taken_out()[i] = !enabled;
    if (enabled) {
      scheduler().enable_route(i, now());
    } else {
      scheduler().disable_route(i,
                                fmt::format("disabled by {}{}{}",
                                            command.author,
                                            command.reason.empty() ? "" : ": ",
                                            command.reason));
    }
  }
  if (!is_known) {
    return unknown("key", command.target, known);
  }
  return changes;
}

}  // namespace sortie::engine
