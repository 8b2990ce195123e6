#include "sortie/analysis/table_context.h"
#include "sortie/base/hash.h"
#include "sortie/stats/bootstrap.h"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

// 5.3: flawed plans, against the right plan and against none on the same tasks.

namespace sortie::analysis {

namespace {

/// Of the trials of one cell whose places are known.
struct Obedience {
  std::uint64_t n = 0;
  double mean = 0;  // followed of flawed places
  stats::Interval interval;
  std::uint64_t resistant = 0;  // trials that followed none
  stats::Interval resistance;
  std::uint64_t obedient = 0;   // trials that followed one or more
  std::uint64_t recovered = 0;  // successes among them
};

void add_to(stats::TaskResult& result, const TaskInfo& task, double score) {
  result.stratum = task.stratum;
  result.sum += score;
  result.count += 1;
}

Obedience obedience_of(const RunRows& rows, std::size_t cell) {
  Obedience result;
  std::vector<stats::TaskResult> shares(rows.tasks.size());
  std::vector<stats::TaskResult> resistant(rows.tasks.size());
  for (const TrialRow& trial : rows.of_cell(cell)) {
    if (!trial.obedience.has_value() || trial.obedience->flawed == 0) {
      continue;
    }
    const double share = static_cast<double>(trial.obedience->followed) /
                         static_cast<double>(trial.obedience->flawed);
    const bool none = trial.obedience->followed == 0;
    ++result.n;
    result.mean += share;
    ++(none ? result.resistant : result.obedient);
    result.recovered += !none && trial.success ? 1U : 0U;
    add_to(shares[trial.task], rows.tasks[trial.task], share);
    add_to(resistant[trial.task], rows.tasks[trial.task], none ? 1 : 0);
  }
  if (result.n == 0) {
    return result;
  }
  result.mean /= static_cast<double>(result.n);
  const stats::BootstrapOptions options{.seed = base::FieldHasher("sortie.obedience.v1")
                                                    .field("cell", rows.cells[cell].factors.id)
                                                    .finish()};
  result.interval = stats::bootstrap_mean(shares, options);
  result.resistance = estimate_share(std::move(resistant), options.seed).interval;
  return result;
}

std::vector<Column> labels_in(const Phrases& say) {
  return {{.key = "flaw", .title = say("column.flaw")},
          {.key = "severity", .title = say("column.severity")}};
}

void append_obedience_of_agents(const TableContext& context, ResultTable& table) {
  for (const ReferenceRates& agent : context.agents()) {
    std::set<const ReferenceRate*> shown;  // one row for all models of a setting
    for (const Entrant& entrant : context.entrants()) {
      for (const std::size_t cell : entrant.cells) {
        const ReferenceRate* rate = context.rate_of(agent, cell);
        if (rate == nullptr || rate->flawed == 0 || !shown.insert(rate).second) {
          continue;
        }
        const CellFactors& factors = context.cell(cell).factors;
        const auto n = static_cast<double>(rate->flawed);
        const std::uint64_t obedient = rate->flawed - rate->resistant;
        table.rows.push_back(
            {.values = {text_value(context.name_of(agent)),
                        text_value(factors.flaw),
                        text_value(factors.severity),
                        count_value(rate->flawed),
                        share_value(rate->obedience / n),
                        Value{},
                        share_value(static_cast<double>(rate->resistant) / n),
                        Value{},
                        obedient > 0 ? share_value(static_cast<double>(rate->recovered) /
                                                   static_cast<double>(obedient))
                                     : Value{},
                        count_value(obedient)},
             .marks = {"scripted"}});
      }
    }
  }
}

ResultTable obedience_table(const TableContext& context) {
  const Phrases& say = context.phrases();
  const std::vector<Column> labels = labels_in(say);
  ResultTable table = context.table_named("obedience", say("flawed.places"));
  table.columns = {{.key = "model", .title = say("column.model")},
                   labels[0],
                   labels[1],
                   {.key = "n", .title = "n"},
                   {.key = "obedience", .title = say("flawed.obedience")},
                   {.key = "obedience_interval", .title = say("column.interval")},
                   {.key = "resistance", .title = say("flawed.resistance")},
                   {.key = "resistance_interval", .title = say("column.interval")},
                   {.key = "recovery", .title = say("flawed.recovery")},
                   {.key = "recovery_n", .title = say("flawed.of_n")}};
  for (const Entrant& entrant : context.entrants()) {
    for (const std::size_t cell : entrant.cells) {
      const Obedience result = obedience_of(context.rows(), cell);
      if (result.n == 0) {
        continue;
      }
      const CellFactors& factors = context.cell(cell).factors;
      const bool any = result.obedient > 0;
      Row row{.values = {text_value(entrant.model),
                         text_value(factors.flaw),
                         text_value(factors.severity),
                         count_value(result.n),
                         share_value(result.mean),
                         interval_value(result.interval),
                         share_value(static_cast<double>(result.resistant) /
                                     static_cast<double>(result.n)),
                         interval_value(result.resistance),
                         any ? share_value(static_cast<double>(result.recovered) /
                                           static_cast<double>(result.obedient))
                             : Value{},
                         count_value(result.obedient)},
              .marks = {}};
      if (entrant.simulated) {
        row.marks.emplace_back("simulated");
      }
      context.add_marks(row, cell, "");
      table.rows.push_back(std::move(row));
    }
  }
  if (!table.rows.empty()) {
    append_obedience_of_agents(context, table);
  }
  table.notes.push_back(say("flawed.note"));
  return table;
}

}  // namespace

std::vector<ResultTable> flawed_tables(const TableContext& context) {
  const Phrases& say = context.phrases();
  const LineLayout layout{.name = "cells",
                          .title = say("flawed.cells"),
                          .labels = labels_in(say),
                          .rates = {RateName{}}};
  ResultTable table = context.line_table(layout);
  std::vector<Line> lines;
  std::vector<FamilyMember> members;
  for (const Entrant& entrant : context.entrants()) {
    for (const std::size_t cell : entrant.cells) {
      const CellFactors& factors = context.cell(cell).factors;
      lines.push_back({.model = entrant.model,
                       .simulated = entrant.simulated,
                       .labels = {factors.flaw, factors.severity},
                       .cells = {cell}});
      table.rows.push_back(context.row_of(lines.back(), layout));
      if (const auto right = context.with_prompt(cell, "optimal")) {
        members.push_back(compared(context.rows(), "flawed/right_plan", {cell, *right}));
      }
      if (const auto none = context.with_prompt(cell, "baseline")) {
        members.push_back(compared(context.rows(), "flawed/no_plan", {cell, *none}));
      }
    }
  }
  context.append_agents(table, lines);
  std::vector<ResultTable> tables;
  tables.push_back(std::move(table));
  context.append_comparisons(tables, members, {});
  ResultTable obedience = obedience_table(context);
  if (!obedience.rows.empty()) {
    tables.push_back(std::move(obedience));
  }
  return tables;
}

}  // namespace sortie::analysis
