#include "sortie/analysis/costs.h"

#include "sortie/analysis/cells.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

// The reserve stands where no bill is known.
constexpr std::string_view kSums =
    "count(*), sum(1 - a.billing_known), sum(CASE WHEN a.billing_known THEN a.input_tokens ELSE "
    "a.reserved_input END), sum(CASE WHEN a.billing_known THEN a.output_tokens ELSE "
    "a.reserved_output END), sum(a.cost), sum(CASE WHEN a.billing_known THEN 0 ELSE a.cost END)";

// A route's name is endpoint/key/api_name, of which the last may hold a slash itself.
constexpr std::string_view kKey =
    "substr(a.route, 1, instr(a.route, '/') + instr(substr(a.route, instr(a.route, '/') + 1), "
    "'/') - 1)";

constexpr std::string_view kCell =
    "c.model || ', ' || c.prompt || CASE WHEN c.severity = '' THEN '' ELSE ', ' || c.severity END "
    "|| ', ' || c.difficulty || ', rate ' || c.tool_success_rate || ', ' || c.protocol";

base::Result<std::vector<CostLine>> read_lines(ledger::Reader& reader, const std::string& sql) {
  std::vector<CostLine> lines;
  TRY(reader.scan(sql, [&](std::span<const ledger::Cell> row) {
    lines.push_back({.name = text_of(row[0]),
                     .id = text_of(row[1]),
                     .attempts = static_cast<std::uint64_t>(int_of(row[2])),
                     .unknown = static_cast<std::uint64_t>(int_of(row[3])),
                     .input_tokens = int_of(row[4]),
                     .output_tokens = int_of(row[5]),
                     .cost = int_of(row[6]),
                     .reserved = int_of(row[7])});
    return true;
  }));
  return lines;
}

json::Object to_json(const CostLine& line) {
  return {{"attempts", line.attempts},
          {"unknown", line.unknown},
          {"input_tokens", line.input_tokens},
          {"output_tokens", line.output_tokens},
          {"cost_micro_usd", line.cost},
          {"reserved_micro_usd", line.reserved}};
}

json::Array to_json(const std::vector<CostLine>& lines, std::string_view what) {
  json::Array array;
  for (const CostLine& line : lines) {
    json::Object object{{what, line.name}};
    if (!line.id.empty()) {
      object["id"] = line.id;
    }
    for (auto& member : to_json(line)) {
      object.emplace(member.key(), member.value());
    }
    array.push_back(std::move(object));
  }
  return array;
}

Value dollars(std::int64_t micro) {
  return text_value(fmt::format("{:.4f}", static_cast<double>(micro) / 1e6));
}

}  // namespace

base::Result<Costs> read_costs(ledger::Reader& reader) {
  Costs costs;
  TRY_ASSIGN(costs.models,
             read_lines(reader,
                        fmt::format("SELECT a.requested_model, '', {} FROM attempt_full AS a GROUP "
                                    "BY 1 ORDER BY 1",
                                    kSums)));
  TRY_ASSIGN(
      costs.keys,
      read_lines(
          reader,
          fmt::format(
              "SELECT {}, '', {} FROM attempt_full AS a GROUP BY 1 ORDER BY 1", kKey, kSums)));
  TRY_ASSIGN(
      costs.cells,
      read_lines(reader,
                 fmt::format("SELECT {}, c.id, {} FROM attempt_full AS a JOIN trial AS t ON t.id = "
                             "a.trial JOIN cell AS c ON c.id = t.cell GROUP BY c.id ORDER BY 1, 2",
                             kCell,
                             kSums)));
  for (const CostLine& line : costs.models) {
    costs.total.attempts += line.attempts;
    costs.total.unknown += line.unknown;
    costs.total.input_tokens += line.input_tokens;
    costs.total.output_tokens += line.output_tokens;
    costs.total.cost += line.cost;
    costs.total.reserved += line.reserved;
  }
  return costs;
}

ResultTable cost_table(const std::string& what,
                       const std::string& title,
                       const std::vector<CostLine>& lines) {
  ResultTable table{.id = "costs/" + what,
                    .scenario = {},
                    .title = title,
                    .columns = {{.key = what, .title = what},
                                {.key = "attempts", .title = "requests"},
                                {.key = "unknown", .title = "bill unknown"},
                                {.key = "input_tokens", .title = "tokens in"},
                                {.key = "output_tokens", .title = "tokens out"},
                                {.key = "cost_usd", .title = "cost $"},
                                {.key = "reserved_usd", .title = "of it reserved $"}},
                    .rows = {},
                    .notes = {}};
  for (const CostLine& line : lines) {
    table.rows.push_back({.values = {text_value(line.name),
                                     count_value(line.attempts),
                                     count_value(line.unknown),
                                     count_value(static_cast<std::uint64_t>(line.input_tokens)),
                                     count_value(static_cast<std::uint64_t>(line.output_tokens)),
                                     dollars(line.cost),
                                     dollars(line.reserved)},
                          .marks = {}});
  }
  return table;
}

json::Value to_json(const Costs& costs) {
  return json::Object{{"total", to_json(costs.total)},
                      {"models", to_json(costs.models, "model")},
                      {"keys", to_json(costs.keys, "key")},
                      {"cells", to_json(costs.cells, "cell")}};
}

}  // namespace sortie::analysis
