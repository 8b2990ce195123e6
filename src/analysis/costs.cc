#include "sortie/analysis/costs.h"

#include "sortie/analysis/cells.h"
#include "sortie/analysis/run_columns.h"
#include "sortie/base/check.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

constexpr std::string_view kCells =
    "SELECT c.id, c.model || ', ' || c.prompt || CASE WHEN c.severity = '' THEN '' ELSE ', ' || "
    "c.severity END || ', ' || c.difficulty || ', ' || replace(?1, '{rate}', c.tool_success_rate) "
    "|| "
    "', ' || c.protocol FROM cell AS c";

/// A route's name is endpoint/key/api_name, of which the last may hold a slash itself.
std::string key_of(const std::string& route) {
  const std::size_t endpoint = route.find('/');
  return route.substr(0, endpoint == std::string::npos ? endpoint : route.find('/', endpoint + 1));
}

/// The reserve stands where no bill is known.
void add(const RequestSums& sums, CostLine& line) {
  line.attempts += sums.attempts;
  line.unknown += sums.unknown_bills;
  line.input_tokens += sums.bill_input;
  line.output_tokens += sums.bill_output;
  line.cost += sums.bill;
  line.reserved += sums.bill_reserved;
}

/// By name and id.
std::vector<CostLine> lines_of(std::map<std::pair<std::string, std::string>, CostLine> named) {
  std::vector<CostLine> lines;
  for (auto& [name, line] : named) {
    std::tie(line.name, line.id) = name;
    lines.push_back(std::move(line));
  }
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

/// Phrases.
struct CostTitles {
  std::string_view what;
  std::string_view table;
  std::string_view column;
};

constexpr std::array kTitles = {CostTitles{"model", "costs.per_model", "column.model"},
                                CostTitles{"key", "costs.per_key", "costs.key"},
                                CostTitles{"cell", "costs.per_cell", "costs.cell"}};

const CostTitles& titles_of(std::string_view what) {
  const auto* const found = std::ranges::find(kTitles, what, &CostTitles::what);
  CHECK(found != kTitles.end());
  return *found;
}

Value dollars(std::int64_t micro) {
  return text_value(fmt::format("{:.4f}", static_cast<double>(micro) / 1e6));
}

}  // namespace

base::Result<Costs> read_costs(ledger::Reader& reader) {
  TRY_ASSIGN(RunColumns columns, read_columns(reader));
  columns.requests.add_open();
  return costs_of(reader, columns.trials, columns.requests, phrases_in(Language::english));
}

base::Result<Costs> costs_of(ledger::Reader& reader,
                             const TrialColumns& trials,
                             const RequestColumns& requests,
                             const Phrases& say) {
  std::map<std::string, std::string> cell_names;  // by id
  const std::vector<std::string> parameters{say.find("rate").value_or("")};
  TRY(reader.scan(kCells, parameters, [&](std::span<const ledger::Cell> row) {
    cell_names.emplace(text_of(row[0]), text_of(row[1]));
    return true;
  }));
  std::map<std::pair<std::string, std::string>, CostLine> models;
  std::map<std::pair<std::string, std::string>, CostLine> keys;
  std::map<std::pair<std::string, std::string>, CostLine> cells;
  Costs costs;
  for (const auto& [kind, sums] : requests.sums) {
    if (kind.reused) {
      continue;  // what other runs sent and paid for is shown apart (analysis/reused.h)
    }
    const std::string& cell = trials.cells.text(kind.cell);
    add(sums, models[{requests.models.text(kind.model), ""}]);
    add(sums, keys[{key_of(requests.routes.text(kind.route)), ""}]);
    add(sums, cells[{cell_names[cell], cell}]);
    add(sums, costs.total);
  }
  costs.models = lines_of(std::move(models));
  costs.keys = lines_of(std::move(keys));
  costs.cells = lines_of(std::move(cells));
  return costs;
}

ResultTable cost_table(const std::string& what,
                       const std::vector<CostLine>& lines,
                       Language language) {
  const Phrases& say = phrases_in(language);
  const CostTitles& titles = titles_of(what);
  ResultTable table{.id = "costs/" + what,
                    .scenario = {},
                    .title = say(titles.table),
                    .columns = {{.key = what, .title = say(titles.column)},
                                {.key = "attempts", .title = say("costs.requests")},
                                {.key = "unknown", .title = say("costs.unknown")},
                                {.key = "input_tokens", .title = say("column.tokens_in")},
                                {.key = "output_tokens", .title = say("column.tokens_out")},
                                {.key = "cost_usd", .title = say("costs.cost")},
                                {.key = "reserved_usd", .title = say("costs.reserved")}},
                    .rows = {},
                    .notes = {},
                    .language = language};
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
