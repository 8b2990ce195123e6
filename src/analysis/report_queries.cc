#include "sortie/analysis/report_queries.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

std::string escaped(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    out.append(c == quote ? 2 : 1, c);
  }
  out.push_back(quote);
  return out;
}

std::string literal(std::string_view text) {
  return escaped(text, '\'');
}

/// What a table of one scenario is about.
struct Place {
  std::string scenario;
  std::string protocol;

  /// "…, of the rows named `alias`."
  [[nodiscard]] std::string of(std::string_view alias) const {
    return fmt::format("{0}.protocol = {1} AND instr(',' || {0}.scenarios || ',', {2}) > 0",
                       alias,
                       literal(protocol),
                       literal("," + scenario + ","));
  }
};

/// Two rows of trial_result about the same trial in cells that are alike but for what the caller
/// adds.
constexpr std::string_view kPaired =
    "b.task = a.task AND b.repeat = a.repeat AND b.protocol = a.protocol AND b.max_turns = "
    "a.max_turns";

constexpr std::string_view kDifferences =
    "count(*) AS pairs,\n  sum(a.success > b.success) AS only_first, sum(a.success < b.success) AS "
    "only_second,\n  avg(a.success - b.success) AS difference, avg(a.progress - b.progress) AS "
    "progress_difference";

constexpr std::string_view kSides =
    "count(*) FILTER (WHERE prompt = 'optimal') AS with_plan_n,\n"
    "  avg(success) FILTER (WHERE prompt = 'optimal') AS with_plan_success,\n"
    "  count(*) FILTER (WHERE prompt = 'baseline') AS without_plan_n,\n"
    "  avg(success) FILTER (WHERE prompt = 'baseline') AS without_plan_success";

/// The trials of a model's two lines in 5.1: a cell of the scenario, and the one that differs from
/// it in its prompt alone, whatever scenario owns that.
std::string both_prompts(const Place& place) {
  return fmt::format(
      "FROM trial_result AS t WHERE prompt IN ('optimal', 'baseline') AND severity = '' AND EXISTS "
      "(\n  SELECT 1 FROM cell AS c WHERE {} AND c.model = t.model AND c.protocol = t.protocol\n"
      "    AND c.difficulty = t.difficulty AND c.tool_success_rate = t.tool_success_rate AND "
      "c.max_turns = t.max_turns)",
      place.of("c"));
}

std::string overview(const Place& place) {
  return fmt::format(
      "SELECT model, protocol, count(*) AS n, avg(success) AS success, sum(clean) AS clean,\n"
      "  sum(level = 'partial') AS partial, avg(progress) AS progress, avg(turns) AS turns, "
      "avg(calls) AS calls,\n  1.0 * sum(turns_repaired) / sum(turns) AS repaired_turns\n"
      "FROM trial_result WHERE instr(',' || scenarios || ',', {}) > 0\n"
      "GROUP BY model, protocol",
      literal("," + place.scenario + ","));
}

std::string labels(const Place& place, const ResultTable& table) {
  std::string columns;
  for (std::size_t i = 3; i < table.columns.size(); ++i) {
    columns += fmt::format(",\n  sum(NOT success AND label = {}) AS {}",
                           literal(table.columns[i].key),
                           escaped(table.columns[i].key, '"'));
  }
  return fmt::format(
      "SELECT model, protocol, sum(NOT success) AS failures{}\n"
      "FROM trial_result WHERE instr(',' || scenarios || ',', {}) > 0\n"
      "GROUP BY model, protocol",
      columns,
      literal("," + place.scenario + ","));
}

std::string models(const Place& place, std::string_view more) {
  return fmt::format(
      "SELECT model{}, {}\n{}\nGROUP BY model{}, difficulty, tool_success_rate, max_turns",
      more,
      kSides,
      both_prompts(place),
      more);
}

