#include "sortie/monitor/text_view.h"

#include "sortie/base/columns.h"
#include "sortie/base/printable.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/monitor/details.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::monitor {

namespace {

using base::padded;
using base::printable_line;

constexpr std::size_t kBarColumns = 24;
constexpr std::size_t kNameColumns = 20;
constexpr std::size_t kRouteColumns = 25;
constexpr std::size_t kProblemsShown = 4;

/// Of what a bar and the numbers beside it tell.
struct Part {
  std::uint64_t planned = 0;
  std::uint64_t scored = 0;
  std::uint64_t lost = 0;
  std::uint64_t running = 0;
};

std::string bar(const Part& part) {
  const auto share = [&](std::uint64_t count) {
    return part.planned == 0 ? 0 : static_cast<std::size_t>(count * kBarColumns / part.planned);
  };
  const std::size_t done = std::min(kBarColumns, share(part.scored));
  const std::size_t lost =
      std::min(kBarColumns - done, share(part.lost) + (part.lost > 0 ? 1U : 0U));
  const std::size_t open =
      std::min(kBarColumns - done - lost, share(part.running) + (part.running > 0 ? 1U : 0U));
  return std::string(done, '#') + std::string(lost, 'x') + std::string(open, '-') +
         std::string(kBarColumns - done - lost - open, '.');
}

std::string counted(std::uint64_t count) {
  return base::with_thousands(static_cast<long long>(count));
}

/// "1,203/6,200  12 lost".
std::string numbers(const Part& part) {
  std::string text = fmt::format("{:>6}/{}", counted(part.scored), counted(part.planned));
  if (part.lost > 0) {
    text += fmt::format("  {} lost", counted(part.lost));
  }
  return text;
}

/// "about 12 min 30 s (11 min 05 s to 14 min 10 s), at least 10 min 50 s".
std::string left(const engine::RunStatus& status) {
  if (!status.time_left.has_value()) {
    return "–";
  }
  return fmt::format("about {} ({} to {}){}",
                     base::human(status.time_left->likely),
                     base::human(status.time_left->earliest),
                     base::human(status.time_left->latest),
                     status.bound_left.has_value()
                         ? fmt::format(", at least {}", base::human(*status.bound_left))
                         : std::string());
}

/// Which lines go first where rows are few.
enum class Rank : std::uint8_t { always, route, scenario };

/// Lines of a page, none too wide, nothing in them but text.
class Page {
 public:
  explicit Page(const ViewOptions& options) : options_(options) {}

  void add(std::string_view text, std::string_view code = "", Rank rank = Rank::always) {
    std::string line = base::fitted(printable_line(text), options_.columns);
    if (options_.colour && !code.empty()) {
      line = fmt::format("\x1b[{}m{}\x1b[0m", code, line);
    }
    lines_.push_back({.text = std::move(line), .rank = rank});
  }

  [[nodiscard]] std::vector<std::string> take() {
    leave_out(Rank::scenario, "scenarios");
    leave_out(Rank::route, "lines of routes");
    std::vector<std::string> lines;
    for (Line& line : lines_) {
      if (options_.rows == 0 || lines.size() < options_.rows) {
        lines.push_back(std::move(line.text));
      }
    }
    return lines;
  }

 private:
  struct Line {
    std::string text;
    Rank rank = Rank::always;
  };

  /// From the last one, and says how many in one line where the last was.
  void leave_out(Rank rank, std::string_view what) {
    if (options_.rows == 0 || lines_.size() <= options_.rows) {
      return;
    }
    const auto of_rank = static_cast<std::size_t>(std::ranges::count(lines_, rank, &Line::rank));
    const std::size_t count = std::min(lines_.size() - options_.rows + 1, of_rank);
    if (count < 2) {
      return;
    }
    std::size_t to_go = count;
    std::size_t last = lines_.size();
    for (std::size_t i = lines_.size(); i-- > 0 && to_go > 0;) {
      if (lines_[i].rank == rank) {
        last = to_go == count ? i : last - 1;
        lines_.erase(lines_.begin() + static_cast<std::ptrdiff_t>(i));
        --to_go;
      }
    }
    lines_.insert(
        lines_.begin() + static_cast<std::ptrdiff_t>(last),
        {.text = base::fitted(fmt::format("  … and {} {}", count, what), options_.columns),
         .rank = Rank::always});
  }

