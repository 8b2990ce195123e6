#include "sortie/monitor/control_json.h"

#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/quota/limit.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::monitor {

namespace {

using quota::Limit;
using quota::LimitKind;

constexpr std::size_t kReasonMax = 500;
constexpr double kQuotaMax = 1e12;
constexpr double kWindowSecondsMax = 31 * 86'400.0;

constexpr std::array kKinds = {LimitKind::requests, LimitKind::tokens, LimitKind::concurrency};

base::Result<LimitKind> kind_from(std::string_view name) {
  std::vector<std::string> known;
  for (const LimitKind kind : kKinds) {
    known.emplace_back(quota::to_string(kind));
    if (known.back() == name) {
      return kind;
    }
  }
  return base::bad_input(
      fmt::format("unknown kind of limit '{}'{}", name, base::suggestion(name, known)));
}

base::Result<Limit> limit_from(const json::Value& value) {
  Limit limit;
  TRY_ASSIGN(limit.kind, kind_from(json::get_string(value, "kind").value_or("")));
  const std::string_view name = quota::to_string(limit.kind);
  limit.quota = json::get_double(value, "quota").value_or(0);
  if (!(limit.quota > 0) || limit.quota > kQuotaMax) {
    return base::bad_input(fmt::format("{}: expected a quota above zero", name));
  }
  if (limit.kind == LimitKind::concurrency) {
    if (limit.quota < 1) {
      return base::bad_input("concurrency: expected at least 1; to send nothing, use pause");
    }
    return limit;
  }
  const double seconds = json::get_double(value, "window_seconds").value_or(60);
  if (!(seconds > 0) || seconds > kWindowSecondsMax) {
    return base::bad_input(fmt::format("{}: expected a window of at most 31 days", name));
  }
  limit.window = base::from_seconds(seconds);
  return limit;
}

base::Status read_limits(const json::Value& value, engine::ControlCommand& command) {
  const json::Array* limits = json::get_array(value, "limits");
  for (std::size_t i = 0; limits != nullptr && i < limits->size(); ++i) {
    TRY_ASSIGN(const Limit limit, limit_from((*limits)[i]));
    if (std::ranges::find(command.limits, limit.kind, &Limit::kind) != command.limits.end()) {
      return base::bad_input(
          fmt::format("{}: one limit of a kind at a time", quota::to_string(limit.kind)));
    }
    command.limits.push_back(limit);
  }
  const json::Array* kinds = json::get_array(value, "kinds");
  for (std::size_t i = 0; kinds != nullptr && i < kinds->size(); ++i) {
    const boost::json::string* name = (*kinds)[i].if_string();
    TRY_ASSIGN(const LimitKind kind,
               kind_from(name == nullptr ? std::string_view() : json::view(*name)));
    command.kinds.push_back(kind);
  }
  return {};
}

base::Status refuse_unknown_members(const json::Value& value) {
  const std::vector<std::string> known = {
      "action", "target", "reason", "dry_run", "limits", "kinds", "weight"};
  for (const auto& member : value.as_object()) {
    const std::string name(member.key());
    if (std::ranges::find(known, name) == known.end()) {
      return base::bad_input(
          fmt::format("unknown member '{}'{}", name, base::suggestion(name, known)));
    }
  }
  return {};
}

}  // namespace

json::Value to_json(const engine::ControlCommand& command) {
  json::Array limits;
  for (const Limit& limit : command.limits) {
    json::Object object{{"kind", quota::to_string(limit.kind)}, {"quota", limit.quota}};
    if (limit.kind != LimitKind::concurrency) {
      object["window_seconds"] = base::seconds(limit.window);
    }
    limits.push_back(std::move(object));
  }
  json::Array kinds;
  for (const LimitKind kind : command.kinds) {
    kinds.emplace_back(quota::to_string(kind));
  }
  return json::Object{{"action", engine::to_string(command.action)},
                      {"target", command.target},
                      {"reason", command.reason},
                      {"dry_run", command.dry_run},
                      {"limits", std::move(limits)},
                      {"kinds", std::move(kinds)},
                      {"weight", command.weight}};
}

base::Result<engine::ControlCommand> control_from_json(const json::Value& value) {
  if (!value.is_object()) {
    return base::bad_input("expected an object with the member \"action\"");
  }
  TRY(refuse_unknown_members(value));
  engine::ControlCommand command;
  const std::string_view name = json::get_string(value, "action").value_or("");
  const std::optional<engine::ControlAction> action = engine::control_action_from(name);
  if (!action.has_value()) {
    return base::bad_input(fmt::format(
        "unknown action '{}'{}", name, base::suggestion(name, engine::control_actions())));
  }
  command.action = *action;
  command.target = json::get_string(value, "target").value_or("");
  command.reason =
      base::shortened(base::valid_utf8(json::get_string(value, "reason").value_or("")), kReasonMax);
  command.dry_run = json::get_bool(value, "dry_run").value_or(false);
  command.weight = json::get_double(value, "weight").value_or(1);
  TRY(read_limits(value, command));
  return command;
}

}  // namespace sortie::monitor