std::string model_comparisons(const Place& place) {
  return fmt::format(
      "WITH line AS (SELECT t.* {})\n"
      "SELECT iif(a.prompt = 'optimal', 'baseline/with_plan', 'baseline/without_plan') AS family,\n"
      "  a.model AS first, b.model AS second, {}\n"
      "FROM line AS a JOIN line AS b ON {} AND b.prompt = a.prompt AND b.model <> a.model\n"
      "GROUP BY a.prompt, a.model, b.model",
      both_prompts(place),
      kDifferences,
      kPaired);
}

/// What the campaign declared of each model, as the table `declared (model, entry)`. Without
/// json_each, which a read-only session has not.
constexpr std::string_view kDeclared =
    "WITH RECURSIVE list AS (SELECT value -> '$.models' AS models FROM manifest WHERE name = "
    "'comparisons'\n    ORDER BY generation DESC LIMIT 1),\n"
    "  entry (n, value) AS (SELECT 0, models -> 0 FROM list UNION ALL\n"
    "    SELECT n + 1, (SELECT models -> (n + 1) FROM list) FROM entry\n"
    "    WHERE n + 1 < (SELECT json_array_length(models) FROM list)),\n"
    "  declared AS (SELECT value ->> '$.model' AS model, value AS entry FROM entry)\n";

std::string sizes(const Place& place) {
  return fmt::format(
      "{}SELECT model, difficulty, {},\n  entry ->> '$.size_b' AS size_b,\n"
      "  avg(success) FILTER (WHERE prompt = 'optimal') / sqrt(entry ->> '$.size_b') AS "
      "success_per_sqrt_b\n"
      "FROM trial_result AS t LEFT JOIN declared USING (model)\nWHERE {} GROUP BY model, "
      "difficulty",
      kDeclared,
      kSides,
      place.of("t"));
}

std::string sent_parameters() {
  return fmt::format(
      "{}SELECT model, entry ->> '$.sent.temperature' AS temperature, entry ->> '$.sent.top_p' AS "
      "top_p,\n  entry ->> '$.sent.max_tokens' AS max_tokens FROM declared",
      kDeclared);
}

/// What the fits are of, not the fits.
std::string sized_trials(const Place& place) {
  return fmt::format(
      "SELECT prompt, difficulty, task, repeat, model, success FROM trial_result AS t\n"
      "WHERE prompt IN ('optimal', 'baseline') AND {}\nORDER BY prompt, difficulty, task, repeat, "
      "model",
      place.of("t"));
}

std::string difficulty_comparisons(const Place& place) {
  return fmt::format(
      "WITH pooled AS (SELECT * FROM trial_result AS t WHERE {} AND prompt IN ('optimal', "
      "'baseline')),\n  kept AS (SELECT * FROM pooled WHERE simulated = (SELECT min(simulated) "
      "FROM "
      "pooled))\n"
      "SELECT iif(a.prompt = 'optimal', 'scale/with_plan', 'scale/without_plan') AS family,\n"
      "  a.difficulty AS first, b.difficulty AS second, {}\n"
      "FROM kept AS a JOIN kept AS b ON {} AND b.model = a.model AND b.prompt = a.prompt\n"
      "  AND a.difficulty <> 'easy' AND b.difficulty = 'easy'\n"
      "GROUP BY a.prompt, a.difficulty",
      place.of("t"),
      kDifferences,
      kPaired);
}

std::string cells_by(const Place& place, std::string_view label, std::string_view more) {
  return fmt::format(
      "SELECT model, {}, count(*) AS n, avg(success) AS success{}\n"
      "FROM trial_result AS t WHERE {}\nGROUP BY cell",
      label,
      more,
      place.of("t"));
}

std::string own_cells(const Place& place) {
  return cells_by(place, "prompt, severity, difficulty, tool_success_rate, max_turns", "");
}

