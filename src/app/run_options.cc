#include "sortie/app/run_options.h"

#include "sortie/app/command.h"
#include "sortie/base/text.h"

#include <filesystem>
#include <string>

#include <fmt/format.h>

namespace sortie::app {

spec::CampaignOverrides SelectionOptions::overrides() const {
  return {.only = only, .models = models, .limit = limit};
}

std::string SelectionOptions::directory_for(const spec::Campaign& campaign) const {
  return directory.empty() ? (std::filesystem::path(runs) / campaign.name).string() : directory;
}

std::string SelectionOptions::words() const {
  return (only.empty() ? "" : " --only " + base::join(only, ",")) +
         (models.empty() ? "" : " --model " + base::join(models, ",")) +
         (limit == 0 ? "" : fmt::format(" --limit {}", limit));
}

void add_selection(CLI::App& command, SelectionOptions& options) {
  command
      .add_option("--only", options.only, "Only these scenarios (ids or numbers), comma-separated")
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_option("--model", options.models, "Only these models, comma-separated")
      ->delimiter(',')
      ->allow_extra_args(false);
  command
      .add_option("--limit", options.limit, "At most this many instances per task type and cell")
      ->check(&problem_of_count);
  command.add_option("--dir", options.directory, "Run directory instead of runs/NAME");
}

}  // namespace sortie::app
