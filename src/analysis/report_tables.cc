#include "sortie/analysis/report.h"
#include "sortie/analysis/result_table.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

/// Columns of words are set flush left.
bool is_text(const ResultTable& table, std::size_t column) {
  return std::ranges::any_of(
      table.rows, [&](const Row& row) { return row.values[column].kind == Value::Kind::text; });
}

}  // namespace

std::string to_html(const ResultTable& table) {
  std::string html = fmt::format("<h3>{}</h3>\n", escape_html(table.title));
  const std::vector<std::size_t> shown = shown_columns(table);
  if (!table.rows.empty()) {
    html += "<div class=\"scroll\"><table><thead><tr>";
    for (const std::size_t column : shown) {
      html += fmt::format("<th{}>{}</th>",
                          is_text(table, column) ? " class=\"text\"" : "",
                          escape_html(table.columns[column].title));
    }
    html += "<th class=\"text\">marks</th></tr></thead><tbody>\n";
    for (const Row& row : table.rows) {
      html += "<tr>";
      for (const std::size_t column : shown) {
        html += fmt::format("<td{}>{}</td>",
                            is_text(table, column) ? " class=\"text\"" : "",
                            escape_html(to_text(row.values[column])));
      }
      html += fmt::format("<td class=\"text mark\">{}</td></tr>\n",
                          escape_html(base::join(row.marks, ", ")));
    }
    html += "</tbody></table></div>\n";
  }
  for (const std::string& note : table.notes) {
    html += fmt::format("<p class=\"note\">{}</p>\n", escape_html(note));
  }
  return html;
}

}  // namespace sortie::analysis
