#include "sortie/analysis/overview_tables.h"

#include "sortie/analysis/comparisons.h"
#include "sortie/analysis/phrases.h"
#include "sortie/base/text.h"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

Value dollars(std::int64_t micro) {
  return text_value(fmt::format("{:.4f}", static_cast<double>(micro) / 1e6));
}

Value tokens_value(std::int64_t tokens) {
  return count_value(static_cast<std::uint64_t>(tokens));
}

/// Nothing where nothing is missing.
Value bounds_value(const Tally& tally, std::uint64_t missing) {
  return missing == 0 ? Value{} : interval_value(loss_bounds(tally, missing));
}

void mark(Row& row, bool holds, std::string_view text) {
  if (holds) {
    row.marks.emplace_back(text);
  }
}

/// The columns that tell cells apart.
void add_factor_columns(ResultTable& table, const Phrases& say) {
  for (Column column : {Column{.key = "model", .title = say("column.model")},
                        Column{.key = "scenarios", .title = say("column.scenarios")},
                        Column{.key = "prompt", .title = say("column.prompt")},
                        Column{.key = "severity", .title = say("column.severity")},
                        Column{.key = "difficulty", .title = say("column.difficulty")},
                        Column{.key = "protocol", .title = say("column.protocol")},
                        Column{.key = "tool_success_rate", .title = say("column.tool_rate")},
                        Column{.key = "max_turns", .title = say("column.max_turns")}}) {
    table.columns.push_back(std::move(column));
  }
}

Row factor_row(const CellFactors& f) {
  Row row{.values = {text_value(f.model),
                     text_value(base::join(f.scenarios, ", ")),
                     text_value(f.prompt),
                     f.severity.empty() ? Value{} : text_value(f.severity),
                     text_value(f.difficulty),
                     text_value(f.protocol),
                     text_value(fmt::to_string(f.tool_success_rate)),
                     count_value(static_cast<std::uint64_t>(f.max_turns))},
          .marks = {}};
  mark(row, f.simulated, "simulated");
  return row;
}

std::string labels_of(const Tally& tally) {
  std::vector<std::string> texts;
  for (const auto& [label, count] : tally.labels) {
    texts.push_back(fmt::format("{} {}", label, count));
  }
  return base::join(texts, ", ");
}

void add_luck(const Tally& tally, Row& row) {
  row.values.push_back(tally.valid_calls > 0
                           ? number_value(1 - static_cast<double>(tally.injected_failures) /
                                                  static_cast<double>(tally.valid_calls))
                           : Value{});
  row.values.push_back(count_value(tally.injected_failures));
  row.values.push_back(count_value(tally.rejected_calls));
  row.values.push_back(tally.calls_per_answer.has_value() ? number_value(*tally.calls_per_answer)
                                                          : Value{});
}

void add_repeats(const CellSummary& cell, Row& row) {
  if (!cell.repeats.has_value()) {
    row.values.resize(row.values.size() + 3);
    return;
  }
  row.values.push_back(count_value(cell.repeats->k));
  row.values.push_back(share_value(cell.repeats->pass_at_k));
  row.values.push_back(share_value(cell.repeats->pass_hat_k));
}

void add_success(const CellSummary& cell, const Phrases& say, Row& row) {
  const Tally& tally = cell.tally;
  row.values.push_back(count_value(cell.planned));
  row.values.push_back(count_value(tally.scored));
  row.values.push_back(tally.scored > 0 ? share_value(tally.success_rate()) : Value{});
  row.values.push_back(tally.scored > 0 ? interval_value(cell.success) : Value{});
  row.values.push_back(text_value(method_text(cell.interval_method, say)));
  add_repeats(cell, row);
  row.values.push_back(text_value(lost_text(cell.lost)));
  row.values.push_back(bounds_value(tally, cell.missing()));
  row.values.push_back(share_value(tally.repaired_turns));
  for (std::size_t i = 0; i < std::size(score::kPolicies); ++i) {
    row.values.push_back(tally.reference.has_value() ? share_value((*tally.reference)[i])
                                                     : Value{});
  }
  row.values.push_back(text_value(labels_of(tally)));
}

std::vector<const GroupSummary*> groups_of(const ReportData& data, const std::string& scenario) {
  std::vector<const GroupSummary*> groups;
  for (const GroupSummary& group : data.summary.groups) {
    if (group.scenario == scenario) {
      groups.push_back(&group);
    }
  }
  return groups;
}

}  // namespace

