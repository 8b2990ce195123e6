#include "sortie/analysis/report.h"

#include "sortie/analysis/export.h"
#include "sortie/analysis/report_data.h"
#include "sortie/analysis/summary.h"
#include "sortie/app/command.h"
#include "sortie/ledger/reader.h"

#include <filesystem>
#include <memory>
#include <string>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct ReportOptions {
  std::string run;
  std::string format = "html";
  std::string output;
  bool json = false;
};

base::Result<std::string> write_report(const ReportOptions& options) {
  TRY_ASSIGN(const std::string directory, run_directory(options.run));
  TRY_ASSIGN(const auto reader, ledger::Reader::open(directory));
  TRY_ASSIGN(const analysis::ReportData data, analysis::collect_report(*reader));
  if (options.json) {
    return json::to_pretty_text(analysis::to_json(data.summary));
  }
  if (options.format == "text") {
    return analysis::to_text(data.summary);
  }
  const std::string path = options.output.empty()
                               ? (std::filesystem::path(directory) / "report.html").string()
                               : options.output;
  TRY(analysis::write_atomically(path, analysis::to_html(data)));
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
      ->add_option(
          "--format", options->format, "html (a file, whose path is printed) or text (the table)")
      ->check(CLI::IsMember({"html", "text"}))
      ->capture_default_str();
  command->add_option(
      "-o,--output", options->output, "Where to write the page instead of RUN/report.html");
  command->add_flag(
      "--json", options->json, "Print the scored tables as one JSON document and write no file");
  command->footer("Example:  sortie report quickstart");
  command->callback([&action, options] { action = [options] { return report(*options); }; });
}

}  // namespace sortie::app
