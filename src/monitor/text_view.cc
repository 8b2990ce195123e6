#include "sortie/monitor/text_view.h"

#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/monitor/details.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::monitor {

namespace {

constexpr std::size_t kBarColumns = 24;
constexpr std::size_t kProblemsShown = 4;

/// `text` in at most `columns` characters.
std::string fitted(std::string_view text, std::size_t columns) {
  std::string out;
  std::size_t used = 0;
  while (!text.empty() && used < columns) {
    const std::size_t length = std::max<std::size_t>(1, base::utf8_sequence_length(text));
    out += text.substr(0, length);
    text.remove_prefix(length);
    ++used;
  }
  return out;
}

std::string bar(const engine::ModelProgress& model) {
  const auto share = [&](std::uint64_t count) {
    return model.planned == 0 ? 0 : static_cast<std::size_t>(count * kBarColumns / model.planned);
  };
  const std::size_t done = share(model.scored);
  const std::size_t lost =
      std::min(kBarColumns - done, share(model.lost) + (model.lost > 0 ? 1U : 0U));
  const std::size_t open =
      std::min(kBarColumns - done - lost, share(model.running) + (model.running > 0 ? 1U : 0U));
  return std::string(done, '#') + std::string(lost, 'x') + std::string(open, '-') +
         std::string(kBarColumns - done - lost - open, '.');
}

std::string paint(std::string text, std::string_view code, bool colour) {
  return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
}

/// "about 12 min 30 s (11 min 05 s to 14 min 10 s)".
std::string left(const engine::RunStatus& status) {
  if (!status.time_left.has_value()) {
    return "–";
  }
  return fmt::format("about {} ({} to {})",
                     base::human(status.time_left->likely),
                     base::human(status.time_left->earliest),
                     base::human(status.time_left->latest));
}

/// Lines of a page, none too long.
class Page {
 public:
  explicit Page(const ViewOptions& options) : options_(options) {}

  void add(const std::string& text, std::string_view code = "") {
    std::string line = fitted(text, options_.columns);
    lines_.push_back(code.empty() ? std::move(line)
                                  : paint(std::move(line), code, options_.colour));
  }

  [[nodiscard]] std::vector<std::string> take() { return std::move(lines_); }

 private:
  ViewOptions options_;
  std::vector<std::string> lines_;
};

void add_run(Page& page, const engine::RunStatus& status, const Rates& rates) {
  page.add(fmt::format("{}  {} of {} trials  {} lost  {}",
                       status.run,
                       base::with_thousands(static_cast<long long>(status.scored())),
                       base::with_thousands(static_cast<long long>(status.planned())),
                       status.lost(),
                       base::human(status.elapsed)),
           "1");
  if (status.phase == engine::Phase::running) {
    page.add(fmt::format("left {}", left(status)));
  }
  page.add(fmt::format("{:.1f} turns/s  {} tokens/s  {} in flight  {} waiting  ${:.4f}",
                       rates.turns_per_second(),
                       base::with_thousands(static_cast<long long>(rates.tokens_per_second())),
                       status.in_flight,
                       status.waiting,
                       static_cast<double>(status.cost_micro_usd) / 1e6));
  if (const std::string text = budget_text(status.budget); !text.empty()) {
    page.add(text);
  }
  if (status.paused || status.draining) {
    page.add(status.paused ? "PAUSED: nothing new is sent" : "draining: no new dialogue begins",
             "33");
  }
  for (const engine::ModelProgress& model : status.models) {
    page.add(
        fmt::format("  {:<22} [{}] {:>5}/{}{}{}{}",
                    fitted(model.model, 22),
                    bar(model),
                    model.scored,
                    model.planned,
                    model.reused > 0 ? fmt::format("  {} reused", model.reused) : std::string(),
                    model.lost > 0 ? fmt::format("  {} lost", model.lost) : std::string(),
                    model.paused      ? "  paused"
                    : model.simulated ? "  simulated"
                                      : ""));
  }
}

void add_route(Page& page, const engine::RouteProgress& route) {
  if (!route.usable) {
    page.add(fmt::format("  {:<30} OUT: {}", fitted(route.route, 30), route.reason), "31");
    return;
  }
  const std::string state = route.closed_for.has_value()
                                ? "  closed for " + base::human(*route.closed_for)
                                : std::string();
  page.add(fmt::format("  {:<30} {:>9} {:>6} {:>10} {:>7}{}",
                       fitted(route.route, 30),
                       route.in_flight,
                       route.answered,
                       route.throttled,
                       route.failed,
                       state),
           "2");
}

void add_routes(Page& page, std::span<const engine::RunStatus> statuses) {
  page.add(
      fmt::format(
          "  {:<30} {:>9} {:>6} {:>10} {:>7}", "route", "in flight", "ok", "throttled", "failed"),
      "2");
  std::set<std::string_view> shown;
  for (const engine::RunStatus& status : statuses) {
    for (const engine::RouteProgress& route : status.routes) {
      if (shown.insert(route.route).second) {
        add_route(page, route);
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
