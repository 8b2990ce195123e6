#include "sortie/analysis/export.h"

#include "sortie/app/command.h"
#include "sortie/base/check.h"
#include "sortie/ledger/reader.h"

#include <filesystem>
#include <memory>
#include <string>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct ExportOptions {
  std::string run;
  std::string format = "parquet";
  std::string output;
  bool json = false;
};

base::Result<std::string> write_export(const ExportOptions& options) {
  TRY_ASSIGN(const std::string directory, run_directory(options.run));
  TRY_ASSIGN(const auto reader, ledger::Reader::open(directory));
  const auto format = analysis::export_format_from(options.format);
  CHECK(format.has_value());  // the command line admits no other
  const std::string target =
      options.output.empty()
          ? (std::filesystem::path(directory) / "export" / options.format).string()
          : options.output;
  TRY_ASSIGN(const auto manifest, analysis::export_run(*reader, target, *format));
  if (options.json) {
    json::Value value = analysis::to_json(manifest);
    value.get_object()["directory"] = target;
    return json::to_pretty_text(value);
  }
  std::string text;
  for (const analysis::ExportedTable& table : manifest.tables) {
    text += fmt::format(
        "{:>10} rows  {}\n", table.rows, (std::filesystem::path(target) / table.file).string());
  }
  return text;
}

int export_tables(const ExportOptions& options) {
  const auto printed = write_export(options);
  if (!printed.has_value()) {
    return fail(printed.error(), options.json);
  }
  print_text(*printed);
  return kDone;
}

}  // namespace

void add_export(CLI::App& root, Action& action) {
  const auto options = std::make_shared<ExportOptions>();  // owned by the callbacks below
  CLI::App* command =
      root.add_subcommand("export", "Write every table of a run as files for other programs");
  command->add_option("RUN", options->run, "Run directory, or its name under runs/")->required();
  command->add_option("--format", options->format, "parquet, json, jsonl or csv")
      ->check(CLI::IsMember({"parquet", "json", "jsonl", "csv"}))
      ->capture_default_str();
  command->add_option(
      "-o,--output", options->output, "Folder to write to instead of RUN/export/FORMAT");
  command->add_flag("--json", options->json, "Print the manifest as one JSON document");
  command->footer("Example:  sortie export quickstart --format parquet");
  command->callback([&action, options] { action = [options] { return export_tables(*options); }; });
}

}  // namespace sortie::app
