#include "sortie/analysis/table_context.h"
#include "sortie/base/hash.h"
#include "sortie/score/reference.h"
#include "sortie/stats/bootstrap.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

// 5.4: tools that fail.

namespace sortie::analysis {

namespace {

constexpr double kComparedWith = 0.8;

std::string rate_text(double rate) {
  return fmt::format("{}", rate);
}

/// One model's cells by falling rate.
std::vector<std::size_t> by_rate(const TableContext& context, const Entrant& entrant) {
  std::vector<std::size_t> cells = entrant.cells;
  std::ranges::stable_sort(cells, std::ranges::greater(), [&](std::size_t cell) {
    return context.cell(cell).factors.tool_success_rate;
  });
  return cells;
}

void add_measures(const CellSummary& cell, Row& row) {
  const Tally& tally = cell.tally;
  const auto share = [](std::uint64_t part, std::uint64_t of) {
    return static_cast<double>(part) / static_cast<double>(of);
  };
  row.values.push_back(tally.valid_calls > 0
                           ? number_value(1 - share(tally.injected_failures, tally.valid_calls))
                           : Value{});
  row.values.push_back(tally.successes > 0
                           ? number_value(tally.calls * static_cast<double>(tally.scored) /
                                          static_cast<double>(tally.successes))
                           : Value{});
  for (std::size_t i = 0; i < std::size(score::kPolicies); ++i) {
    row.values.push_back(tally.reference.has_value() ? share_value((*tally.reference)[i])
                                                     : Value{});
  }
}

struct RetryShare {
  std::int32_t RetryCounts::* count;
  const char* key;
  const char* title;  // a phrase
};

constexpr std::array kRetries = {
    RetryShare{&RetryCounts::same_call, "same_call", "reliability.same_call"},
    RetryShare{&RetryCounts::other_arguments, "other_arguments", "reliability.other_arguments"},
    RetryShare{&RetryCounts::other_tool, "other_tool", "reliability.other_tool"},
    RetryShare{&RetryCounts::no_further_call, "no_further_call", "reliability.no_further_call"}};

/// A share of all injected failures; tasks are drawn with all theirs.
stats::Interval retry_interval(const RunRows& rows, std::size_t cell, const RetryShare& share) {
  std::vector<stats::TaskResult> tasks(rows.tasks.size());
  for (const TrialRow& trial : rows.of_cell(cell)) {
    if (trial.retry.has_value()) {
      stats::TaskResult& task = tasks[trial.task];
      task.stratum = rows.tasks[trial.task].stratum;
      task.sum += static_cast<double>((*trial.retry).*share.count);
      task.count += static_cast<double>(trial.retry->total());
    }
  }
  return stats::bootstrap_mean(tasks,
                               {.seed = base::FieldHasher("sortie.retry.v1")
                                            .field("cell", rows.cells[cell].factors.id)
                                            .field("what", share.key)
                                            .finish()});
}

RetryCounts retries_of(const RunRows& rows, std::size_t cell) {
  RetryCounts sum;
  for (const TrialRow& trial : rows.of_cell(cell)) {
    for (const RetryShare& share : kRetries) {
      sum.*share.count += trial.retry.value_or(RetryCounts{}).*share.count;
    }
  }
  return sum;
}

void append_retries_of_agents(const TableContext& context, ResultTable& table) {
  for (const ReferenceRates& agent : context.agents()) {
    std::set<const ReferenceRate*> shown;  // one row for all models of a setting
    for (const Entrant& entrant : context.entrants()) {
      for (const std::size_t cell : by_rate(context, entrant)) {
        const ReferenceRate* rate = context.rate_of(agent, cell);
        if (rate == nullptr || rate->retry.total() == 0 || !shown.insert(rate).second) {
          continue;
        }
        const auto total = rate->retry.total();
        Row row{.values = {text_value(context.name_of(agent)),
                           text_value(rate_text(context.cell(cell).factors.tool_success_rate)),
                           count_value(static_cast<std::uint64_t>(total))},
                .marks = {"scripted"}};
        for (const RetryShare& share : kRetries) {
          row.values.push_back(share_value(static_cast<double>(rate->retry.*share.count) /
                                           static_cast<double>(total)));
          row.values.emplace_back();
        }
        table.rows.push_back(std::move(row));
      }
    }
  }
}

ResultTable retry_table(const TableContext& context) {
  const Phrases& say = context.phrases();
  ResultTable table = context.table_named("retry", say("reliability.retry"));
  table.columns = {{.key = "model", .title = say("column.model")},
                   {.key = "tool_success_rate", .title = say("column.tool_rate")},
                   {.key = "failures", .title = say("reliability.failures")}};
  for (const RetryShare& share : kRetries) {
    table.columns.push_back({.key = share.key, .title = say(share.title)});
    table.columns.push_back(
        {.key = fmt::format("{}_interval", share.key), .title = say("column.interval")});
  }
  for (const Entrant& entrant : context.entrants()) {
    for (const std::size_t cell : by_rate(context, entrant)) {
      const RetryCounts sum = retries_of(context.rows(), cell);
      if (sum.total() == 0) {
        continue;
      }
      Row row{.values = {text_value(entrant.model),
                         text_value(rate_text(context.cell(cell).factors.tool_success_rate)),
                         count_value(static_cast<std::uint64_t>(sum.total()))},
              .marks = {}};
      for (const RetryShare& share : kRetries) {
        row.values.push_back(
            share_value(static_cast<double>(sum.*share.count) / static_cast<double>(sum.total())));
        row.values.push_back(interval_value(retry_interval(context.rows(), cell, share)));
      }
      if (entrant.simulated) {
        row.marks.emplace_back("simulated");
      }
      context.add_marks(row, cell, "");
      table.rows.push_back(std::move(row));
    }
  }
  if (!table.rows.empty()) {
    append_retries_of_agents(context, table);
  }
  return table;
}

}  // namespace

std::vector<ResultTable> reliability_tables(const TableContext& context) {
  const Phrases& say = context.phrases();
  const LineLayout layout{
      .name = "cells",
      .title = say("reliability.cells"),
      .labels = {{.key = "tool_success_rate", .title = say("column.tool_rate")}},
      .rates = {RateName{}}};
  ResultTable table = context.line_table(layout);
  table.columns.push_back({.key = "realised", .title = say("column.realised")});
  table.columns.push_back(
      {.key = "calls_per_success", .title = say("reliability.calls_per_success")});
  for (const score::Policy policy : score::kPolicies) {
    const std::string name(score::to_string(policy));
    table.columns.push_back(
        {.key = "reference_" + name, .title = say("reliability.exact", fmt::arg("policy", name))});
  }
  std::vector<Line> lines;
  std::vector<FamilyMember> members;
  for (const Entrant& entrant : context.entrants()) {
    for (const std::size_t cell : by_rate(context, entrant)) {
      const CellFactors& factors = context.cell(cell).factors;
      lines.push_back({.model = entrant.model,
                       .simulated = entrant.simulated,
                       .labels = {rate_text(factors.tool_success_rate)},
                       .cells = {cell}});
      Row row = context.row_of(lines.back(), layout);
      add_measures(context.cell(cell), row);
      table.rows.push_back(std::move(row));
      CellFactors other = factors;
      other.tool_success_rate = kComparedWith;
      const std::optional<std::size_t> second = context.find(other);
      if (factors.tool_success_rate != kComparedWith && second.has_value()) {
        FamilyMember member = compared(context.rows(), "reliability/rates", {cell, *second});
        member.first = rate_text(factors.tool_success_rate);
        member.second = rate_text(kComparedWith);
        members.push_back(std::move(member));
      }
    }
  }
  table.notes.push_back(say("reliability.note"));
  context.append_agents(table, lines);
  std::vector<ResultTable> tables;
  tables.push_back(std::move(table));
  context.append_comparisons(tables, members, {});
  ResultTable retry = retry_table(context);
  if (!retry.rows.empty()) {
    tables.push_back(std::move(retry));
  }
  return tables;
}

}  // namespace sortie::analysis