std::string flaw_comparisons(const Place& place) {
  return fmt::format(
      "SELECT iif(b.prompt = 'optimal', 'flawed/right_plan', 'flawed/no_plan') AS family, a.model "
      "AS model,\n  a.prompt AS first, b.prompt AS second, {}\n"
      "FROM trial_result AS a JOIN trial_result AS b ON {} AND b.model = a.model\n"
      "  AND b.difficulty = a.difficulty AND b.tool_success_rate = a.tool_success_rate\n"
      "  AND b.severity = '' AND b.prompt IN ('optimal', 'baseline') AND b.prompt <> a.prompt\n"
      "WHERE {}\nGROUP BY a.cell, b.cell",
      kDifferences,
      kPaired,
      place.of("a"));
}

std::string obedience(const Place& place) {
  return fmt::format(
      "SELECT model, flaw, severity, count(*) AS n, avg(1.0 * followed_places / flawed_places) AS "
      "obedience,\n  avg(followed_places = 0) AS resistance, avg(success) FILTER (WHERE "
      "followed_places > 0) AS recovery,\n  sum(followed_places > 0) AS recovery_n\n"
      "FROM trial_result AS t WHERE flawed_places > 0 AND {}\nGROUP BY cell",
      place.of("t"));
}

std::string rate_comparisons(const Place& place) {
  return fmt::format(
      "SELECT 'reliability/rates' AS family, a.model AS model, a.tool_success_rate AS first,\n"
      "  b.tool_success_rate AS second, {}\n"
      "FROM trial_result AS a JOIN trial_result AS b ON {} AND b.model = a.model\n"
      "  AND b.difficulty = a.difficulty AND b.prompt = a.prompt AND b.severity = a.severity\n"
      "  AND b.tool_success_rate = 0.8 AND a.tool_success_rate <> 0.8\n"
      "WHERE {}\nGROUP BY a.cell, b.cell",
      kDifferences,
      kPaired,
      place.of("a"));
}

std::string retries(const Place& place) {
  std::string shares;
  for (const auto& [key, column] : {std::pair{"same_call", "retry_same"},
                                    std::pair{"other_arguments", "retry_arguments"},
                                    std::pair{"other_tool", "retry_tool"},
                                    std::pair{"no_further_call", "retry_none"}}) {
    shares += fmt::format(",\n  1.0 * sum({}) / sum(f) AS {}", column, key);
  }
  return fmt::format(
      "SELECT model, tool_success_rate, sum(f) AS failures{}\n"
      "FROM (SELECT *, retry_same + retry_arguments + retry_tool + retry_none AS f FROM "
      "trial_result) AS t\nWHERE {}\nGROUP BY cell HAVING sum(f) > 0",
      shares,
      place.of("t"));
}

std::string style_comparisons(const Place& place) {
  return fmt::format(
      "SELECT 'prompts/optimal' AS family, a.model AS model, a.prompt AS first, b.prompt AS "
      "second, {}\nFROM trial_result AS a JOIN trial_result AS b ON {} AND b.model = a.model\n"
      "  AND a.prompt IN ('baseline', 'cot') AND b.prompt = 'optimal' AND {}\n"
      "WHERE {}\nGROUP BY a.cell, b.cell",
      kDifferences,
      kPaired,
      place.of("b"),
      place.of("a"));
}

