#include "sortie/analysis/report.h"

#include "sortie/analysis/comparisons.h"
#include "sortie/analysis/validity_tables.h"
#include "sortie/base/text.h"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --ink: #1a1a1a; --soft: #595959; --line: #c8c8c8; --paper: #fff; --mark: #8a4b00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --soft: #b0b0b0; --line: #4a4a4a; --paper: #161616; --mark: #ffb45e; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 76rem;
  margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92rem; }
th, td { padding: 0.25rem 0.7rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th { border-bottom-color: var(--ink); } h3 { margin-top: 1.6rem; } th:first-child, td:first-child, .text { text-align: left; }
caption, .note { color: var(--soft); text-align: left; } .scroll { overflow-x: auto; }
.mark { color: var(--mark); font-weight: 600; }
figure { margin: 1rem 0; } svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
svg .axis { stroke: var(--line); } svg .bar { stroke: var(--ink); stroke-width: 2; } svg .dot { fill: var(--ink); }
)css";

std::string percent(double share) {
  return fmt::format("{:.1f}&nbsp;%", 100 * share);
}

std::string model_cell(const std::string& model, bool simulated) {
  return escape_html(model) + (simulated ? " <span class=\"mark\">simulated</span>" : "");
}

std::string bounds_of(const Tally& tally, std::uint64_t lost) {
  if (lost == 0) {
    return "";
  }
  const stats::Interval bounds = loss_bounds(tally, lost);
  return fmt::format("{} – {}", percent(bounds.low), percent(bounds.high));
}

/// Success per model as points with intervals, readable in black and white.
std::string figure(const std::vector<const GroupSummary*>& groups) {
  constexpr int kLeft = 260;
  constexpr int kWidth = 480;
  constexpr int kRowHeight = 26;
  const int height = static_cast<int>(groups.size()) * kRowHeight + 40;
  const auto x = [](double share) { return kLeft + share * kWidth; };
  std::string svg = fmt::format(
      "<figure><svg role=\"img\" aria-label=\"Success rate with 95 % interval\" width=\"{}\" "
      "height=\"{}\" "
      "viewBox=\"0 0 {} {}\">",
      kLeft + kWidth + 40,
      height,
      kLeft + kWidth + 40,
      height);
  for (int tick = 0; tick <= 100; tick += 25) {
    const double at = x(tick / 100.0);
    svg += fmt::format(
        "<line class=\"axis\" x1=\"{0}\" x2=\"{0}\" y1=\"0\" y2=\"{1}\"/>", at, height - 25);
    svg += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{} %</text>", at, height - 8, tick);
  }
  int y = kRowHeight / 2;
  for (const GroupSummary* group : groups) {
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                       kLeft - 12,
                       y + 4,
                       escape_html(named(*group)));
    svg += fmt::format("<line class=\"bar\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{}\" y2=\"{}\"/>",
                       x(group->success.low),
                       x(group->success.high),
                       y,
                       y);
    svg += fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{}\" r=\"5\"/>",
                       x(group->tally.success_rate()),
                       y);
    y += kRowHeight;
  }
  return svg + "</svg></figure>\n";
}

std::string scenario_section(const std::string& scenario,
                             const std::vector<const GroupSummary*>& groups) {
  std::string html = fmt::format("<h2>Scenario {}</h2>\n", escape_html(scenario));
  html += figure(groups);
  html +=
      "<div "
      "class=\"scroll\"><table><thead><tr><th>model</th><th "
      "class=\"text\">protocol</th><th>n</th><th>success†</th><th>95&nbsp;% "
      "interval</th>"
      "<th class=\"text\">interval "
      "by</th><th>clean</th><th>partial†</th><th>progress</th><th>turns</th><th>calls</th>"
      "<th>repaired turns</th><th class=\"text\">lost</th><th>all lost failed – "
      "succeeded</th></tr></thead><tbody>\n";
  for (const GroupSummary* group : groups) {
    const Tally& tally = group->tally;
    html += fmt::format(
        "<tr><td>{}</td><td class=\"text\">{}</td><td>{}{}</td><td>{}</td><td>{} – {}</td><td "
        "class=\"text\">{}</td><td>{}</td><td>{}</td>"
        "<td>{:.2f}</td><td>{:.1f}</td><td>{:.1f}</td><td>{}</td><td class=\"text\">{}</td>"
        "<td>{}</td></tr>\n",
        model_cell(group->model, group->simulated),
        escape_html(group->protocol),
        tally.scored,
        group->complete() ? "" : " <span class=\"mark\">incomplete</span>",
        percent(tally.success_rate()),
        percent(group->success.low),
        percent(group->success.high),
        group->interval_method,
        tally.clean,
        tally.partial,
        tally.progress,
        tally.turns,
        tally.calls,
        percent(tally.repaired_turns),
        lost_text(group->lost),
        bounds_of(tally, group->missing()));
  }
  return html + "</tbody></table></div>\n";
}

std::string labels_of(const Tally& tally) {
  std::string text;
  for (const auto& [label, count] : tally.labels) {
    text += (text.empty() ? "" : ", ") + fmt::format("{} {}", escape_html(label), count);
  }
  return text;
}

