#include "sortie/analysis/export.h"
#include "sortie/app/command.h"
#include "sortie/base/printable.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/ledger/lock.h"
#include "sortie/monitor/web_runs.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

namespace fs = std::filesystem;

struct PruneOptions {
  std::string place;
  double days = 30;
  bool yes = false;
  bool json = false;
};

/// Something beside a ledger that no fact is lost with.
struct Leftover {
  std::string path;
  std::string_view kind;
  std::uint64_t bytes = 0;
};

struct PrunedRun {
  std::string directory;
  bool running = false;
  std::vector<Leftover> leftovers;

  [[nodiscard]] std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const Leftover& leftover : leftovers) {
      sum += leftover.bytes;
    }
    return sum;
  }
};

/// When it was last written, and how large it is: of a folder, of all that it holds. No link is
/// followed.
struct Extent {
  fs::file_time_type written = fs::file_time_type::min();
  std::uint64_t bytes = 0;

  static std::optional<Extent> of(const fs::path& path) {
    std::error_code error;
    const fs::file_status status = fs::symlink_status(path, error);
    if (error ||
        (status.type() != fs::file_type::regular && status.type() != fs::file_type::directory)) {
      return std::nullopt;
    }
    Extent extent;
    extent.add(path, status.type() == fs::file_type::regular);
    if (status.type() == fs::file_type::directory) {
      for (auto entry = fs::recursive_directory_iterator(path, error);
           !error && entry != fs::recursive_directory_iterator();
           entry.increment(error)) {
        const bool is_file = !entry->is_symlink(error) && entry->is_regular_file(error);
        if (is_file) {
          extent.add(entry->path(), true);
        }
      }
    }
    return extent;
  }

 private:
  void add(const fs::path& path, bool is_file) {
    std::error_code error;
    if (!is_file) {
      return;
    }
    const auto size = fs::file_size(path, error);
    bytes += error ? 0 : size;
    const auto time = fs::last_write_time(path, error);
    written = error ? fs::file_time_type::max() : std::max(written, time);
  }
};

/// Folders that only this program fills, by name.
constexpr std::pair<std::string_view, std::string_view> kFolders[] = {{"cache", "cache"},
                                                                      {"capture", "captures"}};

class LeftoverFinder {
 public:
  LeftoverFinder(fs::path directory, double days)
      : directory_(std::move(directory)),
        before_(fs::file_time_type::clock::now() -
                std::chrono::duration_cast<fs::file_time_type::duration>(
                    std::chrono::duration<double, std::ratio<86400>>(days))) {}

  std::vector<Leftover> find() {
    for (const auto& [name, kind] : kFolders) {
      consider(directory_ / name, kind);
    }
    std::error_code error;
    for (fs::directory_iterator entry(directory_ / "log", error);
         !error && entry != fs::directory_iterator();
         entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (name.starts_with("run.") && name.ends_with(".jsonl")) {
        consider(entry->path(), "logs");
      }
    }
    add_exports(directory_);
    add_exports(directory_ / "export");
    std::ranges::sort(found_, {}, &Leftover::path);
    return std::move(found_);
  }

 private:
  /// Folders that say what they are: others may be anybody's.
  void add_exports(const fs::path& folder) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
         entry.increment(error)) {
      const std::string path = entry->path().string();
      if (!entry->is_symlink(error) && entry->is_directory(error) &&
          analysis::read_export_manifest(path).has_value() &&
          analysis::check_only_export(path).has_value()) {
        consider(entry->path(), "export");
      }
    }
  }

  void consider(const fs::path& path, std::string_view kind) {
    const auto extent = Extent::of(path);
    if (extent.has_value() && extent->written <= before_) {
      found_.push_back({.path = path.string(), .kind = kind, .bytes = extent->bytes});
    }
  }

  fs::path directory_;
  fs::file_time_type before_;
  std::vector<Leftover> found_;
};