std::string benefits(const Place& place) {
  return fmt::format(
      "WITH style AS (SELECT * FROM trial_result AS t WHERE prompt IN ('optimal', 'baseline', "
      "'cot') AND {}),\n"
      "  shared AS (SELECT model, task, repeat FROM style AS s GROUP BY model, task, repeat\n"
      "    HAVING count(*) = (SELECT count(DISTINCT prompt) FROM style WHERE model = s.model)),\n"
      "  rate AS (SELECT model, prompt, avg(success) AS r, count(*) AS n FROM style JOIN shared "
      "USING (model, task, repeat)\n    GROUP BY model, prompt),\n"
      "  mean AS (SELECT model, avg(r) AS m, count(*) AS k FROM rate GROUP BY model)\n"
      "SELECT b.model AS model, count(o.success) AS plan_pairs, avg(o.success - b.success) AS "
      "plan_benefit,\n  count(c.success) AS cot_pairs, avg(c.success - b.success) AS cot_benefit,\n"
      "  (SELECT max(n) FROM rate WHERE model = b.model) AS style_trials,\n"
      "  (SELECT 100 * sqrt(sum((r - m) * (r - m)) / (max(k) - 1)) FROM rate JOIN mean USING "
      "(model) "
      "WHERE model = b.model)\n    AS style_deviation\n"
      "FROM style AS b LEFT JOIN style AS o ON o.model = b.model AND o.task = b.task AND o.repeat "
      "= "
      "b.repeat\n    AND o.prompt = 'optimal'\n"
      "  LEFT JOIN style AS c ON c.model = b.model AND c.task = b.task AND c.repeat = b.repeat AND "
      "c.prompt = 'cot'\n"
      "WHERE b.prompt = 'baseline' GROUP BY b.model",
      place.of("t"));
}

struct OfScenario {
  std::string_view scenario;  // empty: of any
  std::string_view table;
  std::string (*query)(const Place&);
};

constexpr std::array kOfScenarios = {
    OfScenario{"", "overview", overview},
    OfScenario{"baseline", "models", [](const Place& p) { return models(p, ""); }},
    OfScenario{"baseline", "task_types", [](const Place& p) { return models(p, ", task_type"); }},
    OfScenario{"baseline", "comparisons", model_comparisons},
    OfScenario{"scale", "cells", sizes},
    OfScenario{"scale", "slopes", sized_trials},
    OfScenario{"scale", "comparisons", difficulty_comparisons},
    OfScenario{"flawed", "cells", [](const Place& p) { return cells_by(p, "flaw, severity", ""); }},
    OfScenario{"flawed", "comparisons", flaw_comparisons},
    OfScenario{"flawed", "obedience", obedience},
    OfScenario{"reliability",
               "cells",
               [](const Place& p) {
                 return cells_by(p,
                                 "tool_success_rate",
                                 ",\n  1 - 1.0 * sum(calls_injected) / sum(calls_ok + "
                                 "calls_injected) AS realised,\n  1.0 * sum(calls) / sum(success) "
                                 "AS calls_per_success");
               }},
    OfScenario{"reliability", "comparisons", rate_comparisons},
    OfScenario{"reliability", "retry", retries},
    OfScenario{"prompts", "cells", [](const Place& p) { return cells_by(p, "prompt", ""); }},
    OfScenario{"prompts", "comparisons", style_comparisons},
    OfScenario{"prompts", "benefits", benefits},
    OfScenario{"", "cells", own_cells},
};

struct OfRun {
  std::string_view table;
  std::string_view query;
};

constexpr std::string_view kCosts =
    "count(*) AS attempts, sum(billing_known = 0) AS unknown,\n"
    "  sum(iif(billing_known, input_tokens, reserved_input)) AS input_tokens,\n"
    "  sum(iif(billing_known, output_tokens, reserved_output)) AS output_tokens,\n"
    "  sum(cost) / 1e6 AS cost_usd, sum(iif(billing_known, 0, cost)) / 1e6 AS reserved_usd\n"
    "FROM attempt_full";

constexpr std::string_view kOwnAttempts =
    "WHERE attempt_full.trial NOT IN (SELECT trial FROM reuse)";

