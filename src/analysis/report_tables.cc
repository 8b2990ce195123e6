#include "sortie/analysis/report.h"
#include "sortie/analysis/result_table.h"
#include "sortie/base/text.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

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

}  // namespace

std::string to_html(const ResultTable& table) {
  std::string html = fmt::format("<h3>{}</h3>\n", escape_html(table.title));
  const std::vector<std::size_t> shown = shown_columns(table);
  const std::vector<std::string_view> classes = classes_of(table);
  if (!table.rows.empty()) {
    html += "<div class=\"scroll\"><table><thead><tr>";
    for (const std::size_t column : shown) {
      html +=
          fmt::format("<th{}>{}</th>", classes[column], escape_html(table.columns[column].title));
    }
    html += "<th class=\"text\">marks</th></tr></thead><tbody>\n";
    for (const Row& row : table.rows) {
      html += "<tr>";
      for (const std::size_t column : shown) {
        html +=
            fmt::format("<td{}>{}</td>", classes[column], escape_html(to_text(row.values[column])));
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
