#include "sortie/monitor/details.h"

#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/engine/control.h"
#include "sortie/quota/limit.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::monitor {

namespace {

double dollars(std::int64_t micro) {
  return static_cast<double>(micro) / 1e6;
}

std::string_view state_of(const engine::RunStatus& status) {
  if (status.phase == engine::Phase::finished) {
    return "ended";
  }
  if (status.phase == engine::Phase::stopping) {
    return "stopping";
  }
  if (status.paused) {
    return "paused";
  }
  return status.draining ? "draining" : "running";
}

std::string with_reason(const engine::ControlChange& change) {
  return fmt::format("  {}  {} by {}{}{}",
                     base::to_iso8601(change.at),
                     change.text,
                     change.author,
                     change.reason.empty() ? "" : ": ",
                     change.reason);
}

}  // namespace

std::string budget_text(const engine::BudgetUse& budget) {
  std::vector<std::string> parts;
  if (budget.limits.cost.has_value()) {
    parts.push_back(fmt::format("${:.4f} of ${:.4f} spent, ${:.4f} set aside",
                                dollars(budget.spent.cost),
                                dollars(*budget.limits.cost),
                                dollars(budget.reserved.cost)));
  }
  if (budget.limits.tokens.has_value()) {
    parts.push_back(fmt::format("{} of {} tokens used, {} set aside",
                                base::with_thousands(budget.spent.tokens),
                                base::with_thousands(*budget.limits.tokens),
                                base::with_thousands(budget.reserved.tokens)));
  }
  if (budget.deadline.has_value()) {
    parts.push_back("deadline " + base::to_iso8601(*budget.deadline));
  }
  return base::join(parts, "; ");
}

std::string speed_text(const std::optional<engine::SpeedReport>& speed) {
  if (!speed.has_value()) {
    return {};
  }
  const std::string took = base::human(base::from_seconds(speed->seconds));
  const std::string least = base::human(base::from_seconds(speed->bound_seconds));
  if (!speed->has_losses) {
    return fmt::format(
        "Speed     {}, the longest dialogue {}; no limit is known that decides, so no bound "
        "either\n",
        took,
        least);
  }
  std::vector<std::string> losses;
  for (std::size_t i = 0; i < engine::kLossKinds; ++i) {
    const double lost = speed->losses[i];
    losses.push_back(fmt::format("{} {:.1f} s",
                                 to_string(static_cast<engine::Loss>(i)),
                                 std::abs(lost) < 0.05 ? 0 : lost));  // never "-0.0"
  }
  return fmt::format(
      "Speed     {:.1f} % of the {}bound: {}, at least {}; bottleneck: {} of {}{}\n  lost    {}\n",
      100 * speed->fraction(),
      speed->is_estimate ? "estimated " : "",
      took,
      least,
      speed->limit,
      speed->domain,
      speed->is_estimate ? fmt::format(", a learned limit ({:.0f} % sure)", 100 * speed->confidence)
                         : std::string(),
      base::join(losses, ", "));
}

std::string shared_text(const std::vector<engine::SharedLimit>& shared) {
  std::string text;
  for (const engine::SharedLimit& limit : shared) {
    if (limit.is_over) {
      continue;
    }
    text += fmt::format(
        "{} seem to share one limit that the endpoints file does not declare{}. There, write:\n",
        limit.subject,
        limit.is_remembered ? " (an earlier run found it)" : "");
    for (const std::string& line : limit.declaration) {
      text += fmt::format("    {}\n", line);
    }
  }
  return text;
}

std::vector<std::string> details(const engine::RunStatus& status) {
  std::vector<std::string> lines = {fmt::format(
      "{}: {} since {}, {} in flight, {} waiting for a limit{}",
      status.run,
      state_of(status),
      base::human(status.elapsed),
      status.in_flight,
      status.waiting,
      status.unfunded == 0 ? std::string() : fmt::format(", {} for the budget", status.unfunded))};
  if (const std::string text = budget_text(status.budget); !text.empty()) {
    lines.push_back("budget   " + text);
  }
  for (const engine::ModelProgress& model : status.models) {
    if (model.paused || model.share != 1) {
      lines.push_back(fmt::format(
          "model    {}{} share {:g}", model.model, model.paused ? " paused," : "", model.share));
    }
  }
  for (const engine::LimitUse& use : status.limits) {
    lines.push_back(fmt::format("limit    {:<30} {:<24} used {}{}",
                                use.domain,
                                engine::describe(use.limit),
                                base::with_thousands(std::llround(use.used)),
                                use.closed_for.has_value()
                                    ? fmt::format(", closed for {}", base::human(*use.closed_for))
                                    : std::string()));
  }
  for (const engine::RouteProgress& route : status.routes) {
    if (!route.usable) {
      lines.push_back(fmt::format("route    {} is out: {}", route.route, route.reason));
    } else if (route.closed_for.has_value()) {
      lines.push_back(
          fmt::format("route    {} is closed for {}", route.route, base::human(*route.closed_for)));
    }
  }
  const std::string shared = shared_text(status.shared_limits);
  for (const std::string_view line : base::split(shared, '\n')) {
    if (!line.empty()) {
      lines.emplace_back(line);
    }
  }
  if (!status.changes.empty()) {
    lines.emplace_back("changes");
  }
  for (const engine::ControlChange& change : status.changes) {
    lines.push_back(with_reason(change));
  }
  return lines;
}

}  // namespace sortie::monitor
