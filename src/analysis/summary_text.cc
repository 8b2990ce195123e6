#include "sortie/analysis/comparisons.h"
#include "sortie/analysis/summary.h"
#include "sortie/analysis/text_table.h"

#include <string>

#include <fmt/format.h>

namespace sortie::analysis {

std::string lost_text(const Losses& lost) {
  std::string kinds;
  for (const auto& [outcome, count] : lost) {
    kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", outcome, count);
  }
  return kinds.empty() ? "0" : fmt::format("{} ({})", total(lost), kinds);
}

std::string named(const GroupSummary& group) {
  return group.model + (group.protocol == "text" ? "" : ", " + group.protocol) +
         (group.simulated ? " (simulated)" : "");
}

std::string to_text(const Summary& summary) {
  TextTable table({"scenario",
                   "model",
                   "n",
                   "success",
                   "95 % interval",
                   "progress",
                   "turns",
                   "injected",
                   "rejected",
                   "lost"});
  bool simulated = false;
  bool incomplete = false;
  std::string losses;
  for (const GroupSummary& group : summary.groups) {
    simulated = simulated || group.simulated;
    incomplete = incomplete || !group.complete();
    table.add({group.scenario,
               named(group),
               fmt::format("{}{}", group.tally.scored, group.complete() ? "" : "*"),
               fmt::format("{:.1f} %", 100 * group.tally.success_rate()),
               fmt::format("{:.1f}–{:.1f} %{}",
                           100 * group.success.low,
                           100 * group.success.high,
                           group.interval_method == kBootstrap ? " ‡" : ""),
               fmt::format("{:.2f}", group.tally.progress),
               fmt::format("{:.1f}", group.tally.turns),
               fmt::to_string(group.tally.injected_failures),
               fmt::to_string(group.tally.rejected_calls),
               lost_text(group.lost)});
    if (group.missing() > 0) {
      const stats::Interval bounds = loss_bounds(group.tally, group.missing());
      losses += fmt::format(
          "{}, {}: {:.1f} % if all missing trials had failed, {:.1f} % if they had succeeded.\n",
          group.scenario,
          named(group),
          100 * bounds.low,
          100 * bounds.high);
    }
  }
  std::string out = table.render();
  out +=
      "n: scored trials. Score interval within task types, of one type Wilson's; ‡ bootstrap over "
      "tasks, where trials share tasks.\n"
      "injected: failures drawn for valid calls. rejected: invalid calls, by the world.\n";
  if (incomplete) {
    out += "* incomplete: fewer than 95 % of the planned trials are scored.\n";
  }
  out += losses;
  if (simulated) {
    out += "Simulated models are stand-ins for testing, never contestants.\n";
  }
  return out;
}

}  // namespace sortie::analysis
