#include "sortie/analysis/report.h"

#include "sortie/analysis/files.h"
#include "sortie/analysis/phrases.h"
#include "sortie/analysis/report_data.h"
#include "sortie/analysis/summary.h"
#include "sortie/app/command.h"
#include "sortie/base/text.h"
#include "sortie/ledger/reader.h"
#include "sortie/monitor/web_index.h"
#include "sortie/monitor/web_runs.h"
#include "sortie/spec/cells.h"

#include <filesystem>
#include <fstream>
#include <ios>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct ReportOptions {
  std::string run;
  std::string format = "html";
  std::string output;
  std::string only;
  std::string baseline;
  std::string language = "en";
  bool json = false;
};

/// The id of the run's scenario that `wanted` names: an id, or a preset's number.
base::Result<std::string> scenario_of(const analysis::ReportData& data, const std::string& wanted) {
  std::string id = spec::preset_named(wanted).value_or(wanted);
  std::set<std::string> known;
  for (const analysis::GroupSummary& group : data.summary.groups) {
    known.insert(group.scenario);
  }
  if (known.contains(id)) {
    return id;
  }
  const std::vector<std::string> names(known.begin(), known.end());
  return base::bad_input(fmt::format(
      "--only {}: this run has no such scenario{}", wanted, base::suggestion(wanted, names)));
}

/// A report takes the place of an older one, never that of a ledger.
base::Status check_no_database(const std::string& path) {
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  std::ifstream file(path, std::ios::binary);
  std::string begin(kMagic.size(), ' ');
  if (file.read(begin.data(), static_cast<std::streamsize>(begin.size())) && begin == kMagic) {
    return base::failure(
        base::Remedy::bad_input,
        base::ErrorCode::refused,
        fmt::format("{} is a database, which a report never replaces: name another file with -o",
                    path));
  }
  return {};
}

base::Result<std::string> write_report(const ReportOptions& options) {
  TRY_ASSIGN(const analysis::Language language, analysis::language_of_code(options.language));
  TRY_ASSIGN(const std::string directory, run_directory(options.run));
  TRY_ASSIGN(const auto reader, ledger::Reader::open(directory));
  TRY_ASSIGN(analysis::ReportData data,
             analysis::collect_report(
                 *reader,
                 {.scripted_agents = true,
                  .cache_directory = (std::filesystem::path(directory) / "cache").string(),
                  .language = language,
                  .baseline_model = options.baseline}));
  if (!monitor::seems_live({.name = {}, .directory = directory})) {
    TRY(monitor::TrialIndex::keep(directory));
  }
  std::string name = "report";
  if (!options.only.empty()) {
    TRY_ASSIGN(const std::string scenario, scenario_of(data, options.only));
    name = fmt::format("report-{}", scenario);  // a part never replaces the whole
    data = analysis::only_scenario(std::move(data), scenario);
  }
  if (options.json) {
    return json::to_pretty_text(analysis::tables_json(data));
  }
  if (options.format == "text" && options.output.empty()) {
    return analysis::to_text(data);
  }
  const auto format = analysis::report_format_from(options.format);
  name += (format.has_value() ? "-" + options.format : "") +
          (options.language == "en" ? "" : "." + options.language) +
          (format.has_value() ? "" : ".html");
  const std::string path =
      options.output.empty() ? (std::filesystem::path(directory) / name).string() : options.output;
  if (format.has_value()) {
    TRY(analysis::write_report(path, analysis::report_files(analysis::document_of(data), *format)));
  } else {
    TRY(check_no_database(path));
    TRY(analysis::write_atomically(
        path, options.format == "text" ? analysis::to_text(data) : analysis::to_html(data)));
  }
  return path + "\n";
}

int report(const ReportOptions& options) {
  const auto printed = write_report(options);
  if (!printed.has_value()) {
    return fail(printed.error(), options.json);
  }
  print_text(*printed);
  return kDone;
}

}  // namespace

void add_report(CLI::App& root, Action& action) {
  const auto options = std::make_shared<ReportOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand("report", "Write the tables and figures of a run");
  command->add_option("RUN", options->run, "Run directory, or its name under runs/")->required();
  command
      ->add_option("--format",
                   options->format,
                   "html (one page), text (the tables, printed), markdown (report.md), latex "
                   "(report.tex and "
                   "tables/*.tex, booktabs), csv (tables/*.csv); the last three are a folder with "
                   "the figures "
                   "as SVG and index.json, which names each table's query. The path is printed")
      ->check(CLI::IsMember({"html", "text", "markdown", "latex", "csv"}))
      ->capture_default_str();
  command->add_option("-o,--output",
                      options->output,
                      "Where to write instead of RUN/report.html or RUN/report-FORMAT, with --only "
                      "RUN/report-ID.html or RUN/report-ID-FORMAT; in another language "
                      "RUN/report.zh.html and so on");
  command->add_option("--only", options->only, "One scenario: its id, or a preset's number (5.4)");
  command->add_option(
      "--baseline",
      options->baseline,
      "Model that the others are compared with in 5.1 (paired, Holm), instead of the "
      "one that the campaign declares");
  CLI::Option* language =
      command
          ->add_option(
              "--lang",
              options->language,
              "Language of the report's words: en or zh (simplified Chinese); names, codes "
              "and what models wrote stay as they are")
          ->capture_default_str();
  command
      ->add_flag(
          "--json", options->json, "Print the scored tables as one JSON document and write no file")
      ->excludes(language);
  command->footer(
      "Example:  sortie report quickstart --format text --only 5.5\n"
      "          sortie report quickstart --format latex -o paper/tables\n"
      "A report takes an older one's place once it is complete. docs/guide/reading-a-report.md "
      "says "
      "how to read it.");
  command->callback([&action, options] { action = [options] { return report(*options); }; });
}

}  // namespace sortie::app
