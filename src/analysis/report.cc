#include "sortie/analysis/report.h"

#include "sortie/analysis/phrases.h"
#include "sortie/analysis/report_queries.h"
#include "sortie/base/printable.h"
#include "sortie/base/text.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>

// The report as a page.

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
caption, figcaption, .note, details { color: var(--soft); text-align: left; } .scroll { overflow-x: auto; }
.mark { color: var(--mark); font-weight: 600; } pre { white-space: pre-wrap; overflow-wrap: anywhere; }
figure { margin: 1rem 0; overflow-x: auto; } svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
svg .axis { stroke: var(--line); } svg .bar, svg .line { stroke: var(--ink); fill: none; stroke-width: 1.5; }
svg .ceiling { stroke: var(--soft); } svg .dot { fill: var(--ink); stroke: var(--ink); }
svg .open { fill: var(--paper); stroke: var(--ink); stroke-width: 1.5; }
)css";

/// The attribute of each column's entries: columns of words are set flush left.
std::vector<std::string_view> classes_of(const ResultTable& table) {
  std::vector<std::string_view> classes(table.columns.size());
  for (const Row& row : table.rows) {
    for (std::size_t column = 0; column < classes.size(); ++column) {
      if (row.values[column].kind == Value::Kind::text) {
        classes[column] = " class=\"text\"";
      }
    }
  }
  return classes;
}

std::string grid(const ResultTable& table) {
  const std::vector<std::size_t> shown = shown_columns(table);
  const std::vector<std::string_view> classes = classes_of(table);
  std::string html = "<div class=\"scroll\"><table><thead><tr>";
  for (const std::size_t column : shown) {
    html += fmt::format("<th{}>{}</th>",
                        classes[column],
                        escape_html(base::printable_line(table.columns[column].title)));
  }
  html += fmt::format("<th class=\"text\">{}</th></tr></thead><tbody>\n",
                      phrases_in(table.language)("column.marks"));
  for (const Row& row : table.rows) {
    html += "<tr>";
    for (const std::size_t column : shown) {
      html +=
          fmt::format("<td{}>{}</td>", classes[column], escape_html(cell_text(row.values[column])));
    }
    html += fmt::format("<td class=\"text mark\">{}</td></tr>\n",
                        escape_html(marks_text(row, table.language)));
  }
  return html + "</tbody></table></div>\n";
}

std::string paragraphs(const std::vector<std::string>& texts, std::string_view attributes) {
  std::string html;
  for (const std::string& text : texts) {
    html += fmt::format("<p{}>{}</p>\n", attributes, escape_html(base::printable(text)));
  }
  return html;
}

struct PartWriter {
  std::string operator()(const Figure& figure) const {
    return fmt::format("<figure>{}<figcaption>{}</figcaption></figure>\n",
                       to_svg(figure, false),
                       escape_html(base::printable_line(caption_of(figure))));
  }

  std::string operator()(const ResultTable& table) const { return to_html(table); }
};

std::string section_html(const ReportSection& section) {
  std::string html = fmt::format("<h2>{}</h2>\n", escape_html(base::printable_line(section.title)));
  html += paragraphs(section.paragraphs, " class=\"note\"");
  for (const ReportPart& part : section.parts) {
    html += std::visit(PartWriter{}, part);
  }
  return html + paragraphs(section.remarks, " class=\"note remark\"");
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

std::string to_html(const ResultTable& table) {
  std::string html = fmt::format("<h3>{}</h3>\n", escape_html(base::printable_line(table.title)));
  if (!table.rows.empty()) {
    html += grid(table);
  }
  html += paragraphs(table.notes, " class=\"note\"");
  if (const std::string query = query_of(table); !query.empty() && !table.rows.empty()) {
    html += fmt::format("<details><summary>{}</summary><pre>{}</pre></details>\n",
                        escape_html(base::printable_line(
                            phrases_in(table.language)("page.query", fmt::arg("table", table.id)))),
                        escape_html(base::printable(query)));
  }
  return html;
}

std::string to_html(const ReportData& data) {
  const Phrases& say = phrases_in(data.language);
  const ReportDocument document = document_of(data);
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"{2}\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width\">\n<meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; "
      "style-src 'unsafe-inline'\">\n<title>{3}</title>"
      "<style>{1}</style></head><body>\n<h1>{0}</h1>\n",
      escape_html(base::printable_line(document.title)),
      kStyle,
      html_code(document.language),
      escape_html(base::printable_line(say("page.title", fmt::arg("run", document.title)))));
  html += paragraphs(document.warned, " class=\"mark\"");
  html += paragraphs(document.paragraphs, " class=\"note\"");
  html += paragraphs({say("page.queries_note")}, " class=\"note\"");
  for (const ReportSection& section : document.sections) {
    html += section_html(section);
  }
  return html + "</body></html>\n";
}

}  // namespace sortie::analysis
