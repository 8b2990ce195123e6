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

/// "with plan incomplete": a mark of what its row calls `what`, which may have no name.
std::string marked(const std::string& what, std::string mark, const Phrases& say) {
  return what.empty() ? std::move(mark)
                      : say("marked.of", fmt::arg("what", what), fmt::arg("mark", mark));
}

std::string test_of(const FamilyMember& member, const Phrases& say) {
  if (!member.test.empty()) {
    return method_text(member.test, say);
  }
  return member.result.exact ? say("method.mcnemar") : method_text(kBootstrap, say);
}

/// The values of a member after its names.
std::vector<Value> result_values(const FamilyMember& member, const Phrases& say) {
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
    values[7] = text_value(test_of(member, say));
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
  table.title =
      text ? title
           : phrases()(
                 "table.of_protocol", fmt::arg("title", title), fmt::arg("protocol", protocol_));
  table.language = inputs_.language;
  return table;
}

ResultTable TableContext::line_table(const LineLayout& layout) const {
  ResultTable table = table_named(layout.name, layout.title);
  const Phrases& say = phrases();
  table.columns.push_back({.key = "model", .title = say("column.model")});
  table.columns.insert(table.columns.end(), layout.labels.begin(), layout.labels.end());
  for (const RateName& rate : layout.rates) {
    table.columns.push_back(rate_column(rate, "n", "n", say));
    table.columns.push_back(rate_column(rate, "success", say("column.success"), say));
    table.columns.push_back(rate_column(rate, "interval", say("column.interval"), say));
    table.columns.push_back(rate_column(rate, "bounds", say("column.bounds"), say));
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
  const Phrases& say = phrases();
  const CellSummary& summary = cell(*index);
  if (!summary.complete()) {
    const stats::Interval range = loss_bounds(summary.tally, summary.missing());
    if (bounds == Bounds::mark) {
      row.marks.push_back(marked(
          name, say("marked.incomplete", fmt::arg("bounds", to_text(interval_value(range)))), say));
    } else if (name.empty()) {
      row.marks.emplace_back("incomplete");
    } else {
      row.marks.push_back(marked(name, say("mark.incomplete"), say));
    }
  }
  std::vector<std::string> others;
  std::ranges::copy_if(summary.factors.scenarios,
                       std::back_inserter(others),
                       [&](const std::string& other) { return other != scenario_; });
  if (!others.empty()) {
    const std::string scenarios = base::join(others, say("and"));
    row.marks.push_back(marked(name, say("marked.shared", fmt::arg("scenarios", scenarios)), say));
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
    add_rate(row, line.cells[i], layout.rates[i].title);
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
      Row row{.values = {text_value(name_of(agent))}, .marks = {"scripted"}};
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

std::string TableContext::name_of(const ReferenceRates& agent) const {
  return phrases().find("agent." + agent.agent).value_or(agent.agent);
}

void TableContext::append_comparisons(std::vector<ResultTable>& tables,
                                      std::vector<FamilyMember>& members,
                                      std::vector<std::string> notes) const {
  adjust_families(members);
  const Phrases& say = phrases();
  ResultTable table = table_named("comparisons", say("comparisons.paired"));
  table.columns = {{.key = "family", .title = say("comparisons.family")},
                   {.key = "model", .title = say("column.model")},
                   {.key = "first", .title = say("comparisons.first")},
                   {.key = "second", .title = say("comparisons.second")},
                   {.key = "pairs", .title = say("comparisons.pairs")},
                   {.key = "only_first", .title = say("comparisons.only_first")},
                   {.key = "only_second", .title = say("comparisons.only_second")},
                   {.key = "difference", .title = say("comparisons.difference")},
                   {.key = "difference_interval", .title = say("column.interval")},
                   {.key = "p", .title = "p"},
                   {.key = "p_holm", .title = say("comparisons.p_holm")},
                   {.key = "test", .title = say("comparisons.test")},
                   {.key = "progress_difference", .title = say("comparisons.progress")},
                   {.key = "progress_interval", .title = say("column.interval")}};
  for (const FamilyMember& member : members) {
    Row row{.values = {text_value(member.family),
                       member.subject.empty() ? Value{} : text_value(member.subject),
                       text_value(member.first),
                       member.second.empty() ? Value{} : text_value(member.second)},
            .marks = {status_of(member.family)}};
    if (member.simulated) {
      row.marks.emplace_back("simulated");
    }
    add_values(row, result_values(member, say));
    table.rows.push_back(std::move(row));
  }
  table.notes = std::move(notes);
  table.notes.push_back(say("comparisons.note"));
  if (!table.rows.empty()) {
    tables.push_back(std::move(table));
  }
}

std::string key_of(Side side) {
  return side == with_plan ? "with_plan" : "without_plan";
}

std::string title_of(Side side, const Phrases& say) {
  return say(side == with_plan ? "side.with_plan" : "side.without_plan");
}

Column rate_column(const RateName& rate,
                   std::string_view key,
                   std::string title,
                   const Phrases& say) {
  if (rate.key.empty()) {
    return {.key = std::string(key), .title = std::move(title)};
  }
  return {.key = fmt::format("{}_{}", rate.key, key),
          .title = say("column.of_side", fmt::arg("side", rate.title), fmt::arg("column", title))};
}

RateName rate_name(Side side, const Phrases& say) {
  return {.key = key_of(side), .title = title_of(side, say)};
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
