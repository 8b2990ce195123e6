#include "sortie/app/reuse_options.h"

#include "sortie/app/command.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace sortie::app {

void add_reuse(CLI::App& command, std::vector<std::string>& runs) {
  command.add_option(
      "--reuse",
      runs,
      "Take scored trials of these runs (directories or names, as many as follow) whose keys are "
      "those of trials to come, instead of asking again");
}

base::Result<std::vector<engine::ReuseSource>> open_reuse(const std::vector<std::string>& runs,
                                                          std::span<const std::string> own) {
  std::vector<engine::ReuseSource> sources;
  for (const std::string& run : runs) {
    const auto directory = run_directory(run);
    if (!directory.has_value()) {
      return std::unexpected(base::with_context(directory.error(), "--reuse"));
    }
    for (const std::string& other : own) {
      std::error_code error;
      if (std::filesystem::equivalent(*directory, other, error)) {
        return base::bad_input(fmt::format(
            "--reuse {} names the run directory of this campaign itself; what it holds counts "
            "without being reused. Name another run",
            run));
      }
    }
    TRY_ASSIGN(engine::ReuseSource source, engine::ReuseSource::open(*directory));
    sources.push_back(std::move(source));
  }
  return sources;
}

}  // namespace sortie::app
