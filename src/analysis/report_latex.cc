#include "sortie/analysis/phrases.h"
#include "sortie/analysis/report.h"
#include "sortie/analysis/report_queries.h"
#include "sortie/base/printable.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

// The report in LaTeX with booktabs.

namespace sortie::analysis {

namespace {

constexpr std::size_t kTableRowsMax = 40;  // longer ones break over pages
constexpr std::size_t kWideBytes = 30;     // from here on a column of words is broken into lines

/// What TeX takes for markup, and the signs that reports use, as T1 fonts have them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 28> kSigns = {{
    {"\\", "\\textbackslash{}"},
    {"{", "\\{"},
    {"}", "\\}"},
    {"$", "\\$"},
    {"&", "\\&"},
    {"#", "\\#"},
    {"%", "\\%"},
    {"_", "\\_"},
    {"^", "\\textasciicircum{}"},
    {"~", "\\textasciitilde{}"},
    {"<", "\\textless{}"},
    {">", "\\textgreater{}"},
    {"|", "\\textbar{}"},
    {"\"", "\\textquotedbl{}"},
    {"`", "\\textasciigrave{}"},
    {"'", "\\textquotesingle{}"},
    {"-", "-{}"},  // no ligature of two
    {",", ",{}"},
    {"†", "\\textdagger{}"},
    {"‡", "\\textdaggerdbl{}"},
    {"–", "\\textendash{}"},
    {"—", "\\textemdash{}"},
    {"…", "\\textellipsis{}"},
    {"“", "\\textquotedblleft{}"},
    {"”", "\\textquotedblright{}"},
    {"’", "\\textquoteright{}"},
    {"√", "$\\surd$"},
    {"\u00a0", "~"},
}};

std::uint32_t code_point(std::string_view bytes) {
  auto value = static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[0]));
  if (bytes.size() == 1) {
    return value;
  }
  value &= 0x7FU >> bytes.size();
  for (const char c : bytes.substr(1)) {
    value = (value << 6U) | (static_cast<std::uint32_t>(static_cast<unsigned char>(c)) & 0x3FU);
  }
  return value;
}

/// Letters that every engine sets: ASCII, and the accented ones of Latin-1.
bool is_plain(std::uint32_t code) {
  return code < 0x80 || (code >= 0xC0 && code <= 0xFF && code != 0xD7 && code != 0xF7);
}

/// Other characters go through \sortiechar, which shows their number under pdfTeX.
std::string escape_latex(std::string_view raw) {
  const std::string text = base::printable_line(raw);
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length =
        std::max<std::size_t>(1, base::utf8_sequence_length(std::string_view(text).substr(i)));
    const std::string_view sign = std::string_view(text).substr(i, length);
    const auto known =
        std::ranges::find(kSigns, sign, [](const auto& entry) { return entry.first; });
    if (known != kSigns.end()) {
      out += known->second;
    } else if (is_plain(code_point(sign))) {
      out += sign;
    } else {
      out += fmt::format("\\sortiechar{{{:04X}}}{{{}}}", code_point(sign), sign);
    }
    i += length;
  }
  return out;
}

constexpr std::string_view kCharacterMacro =
    "\\providecommand{\\sortiechar}[2]{\\ifdefined\\Umathchar #2\\else\\texttt{U+#1}\\fi}\n";

/// One letter per shown column: numbers flush right, words flush left, long ones in lines.
std::string columns_of(const ResultTable& table, const std::vector<std::size_t>& shown) {
  std::string letters;
  for (const std::size_t column : shown) {
    bool words = false;
    std::size_t widest = 0;
    for (const Row& row : table.rows) {
      words = words || row.values[column].kind == Value::Kind::text;
      widest = std::max(widest, cell_text(row.values[column]).size());
    }
    letters += !words                    ? "r"
               : widest > 4 * kWideBytes ? "p{7cm}"
               : widest > kWideBytes     ? "p{3.6cm}"
                                         : "l";
  }
  const bool long_marks = std::ranges::any_of(table.rows, [&](const Row& row) {
    return marks_text(row, table.language).size() > kWideBytes;
  });
  return letters + (long_marks ? "p{3.6cm}" : "l");
}