ResultTable overview_table(const ReportData& data, const std::string& scenario) {
  const Phrases& say = phrases_in(data.language);
  ResultTable table{.id = scenario + "/overview",
                    .scenario = scenario,
                    .title = say("overview.title"),
                    .columns = {{.key = "model", .title = say("column.model")},
                                {.key = "protocol", .title = say("column.protocol")},
                                {.key = "n", .title = "n"},
                                {.key = "success", .title = say("column.success")},
                                {.key = "interval", .title = say("column.interval")},
                                {.key = "interval_by", .title = say("page.method")},
                                {.key = "clean", .title = say("page.clean")},
                                {.key = "partial", .title = say("page.partial")},
                                {.key = "progress", .title = say("column.progress")},
                                {.key = "turns", .title = say("column.turns")},
                                {.key = "calls", .title = say("column.calls")},
                                {.key = "repaired_turns", .title = say("page.repaired")},
                                {.key = "lost", .title = say("column.lost")},
                                {.key = "bounds", .title = say("column.bounds")}},
                    .rows = {},
                    .notes = {},
                    .language = data.language};
  for (const GroupSummary* group : groups_of(data, scenario)) {
    const Tally& tally = group->tally;
    const bool any = tally.scored > 0;
    Row row{.values = {text_value(group->model),
                       text_value(group->protocol),
                       count_value(tally.scored),
                       any ? share_value(tally.success_rate()) : Value{},
                       any ? interval_value(group->success) : Value{},
                       text_value(method_text(group->interval_method, say)),
                       count_value(tally.clean),
                       count_value(tally.partial),
                       any ? number_value(tally.progress) : Value{},
                       any ? number_value(tally.turns) : Value{},
                       any ? number_value(tally.calls) : Value{},
                       any ? share_value(tally.repaired_turns) : Value{},
                       text_value(lost_text(group->lost)),
                       bounds_value(tally, group->missing())},
            .marks = {}};
    mark(row, group->simulated, "simulated");
    mark(row, !group->complete(), "incomplete");
    table.rows.push_back(std::move(row));
  }
  return table;
}

ResultTable labels_table(const ReportData& data, const std::string& scenario) {
  const Phrases& say = phrases_in(data.language);
  ResultTable table{.id = scenario + "/labels",
                    .scenario = scenario,
                    .title = say("overview.labels"),
                    .columns = {{.key = "model", .title = say("column.model")},
                                {.key = "protocol", .title = say("column.protocol")},
                                {.key = "failures", .title = say("overview.failures")}},
                    .rows = {},
                    .notes = {},
                    .language = data.language};
  const std::vector<const GroupSummary*> groups = groups_of(data, scenario);
  std::set<std::string> labels;
  for (const GroupSummary* group : groups) {
    for (const auto& [label, count] : group->tally.labels) {
      labels.insert(label);
    }
  }
  for (const std::string& label : labels) {
    table.columns.push_back({.key = label, .title = label});
  }
  for (const GroupSummary* group : groups) {
    const Tally& tally = group->tally;
    Row row{.values = {text_value(group->model),
                       text_value(group->protocol),
                       count_value(tally.scored - tally.successes)},
            .marks = {}};
    for (const std::string& label : labels) {
      const auto found = tally.labels.find(label);
      row.values.push_back(count_value(found == tally.labels.end() ? 0 : found->second));
    }
    mark(row, group->simulated, "simulated");
    table.rows.push_back(std::move(row));
  }
  return table;
}

ResultTable cells_table(const ReportData& data) {
  const Phrases& say = phrases_in(data.language);
  ResultTable table{.id = "cells",
                    .scenario = {},
                    .title = say("cells.every"),
                    .columns = {},
                    .rows = {},
                    .notes = {},
                    .language = data.language};
  add_factor_columns(table, say);
  for (Column column : {Column{.key = "realised", .title = say("column.realised")},
                        Column{.key = "injected_failures", .title = say("cells.injected")},
                        Column{.key = "rejected_calls", .title = say("cells.rejected")},
                        Column{.key = "calls_per_answer", .title = say("cells.calls_per_answer")},
                        Column{.key = "planned", .title = say("column.planned")},
                        Column{.key = "n", .title = "n"},
                        Column{.key = "success", .title = say("column.success")},
                        Column{.key = "interval", .title = say("column.interval")},
                        Column{.key = "interval_by", .title = say("page.method")},
                        Column{.key = "k", .title = say("cells.repeats")},
                        Column{.key = "pass_at_k", .title = "pass@k"},
                        Column{.key = "pass_hat_k", .title = "pass^k"},
                        Column{.key = "lost", .title = say("column.lost")},
                        Column{.key = "bounds", .title = say("column.bounds")},
                        Column{.key = "repaired_turns", .title = say("page.repaired")}}) {
    table.columns.push_back(std::move(column));
  }
  for (const score::Policy policy : score::kPolicies) {
    const std::string name(score::to_string(policy));
    table.columns.push_back(
        {.key = "reference_" + name, .title = say("reliability.exact", fmt::arg("policy", name))});
  }
  table.columns.push_back({.key = "labels", .title = say("cells.labels")});
  for (const CellSummary& cell : data.summary.cells) {
    Row row = factor_row(cell.factors);
    add_luck(cell.tally, row);
    add_success(cell, say, row);
    mark(row, cell.factors.scenarios.size() > 1, "shared");
    mark(row, !cell.complete(), "incomplete");
    mark(row, cell.saturated(), "all alike");
    table.rows.push_back(std::move(row));
  }
  return table;
}

