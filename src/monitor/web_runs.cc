#include "sortie/monitor/web_runs.h"

#include "sortie/analysis/cells.h"
#include "sortie/base/time.h"
#include "sortie/ledger/reader.h"
#include "sortie/monitor/control_server.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>
#include <utility>

namespace sortie::monitor {

namespace fs = std::filesystem;

namespace {

bool is_run(const fs::path& directory) {
  std::error_code error;
  return fs::is_regular_file(directory / "ledger.db", error);
}

json::Value line_of(const RunPlace& place) {
  json::Object line{{"run", place.name}, {"live", seems_live(place)}};
  const auto reader = ledger::Reader::open(place.directory);
  if (!reader.has_value()) {
    line["error"] = reader.error().message;
    return line;
  }
  const base::Status read = (*reader)->scan(
      "SELECT (SELECT coalesce(sum(planned), 0) FROM cell), (SELECT count(*) FROM outcome WHERE "
      "outcome = 'scored'), (SELECT created_at FROM run), (SELECT kind FROM event WHERE kind IN "
      "('run_started', 'run_interrupted', 'run_finished') ORDER BY id DESC LIMIT 1), (SELECT "
      "max(simulated) FROM cell)",
      [&](std::span<const ledger::Cell> row) {
        line["planned"] = analysis::int_of(row[0]);
        line["scored"] = analysis::int_of(row[1]);
        line["created"] =
            base::to_iso8601(base::WallTime(std::chrono::microseconds(analysis::int_of(row[2]))));
        line["last_event"] = analysis::text_of(row[3]);
        line["simulated"] = analysis::int_of(row[4]) != 0;
        return true;
      });
  if (!read.has_value()) {
    line["error"] = read.error().message;
  }
  return line;
}

}  // namespace

std::vector<RunPlace> find_runs(const std::string& root) {
  std::error_code error;
  const fs::path path = fs::canonical(root, error);
  if (error) {
    return {};
  }
  if (is_run(path)) {
    return {{.name = path.filename().string(), .directory = path.string()}};
  }
  std::vector<RunPlace> places;
  for (fs::directory_iterator entry(path, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (is_run(entry->path())) {
      places.push_back(
          {.name = entry->path().filename().string(), .directory = entry->path().string()});
    }
  }
  std::ranges::sort(places, {}, &RunPlace::name);
  return places;
}

bool seems_live(const RunPlace& place) {
  std::error_code error;
  return fs::exists(fs::path(place.directory) / kControlSocket, error);
}

base::Result<TrialIndex*> WebRuns::index(const RunPlace& place) {
  auto found = std::ranges::find(entries_, place.directory, &Entry::directory);
  if (found != entries_.end() && found->index->has_moved()) {
    entries_.erase(found);  // the run was made anew
    found = entries_.end();
  }
  if (found == entries_.end()) {
    TRY_ASSIGN(auto opened, TrialIndex::open(place.directory, stop_));
    TRY_ASSIGN(const bool is_known, opened->load());
    // What still grows would be written in vain.
    if (!is_known && !seems_live(place)) {
      TRY(opened->store());
    }
    entries_.push_front({.directory = place.directory, .index = std::move(opened)});
    if (entries_.size() > kIndexesMax) {
      entries_.pop_back();
    }
  } else {
    entries_.splice(entries_.begin(), entries_, found);
  }
  TrialIndex* index = entries_.front().index.get();
  if (const base::Status refreshed = index->refresh(); !refreshed.has_value()) {
    // It may hold half of what is new.
    entries_.pop_front();
    return std::unexpected(refreshed.error());
  }
  return index;
}

json::Value WebRuns::list(const std::vector<RunPlace>& places) {
  json::Array runs;
  for (const RunPlace& place : places) {
    runs.push_back(line_of(place));
  }
  return json::Object{{"version", 1}, {"runs", std::move(runs)}};
}

}  // namespace sortie::monitor
