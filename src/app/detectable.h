#pragma once

#include "sortie/app/campaign_setup.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sortie::app {

/// The smallest differences between two cells that a family of comparisons finds.
struct Detectable {
  std::string family;
  std::size_t comparisons = 1;
  std::uint64_t tasks = 0;  // that the compared cells have in common
  double points_20 = 0;     // of success rate, with 20 % of the pairs discordant
  double points_30 = 0;
};

/// By family, as in docs/design/benchmark.md.
[[nodiscard]] std::vector<Detectable> detectable(const CampaignSetup& setup);

/// The same for people, in lines that go on at column 10.
[[nodiscard]] std::string detects_text(const std::vector<Detectable>& families);

}  // namespace sortie::app
