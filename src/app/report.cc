#include "sortie/analysis/report.h"

#include "sortie/analysis/files.h"
#include "sortie/analysis/report_data.h"
#include "sortie/analysis/summary.h"
#include "sortie/app/command.h"
#include "sortie/base/text.h"
#include "sortie/ledger/reader.h"
#include "sortie/spec/cells.h"

#include <filesystem>
#include <memory>
#include <set>
#include <string>
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

base::Result<std::string> write_report(const ReportOptions& options) {
  TRY_ASSIGN(const std::string directory, run_directory(options.run));
  TRY_ASSIGN(const auto reader, ledger::Reader::open(directory));
  TRY_ASSIGN(analysis::ReportData data,
             analysis::collect_report(
                 *reader,
                 {.scripted_agents = true,
                  .cache_directory = (std::filesystem::path(directory) / "cache").string()}));
  std::string name = "report.html";
  if (!options.only.empty()) {
    TRY_ASSIGN(const std::string scenario, scenario_of(data, options.only));
    name = fmt::format("report-{}.html", scenario);  // a part never replaces the whole
    data = analysis::only_scenario(std::move(data), scenario);
  }
  if (options.json) {
    return json::to_pretty_text(analysis::tables_json(data));
  }
  if (options.format == "text") {
    return analysis::to_text(data);
  }
  const std::string path =
      options.output.empty() ? (std::filesystem::path(directory) / name).string() : options.output;
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
          "--format", options->format, "html (a file, whose path is printed) or text (the tables)")
      ->check(CLI::IsMember({"html", "text"}))
      ->capture_default_str();
  command->add_option(
      "-o,--output",
      options->output,
      "Where to write the page instead of RUN/report.html, with --only RUN/report-ID.html");
  command->add_option("--only", options->only, "One scenario: its id, or a preset's number (5.4)");
  command->add_flag(
      "--json", options->json, "Print the scored tables as one JSON document and write no file");
  command->footer("Example:  sortie report quickstart --format text --only 5.5");
  command->callback([&action, options] { action = [options] { return report(*options); }; });
}

}  // namespace sortie::app
