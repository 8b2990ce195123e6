#include "sortie/analysis/export.h"

#include "sortie/analysis/export_check.h"
#include "sortie/analysis/tables.h"
#include "sortie/app/command.h"
#include "sortie/base/check.h"
#include "sortie/base/text.h"
#include "sortie/ledger/reader.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct ExportOptions {
  std::string run;
  std::string format = "parquet";
  std::string output;
  std::vector<std::string> tables;
  std::vector<std::string> check;  // empty, or two
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
  TRY_ASSIGN(const auto manifest,
             analysis::export_run(*reader, target, {.format = *format, .tables = options.tables}));
  if (options.json) {
    json::Value value = analysis::to_json(manifest);
    value.get_object()["directory"] = target;
    return json::to_pretty_text(value);
  }
  std::string text;
  for (const analysis::ExportedTable& table : manifest.tables) {
    for (const std::string& file : table.files) {
      text += fmt::format("{:>10} rows  {}\n",
                          file == table.files.front() ? fmt::to_string(table.rows) : "+",
                          (std::filesystem::path(target) / file).string());
    }
  }
  return text;
}

bool is_export(const std::string& directory) {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::path(directory) / "manifest.json", error);
}

base::Result<analysis::ExportComparison> compare(std::string first, std::string second) {
  if (!is_export(first)) {
    std::swap(first, second);
  }
  if (!is_export(first)) {
    return base::bad_input(
        fmt::format("--check compares two exports, or an export and a run: neither {} nor {} holds "
                    "a manifest.json",
                    second,
                    first));
  }
  if (is_export(second)) {
    return analysis::compare_exports(first, second);
  }
  TRY_ASSIGN(const std::string directory, run_directory(second));
  TRY_ASSIGN(const auto reader, ledger::Reader::open(directory));
  return analysis::compare_export(first, *reader);
}

int check(const ExportOptions& options) {
  const auto result = compare(options.check[0], options.check[1]);
  if (!result.has_value()) {
    return fail(result.error(), options.json);
  }
  const std::optional<std::string>& difference = result->difference;
  if (options.json) {
    print_json(json::Object{{"equal", !difference.has_value()},
                            {"tables", result->tables},
                            {"rows", result->rows},
                            {"difference", difference.value_or("")}});
  } else if (difference.has_value()) {
    print_text(fmt::format("different: {}\n", *difference));
  } else {
    print_text(
        fmt::format("equal: {} tables, {} rows, every field\n", result->tables, result->rows));
  }
  return difference.has_value() ? kRefused : kDone;
}

int export_tables(const ExportOptions& options) {
  if (!options.check.empty()) {
    return check(options);
  }
  if (options.run.empty()) {
    return fail(base::bad_input("export needs a RUN, or two folders to --check").error(),
                options.json);
  }
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
  command->add_option("RUN", options->run, "Run directory, or its name under runs/");
  command->add_option("--format", options->format, "parquet, json, jsonl or csv")
      ->check(CLI::IsMember({"parquet", "json", "jsonl", "csv"}))
      ->capture_default_str();
  command->add_option(
      "-o,--output", options->output, "Folder to write to instead of RUN/export/FORMAT");
  command
      ->add_option("--tables",
                   options->tables,
                   fmt::format("Only these, separated by commas: {}",
                               base::join(analysis::export_table_names(), ", ")))
      ->delimiter(',');
  command
      ->add_option(
          "--check",
          options->check,
          "Write nothing: prove that two exports, or an export and a run, are equal in every "
          "field, whatever the formats, or name the first difference (exit code 3)")
      ->expected(2);
  command->add_flag(
      "--json", options->json, "Print the manifest, or the verdict, as one JSON document");
  command->footer(
      "Example:  sortie export quickstart --format parquet\n"
      "          sortie export quickstart --format csv --tables trials,scores -o tables\n"
      "          sortie export --check runs/quickstart/export/parquet quickstart\n"
      "The folder is replaced as a whole, once the new export is complete.");
  command->callback([&action, options] { action = [options] { return export_tables(*options); }; });
}

}  // namespace sortie::app
