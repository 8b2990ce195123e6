#pragma once

#include "sortie/analysis/answer_count.h"
#include "sortie/analysis/costs.h"
#include "sortie/analysis/declared.h"
#include "sortie/analysis/phrases.h"
#include "sortie/analysis/result_table.h"
#include "sortie/analysis/reused.h"
#include "sortie/analysis/scenario_tables.h"
#include "sortie/analysis/speeds.h"
#include "sortie/analysis/summary.h"
#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

// Everything a report shows beside the scored table: what was sent, who answered, what it cost,
// with which versions.

namespace sortie::analysis {

struct RouteUse {
  std::string route;
  std::string model;
  bool simulated = false;
  std::string api_name;  // what requests say
  std::string served;    // names stated by the server, comma-separated
  std::uint64_t attempts = 0;
  std::uint64_t answered = 0;
  std::uint64_t throttled = 0;
  std::uint64_t wrong_model = 0;  // answered by another model: excluded, never a turn
  std::uint64_t failed = 0;       // neither answered nor throttled, wrong models included
  std::uint64_t unknown = 0;      // without an end: perhaps sent, perhaps billed
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t cost = 0;      // micro-dollars of ended attempts
  std::int64_t reserved = 0;  // micro-dollars that unknown attempts reserved
  double latency_median_s = 0;
  AnswerCount answers;
};

/// First and last request of a cell, ISO 8601.
struct CellTimes {
  std::string first;
  std::string last;
};

struct ReportData {
  Summary summary;
  Declared declared;
  std::vector<ResultTable> tables;               // of the preset scenarios, then of one's own
  std::map<std::string, std::string> diagnoses;  // by cell id, of cells at 0 or 100 %
  std::map<std::string, CellTimes> times;        // by cell id
  std::vector<RouteUse> routes;
  Costs costs;
  std::vector<StartSpeed> speeds;
  std::vector<ReusedLine> reused;
  std::vector<std::pair<std::string, std::string>>
      manifest;                     // newest value by name, short ones only
  std::vector<std::string> events;  // routes taken out, what people changed, in words
  std::string started;              // first and last attempt, ISO 8601
  std::string ended;
  Language language = Language::english;  // of all words above, and of the forms that show them
};

struct ReportOptions {
  bool tables = true;  // of the scenarios, the diagnoses of cells, and intervals
  bool scripted_agents =
      false;  // play them over the same trials, for rows of the scenarios' tables
  std::string cache_directory{};  // RUN/cache: where what was summed is kept; empty: nowhere
  Language language = Language::english;
  std::string baseline_model{};               // that 5.1 compares with; empty: as declared
  std::int64_t cached_facts_min = 1'000'000;  // smaller ledgers are read anew
};

/// Reads within one snapshot of `reader`.
[[nodiscard]] base::Result<ReportData> collect_report(ledger::Reader& reader,
                                                      ReportOptions options = {});

}  // namespace sortie::analysis