  ViewOptions options_;
  std::vector<Line> lines_;
};

// --- A run

void add_model(Page& page,
               const engine::RunStatus& status,
               const engine::ModelProgress& model,
               double turns_per_second) {
  const Part part{.planned = model.planned,
                  .scored = model.scored,
                  .lost = model.lost,
                  .running = model.running};
  std::string line = fmt::format(
      "  {} [{}] {}", padded(printable_line(model.model), kNameColumns), bar(part), numbers(part));
  if (model.reused > 0) {
    line += fmt::format("  {} reused", counted(model.reused));
  }
  if (turns_per_second > 0) {
    line += fmt::format("  {:.1f}/s", turns_per_second);
  }
  line += model.paused ? "  paused" : model.simulated ? "  simulated" : "";
  page.add(line);
  const auto of_model = [&](const engine::ScenarioProgress& one) {
    return one.model == model.model;
  };
  if (std::ranges::count_if(status.scenarios, of_model) < 2) {
    return;  // the same bar again
  }
  for (const engine::ScenarioProgress& one : status.scenarios) {
    if (of_model(one)) {
      const Part some{.planned = one.trials.planned,
                      .scored = one.trials.scored,
                      .lost = one.trials.lost,
                      .running = one.trials.running};
      page.add(fmt::format("    {} [{}] {}",
                           padded(printable_line(one.scenario), kNameColumns - 2),
                           bar(some),
                           numbers(some)),
               "2",
               Rank::scenario);
    }
  }
}

void add_run(Page& page, const engine::RunStatus& status, const Rates& rates) {
  page.add(fmt::format("{}  {} of {} trials  {} lost  {}",
                       status.run,
                       counted(status.scored()),
                       counted(status.planned()),
                       counted(status.lost()),
                       base::human(status.elapsed)),
           "1");
  if (status.phase == engine::Phase::running) {
    page.add(fmt::format("left {}", left(status)));
  }
  page.add(fmt::format("{:.1f} turns/s  {} tokens/s  {} in flight  {} waiting  ${:.4f}",
                       rates.turns_per_second(),
                       base::with_thousands(static_cast<long long>(rates.tokens_per_second())),
                       counted(status.in_flight),
                       counted(status.waiting),
                       static_cast<double>(status.cost_micro_usd) / 1e6));
  if (const std::string text = budget_text(status.budget); !text.empty()) {
    page.add(text);
  }
  if (status.paused || status.draining) {
    page.add(status.paused ? "PAUSED: nothing new is sent" : "draining: no new dialogue begins",
             "33");
  }
  for (std::size_t i = 0; i < status.models.size(); ++i) {
    add_model(page, status, status.models[i], rates.turns_per_second(i));
  }
}

// --- Routes

double fullness(const engine::LimitUse& use) {
  return use.allowed > 0 ? use.used / use.allowed : 0;
}

/// Of the limits that the route drains, the one that is nearest to its end.
const engine::LimitUse* fullest(const engine::RunStatus& status,
                                const engine::RouteProgress& route) {
  const engine::LimitUse* found = nullptr;
  for (const engine::LimitUse& use : status.limits) {
    if (std::ranges::find(route.domains, use.domain) != route.domains.end() &&
        (found == nullptr || fullness(use) > fullness(*found))) {
      found = &use;
    }
  }
  return found;
}

/// 598, 12.3k, 398k, 4.1M.
std::string short_number(double value) {
  if (value >= 1e6) {
    return fmt::format("{:.1f}M", value / 1e6);
  }
  if (value >= 1e5) {
    return fmt::format("{:.0f}k", value / 1e3);
  }
  return value >= 1e4 ? fmt::format("{:.1f}k", value / 1e3) : fmt::format("{:.0f}", value);
}

/// "598/600 req/min", "4/20 at once"; "~" before a limit that was learned.
std::string limit_text(const engine::LimitUse* use) {
  if (use == nullptr) {
    return "–";
  }
  const std::string numbers = fmt::format(
      "{}/{}{}", short_number(use->used), use->learned ? "~" : "", short_number(use->limit.quota));
  if (use->limit.kind == quota::LimitKind::concurrency) {
    return numbers + " at once";
  }
  const double seconds = base::seconds(use->limit.window);
  const std::string window = seconds == 1       ? "s"
                             : seconds == 60    ? "min"
                             : seconds == 3600  ? "h"
                             : seconds == 86400 ? "day"
                                                : fmt::format("{:.0f} s", seconds);
  return fmt::format(
      "{} {}/{}", numbers, use->limit.kind == quota::LimitKind::requests ? "req" : "tok", window);
}

/// "0.3 %", "<0.1 %".
std::string throttle_share(const engine::RouteProgress& route) {
  const auto throttled = static_cast<double>(route.throttled);
  const double all =
      throttled + static_cast<double>(route.answered) + static_cast<double>(route.failed);
  if (route.throttled == 0) {
    return all > 0 ? "0" : "–";
  }
  const double percent = 100 * throttled / all;
  return percent < 0.1 ? "<0.1 %" : fmt::format("{:.1f} %", percent);
}

/// "840 ms", "3.4 s", "125 s".
std::string latency_text(const std::optional<base::Duration>& latency) {
  if (!latency.has_value()) {
    return "–";
  }
  const double seconds = base::seconds(*latency);
  return seconds < 1    ? fmt::format("{:.0f} ms", seconds * 1000)
         : seconds < 10 ? fmt::format("{:.1f} s", seconds)
                        : fmt::format("{:.0f} s", seconds);
}

void add_route(Page& page, const engine::RunStatus& status, const engine::RouteProgress& route) {
  const std::string name = padded(printable_line(route.route), kRouteColumns);
  if (!route.usable) {
    page.add(fmt::format("  {} OUT: {}", name, route.reason), "31", Rank::route);
    return;
  }
  page.add(fmt::format("  {} {:>6}  {} {:>7} {:>7} {:>7}",
                       name,
                       counted(route.in_flight),
                       padded(limit_text(fullest(status, route)), 20),
                       throttle_share(route),
                       latency_text(route.latency_p50),
                       latency_text(route.latency_p95)),
           "2",
           Rank::route);
  if (route.closed_for.has_value()) {
    page.add(fmt::format("    {} for {}{}",
                         route.breaker_open ? "breaker open" : "closed by the server",
                         base::human(*route.closed_for),
                         route.failed > 0 ? fmt::format("; {} failed", counted(route.failed))
                                          : std::string()),
             "33",
             Rank::route);
  }
}

void add_routes(Page& page, std::span<const engine::RunStatus> statuses) {
  page.add(fmt::format("  {} {:>6}  {} {:>7} {:>7} {:>7}",
                       padded("route", kRouteColumns),
                       "flying",
                       padded("limit (~: learned)", 20),
                       "refused",
                       "p50",
                       "p95"),
           "2");
  std::set<std::string_view> shown;
  for (const engine::RunStatus& status : statuses) {
    for (const engine::RouteProgress& route : status.routes) {
      if (shown.insert(route.route).second) {
        add_route(page, status, route);
      }
    }
  }
}

void add_problems(Page& page, const engine::RunStatus& status, std::string_view prefix) {
  const std::size_t skip =
      status.problems.size() - std::min(status.problems.size(), kProblemsShown);
  for (std::size_t i = skip; i < status.problems.size(); ++i) {
    page.add(fmt::format("  ! {}{}", prefix, status.problems[i].text), "33");
  }
}

}  // namespace

std::vector<std::string> render(const engine::RunStatus& status,
                                const Rates& rates,
                                const ViewOptions& options) {
  return render(std::span(&status, 1), std::span(&rates, 1), options);
}

std::vector<std::string> render(std::span<const engine::RunStatus> statuses,
                                std::span<const Rates> rates,
                                const ViewOptions& options) {
  Page page(options);
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    add_run(page, statuses[i], rates[i]);
  }
  add_routes(page, statuses);
  for (const engine::RunStatus& status : statuses) {
    add_problems(page, status, statuses.size() > 1 ? status.run + ": " : std::string());
  }
  return page.take();
}

std::string one_line(const engine::RunStatus& status, const Rates& rates) {
  return fmt::format("{} {}/{} trials, {} lost, {} in flight, {:.1f} turns/s, ${:.4f}, left {}",
                     base::human(status.elapsed),
                     status.scored(),
                     status.planned(),
                     status.lost(),
                     status.in_flight,
                     rates.turns_per_second(),
                     static_cast<double>(status.cost_micro_usd) / 1e6,
                     left(status));
}

}  // namespace sortie::monitor
