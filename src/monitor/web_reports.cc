#include "sortie/monitor/web_reports.h"

#include "sortie/analysis/report.h"
#include "sortie/analysis/report_data.h"
#include "sortie/analysis/report_document.h"
#include "sortie/ledger/reader.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include <fmt/format.h>

namespace sortie::monitor {

namespace {

base::Result<WebReport> make(ledger::Reader& reader,
                             const RunPlace& place,
                             analysis::Language language) {
  TRY_ASSIGN(const std::int64_t trials, reader.count("SELECT max(id) FROM trial"));
  if (trials > WebReports::kTrialsMax) {
    return base::failure(
        base::Remedy::bad_input,
        base::ErrorCode::invalid,
        fmt::format("a report of {} trials takes too long to be made here; in a terminal: sortie "
                    "report {}{}",
                    trials,
                    place.directory,
                    language == analysis::Language::chinese ? " --lang zh" : ""));
  }
  WebReport report;
  report.directory = place.directory;
  report.language = language;
  // As `sortie report` makes it.
  TRY_ASSIGN(const analysis::ReportData data,
             analysis::collect_report(
                 reader,
                 {.scripted_agents = true,
                  .cache_directory = (std::filesystem::path(place.directory) / "cache").string(),
                  .language = language}));
  const analysis::ReportDocument document = analysis::document_of(data);
  report.mark = document.mark;
  report.html = analysis::to_html(data);
  json::Array figures;
  for (const analysis::Figure* figure : analysis::figures_of(document)) {
    figures.push_back(json::Object{{"title", figure->title}, {"table", figure->table}});
    report.svgs.push_back(analysis::to_svg(*figure, true));
  }
  report.figures = std::move(figures);
  return report;
}

}  // namespace

base::Result<const WebReport*> WebReports::of(const RunPlace& place, analysis::Language language) {
  TRY_ASSIGN(const auto reader, ledger::Reader::open(place.directory));
  TRY_ASSIGN(const std::string mark, reader->high_water_mark());
  const auto found = std::ranges::find_if(reports_, [&](const WebReport& report) {
    return report.directory == place.directory && report.language == language;
  });
  if (found != reports_.end()) {
    if (found->mark == mark) {
      reports_.splice(reports_.begin(), reports_, found);
      return &reports_.front();
    }
    reports_.erase(found);
  }
  TRY_ASSIGN(WebReport report, make(*reader, place, language));
  reports_.push_front(std::move(report));
  if (reports_.size() > kReportsMax) {
    reports_.pop_back();
  }
  return &reports_.front();
}

}  // namespace sortie::monitor