std::string repeats_of(const CellSummary& cell) {
  if (!cell.repeats.has_value()) {
    return "";
  }
  return fmt::format("<br>pass@{0} {1}<br>pass^{0} {2}",
                     cell.repeats->k,
                     percent(cell.repeats->pass_at_k),
                     percent(cell.repeats->pass_hat_k));
}

std::string reference_of(const Tally& tally) {
  std::string text;
  for (std::size_t i = 0; tally.reference.has_value() && i < tally.reference->size(); ++i) {
    text += (i == 0 ? "" : " / ") + percent((*tally.reference)[i]);
  }
  return text;
}

std::string factors_of(const CellFactors& factors) {
  return fmt::format(
      "<td class=\"text\">{}{}</td><td class=\"text\">{}</td><td class=\"text\">{}</td><td "
      "class=\"text\">{}</td><td>{}</td>",
      escape_html(base::join(factors.scenarios, ", ")),
      factors.scenarios.size() > 1 ? " <span class=\"mark\">shared</span>" : "",
      escape_html(factors.prompt + (factors.severity.empty() ? "" : ", " + factors.severity)),
      escape_html(factors.difficulty),
      escape_html(factors.protocol),
      factors.tool_success_rate);
}

/// What stands below a cell's row: times, and for a cell at 0 or 100 % what to know about it.
std::string cell_notes(const ReportData& data, const std::string& id) {
  std::string text;
  if (const auto times = data.times.find(id); times != data.times.end()) {
    text += fmt::format("{} to {}", times->second.first, times->second.last);
  }
  if (const auto line = data.diagnoses.find(id); line != data.diagnoses.end()) {
    text += "<br>" + escape_html(line->second);
  }
  return text;
}

std::string success_of(const CellSummary& cell) {
  if (cell.tally.scored == 0) {
    return "<td></td><td></td>";
  }
  return fmt::format("<td>{}{}{}</td><td>{} – {}{}</td>",
                     percent(cell.tally.success_rate()),
                     repeats_of(cell),
                     cell.saturated() ? " <span class=\"mark\">all alike</span>" : "",
                     percent(cell.success.low),
                     percent(cell.success.high),
                     cell.interval_method == kBootstrap ? "&nbsp;‡" : "");
}

std::string cells_section(const ReportData& data) {
  std::string html =
      "<h2>Cells</h2>\n<p class=\"note\">A cell holds all trials that share every factor but task "
      "and repeat. Its interval is a score interval within task types (of one type Wilson’s), with "
      "repeats a bootstrap over tasks (‡). Injected "
      "failures are compared with the nominal rate; calls that the world rejects are counted apart "
      "and "
      "draw no luck. The reference is what an agent without "
      "mistakes "
      "achieves on the same trials: by calls alone, with one search per tool, and with one search "
      "and one look at each tool's description.</p>\n<div class=\"scroll\"><table><thead><tr>"
      "<th>model</th><th class=\"text\">scenarios</th><th class=\"text\">prompt</th><th "
      "class=\"text\">difficulty</th><th class=\"text\">protocol</th>"
      "<th>tool "
      "rate†</th><th>realised</th><th>injected failures</th><th>rejected by the "
      "world</th><th>calls "
      "per answer</th><th>planned</th><th>n</th><th>success†</th><th>95&nbsp;% "
      "interval</th><th class=\"text\">lost</th><th>all lost failed – "
      "succeeded</th><th>reference</th>"
      "<th class=\"text\">error labels†</th><th class=\"text\">times, "
      "diagnosis</th></tr></thead><tbody>\n";
  for (const CellSummary& cell : data.summary.cells) {
    const Tally& tally = cell.tally;
    const double realised = tally.valid_calls == 0
                                ? 0
                                : 1 - static_cast<double>(tally.injected_failures) /
                                          static_cast<double>(tally.valid_calls);
    html += fmt::format(
        "<tr><td>{}</td>{}<td>{:.3f}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}{}</td>"
        "{}<td class=\"text\">{}</td>"
        "<td>{}</td><td>{}</td><td class=\"text\">{}</td><td class=\"text\">{}</td></tr>\n",
        model_cell(cell.factors.model, cell.factors.simulated),
        factors_of(cell.factors),
        realised,
        tally.injected_failures,
        tally.rejected_calls,
        tally.calls_per_answer.has_value() ? fmt::format("{:.2f}", *tally.calls_per_answer) : "",
        cell.planned,
        tally.scored,
        cell.complete() ? "" : " <span class=\"mark\">incomplete</span>",
        success_of(cell),
        lost_text(cell.lost),
        bounds_of(tally, cell.missing()),
        reference_of(tally),
        labels_of(tally),
        cell_notes(data, cell.factors.id));
  }
  return html + "</tbody></table></div>\n";
}

