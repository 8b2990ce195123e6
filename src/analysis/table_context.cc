#include "sortie/analysis/table_context.h"

#include "sortie/base/text.h"
#include "sortie/stats/spread.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

constexpr std::size_t kRateColumns = 4;
constexpr std::size_t kComparisonValues = 10;
constexpr double kSaturated = 0.95;

std::string named(const std::string& name, std::string_view what, std::string_view separator) {
  return name.empty() ? std::string(what) : fmt::format("{}{}{}", name, separator, what);
}

std::string key_named(std::string name, std::string_view what) {
  std::ranges::replace(name, ' ', '_');
  return named(name, what, "_");
}

std::string test_of(const FamilyMember& member) {
  if (!member.test.empty()) {
    return member.test;
  }
  return member.result.exact ? "McNemar, exact" : kBootstrap;
}

/// The values of a member after its names.
std::vector<Value> result_values(const FamilyMember& member) {
  const Comparison& result = member.result;
  std::vector<Value> values(kComparisonValues);
  if (result.pairs > 0) {
    values = {count_value(result.pairs),
              count_value(result.only_first),
              count_value(result.only_second),
              points_value(result.success.mean),
              points_value(result.success.interval),
              {},
              {},
              {},
              points_value(result.progress.mean),
              points_value(result.progress.interval)};
  }
  if (result.pairs > 0 || !member.test.empty()) {
    values[5] = probability_value(result.p);
    values[6] = probability_value(member.p_holm);
    values[7] = text_value(test_of(member));
  }
  return values;
}

}  // namespace

TableContext::TableContext(const TableInputs& inputs, std::string scenario, std::string protocol)
    : inputs_(inputs), scenario_(std::move(scenario)), protocol_(std::move(protocol)) {
  for (std::size_t i = 0; i < rows().cells.size(); ++i) {
    const CellFactors& factors = rows().cells[i].factors;
    by_factors_.emplace(key_of(factors), i);
    if (factors.protocol != protocol_ ||
        std::ranges::find(factors.scenarios, scenario_) == factors.scenarios.end()) {
      continue;
    }
    if (entrants_.empty() || entrants_.back().model != factors.model) {
      entrants_.push_back({.model = factors.model, .simulated = factors.simulated, .cells = {}});
    }
    entrants_.back().cells.push_back(i);
  }
}

TableContext::FactorKey TableContext::key_of(const CellFactors& factors) {
  return {factors.model, setting_of(factors)};
}

const ReferenceRate* TableContext::rate_of(const ReferenceRates& agent,
                                           std::optional<std::size_t> index) const {
  if (!index.has_value()) {
    return nullptr;
  }
  const auto found = agent.by_setting.find(setting_of(cell(*index).factors));
  return found == agent.by_setting.end() ? nullptr : &found->second;
}

