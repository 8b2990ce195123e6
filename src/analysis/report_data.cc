#include "sortie/analysis/report_data.h"

#include "sortie/analysis/agent_rates.h"
#include "sortie/analysis/cells.h"
#include "sortie/analysis/diagnosis.h"
#include "sortie/analysis/own_tables.h"
#include "sortie/analysis/report_cache.h"
#include "sortie/analysis/run_suite.h"
#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

using ledger::Cell;

constexpr std::size_t kManifestValueMax = 200;

std::string when(std::int64_t microseconds) {
  return microseconds == 0
             ? std::string()
             : base::to_iso8601(base::WallTime(std::chrono::microseconds(microseconds)));
}

base::Status read_routes(ledger::Reader& reader, std::vector<RouteUse>& routes) {
  return reader.scan(
      "SELECT a.route, min(a.requested_model), min(a.api_name), count(*), sum(e.cause = "
      "'answered'), "
      "sum(e.cause IN ('throttle', 'concurrency', 'ramp', 'daily_cap')), sum(e.attempt IS NULL), "
      "sum(e.input_tokens), "
      "sum(e.output_tokens), sum(e.cost), sum(CASE WHEN e.attempt IS NULL THEN a.reserved_cost "
      "ELSE 0 END) "
      "FROM attempt AS a LEFT JOIN attempt_end AS e ON e.attempt = a.id GROUP BY a.route ORDER BY "
      "a.route",
      [&](std::span<const Cell> row) {
        RouteUse use;
        use.route = text_of(row[0]);
        use.model = text_of(row[1]);
        use.api_name = text_of(row[2]);
        use.attempts = static_cast<std::uint64_t>(int_of(row[3]));
        use.answered = static_cast<std::uint64_t>(int_of(row[4]));
        use.throttled = static_cast<std::uint64_t>(int_of(row[5]));
        use.unknown = static_cast<std::uint64_t>(int_of(row[6]));
        use.failed = use.attempts - use.answered - use.throttled - use.unknown;
        use.input_tokens = int_of(row[7]);
        use.output_tokens = int_of(row[8]);
        use.cost = int_of(row[9]);
        use.reserved = int_of(row[10]);
        routes.push_back(std::move(use));
        return true;
      });
}

base::Status read_served_names(ledger::Reader& reader, std::vector<RouteUse>& routes) {
  return reader.scan(
      "SELECT a.route, e.served_model FROM attempt AS a JOIN attempt_end AS e ON e.attempt = a.id "
      "WHERE e.served_model <> '' GROUP BY 1, 2 ORDER BY 1, 2",
      [&](std::span<const Cell> row) {
        const auto use = std::ranges::find(routes, text_of(row[0]), &RouteUse::route);
        if (use != routes.end()) {
          use->served += (use->served.empty() ? "" : ", ") + text_of(row[1]);
        }
        return true;
      });
}

void mark_simulated(const Summary& summary, std::vector<RouteUse>& routes) {
  std::set<std::string> simulated;
  for (const CellSummary& cell : summary.cells) {
    if (cell.factors.simulated) {
      simulated.insert(cell.factors.model);
    }
  }
  for (RouteUse& route : routes) {
    route.simulated = simulated.contains(route.model);
  }
}

base::Status read_latencies(ledger::Reader& reader, std::vector<RouteUse>& routes) {
  std::map<std::string, RouteUse*> by_name;
  for (RouteUse& route : routes) {
    by_name.emplace(route.route, &route);
  }
  return reader.scan(
      "SELECT route, duration_us FROM (SELECT a.route AS route, e.duration_us AS duration_us, "
      "row_number() OVER (PARTITION BY a.route ORDER BY e.duration_us) AS n, count(*) OVER "
      "(PARTITION BY a.route) AS total "
      "FROM attempt AS a JOIN attempt_end AS e ON e.attempt = a.id WHERE e.cause = 'answered') "
      "WHERE n = (total + 1) / 2",
      [&](std::span<const Cell> row) {
        const auto found = by_name.find(text_of(row[0]));
        if (found != by_name.end()) {
          found->second->latency_median_s = static_cast<double>(int_of(row[1])) / 1e6;
        }
        return true;
      });
}