std::string validity_section(const ReportData& data) {
  std::string html =
      "<h2>Validity</h2>\n<p>Infrastructure outcomes are in no denominator. An attempt is any "
      "request ever sent; one without "
      "an end is unknown: perhaps sent, perhaps billed, and costed as reserved.</p>\n";
  html += to_html(sent_table(data));
  html +=
      "<h3>Routes</h3>\n<div class=\"scroll\"><table><thead><tr>"
      "<th>route</th><th class=\"text\">model</th><th class=\"text\">sent as</th><th "
      "class=\"text\">served as</th><th>attempts</th><th>answered</th>"
      "<th>throttled</th><th>failed</th><th>unknown</th><th>median latency</th><th>tokens "
      "in</th><th>tokens out</th>"
      "<th>cost</th><th>empty answers</th></tr></thead><tbody>\n";
  std::int64_t cost = 0;
  std::int64_t reserved = 0;
  for (const RouteUse& use : data.routes) {
    cost += use.cost;
    reserved += use.reserved;
    html += fmt::format(
        "<tr><td>{}</td><td class=\"text\">{}</td><td class=\"text\">{}</td><td "
        "class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
        "<td>{}</td><td>{:.2f}&nbsp;s</td><td>{}</td><td>{}</td><td>${:.4f}</td><td>{}{}</td></"
        "tr>\n",
        escape_html(use.route),
        model_cell(use.model, use.simulated),
        escape_html(use.api_name),
        escape_html(use.served),
        use.attempts,
        use.answered,
        use.throttled,
        use.failed,
        use.unknown,
        use.latency_median_s,
        base::with_thousands(use.input_tokens),
        base::with_thousands(use.output_tokens),
        static_cast<double>(use.cost) / 1e6,
        use.empty_answers,
        use.suspect() ? " <span class=\"mark\">suspect</span>" : "");
  }
  html += "</tbody></table></div>\n";
  html += fmt::format(
      "<p>Cost of ended attempts ${:.4f}; unknown attempts reserved at most ${:.4f} more.</p>\n",
      static_cast<double>(cost) / 1e6,
      static_cast<double>(reserved) / 1e6);
  if (!data.reused.empty()) {
    html += to_html(reused_table(data.reused));
  }
  html += to_html(cost_table("model", "Cost per model", data.costs.models));
  html += to_html(cost_table("key", "Cost per key", data.costs.keys));
  html += to_html(cost_table("cell", "Cost per cell", data.costs.cells));
  if (!data.speeds.empty()) {
    html += to_html(speed_table(data.speeds));
  }
  if (!data.events.empty()) {
    html += "<h3>What happened</h3>\n";
  }
  for (const std::string& event : data.events) {
    html += fmt::format("<p class=\"note\">{}</p>\n", escape_html(event));
  }
  return html;
}

std::string provenance_section(const ReportData& data) {
  std::string html = "<h2>Provenance</h2>\n<table><tbody>\n";
  const auto row = [&](std::string_view name, std::string_view value) {
    html += fmt::format(
        "<tr><td>{}</td><td class=\"text\">{}</td></tr>\n", escape_html(name), escape_html(value));
  };
  row("first attempt", data.started);
  row("last answer", data.ended);
  row("scorer", data.summary.scorer);
  row("ledger high-water mark", data.summary.high_water_mark);
  for (const auto& [name, value] : data.manifest) {
    row(name, value);
  }
  html += "</tbody></table>\n";
  html +=
      "<p>To reproduce: the same campaign and endpoints files, the same seed, then <code>sortie "
      "run</code>. Every number here is a query over the ledger.</p>\n";
  if (is_pilot(data.declared)) {
    html += fmt::format("<p class=\"comparability\">{}</p>\n", escape_html(kComparability));
  }
  return html;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

std::string to_html(const ReportData& data) {
  const Summary& summary = data.summary;
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width\">\n<meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; "
      "style-src 'unsafe-inline'\">\n<title>{0}: Sortie "
      "report</title><style>{1}</style></head><body>\n<h1>{0}</h1>\n",
      escape_html(summary.run),
      kStyle);
  bool simulated = false;
  std::vector<std::string> scenarios;
  std::set<std::string> seen;
  for (const GroupSummary& group : summary.groups) {
    simulated = simulated || group.simulated;
    if (seen.insert(group.scenario).second) {
      scenarios.push_back(group.scenario);
    }
  }
  if (simulated) {
    html +=
        "<p class=\"mark\">Models marked “simulated” are stand-ins for testing, never "
        "contestants.</p>\n";
  }
  html +=
      "<p class=\"note\">n counts scored trials. Success is strict: the goal holds on the final "
      "artifacts and effects. "
      "Where trials share tasks the interval is a bootstrap over tasks, otherwise a score interval "
      "within task types, of one type Wilson’s.</p>\n";
  for (const std::string& scenario : scenarios) {
    std::vector<const GroupSummary*> groups;
    for (const GroupSummary& group : summary.groups) {
      if (group.scenario == scenario) {
        groups.push_back(&group);
      }
    }
    html += scenario_section(scenario, groups);
    for (const ResultTable& table : data.tables) {
      html += table.scenario == scenario ? to_html(table) : "";
    }
  }
  html += cells_section(data);
  html += validity_section(data);
  html += provenance_section(data);
  return html + "</body></html>\n";
}

}  // namespace sortie::analysis