constexpr std::array kOfRun = {
    OfRun{
        "cells",
        "SELECT c.model AS model, replace(c.scenarios, ',', ', ') AS scenarios, c.prompt AS "
        "prompt,\n  c.severity AS severity, c.difficulty AS difficulty, c.protocol AS protocol,\n"
        "  c.tool_success_rate AS tool_success_rate, c.max_turns AS max_turns,\n"
        "  1 - 1.0 * sum(calls_injected) / sum(calls_ok + calls_injected) AS realised,\n"
        "  coalesce(sum(calls_injected), 0) AS injected_failures,\n"
        "  coalesce(sum(calls - calls_ok - calls_injected), 0) AS rejected_calls,\n"
        "  avg(calls_per_answer) AS calls_per_answer, c.planned AS planned, count(t.trial) AS n,\n"
        "  avg(success) AS success, coalesce(sum(success), 0) * 1.0 / c.planned AS bounds_low,\n"
        "  (coalesce(sum(success), 0) + c.planned - count(t.trial)) * 1.0 / c.planned AS "
        "bounds_high,\n  coalesce(1.0 * sum(turns_repaired) / sum(turns), 0) AS repaired_turns\n"
        "FROM cell AS c LEFT JOIN trial_result AS t ON t.cell = c.id\nGROUP BY c.id"},
    OfRun{"cells/diagnosis",
          "SELECT model, replace(scenarios, ',', ', ') AS scenarios, prompt, severity, difficulty, "
          "protocol,\n  tool_success_rate, max_turns, count(*) AS n, avg(success) AS success\n"
          "FROM trial_result GROUP BY cell HAVING min(success) = max(success)"},
    OfRun{
        "cells/times",
        "SELECT c.model AS model, replace(c.scenarios, ',', ', ') AS scenarios, c.prompt AS "
        "prompt,\n  c.severity AS severity, c.difficulty AS difficulty, c.protocol AS protocol,\n"
        "  c.tool_success_rate AS tool_success_rate, c.max_turns AS max_turns,\n"
        "  min(a.at) AS first_us, max(coalesce(a.ended_at, a.at)) AS last_us\n"
        "FROM attempt_full AS a JOIN trial AS t ON t.id = a.trial JOIN cell AS c ON c.id = t.cell\n"
        "GROUP BY c.id"},
    OfRun{
        "validity/routes",
        "WITH answered AS (SELECT route, duration_us, row_number() OVER w AS i, count(*) OVER "
        "(PARTITION BY route) AS n\n"
        "    FROM attempt_full WHERE cause = 'answered' WINDOW w AS (PARTITION BY route ORDER BY "
        "duration_us)),\n"
        "  answer AS (SELECT t.route AS route, CASE WHEN f.status >= 300 THEN 0 WHEN "
        "f.billing_known "
        "THEN t.output_tokens = 0 ELSE\n"
        "    coalesce(message_text(t.answer) ->> '$.text', '') = '' AND "
        "coalesce(message_text(t.answer) ->> '$.reasoning', '') = ''\n"
        "    AND coalesce(message_text(t.answer) ->> '$.refusal', '') = ''\n"
        "    AND coalesce(json_array_length(message_text(t.answer), '$.tool_calls'), 0) = 0 END AS "
        "is_empty\n"
        "    FROM turn AS t JOIN attempt_full AS f ON f.attempt = t.attempt)\n"
        "SELECT route, min(requested_model) AS model, count(*) AS attempts, sum(cause = "
        "'answered') AS answered,\n"
        "  sum(cause IN ('throttle', 'concurrency', 'ramp', 'daily_cap')) AS throttled,\n"
        "  sum(ended_at IS NOT NULL AND cause NOT IN ('answered', 'throttle', 'concurrency', "
        "'ramp', 'daily_cap')) AS failed,\n"
        "  sum(cause = 'wrong_model') AS wrong_model, sum(ended_at IS NULL) AS unknown,\n"
        "  (SELECT duration_us / 1e6 FROM answered WHERE answered.route = a.route AND i = (n + 1) "
        "/ 2) AS latency_median_s,\n"
        "  coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(output_tokens), 0) AS "
        "output_tokens,\n"
        "  sum(iif(ended_at IS NULL, 0, cost)) / 1e6 AS cost_usd,\n"
        "  sum(iif(ended_at IS NULL, reserved_cost, 0)) / 1e6 AS reserved_usd,\n"
        "  (SELECT coalesce(sum(is_empty), 0) FROM answer WHERE answer.route = a.route) AS "
        "empty_answers\n"
        "FROM attempt_full AS a GROUP BY route"},
    OfRun{"validity/names",
          "SELECT route, min(requested_model) AS model, min(api_name) AS api_name,\n"
          "  group_concat(DISTINCT nullif(served_model, '')) AS served FROM attempt_full GROUP BY "
          "route"},
    OfRun{
        "speed",
        "SELECT at AS ended_us, detail ->> '$.seconds' AS seconds, detail ->> '$.bound_seconds' "
        "AS bound_seconds,\n  detail ->> '$.fraction' AS fraction, detail ->> '$.lost_seconds' AS "
        "lost_seconds\nFROM event WHERE kind = 'run_speed' ORDER BY id"},
    OfRun{"provenance",
          "SELECT name, value, max(generation) AS generation FROM manifest GROUP BY name HAVING "
          "length(value) <= 200"},
    OfRun{"validity/reused",
          "SELECT source_run, directory, count(*) AS trials, sum(attempts) AS attempts, "
          "sum(input_tokens) AS input_tokens,\n  sum(output_tokens) AS output_tokens, sum(cost) / "
          "1e6 AS cost_usd\nFROM reuse GROUP BY source_run, directory, source_mark"},
};