ResultTable times_table(const ReportData& data) {
  const Phrases& say = phrases_in(data.language);
  ResultTable table{.id = "cells/times",
                    .scenario = {},
                    .title = say("cells.asked"),
                    .columns = {},
                    .rows = {},
                    .notes = {},
                    .language = data.language};
  add_factor_columns(table, say);
  table.columns.push_back({.key = "first", .title = say("cells.first")});
  table.columns.push_back({.key = "last", .title = say("cells.last")});
  for (const CellSummary& cell : data.summary.cells) {
    const auto times = data.times.find(cell.factors.id);
    if (times != data.times.end()) {
      Row row = factor_row(cell.factors);
      row.values.push_back(text_value(times->second.first));
      row.values.push_back(text_value(times->second.last));
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

ResultTable diagnosis_table(const ReportData& data) {
  const Phrases& say = phrases_in(data.language);
  ResultTable table{.id = "cells/diagnosis",
                    .scenario = {},
                    .title = say("diagnosis.title"),
                    .columns = {},
                    .rows = {},
                    .notes = {},
                    .language = data.language};
  add_factor_columns(table, say);
  table.columns.push_back({.key = "n", .title = "n"});
  table.columns.push_back({.key = "success", .title = say("column.success")});
  table.columns.push_back({.key = "diagnosis", .title = say("diagnosis.column")});
  for (const CellSummary& cell : data.summary.cells) {
    const auto line = data.diagnoses.find(cell.factors.id);
    if (line != data.diagnoses.end()) {
      Row row = factor_row(cell.factors);
      row.values.push_back(count_value(cell.tally.scored));
      row.values.push_back(share_value(cell.tally.success_rate()));
      row.values.push_back(text_value(line->second));
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

ResultTable routes_table(const ReportData& data) {
  const Phrases& say = phrases_in(data.language);
  ResultTable table{.id = "validity/routes",
                    .scenario = {},
                    .title = say("validity.requests"),
                    .columns = {{.key = "route", .title = say("column.route")},
                                {.key = "model", .title = say("column.model")},
                                {.key = "attempts", .title = say("column.attempts")},
                                {.key = "answered", .title = say("validity.answered")},
                                {.key = "throttled", .title = say("validity.throttled")},
                                {.key = "failed", .title = say("validity.failed")},
                                {.key = "wrong_model", .title = say("validity.wrong_model")},
                                {.key = "unknown", .title = say("validity.unknown_ends")},
                                {.key = "latency_median_s", .title = say("validity.latency")},
                                {.key = "input_tokens", .title = say("column.tokens_in")},
                                {.key = "output_tokens", .title = say("column.tokens_out")},
                                {.key = "cost_usd", .title = say("costs.cost")},
                                {.key = "reserved_usd", .title = say("validity.reserved")},
                                {.key = "empty_answers", .title = say("validity.empty")}},
                    .rows = {},
                    .notes = {},
                    .language = data.language};
  for (const RouteUse& use : data.routes) {
    Row row{.values = {text_value(use.route),
                       text_value(use.model),
                       count_value(use.attempts),
                       count_value(use.answered),
                       count_value(use.throttled),
                       count_value(use.failed),
                       count_value(use.wrong_model),
                       count_value(use.unknown),
                       number_value(use.latency_median_s),
                       tokens_value(use.input_tokens),
                       tokens_value(use.output_tokens),
                       dollars(use.cost),
                       dollars(use.reserved),
                       count_value(use.answers.empty)},
            .marks = {}};
    mark(row, use.simulated, "simulated");
    mark(row, use.answers.suspect(), "suspect");
    table.rows.push_back(std::move(row));
  }
  table.notes.push_back(say("validity.attempts_note"));
  return table;
}

ResultTable provenance_table(const ReportData& data) {
  const Phrases& say = phrases_in(data.language);
  ResultTable table{.id = "provenance",
                    .scenario = {},
                    .title = say("provenance.table"),
                    .columns = {{.key = "name", .title = say("provenance.name")},
                                {.key = "value", .title = say("provenance.value")}},
                    .rows = {},
                    .notes = {},
                    .language = data.language};
  const auto add = [&](std::string name, std::string value) {
    table.rows.push_back(
        {.values = {text_value(std::move(name)), text_value(std::move(value))}, .marks = {}});
  };
  add(say("provenance.first"), data.started);
  add(say("provenance.last"), data.ended);
  add(say("provenance.scorer"), data.summary.scorer);
  add(say("provenance.mark"), data.summary.high_water_mark);
  for (const auto& [name, value] : data.manifest) {
    add(name, value);
  }
  return table;
}

}  // namespace sortie::analysis
