#pragma once

#include "sortie/spec/campaign.h"
#include "sortie/spec/load.h"

#include <cstddef>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace sortie::app {

/// A dialogue takes 64 KiB at most: 10,000 of them stay below 1 GiB.
inline constexpr std::size_t kOpenDialoguesMax = 10000;

/// Which part of a campaign, and where its run lives: shared by plan and run.
struct SelectionOptions {
  std::vector<std::string> only;
  std::vector<std::string> models;
  std::size_t limit = 0;
  std::string runs = "runs";
  std::string directory;

  [[nodiscard]] spec::CampaignOverrides overrides() const;
  [[nodiscard]] std::string directory_for(const spec::Campaign& campaign) const;

  /// " --only a,b --limit 3": the part again, as one types it; without --dir.
  [[nodiscard]] std::string words() const;
};

void add_selection(CLI::App& command, SelectionOptions& options);

}  // namespace sortie::app