std::string size_of(std::size_t columns) {
  return columns <= 8 ? "\\small" : columns <= 12 ? "\\footnotesize" : "\\tiny";
}

std::string rows_of(const ResultTable& table, const std::vector<std::size_t>& shown) {
  std::string out;
  for (const Row& row : table.rows) {
    std::string line = "{}";  // so that TeX takes no "[" for an option of the line before
    for (const std::size_t column : shown) {
      line += fmt::format("{} & ", escape_latex(cell_text(row.values[column])));
    }
    out += fmt::format("{}{} \\\\\n", line, escape_latex(marks_text(row, table.language)));
  }
  return out;
}

std::string header_of(const ResultTable& table, const std::vector<std::size_t>& shown) {
  std::string out;
  for (const std::size_t column : shown) {
    out += fmt::format("{} & ", escape_latex(table.columns[column].title));
  }
  return out + escape_latex(phrases_in(table.language)("column.marks")) + " \\\\\n";
}

std::string label_of(const ResultTable& table) {
  const std::string name = file_name("tab:", table.id, "");
  return fmt::format("\\caption{{{}}}\\label{{{}}}", escape_latex(table.title), name);
}

std::string notes_of(const ResultTable& table) {
  std::string out;
  for (const std::string& note : table.notes) {
    out += fmt::format("\\par\\smallskip{{\\footnotesize {}\\par}}\n", escape_latex(note));
  }
  return out;
}

/// The query as a comment, so that the file says where its numbers come from wherever it is read.
std::string comment_of(const ResultTable& table) {
  const std::string query = query_of(table);
  std::string out = fmt::format("% {}\n", base::printable_line(table.id));
  for (const std::string_view line : base::split(query, '\n')) {
    out += fmt::format("% {}\n", base::printable_line(line));
  }
  return out;
}

std::string table_text(const ResultTable& table) {
  const std::vector<std::size_t> shown = shown_columns(table);
  std::string out = comment_of(table) + std::string(kCharacterMacro);
  if (table.rows.empty()) {
    return out + notes_of(table);
  }
  const std::string columns = columns_of(table, shown);
  const std::string header = header_of(table, shown);
  const std::string rows = rows_of(table, shown);
  const std::string style =
      fmt::format("{}\\setlength{{\\tabcolsep}}{{3pt}}", size_of(shown.size() + 1));
  if (table.rows.size() > kTableRowsMax) {
    return out + fmt::format(
                     "{{{0}\n\\begin{{longtable}}{{@{{}}{1}@{{}}}}\n{2}\\\\\n\\toprule\n{3}"
                     "\\midrule\n\\endfirsthead\n\\toprule\n{3}\\midrule\n\\endhead\n"
                     "\\bottomrule\n\\endfoot\n{4}\\end{{longtable}}\n}}\n{5}",
                     style,
                     columns,
                     label_of(table),
                     header,
                     rows,
                     notes_of(table));
  }
  return out +
         fmt::format(
             "\\begin{{table}}[htbp]\n\\centering\n{0}\n{1}\n\\begin{{tabular}}{{@{{}}{2}@{{}}"
             "}}\n\\toprule\n{3}\\midrule\n{4}\\bottomrule\n\\end{{tabular}}\n{5}"
             "\\end{{table}}\n",
             label_of(table),
             style,
             columns,
             header,
             rows,
             notes_of(table));
}

constexpr std::string_view kPreamble =
    R"tex(% Compiles with pdflatex, xelatex and lualatex. Characters beyond Latin-1 (Chinese names, say) need xelatex or