base::Result<std::vector<PrunedRun>> look(const PruneOptions& options) {
  std::vector<monitor::RunPlace> places = monitor::find_runs(options.place);
  if (places.empty()) {
    TRY_ASSIGN(const std::string directory, run_directory(options.place));
    places = monitor::find_runs(directory);
  }
  std::vector<PrunedRun> runs;
  for (const monitor::RunPlace& place : places) {
    PrunedRun run{.directory = place.directory,
                  .running = ledger::is_being_written(place.directory),
                  .leftovers = {}};
    if (!run.running) {
      run.leftovers = LeftoverFinder(place.directory, options.days).find();
    }
    runs.push_back(std::move(run));
  }
  if (runs.size() == 1 && runs.front().running) {
    return base::failure(base::Remedy::retry_later,
                         base::ErrorCode::locked,
                         fmt::format("{} is being written: nothing of a running run is pruned. "
                                     "Wait for its end, or stop it: sortie control {} drain",
                                     runs.front().directory,
                                     runs.front().directory));
  }
  return runs;
}

/// Under the run's lock, so that no run begins meanwhile.
base::Status remove(const PrunedRun& run) {
  TRY_ASSIGN(const ledger::RunLock lock,
             ledger::RunLock::acquire(run.directory, base::SystemClock().wall()));
  for (const Leftover& leftover : run.leftovers) {
    std::error_code error;
    fs::remove_all(leftover.path, error);
    if (error) {
      return base::io_error(fmt::format("cannot remove {}", leftover.path), error.value());
    }
  }
  return {};
}

std::string size_text(std::uint64_t bytes) {
  constexpr double kMega = 1e6;
  return fmt::format("{:>10.3f} MB", static_cast<double>(bytes) / kMega);
}

std::string to_text(const std::vector<PrunedRun>& runs, const PruneOptions& options) {
  std::string text;
  std::uint64_t bytes = 0;
  for (const PrunedRun& run : runs) {
    bytes += run.bytes();
    if (run.running) {
      text += fmt::format("{:>13}  {}: is being written, left alone\n", "", run.directory);
    }
    for (const Leftover& leftover : run.leftovers) {
      text +=
          fmt::format("{}  {:<8}  {}\n", size_text(leftover.bytes), leftover.kind, leftover.path);
    }
  }
  if (bytes == 0) {
    return text + fmt::format("Nothing to remove that is older than {} days.\n", options.days);
  }
  return text + fmt::format("{}  {}{}\n",
                            size_text(bytes),
                            options.yes ? "removed" : "would be removed",
                            options.yes ? "" : "; to do it: add --yes");
}

json::Value to_json(const std::vector<PrunedRun>& runs, const PruneOptions& options) {
  json::Array all;
  std::uint64_t bytes = 0;
  for (const PrunedRun& run : runs) {
    json::Array leftovers;
    for (const Leftover& leftover : run.leftovers) {
      leftovers.push_back(json::Object{
          {"path", leftover.path}, {"kind", leftover.kind}, {"bytes", leftover.bytes}});
    }
    bytes += run.bytes();
    all.push_back(json::Object{
        {"run", run.directory}, {"running", run.running}, {"leftovers", std::move(leftovers)}});
  }
  return json::Object{{"removed", options.yes}, {"bytes", bytes}, {"runs", std::move(all)}};
}

int prune(const PruneOptions& options) {
  const auto runs = look(options);
  if (!runs.has_value()) {
    return fail(runs.error(), options.json);
  }
  for (const PrunedRun& run : *runs) {
    if (options.yes && !run.leftovers.empty()) {
      const base::Status removed = remove(run);
      if (!removed.has_value()) {
        return fail(removed.error(), options.json);
      }
    }
  }
  if (options.json) {
    print_json(to_json(*runs, options));
  } else {
    print_text(to_text(*runs, options));
  }
  return kDone;
}

}  // namespace

void add_prune(CLI::App& root, Action& action) {
  const auto options = std::make_shared<PruneOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand(
      "prune", "Remove what can be made again beside finished runs; shows it first, never a fact");
  command
      ->add_option("DIR",
                   options->place,
                   "Run directory, its name under runs/, or a folder of run directories")
      ->required();
  command
      ->add_option("--older-than", options->days, "Only what was not written for so long: 30d, 12h")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, double>{{"d", 1.0}, {"h", 1.0 / 24}}))
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--yes", options->yes, "Remove it; without, it is only shown");
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer(
      "Example:  sortie prune runs --older-than 7d\n"
      "Caches, captures, logs and exports within run directories. Ledgers, reports and what others "
      "put there stay.\nOf a run that is being written nothing is removed.");
  command->callback([&action, options] { action = [options] { return prune(*options); }; });
}

}  // namespace sortie::app
