#pragma once

#include "sortie/analysis/figures.h"
#include "sortie/analysis/phrases.h"
#include "sortie/analysis/report_data.h"
#include "sortie/analysis/result_table.h"

#include <string>
#include <variant>
#include <vector>

// A report as a value: what every format renders, in its order.

namespace sortie::analysis {

using ReportPart = std::variant<Figure, ResultTable>;

struct ReportSection {
  std::string title;
  std::vector<std::string> paragraphs;  // before the parts
  std::vector<ReportPart> parts;
  std::vector<std::string> remarks;  // after them
};

struct ReportDocument {
  std::string title;                // the campaign's name
  std::string mark;                 // the ledger's high-water mark
  std::vector<std::string> warned;  // to be seen before anything else
  std::vector<std::string> paragraphs;
  std::vector<ReportSection> sections;
  Language language = Language::english;
};

[[nodiscard]] ReportDocument document_of(const ReportData& data);

/// All tables of a document, in order.
[[nodiscard]] std::vector<const ResultTable*> tables_of(const ReportDocument& document);

/// All figures of a document, in order.
[[nodiscard]] std::vector<const Figure*> figures_of(const ReportDocument& document);

/// What people read in a table's cell: control characters written out, and cut where it is long.
[[nodiscard]] std::string cell_text(const Value& value);

}  // namespace sortie::analysis
