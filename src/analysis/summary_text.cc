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

std::string named(const std::string& model, bool simulated, const Phrases& say) {
  return simulated ? say("name.simulated", fmt::arg("name", model)) : model;
}

std::string named(const GroupSummary& group, const Phrases& say) {
  return named(
      group.model + (group.protocol == "text" ? "" : ", " + group.protocol), group.simulated, say);
}

std::string to_text(const Summary& summary, Language language) {
  const Phrases& say = phrases_in(language);
  TextTable table({say("column.scenario"),
                   say("column.model"),
                   "n",
                   say("summary.success"),
                   say("column.interval"),
                   say("column.progress"),
                   say("column.turns"),
                   say("summary.injected"),
                   say("summary.rejected"),
                   say("column.lost")});
  bool simulated = false;
  bool incomplete = false;
  std::string losses;
  for (const GroupSummary& group : summary.groups) {
    simulated = simulated || group.simulated;
    incomplete = incomplete || !group.complete();
    table.add({group.scenario,
               named(group, say),
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
      losses += say("summary.bounds",
                    fmt::arg("scenario", group.scenario),
                    fmt::arg("model", named(group, say)),
                    fmt::arg("low", 100 * bounds.low),
                    fmt::arg("high", 100 * bounds.high)) +
                "\n";
    }
  }
  std::string out = table.render();
  out += say("summary.n") + "\n" + say("summary.calls") + "\n";
  if (incomplete) {
    out += say("summary.incomplete") + "\n";
  }
  out += losses;
  if (simulated) {
    out += say("summary.simulated") + "\n";
  }
  return out;
}

}  // namespace sortie::analysis