base::Status read_answers(ledger::Reader& reader, std::vector<RouteUse>& routes) {
  // Some servers report no usage: then the answer itself says whether it is empty.
  return reader.scan(
      "SELECT t.route, count(*), sum(CASE WHEN e.billing_known THEN t.output_tokens = 0 ELSE "
      "coalesce(message_text(t.answer) ->> '$.text', '') = '' AND "
      "coalesce(message_text(t.answer) ->> '$.reasoning', '') = '' AND "
      "coalesce(message_text(t.answer) ->> '$.refusal', '') = '' AND "
      "coalesce(json_array_length(message_text(t.answer), '$.tool_calls'), 0) = 0 END) FROM turn "
      "AS t "
      "JOIN attempt_end AS e ON e.attempt = t.attempt GROUP BY t.route",
      [&](std::span<const Cell> row) {
        const auto route = std::ranges::find(routes, text_of(row[0]), &RouteUse::route);
        if (route != routes.end()) {
          route->answers = static_cast<std::uint64_t>(int_of(row[1]));
          route->empty_answers = static_cast<std::uint64_t>(int_of(row[2]));
        }
        return true;
      });
}

base::Status read_times(ledger::Reader& reader, std::map<std::string, CellTimes>& times) {
  return reader.scan(
      "SELECT t.cell, min(a.at), max(coalesce(e.at, a.at)) FROM attempt AS a JOIN trial AS t ON "
      "t.id = a.trial LEFT JOIN attempt_end AS e ON e.attempt = a.id GROUP BY t.cell",
      [&](std::span<const Cell> row) {
        times.emplace(text_of(row[0]),
                      CellTimes{.first = when(int_of(row[1])), .last = when(int_of(row[2]))});
        return true;
      });
}

base::Status read_manifest(ledger::Reader& reader, ReportData& data) {
  return reader.scan(
      "SELECT name, value, max(generation) FROM manifest GROUP BY name ORDER BY name",
      [&](std::span<const Cell> row) {
        std::string value = text_of(row[1]);
        if (value.size() <= kManifestValueMax) {
          data.manifest.emplace_back(text_of(row[0]), std::move(value));
        }
        return true;
      });
}

/// What seemed to be one limit, and the lines that declare it.
std::string shared_text(const std::string& at, const json::Value& detail) {
  const std::string_view subject = json::get_string(detail, "subject").value_or("");
  if (json::get_bool(detail, "over").value_or(false)) {
    return fmt::format("{} {} share no limit after all", at, subject);
  }
  std::string text =
      fmt::format("{} {} seem to share one limit that nobody declared; write:", at, subject);
  if (const json::Array* lines = json::get_array(detail, "declare")) {
    for (const json::Value& line : *lines) {
      text += fmt::format("\n      {}", line.is_string() ? json::view(line.as_string()) : "");
    }
  }
  return text;
}

/// A person's change says who, what and why; other events as they stand.
std::string event_text(std::span<const Cell> row) {
  const std::string kind = text_of(row[1]);
  const std::string at = when(int_of(row[0]));
  const auto detail = json::parse(text_of(row[3]));
  if (kind == "pools_shared" && detail.has_value()) {
    return shared_text(at, *detail);
  }
  if (kind != "control" || !detail.has_value()) {
    return fmt::format("{} {} {} {}", at, kind, text_of(row[2]), text_of(row[3]));
  }
  std::vector<std::string> changes;
  if (const json::Array* array = json::get_array(*detail, "changes")) {
    for (const json::Value& change : *array) {
      changes.emplace_back(change.is_string() ? json::view(change.as_string()) : "");
    }
  }
  const std::string_view reason = json::get_string(*detail, "reason").value_or("");
  return fmt::format("{} {} by {}{}{}",
                     at,
                     base::join(changes, "; "),
                     json::get_string(*detail, "author").value_or("unknown"),
                     reason.empty() ? "" : ": ",
                     reason);
}

