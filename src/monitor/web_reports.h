#pragma once

#include "sortie/analysis/phrases.h"
#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/monitor/web_runs.h"

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <vector>

// The report of a run for the page: the same document that `sortie report` writes.

namespace sortie::monitor {

/// A report of what a run had recorded when it was made.
struct WebReport {
  std::string directory;
  analysis::Language language = analysis::Language::english;
  std::string mark;               // the ledger's high-water mark
  std::string html;               // self-contained, without script
  json::Value figures;            // [{"title", "table"}], in the report's order
  std::vector<std::string> svgs;  // of the figures: complete files
};

/// Of one thread. Keeps the reports that were asked for last; they are made anew once the ledger
/// has grown.
class WebReports {
 public:
  static constexpr std::size_t kReportsMax = 4;
  // Of larger runs a report takes so long that it is made by a command.
  static constexpr std::int64_t kTrialsMax = 200'000;

  /// Valid until the next call.
  [[nodiscard]] base::Result<const WebReport*> of(const RunPlace& place,
                                                  analysis::Language language);

 private:
  std::list<WebReport> reports_;  // the last used first
};

}  // namespace sortie::monitor
