#include "sortie/analysis/row_text.h"
#include "sortie/app/command.h"
#include "sortie/ledger/sql_session.h"

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <unistd.h>

namespace sortie::app {

namespace {

struct SqlOptions {
  std::vector<std::string> words;  // runs, then the question
  std::string format = "text";
  bool json = false;
};

/// The run's name, or as it was typed where two have the same.
base::Result<std::vector<ledger::NamedRun>> named_runs(std::span<const std::string> words) {
  std::vector<ledger::NamedRun> runs;
  std::set<std::string> names;
  for (const std::string& word : words) {
    TRY_ASSIGN(const std::string directory, run_directory(word));
    namespace fs = std::filesystem;
    std::error_code error;
    fs::path path = fs::absolute(directory, error).lexically_normal();
    path = path.has_filename() ? path : path.parent_path();
    std::string name = path.filename().string();
    if (!names.insert(name).second) {
      name = word;
    }
    runs.push_back({.name = std::move(name), .directory = directory});
  }
  return runs;
}

std::string question_of(const SqlOptions& options) {
  if (options.words.back() != "-") {
    return options.words.back();
  }
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

/// False: nobody reads any more.
bool write(std::string_view text, bool terminal) {
  if (terminal) {
    print_text(text);
    return true;
  }
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
}

base::Status answer(const SqlOptions& options, std::string_view format) {
  if (options.words.size() < 2) {
    return base::bad_input("sql needs at least one RUN and a question, e.g. \"select …\"");
  }
  TRY_ASSIGN(const auto runs, named_runs(std::span(options.words).first(options.words.size() - 1)));
  TRY_ASSIGN(const auto session, ledger::SqlSession::open(runs));
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  const auto printer = analysis::RowPrinter::make(
      format, [&](std::string_view text) { return write(text, terminal); });
  TRY(session->scan(
      question_of(options),
      [&](const std::vector<std::string>& columns) { printer->columns(columns); },
      [&](std::span<const ledger::Cell> row) { return printer->row(row); }));
  printer->finish();
  std::fflush(stdout);
  return {};
}

int sql(const SqlOptions& options) {
  const base::Status answered = answer(options, options.json ? "json" : options.format);
  return answered.has_value() ? kDone : fail(answered.error(), options.json);
}

}  // namespace

void add_sql(CLI::App& root, Action& action) {
  const auto options = std::make_shared<SqlOptions>();  // owned by the callbacks below
  CLI::App* command =
      root.add_subcommand("sql", "Ask one or many runs a question of your own, in SQL");
  command
      ->add_option("RUN… QUESTION",
                   options->words,
                   "Run directories, or their names under runs/, then one SELECT (- reads it from "
                   "standard input)")
      ->required();
  command->add_option("--format", options->format, "text, csv, json or jsonl")
      ->check(CLI::IsMember({"text", "csv", "json", "jsonl"}))
      ->capture_default_str();
  command->add_flag("--json", options->json, "The same as --format json");
  command->footer(
      "Tables: run, manifest, cell, trial, attempt, attempt_end, turn, message, call, outcome, "
      "score, event, reuse\n"
      "Views:  trial_result, trial_state, cell_summary, attempt_full   (columns: "
      "docs/design/ledger.md)\n"
      "Each has a column `run` before the others. Nothing can be written. Rows come as they are "
      "found: results may be huge.\n"
      "Examples:\n"
      "  sortie sql quickstart \"select model, prompt, count(*), avg(success) from trial_result "
      "group by 1, 2\"\n"
      "  sortie sql june july \"select run, model, avg(success) from trial_result group by 1, 2\"\n"
      "  sortie sql quickstart --format csv \"select trial, turn, message_text(answer) from turn "
      "where trial = 7\"\n"
      "  sortie sql june july --format json \"select run, message_text(run, answer) from turn "
      "limit "
      "3\"");
  command->callback([&action, options] { action = [options] { return sql(*options); }; });
}

}  // namespace sortie::app