base::Status read_history(ledger::Reader& reader, ReportData& data) {
  TRY(
      reader.scan("SELECT at, kind, subject, detail FROM event WHERE kind NOT LIKE 'run_%' ORDER "
                  "BY id LIMIT 100",
                  [&](std::span<const Cell> row) {
                    data.events.push_back(event_text(row));
                    return true;
                  }));
  return reader.scan(
      "SELECT min(a.at), max(e.at) FROM attempt AS a LEFT JOIN attempt_end AS e ON e.attempt = "
      "a.id",
      [&](std::span<const Cell> row) {
        data.started = when(int_of(row[0]));
        data.ended = when(int_of(row[1]));
        return false;
      });
}

base::Result<std::vector<ReferenceRates>> rates_of_agents(ledger::Reader& reader,
                                                          const RunRows& rows) {
  TRY_ASSIGN(const suite::Suite suite, suite_of(reader));
  TRY_ASSIGN(const auto text, reader.manifest("seed"));
  std::uint64_t seed = 0;
  if (text.has_value()) {
    std::from_chars(text->data(), text->data() + text->size(), seed);
  }
  return agent_rates(rows, suite, seed);
}

/// What the suite's card says of its texts, beside the versions.
base::Status add_review(ledger::Reader& reader, ReportData& data) {
  TRY_ASSIGN(const suite::Suite suite, suite_of(reader));
  std::vector<std::string> levels;
  for (const suite::Difficulty level : suite::not_reviewed(suite)) {
    levels.emplace_back(suite::to_string(level));
  }
  if (!levels.empty()) {
    data.manifest.emplace_back("levels not reviewed by people", base::join(levels, ", "));
  }
  return {};
}

base::Result<ReportData> collect(ledger::Reader& reader, const ReportOptions& options) {
  ReportData data;
  TRY_ASSIGN(const RunRows rows, read_rows(reader));
  TRY_ASSIGN(data.summary, summarize(reader, rows));
  TRY_ASSIGN(data.declared, read_declared(reader));
  if (options.tables) {
    std::vector<ReferenceRates> agents;
    if (options.scripted_agents) {
      TRY_ASSIGN(agents, rates_of_agents(reader, rows));
    }
    const TableInputs inputs{.rows = &rows,
                             .summary = &data.summary,
                             .declared = &data.declared,
                             .agents = std::move(agents)};
    data.tables = scenario_tables(inputs);
    std::ranges::move(own_scenario_tables(inputs), std::back_inserter(data.tables));
    TRY_ASSIGN(data.diagnoses, diagnose_cells(reader, data.summary));
  }
  TRY(read_times(reader, data.times));
  TRY(read_routes(reader, data.routes));
  mark_simulated(data.summary, data.routes);
  TRY(read_served_names(reader, data.routes));
  TRY(read_latencies(reader, data.routes));
  TRY(read_answers(reader, data.routes));
  TRY_ASSIGN(data.costs, read_costs(reader));
  TRY_ASSIGN(data.speeds, read_speeds(reader));
  TRY(read_manifest(reader, data));
  if (options.tables) {
    TRY(add_review(reader, data));
  }
  TRY(read_history(reader, data));
  return data;
}

base::Result<ReportData> collect_or_load(ledger::Reader& reader, const ReportOptions& options) {
  std::int64_t facts = 0;
  std::string key;
  TRY(reader.scan("SELECT facts, key FROM run", [&](std::span<const Cell> row) {
    facts = int_of(row[0]);
    key = text_of(row[1]);
    return false;
  }));
  if (options.cache_directory.empty() || facts < options.cached_facts_min) {
    return collect(reader, options);
  }
  TRY_ASSIGN(const std::string mark, reader.high_water_mark());
  const base::Digest stamp = report_stamp(
      fmt::format("tables {}, agents {}", options.tables, options.scripted_agents), key, mark);
  if (auto known = load_report(options.cache_directory, stamp)) {
    return std::move(*known);
  }
  auto data = collect(reader, options);
  if (data.has_value()) {
    store_report(options.cache_directory, stamp, *data);
  }
  return data;
}

}  // namespace

base::Result<ReportData> collect_report(ledger::Reader& reader, ReportOptions options) {
  TRY(reader.begin());
  auto data = collect_or_load(reader, options);
  reader.end();
  return data;
}

}  // namespace sortie::analysis
