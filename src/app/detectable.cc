#include "sortie/app/detectable.h"

#include "sortie/spec/cells.h"
#include "sortie/stats/paired.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <ranges>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

/// Tasks of a type are drawn in one order, so that the smaller cell's are among the larger one's.
std::uint64_t common_tasks(const spec::Cell& a, const spec::Cell& b) {
  const auto types = std::ranges::count_if(a.types, [&](suite::TaskType type) {
    return std::ranges::find(b.types, type) != b.types.end();
  });
  return static_cast<std::uint64_t>(types) * std::min(a.instances, b.instances);
}

bool shown_by(const spec::Cell& cell, std::string_view scenario) {
  return std::ranges::find(cell.scenarios, scenario) != cell.scenarios.end();
}

/// One comparison, for each number of tasks that cells have: the largest ones.
void add_single(const spec::Campaign& campaign, std::vector<Detectable>& found) {
  constexpr std::size_t kShown = 3;
  std::set<std::uint64_t, std::greater<>> sizes;
  for (const spec::Cell& cell : campaign.cells) {
    sizes.insert(common_tasks(cell, cell));
  }
  for (const std::uint64_t tasks : sizes | std::views::take(kShown)) {
    found.push_back({.family = "one comparison", .comparisons = 1, .tasks = tasks});
  }
}

/// The flaws of 5.3, each with the right plan where the campaign has its cell.
void add_flaws(const spec::Campaign& campaign, std::vector<Detectable>& found) {
  std::set<suite::Flaw> flaws;
  std::uint64_t tasks = std::numeric_limits<std::uint64_t>::max();
  for (const spec::Cell& cell : campaign.cells) {
    if (cell.params.prompt.flaw == suite::Flaw::none || !shown_by(cell, "flawed")) {
      continue;
    }
    flaws.insert(cell.params.prompt.flaw);
    suite::TrialParams right = cell.params;
    right.prompt = {};
    const auto other = std::ranges::find_if(campaign.cells, [&](const spec::Cell& candidate) {
      return candidate.model == cell.model && candidate.params == spec::normalized(right);
    });
    tasks = std::min(tasks, common_tasks(cell, other == campaign.cells.end() ? cell : *other));
  }
  if (!flaws.empty()) {
    found.push_back({.family = fmt::format("{} flaws (Holm)", flaws.size()),
                     .comparisons = flaws.size(),
                     .tasks = tasks});
  }
}

/// The models of 5.1, as the campaign compares them; all pairs in any case.
void add_models(const CampaignSetup& setup, std::vector<Detectable>& found) {
  const spec::Cell* first = nullptr;
  std::set<std::size_t> models;
  std::uint64_t tasks = 0;
  for (const spec::Cell& cell : setup.campaign.cells) {
    if (shown_by(cell, "baseline")) {
      first = first == nullptr ? &cell : first;
      const std::uint64_t common = common_tasks(*first, cell);
      tasks = models.empty() ? common : std::min(tasks, common);
      models.insert(cell.model);
    }
  }
  const std::size_t others = models.empty() ? 0 : models.size() - 1;
  if (others == 0) {
    return;
  }
  if (!setup.campaign.comparisons.all_pairs) {
    found.push_back({.family = fmt::format("{} model{} against {} (Holm)",
                                           others,
                                           others > 1 ? "s" : "",
                                           setup.campaign.comparisons.baseline_model),
                     .comparisons = others,
                     .tasks = tasks});
  }
  const std::size_t pairs = models.size() * others / 2;
  found.push_back({.family = fmt::format("{} pair{} of models (Holm)", pairs, pairs > 1 ? "s" : ""),
                   .comparisons = pairs,
                   .tasks = tasks});
}

}  // namespace

/// Holm's first step takes a family's level divided by its size.
std::vector<Detectable> detectable(const CampaignSetup& setup) {
  std::vector<Detectable> found;
  add_single(setup.campaign, found);
  add_flaws(setup.campaign, found);
  add_models(setup, found);
  // Beyond this the answer hardly changes and the exact test becomes slow.
  constexpr std::uint64_t kTasksMax = 2000;
  for (Detectable& family : found) {
    stats::PowerQuestion question{.tasks = std::min(family.tasks, kTasksMax),
                                  .discordant = 0.2,
                                  .alpha = 0.05 / static_cast<double>(family.comparisons)};
    family.points_20 = 100 * stats::detectable_difference(question);
    question.discordant = 0.3;
    family.points_30 = 100 * stats::detectable_difference(question);
  }
  return found;
}

std::string detects_text(const std::vector<Detectable>& families) {
  const auto points = [](double value) {
    return value >= 100 ? std::string("none") : fmt::format("{:.0f}", value);
  };
  std::string text =
      "differences between two cells on common tasks, in points (exact McNemar, 80 % power):";
  for (const Detectable& family : families) {
    text += fmt::format("\n          {}, {} tasks: {} / {}",
                        family.family,
                        family.tasks,
                        points(family.points_20),
                        points(family.points_30));
  }
  return text + "\n          with 20 / 30 % of the pairs discordant";
}

}  // namespace sortie::app