% lualatex with a font that has them; pdflatex shows their numbers.
% The figures are figures/*.svg. To have them in the document, convert them first:
%   for f in figures/*.svg; do rsvg-convert -f pdf -o "${f%.svg}.pdf" "$f"; done
% For a document of your own: \usepackage{booktabs,longtable} and \input{tables/NAME}.
\documentclass[10pt]{article}
\ifdefined\Umathchar
  \usepackage{fontspec}
  \ifdefined\XeTeXrevision\IfFileExists{xeCJK.sty}{\usepackage{xeCJK}}{}\fi
\else
  \usepackage[utf8]{inputenc}
  \usepackage[T1]{fontenc}
  \usepackage{textcomp}
  \IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\fi
\usepackage[a3paper,landscape,margin=12mm]{geometry}
\usepackage{booktabs,longtable,graphicx}
\extrafloats{100}
\setlength{\parindent}{0pt}
\setlength{\emergencystretch}{3em}
)tex";

struct PartWriter {
  std::string operator()(const Figure& figure) const {
    const std::string file = file_name("figures", figure.id, "");
    return fmt::format(
        "\\IfFileExists{{{0}.pdf}}{{\\begin{{center}}\\includegraphics[width=0.6\\textwidth]{{{0}."
        "pdf}}"
        "\\par {1}\\end{{center}}}}{{{2}\\par}}\n\n",
        file,
        escape_latex(figure.title),
        escape_latex(phrases_in(figure.language)(
            "page.figure", fmt::arg("file", file + ".svg"), fmt::arg("title", figure.title))));
  }

  std::string operator()(const ResultTable& table) const {
    return fmt::format("\\input{{{}}}\n\n", file_name("tables", table.id, ""));
  }
};

std::string paragraphs(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) {
    out += escape_latex(text) + "\n\n";
  }
  return out;
}

std::string queries(const ReportDocument& document) {
  const Phrases& say = phrases_in(document.language);
  std::string out = fmt::format("\\section*{{{}}}\n{}\n\n",
                                escape_latex(say("page.queries")),
                                escape_latex(say("page.queries_note")));
  for (const ResultTable* table : tables_of(document)) {
    const std::string query = query_of(*table);
    if (query.empty() || table->rows.empty()) {
      continue;
    }
    out += fmt::format(
        "\\paragraph{{\\texttt{{{}}}}}\\mbox{{}}\\par{{\\scriptsize\\ttfamily\\raggedright\n",
        escape_latex(table->id));
    for (const std::string_view line : base::split(query, '\n')) {
      out += fmt::format("{}\\par\n", escape_latex(line));
    }
    out += "}\n";
  }
  return out;
}

std::string main_text(const ReportDocument& document) {
  std::string out = std::string(kPreamble) + std::string(kCharacterMacro);
  out += fmt::format("\\begin{{document}}\n{{\\LARGE {}\\par}}\\bigskip\n\n",
                     escape_latex(document.title));
  for (const std::string& text : document.warned) {
    out += fmt::format("\\textbf{{{}}}\n\n", escape_latex(text));
  }
  out += paragraphs(document.paragraphs);
  for (const ReportSection& section : document.sections) {
    out += fmt::format("\\section*{{{}}}\n", escape_latex(section.title));
    out += paragraphs(section.paragraphs);
    for (const ReportPart& part : section.parts) {
      out += std::visit(PartWriter{}, part);
    }
    out += paragraphs(section.remarks) + "\\clearpage\n";
  }
  return out + queries(document) + "\\end{document}\n";
}

}  // namespace

std::vector<ReportFile> to_latex(const ReportDocument& document) {
  std::vector<ReportFile> files{{.name = "report.tex", .text = main_text(document)}};
  for (const ResultTable* table : tables_of(document)) {
    files.push_back({.name = file_name("tables", table->id, "tex"), .text = table_text(*table)});
  }
  return files;
}

}  // namespace sortie::analysis