std::optional<std::size_t> TableContext::find(const CellFactors& factors) const {
  const auto found = by_factors_.find(key_of(factors));
  return found == by_factors_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::size_t> TableContext::with_prompt(std::size_t cell,
                                                     std::string_view prompt) const {
  CellFactors factors = rows().cells[cell].factors;
  factors.prompt = prompt;
  factors.severity.clear();
  return find(factors);
}

ResultTable TableContext::table_named(const std::string& name, const std::string& title) const {
  const bool text = protocol_ == "text";
  ResultTable table;
  table.id = fmt::format("{}/{}{}", scenario_, name, text ? "" : "/" + protocol_);
  table.scenario = scenario_;
  table.title = text ? title : fmt::format("{} (protocol {})", title, protocol_);
  return table;
}

ResultTable TableContext::line_table(const LineLayout& layout) const {
  ResultTable table = table_named(layout.name, layout.title);
  table.columns.push_back({.key = "model", .title = "model"});
  table.columns.insert(table.columns.end(), layout.labels.begin(), layout.labels.end());
  for (const std::string& name : layout.rates) {
    table.columns.push_back({.key = key_named(name, "n"), .title = named(name, "n", ": ")});
    table.columns.push_back(
        {.key = key_named(name, "success"), .title = named(name, "success†", ": ")});
    table.columns.push_back(
        {.key = key_named(name, "interval"), .title = named(name, "95 % interval", ": ")});
    table.columns.push_back({.key = key_named(name, "bounds"),
                             .title = named(name, "all lost failed – succeeded", ": ")});
  }
  return table;
}

void TableContext::add_rate(Row& row,
                            std::optional<std::size_t> index,
                            const std::string& name) const {
  if (!index.has_value()) {
    row.values.resize(row.values.size() + kRateColumns);
    return;
  }
  const CellSummary& summary = cell(*index);
  row.values.push_back(count_value(summary.tally.scored));
  row.values.push_back(summary.tally.scored > 0 ? share_value(summary.tally.success_rate())
                                                : Value{});
  row.values.push_back(summary.tally.scored > 0 ? interval_value(summary.success) : Value{});
  if (summary.complete()) {
    row.values.emplace_back();
  } else {
    row.values.push_back(interval_value(loss_bounds(summary.tally, summary.missing())));
  }
  add_marks(row, index, name, Bounds::column);
}

void TableContext::add_marks(Row& row,
                             std::optional<std::size_t> index,
                             const std::string& name,
                             Bounds bounds) const {
  if (!index.has_value()) {
    return;
  }
  const CellSummary& summary = cell(*index);
  if (!summary.complete()) {
    const stats::Interval range = loss_bounds(summary.tally, summary.missing());
    row.marks.push_back(named(name,
                              bounds == Bounds::column
                                  ? "incomplete"
                                  : fmt::format("incomplete (success if all lost failed – "
                                                "succeeded: {})",
                                                to_text(interval_value(range))),
                              " "));
  }
  std::vector<std::string> others;
  std::ranges::copy_if(summary.factors.scenarios,
                       std::back_inserter(others),
                       [&](const std::string& other) { return other != scenario_; });
  if (!others.empty()) {
    row.marks.push_back(named(name, "shared with " + base::join(others, " and "), " "));
  }
}

Row TableContext::row_of(const Line& line, const LineLayout& layout) const {
  Row row;
  row.values.push_back(text_value(line.model));
  for (const std::string& label : line.labels) {
    row.values.push_back(text_value(label));
  }
  if (line.simulated) {
    row.marks.emplace_back("simulated");
  }
  for (std::size_t i = 0; i < line.cells.size(); ++i) {
    add_rate(row, line.cells[i], layout.rates[i]);
  }
  return row;
}

std::vector<TableContext::AgentLine> TableContext::agent_lines(
    const ReferenceRates& agent, const std::vector<Line>& lines) const {
  // By labels in their order of appearance; rates are of a setting, whichever model names it.
  std::vector<AgentLine> found;
  for (const Line& line : lines) {
    auto entry = std::ranges::find(found, line.labels, &AgentLine::labels);
    if (entry == found.end()) {
      found.push_back({.labels = line.labels, .rates = {}});
      entry = found.end() - 1;
      entry->rates.resize(line.cells.size());
    }
    for (std::size_t i = 0; i < line.cells.size(); ++i) {
      const ReferenceRate* rate = rate_of(agent, line.cells[i]);
      if (rate != nullptr && entry->rates[i].n == 0) {
        entry->rates[i] = rate->all;
      }
    }
  }
  std::erase_if(found, [](const AgentLine& line) {
    return std::ranges::all_of(line.rates, [](const ReferenceCount& rate) { return rate.n == 0; });
  });
  return found;
}

void TableContext::append_agents(ResultTable& table, const std::vector<Line>& lines) const {
  for (const ReferenceRates& agent : inputs_.agents) {
    for (const AgentLine& line : agent_lines(agent, lines)) {
      Row row{.values = {text_value(agent.agent)}, .marks = {"scripted"}};
      std::ranges::transform(line.labels, std::back_inserter(row.values), text_value);
      for (const ReferenceCount& rate : line.rates) {
        if (rate.n > 0) {
          row.values.push_back(count_value(rate.n));
          row.values.push_back(
              share_value(static_cast<double>(rate.successes) / static_cast<double>(rate.n)));
        }
        row.values.resize(row.values.size() + (rate.n > 0 ? kRateColumns - 2 : kRateColumns));
      }
      row.values.resize(table.columns.size());
      table.rows.push_back(std::move(row));
    }
  }
}

std::string TableContext::status_of(const std::string& family) const {
  return declared().primary.contains(family) ? "primary" : "exploratory";
}

void TableContext::append_comparisons(std::vector<ResultTable>& tables,
                                      std::vector<FamilyMember>& members,
                                      std::vector<std::string> notes) const {
  adjust_families(members);
  ResultTable table = table_named("comparisons", "Comparisons, paired on common trials");
  table.columns = {{.key = "family", .title = "family"},
                   {.key = "model", .title = "model"},
                   {.key = "first", .title = "first"},
                   {.key = "second", .title = "second"},
                   {.key = "pairs", .title = "pairs"},
                   {.key = "only_first", .title = "only first"},
                   {.key = "only_second", .title = "only second"},
                   {.key = "difference", .title = "difference, points"},
                   {.key = "difference_interval", .title = "95 % interval"},
                   {.key = "p", .title = "p"},
                   {.key = "p_holm", .title = "p, Holm"},
                   {.key = "test", .title = "test"},
                   {.key = "progress_difference", .title = "progress, points"},
                   {.key = "progress_interval", .title = "95 % interval"}};
  for (const FamilyMember& member : members) {
    Row row{.values = {text_value(member.family),
                       member.subject.empty() ? Value{} : text_value(member.subject),
                       text_value(member.first),
                       member.second.empty() ? Value{} : text_value(member.second)},
            .marks = {status_of(member.family)}};
    if (member.simulated) {
      row.marks.emplace_back("simulated");
    }
    add_values(row, result_values(member));
    table.rows.push_back(std::move(row));
  }
  table.notes = std::move(notes);
  table.notes.emplace_back(
      "Differences are first minus second, intervals bootstraps over tasks; p is that of equal "
      "success, Holm's within the family and model.");
  if (!table.rows.empty()) {
    tables.push_back(std::move(table));
  }
}

std::string name_of(Side side) {
  return side == with_plan ? "with plan" : "without plan";
}

std::optional<double> Contest::rate_of(const Line& line, Side side) const {
  const std::optional<std::size_t> cell = line.cells[side];
  if (!cell.has_value() || context_.cell(*cell).tally.scored == 0) {
    return std::nullopt;
  }
  return context_.cell(*cell).tally.success_rate();
}

bool Contest::is_saturated(Side side) const {
  const bool any_real = std::ranges::any_of(
      lines_, [&](const Line& line) { return !line.simulated && rate_of(line, side).has_value(); });
  std::size_t models = 0;
  std::size_t above = 0;
  for (const Line& line : lines_) {
    const auto rate = rate_of(line, side);
    if (rate.has_value() && !(any_real && line.simulated)) {
      ++models;
      above += *rate > kSaturated ? 1U : 0U;
    }
  }
  return models > 0 && 2 * above >= models;
}

std::optional<std::size_t> Contest::rank_of(const Line& line) const {
  const auto own = rate_of(line, without_plan);
  if (!own.has_value() || line.simulated || is_saturated(without_plan)) {
    return std::nullopt;
  }
  return 1 + static_cast<std::size_t>(std::ranges::count_if(lines_, [&](const Line& other) {
           return !other.simulated && rate_of(other, without_plan) > own;
         }));
}

FamilyMember compared(const RunRows& rows, std::string family, CellPair cells) {
  const CellPair pair[] = {cells};
  return {.family = std::move(family),
          .subject = rows.cells[cells.first].factors.model,
          .first = rows.cells[cells.first].factors.prompt,
          .second = rows.cells[cells.second].factors.prompt,
          .simulated = rows.cells[cells.first].factors.simulated ||
                       rows.cells[cells.second].factors.simulated,
          .result = compare(rows, pair),
          .test = {},
          .p_holm = 1};
}

void add_values(Row& row, std::span<const Value> values) {
  row.values.insert(row.values.end(), values.begin(), values.end());
}

}  // namespace sortie::analysis
