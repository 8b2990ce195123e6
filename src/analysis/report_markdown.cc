#include "sortie/analysis/phrases.h"
#include "sortie/analysis/report.h"
#include "sortie/analysis/report_queries.h"
#include "sortie/base/printable.h"
#include "sortie/base/text.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>

// The report in GitHub's Markdown.

namespace sortie::analysis {

namespace {

/// Text that is shown as it stands: no markup, no HTML, no link, no mention, no formula.
std::string escape_markdown(std::string_view text) {
  constexpr std::string_view kActive = "\\`*_[]|~$#@!^";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (kActive.find(c) != std::string_view::npos || text.substr(i).starts_with("://") ||
               (c == '.' && i >= 3 && base::to_lower(text.substr(i - 3, 3)) == "www")) {
      out += fmt::format("\\{}", c);
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string line_of(std::string_view text) {
  return escape_markdown(base::printable_line(text));
}

std::string paragraphs(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) {
    out += line_of(text) + "\n\n";
  }
  return out;
}

bool is_words(const ResultTable& table, std::size_t column) {
  for (const Row& row : table.rows) {
    if (row.values[column].kind == Value::Kind::text) {
      return true;
    }
  }
  return false;
}

std::string grid(const ResultTable& table) {
  const std::vector<std::size_t> shown = shown_columns(table);
  std::string header = "|";
  std::string rule = "|";
  for (const std::size_t column : shown) {
    header += fmt::format(" {} |", line_of(table.columns[column].title));
    rule += is_words(table, column) ? " :-- |" : " --: |";
  }
  std::string out = header + fmt::format(" {} |\n", phrases_in(table.language)("column.marks")) +
                    rule + " :-- |\n";
  for (const Row& row : table.rows) {
    out += "|";
    for (const std::size_t column : shown) {
      out += fmt::format(" {} |", escape_markdown(cell_text(row.values[column])));
    }
    out += fmt::format(" {} |\n", line_of(marks_text(row, table.language)));
  }
  return out + "\n";
}

struct PartWriter {
  std::string operator()(const Figure& figure) const {
    return fmt::format(
        "![{}]({})\n\n", line_of(caption_of(figure)), file_name("figures", figure.id, "svg"));
  }

  std::string operator()(const ResultTable& table) const {
    std::string out = fmt::format("### {}\n\n{}\n\n", line_of(table.title), name_of(table));
    if (!table.rows.empty()) {
      out += grid(table);
    }
    return out + paragraphs(table.notes);
  }

  /// "Table `id`"
  static std::string name_of(const ResultTable& table) {
    return phrases_in(table.language)("page.table",
                                      fmt::arg("table", fmt::format("`{}`", code(table.id))));
  }

  /// Within backticks nothing is markup but the backtick.
  static std::string code(std::string_view text) {
    std::string out = base::printable_line(text);
    std::erase(out, '`');
    return out;
  }
};

/// Indented by four columns, so that no line of it can end the block.
std::string indented(std::string_view text) {
  std::string out;
  for (const std::string_view line : base::split(text, '\n')) {
    out += fmt::format("    {}\n", base::printable_line(line));
  }
  return out;
}

std::string queries(const ReportDocument& document) {
  const Phrases& say = phrases_in(document.language);
  std::string out = fmt::format(
      "## {}\n\n{}\n\n", line_of(say("page.queries")), line_of(say("page.queries_note")));
  for (const ResultTable* table : tables_of(document)) {
    const std::string query = query_of(*table);
    if (!query.empty() && !table->rows.empty()) {
      out += fmt::format("{}:\n\n{}\n", PartWriter::name_of(*table), indented(query));
    }
  }
  return out;
}

}  // namespace

std::string to_markdown(const ReportDocument& document) {
  std::string out = fmt::format("# {}\n\n", line_of(document.title));
  for (const std::string& text : document.warned) {
    out += fmt::format("**{}**\n\n", line_of(text));
  }
  out += paragraphs(document.paragraphs);
  for (const ReportSection& section : document.sections) {
    out += fmt::format("## {}\n\n", line_of(section.title));
    out += paragraphs(section.paragraphs);
    for (const ReportPart& part : section.parts) {
      out += std::visit(PartWriter{}, part);
    }
    out += paragraphs(section.remarks);
  }
  return out + queries(document);
}

}  // namespace sortie::analysis
