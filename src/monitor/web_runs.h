#pragma once

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/monitor/web_index.h"

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

// The run directories that a web page shows, and their indexes.

namespace sortie::monitor {

struct RunPlace {
  std::string name;  // the directory's own name: unique under one root
  std::string directory;
};

/// The run directories that `root` holds, by name; `root` itself if it is one. A run directory is
/// one with a ledger.
[[nodiscard]] std::vector<RunPlace> find_runs(const std::string& root);

/// A run answers, or seems to: its control socket is there.
[[nodiscard]] bool seems_live(const RunPlace& place);

/// Of one thread. Keeps the indexes of the runs that were asked for last.
class WebRuns {
 public:
  static constexpr std::size_t kIndexesMax = 4;

  explicit WebRuns(std::stop_token stop) : stop_(std::move(stop)) {}

  /// Up to date, and valid until the next call.
  [[nodiscard]] base::Result<TrialIndex*> index(const RunPlace& place);

  /// A line per run: name, live, planned, scored, when it began and how its last start ended.
  [[nodiscard]] static json::Value list(const std::vector<RunPlace>& places);

 private:
  struct Entry {
    std::string directory;
    std::unique_ptr<TrialIndex> index;
  };

  std::stop_token stop_;
  std::list<Entry> entries_;  // the last used first
};

}  // namespace sortie::monitor