std::string of_costs(std::string_view what) {
  if (what == "model") {
    return fmt::format(
        "SELECT requested_model AS model, {}\n{} GROUP BY requested_model", kCosts, kOwnAttempts);
  }
  if (what == "key") {
    // A route is endpoint/key/api_name, of which the last may hold a slash.
    constexpr std::string_view kKey =
        "substr(route, 1, instr(route, '/') + instr(substr(route, instr(route, '/') + 1), '/') - "
        "1)";
    return fmt::format("SELECT {} AS \"key\", {}\n{} GROUP BY 1", kKey, kCosts, kOwnAttempts);
  }
  return fmt::format(
      "SELECT c.model || ', ' || c.prompt || iif(c.severity = '', '', ', ' || c.severity) || ', ' "
      "|| c.difficulty || ', rate '\n  || c.tool_success_rate || ', ' || c.protocol AS cell, {}\n"
      "JOIN trial AS t ON t.id = attempt_full.trial JOIN cell AS c ON c.id = t.cell\n{} GROUP BY "
      "c.id",
      kCosts,
      kOwnAttempts);
}

std::string of_scenario(const ResultTable& table) {
  std::string_view name = std::string_view(table.id).substr(table.scenario.size() + 1);
  const std::size_t slash = name.find('/');
  const Place place{
      .scenario = table.scenario,
      .protocol = slash == std::string_view::npos ? "text" : std::string(name.substr(slash + 1))};
  name = name.substr(0, slash);
  if (name == "labels") {
    return labels(place, table);
  }
  const auto* const found = std::ranges::find_if(kOfScenarios, [&](const OfScenario& entry) {
    return entry.table == name && (entry.scenario.empty() || entry.scenario == table.scenario);
  });
  return found == kOfScenarios.end() ? std::string() : found->query(place);
}

}  // namespace

std::string query_of(const ResultTable& table) {
  if (!table.scenario.empty()) {
    return of_scenario(table);
  }
  if (table.id.starts_with("costs/")) {
    return of_costs(std::string_view(table.id).substr(std::string_view("costs/").size()));
  }
  if (table.id == "validity/sent") {
    return sent_parameters();
  }
  const auto* const found = std::ranges::find(kOfRun, table.id, &OfRun::table);
  return found == kOfRun.end() ? std::string() : std::string(found->query);
}

}  // namespace sortie::analysis
