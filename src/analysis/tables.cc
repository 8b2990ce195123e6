#include "sortie/analysis/tables.h"

#include "sortie/base/text.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::analysis {

namespace {

// Times are microseconds since 1970, UTC; money is micro-dollars: as in the ledger.
constexpr std::array kTables = {
    ExportTable{
        .name = "runs",
        .columns = "run VARCHAR, created_at BIGINT, facts BIGINT, campaign VARCHAR, suite VARCHAR, "
                   "seed VARCHAR, sortie VARCHAR",
        .query =
            "SELECT key, created_at, facts, "
            "(SELECT value FROM manifest WHERE name = 'campaign' ORDER BY generation DESC LIMIT "
            "1), "
            "(SELECT value FROM manifest WHERE name = 'suite' ORDER BY generation DESC LIMIT 1), "
            "(SELECT value FROM manifest WHERE name = 'seed' ORDER BY generation DESC LIMIT 1), "
            "(SELECT value FROM manifest WHERE name = 'sortie' ORDER BY generation DESC LIMIT 1) "
            "FROM run"},
    ExportTable{
        .name = "cells",
        .columns = "cell VARCHAR, model VARCHAR, simulated BOOLEAN, scenarios VARCHAR, prompt "
                   "VARCHAR, flaw VARCHAR, "
                   "severity VARCHAR, difficulty VARCHAR, protocol VARCHAR, tool_success_rate "
                   "DOUBLE, max_turns BIGINT, "
                   "planned BIGINT",
        .query = "SELECT id, model, simulated, scenarios, prompt, flaw, severity, difficulty, "
                 "protocol, tool_success_rate, "
                 "max_turns, planned FROM cell ORDER BY id"},
    ExportTable{
        .name = "trials",
        .columns =
            "trial BIGINT, key VARCHAR, cell VARCHAR, model VARCHAR, simulated BOOLEAN, task "
            "VARCHAR, "
            "task_type "
            "VARCHAR, repeat BIGINT, "
            "outcome VARCHAR, end_reason VARCHAR, scorer VARCHAR, success BOOLEAN, clean BOOLEAN, "
            "progress DOUBLE, "
            "level VARCHAR, order_score DOUBLE, tool_coverage DOUBLE, efficiency DOUBLE, calls "
            "BIGINT, calls_ok BIGINT, "
            "calls_rejected BIGINT, calls_injected BIGINT, turns BIGINT, turns_repaired BIGINT, "
            "turns_not_understood BIGINT, label VARCHAR, label_turn BIGINT, empty BOOLEAN, "
            "truncated BOOLEAN, "
            "filtered BOOLEAN, refused BOOLEAN, context_full BOOLEAN, flawed_places BIGINT, "
            "followed_places BIGINT, retry_same BIGINT, retry_arguments BIGINT, retry_tool BIGINT, "
            "retry_none BIGINT, calls_per_answer DOUBLE",
        .query = "SELECT t.id, t.key, t.cell, c.model, c.simulated, t.task, t.task_type, t.repeat, "
                 "coalesce(o.outcome, 'open'), o.end_reason, "
                 "s.scorer, s.success, s.clean, s.progress, s.level, s.order_score, "
                 "s.tool_coverage, s.efficiency, s.calls, "
                 "s.calls_ok, s.calls_rejected, s.calls_injected, s.turns, s.turns_repaired, "
                 "s.turns_not_understood, s.label, "
                 "s.label_turn, s.empty, s.truncated, s.filtered, s.refused, s.context_full, "
                 "s.flawed_places, s.followed_places, s.retry_same, s.retry_arguments, "
                 "s.retry_tool, s.retry_none, s.calls_per_answer "
                 "FROM trial AS t JOIN cell AS c ON c.id = t.cell "
                 "LEFT JOIN outcome AS o ON o.id = coalesce("
                 "(SELECT min(id) FROM outcome WHERE trial = t.id AND outcome = 'scored'), "
                 "(SELECT max(id) FROM outcome WHERE trial = t.id)) "
                 "LEFT JOIN score AS s ON s.trial = t.id AND s.id = (SELECT max(id) FROM score "
                 "WHERE trial = t.id) "
                 "ORDER BY t.id"},
    ExportTable{
        .name = "outcomes",
        .columns =
            "trial BIGINT, recorded_at BIGINT, outcome VARCHAR, detail VARCHAR, end_reason VARCHAR",
        .query = "SELECT trial, at, outcome, detail, end_reason FROM outcome ORDER BY id"},
    ExportTable{
        .name = "scores",
        .columns =
            "trial BIGINT, scorer VARCHAR, success BOOLEAN, clean BOOLEAN, progress DOUBLE, level "
            "VARCHAR, order_score DOUBLE, tool_coverage DOUBLE, efficiency DOUBLE, calls BIGINT, "
            "calls_ok BIGINT, calls_rejected BIGINT, calls_injected BIGINT, turns BIGINT, "
            "turns_repaired BIGINT, turns_not_understood BIGINT, label VARCHAR, label_turn BIGINT, "
            "empty BOOLEAN, truncated BOOLEAN, filtered BOOLEAN, refused BOOLEAN, context_full "
            "BOOLEAN, flawed_places BIGINT, followed_places BIGINT, retry_same BIGINT, "
            "retry_arguments BIGINT, retry_tool BIGINT, retry_none BIGINT, calls_per_answer DOUBLE",
        .query =
            "SELECT trial, scorer, success, clean, progress, level, order_score, tool_coverage, "
            "efficiency, calls, calls_ok, calls_rejected, calls_injected, turns, turns_repaired, "
            "turns_not_understood, label, label_turn, empty, truncated, filtered, refused, "
            "context_full, flawed_places, followed_places, retry_same, retry_arguments, "
            "retry_tool, retry_none, calls_per_answer FROM score ORDER BY id"},
    ExportTable{
        .name = "trial_result",
        .columns =
            "trial BIGINT, key VARCHAR, cell VARCHAR, model VARCHAR, simulated BOOLEAN, scenarios "
            "VARCHAR, prompt VARCHAR, flaw VARCHAR, severity VARCHAR, difficulty VARCHAR, protocol "
            "VARCHAR, tool_success_rate DOUBLE, max_turns BIGINT, task VARCHAR, task_type VARCHAR, "
            "repeat BIGINT, recorded_at BIGINT, end_reason VARCHAR, scorer VARCHAR, success "
            "BOOLEAN, clean BOOLEAN, progress DOUBLE, level VARCHAR, order_score DOUBLE, "
            "tool_coverage DOUBLE, efficiency DOUBLE, calls BIGINT, calls_ok BIGINT, "
            "calls_rejected BIGINT, calls_injected BIGINT, turns BIGINT, turns_repaired BIGINT, "
            "turns_not_understood BIGINT, label VARCHAR, label_turn BIGINT, empty BOOLEAN, "
            "truncated BOOLEAN, filtered BOOLEAN, refused BOOLEAN, context_full BOOLEAN, "
            "flawed_places BIGINT, followed_places BIGINT, retry_same BIGINT, retry_arguments "
            "BIGINT, retry_tool BIGINT, retry_none BIGINT, calls_per_answer DOUBLE",
        .query =
            "SELECT trial, key, cell, model, simulated, scenarios, prompt, flaw, severity, "
            "difficulty, protocol, tool_success_rate, max_turns, task, task_type, repeat, at, "
            "end_reason, scorer, success, clean, progress, level, order_score, tool_coverage, "
            "efficiency, calls, calls_ok, calls_rejected, calls_injected, turns, turns_repaired, "
            "turns_not_understood, label, label_turn, empty, truncated, filtered, refused, "
            "context_full, flawed_places, followed_places, retry_same, retry_arguments, "
            "retry_tool, retry_none, calls_per_answer FROM trial_result ORDER BY trial"},
    ExportTable{
        .name = "turns",
        .columns = "trial BIGINT, turn BIGINT, attempt BIGINT, answer VARCHAR, message VARCHAR, "
                   "input_tokens "
                   "BIGINT, "
                   "output_tokens BIGINT, "
                   "cached_input_tokens BIGINT, reasoning_tokens BIGINT, route VARCHAR, "
                   "served_model VARCHAR, "
                   "finish VARCHAR, fingerprint VARCHAR, simulated BOOLEAN",
        .query =
            "SELECT t.trial, t.turn, t.attempt, message_text(t.answer), m.digest, t.input_tokens, "
            "t.output_tokens, "
            "t.cached_input_tokens, t.reasoning_tokens, t.route, t.served_model, t.finish, "
            "t.fingerprint, c.simulated "
            "FROM turn AS t JOIN message AS m ON m.id = t.answer JOIN trial AS r ON r.id = "
            "t.trial JOIN cell AS c ON c.id = r.cell ORDER BY t.trial, t.turn"},
    ExportTable{.name = "messages",
                .columns = "message VARCHAR, size BIGINT, content VARCHAR",
                .query = "SELECT digest, size, message_text(id) FROM message ORDER BY id"},
    ExportTable{
        .name = "attempts",
        .columns = "attempt BIGINT, trial BIGINT, turn BIGINT, number BIGINT, route VARCHAR, "
                   "requested_model VARCHAR, "
                   "api_name VARCHAR, started_at BIGINT, request VARCHAR, reserved_input BIGINT, "
                   "reserved_output BIGINT, "
                   "reserved_cost BIGINT, ended_at BIGINT, cause VARCHAR, status BIGINT, code "
                   "VARCHAR, message VARCHAR, "
                   "served_model VARCHAR, input_tokens BIGINT, output_tokens BIGINT, "
                   "cached_input_tokens BIGINT, "
                   "reasoning_tokens BIGINT, cost BIGINT, billing_known BOOLEAN, first_byte_us "
                   "BIGINT, duration_us BIGINT",
        .query = "SELECT a.id, a.trial, a.turn, a.number, a.route, a.requested_model, a.api_name, "
                 "a.at, a.request, "
                 "a.reserved_input, a.reserved_output, a.reserved_cost, e.at, coalesce(e.cause, "
                 "'unknown'), e.status, e.code, "
                 "e.message, e.served_model, e.input_tokens, e.output_tokens, "
                 "e.cached_input_tokens, e.reasoning_tokens, "
                 "e.cost, e.billing_known, e.first_byte_us, e.duration_us "
                 "FROM attempt AS a LEFT JOIN attempt_end AS e ON e.attempt = a.id ORDER BY a.id"},
    ExportTable{
        .name = "calls",
        .columns = "trial BIGINT, turn BIGINT, n BIGINT, tool VARCHAR, arguments VARCHAR, status "
                   "VARCHAR, code VARCHAR, "
                   "result VARCHAR, origin VARCHAR, artifact VARCHAR",
        .query = "SELECT trial, turn, n, tool, arguments, status, code, result, origin, artifact "
                 "FROM call "
                 "ORDER BY trial, n"},
    ExportTable{.name = "events",
                .columns = "recorded_at BIGINT, kind VARCHAR, subject VARCHAR, detail VARCHAR",
                .query = "SELECT at, kind, subject, detail FROM event ORDER BY id"},
    ExportTable{
        .name = "reused",
        .columns = "trial BIGINT, source_run VARCHAR, directory VARCHAR, source_trial BIGINT, "
                   "source_mark VARCHAR, answers VARCHAR, copied_at BIGINT, attempts "
                   "BIGINT, input_tokens BIGINT, output_tokens BIGINT, cost BIGINT",
        .query = "SELECT trial, source_run, directory, source_trial, source_mark, answers, at, "
                 "attempts, input_tokens, output_tokens, cost FROM reuse ORDER BY trial"},
    ExportTable{.name = "run_manifest",
                .columns = "generation BIGINT, name VARCHAR, value VARCHAR",
                .query = "SELECT generation, name, value FROM manifest ORDER BY generation, name"},
};

}  // namespace

std::span<const ExportTable> export_tables() {
  return kTables;
}

const ExportTable* export_table(std::string_view name) {
  const auto* const found = std::ranges::find(kTables, name, &ExportTable::name);
  return found == kTables.end() ? nullptr : found;
}

std::vector<std::string> export_table_names() {
  std::vector<std::string> names;
  for (const ExportTable& table : kTables) {
    names.emplace_back(table.name);
  }
  return names;
}

std::vector<ExportColumn> columns_of(const ExportTable& table) {
  std::vector<ExportColumn> columns;
  for (std::string_view column : base::split(table.columns, ',')) {
    column.remove_prefix(column.starts_with(' ') ? 1 : 0);
    const std::size_t space = column.find(' ');
    columns.push_back({.name = column.substr(0, space), .type = column.substr(space + 1)});
  }
  return columns;
}

}  // namespace sortie::analysis
