#pragma once

#include "sortie/analysis/summary.h"
#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// Everything a report shows beside the scored table: what was sent, who answered, what it cost,
// with which versions.

namespace sortie::analysis {

struct RouteUse {
  std::string route;
  std::string model;
  std::string served;  // names stated by the server, comma-separated
  std::uint64_t attempts = 0;
  std::uint64_t answered = 0;
  std::uint64_t throttled = 0;
  std::uint64_t failed = 0;   // neither answered nor throttled
  std::uint64_t unknown = 0;  // without an end: perhaps sent, perhaps billed
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t cost = 0;      // micro-dollars of ended attempts
  std::int64_t reserved = 0;  // micro-dollars that unknown attempts reserved
  double latency_median_s = 0;
};

struct ReportData {
  Summary summary;
  std::vector<RouteUse> routes;
  std::vector<std::pair<std::string, std::string>>
      manifest;                     // newest value by name, short ones only
  std::vector<std::string> events;  // routes taken out, in words
  std::string started;              // first and last attempt, ISO 8601
  std::string ended;
};

[[nodiscard]] base::Result<ReportData> collect_report(ledger::Reader& reader);

}  // namespace sortie::analysis
