#include "sortie/suite/suite.h"

#include "sortie/analysis/text_table.h"
#include "sortie/app/command.h"
#include "sortie/app/suite_files.h"
#include "sortie/base/text.h"
#include "sortie/score/suite_proofs.h"
#include "sortie/spec/model.h"
#include "sortie/spec/suite_folder.h"
#include "sortie/suite/generator.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"
#include "sortie/suite/validator.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct SuiteOptions {
  std::string folder;  // of a user's suite; empty: the built-in one
  std::string type;
  std::string task;
  std::string directory;
  std::uint64_t seed = suite::GeneratorOptions().seed;
  bool json = false;
};

struct TypeSummary {
  std::size_t tasks = 0;
  std::size_t eligible = 0;
  std::set<std::string> sequences;
};

std::map<suite::TaskType, TypeSummary> summary_of(const suite::Suite& suite) {
  std::map<suite::TaskType, TypeSummary> types;
  for (const suite::Task& task : suite.tasks()) {
    TypeSummary& type = types[task.type];
    ++type.tasks;
    type.eligible += task.eligible ? 1U : 0U;
    type.sequences.insert(suite::operation_sequence(task));
  }
  return types;
}

constexpr std::string_view kNotReviewed = "not reviewed by people";

std::vector<suite::Difficulty> levels_of(const suite::Suite& suite) {
  std::vector<suite::Difficulty> levels;
  std::ranges::copy_if(suite::kDifficulties,
                       std::back_inserter(levels),
                       [&](suite::Difficulty level) { return suite.texts(level) > 0; });
  return levels;
}

json::Array levels_json(const suite::Suite& suite) {
  json::Array levels;
  for (const suite::Difficulty level : levels_of(suite)) {
    levels.push_back(json::Object{{"level", suite::to_string(level)},
                                  {"texts", suite.texts(level)},
                                  {"reviewed", suite.reviewed().contains(level)}});
  }
  return levels;
}

std::string levels_text(const suite::Suite& suite) {
  analysis::TextTable table({"level", "texts", "people"});
  for (const suite::Difficulty level : levels_of(suite)) {
    table.add({std::string(suite::to_string(level)),
               fmt::to_string(suite.texts(level)),
               suite.reviewed().contains(level) ? "reviewed" : std::string(kNotReviewed)});
  }
  return table.render();
}

json::Value types_json(const suite::Suite& suite) {
  json::Array types;
  for (const auto& [type, summary] : summary_of(suite)) {
    types.push_back(json::Object{{"type", suite::to_string(type)},
                                 {"tasks", summary.tasks},
                                 {"eligible", summary.eligible},
                                 {"sequences", summary.sequences.size()}});
  }
  return json::Object{{"suite", suite.name()},
                      {"version", suite.version().hex()},
                      {"tools", suite.catalog().tools().size()},
                      {"tasks", suite.tasks().size()},
                      {"world_version", suite.catalog().version().hex()},
                      {"types", std::move(types)},
                      {"levels", levels_json(suite)}};
}

std::string types_text(const suite::Suite& suite) {
  analysis::TextTable table({"type", "tasks", "eligible", "sequences"});
  for (const auto& [type, summary] : summary_of(suite)) {
    table.add({std::string(suite::to_string(type)),
               fmt::to_string(summary.tasks),
               fmt::to_string(summary.eligible),
               fmt::to_string(summary.sequences.size())});
  }
  return fmt::format("{}, {} tools, {} tasks, version {}\n\n{}\n{}",
                     suite.name(),
                     suite.catalog().tools().size(),
                     suite.tasks().size(),
                     suite.version().hex(),
                     table.render(),
                     levels_text(suite));
}

json::Value tasks_json(const suite::Suite& suite, suite::TaskType type) {
  json::Array tasks;
  for (const suite::Task& task : suite.tasks()) {
    if (task.type == type) {
      tasks.push_back(json::Object{{"task", task.id},
                                   {"eligible", task.eligible},
                                   {"sequence", suite::operation_sequence(task)},
                                   {"hash", task.hash.hex()}});
    }
  }
  return json::Object{{"suite", suite.name()}, {"tasks", std::move(tasks)}};
}

std::string tasks_text(const suite::Suite& suite, suite::TaskType type) {
  analysis::TextTable table({"task", "operations", "hash"});
  for (const suite::Task& task : suite.tasks()) {
    if (task.type == type) {
      table.add({task.id, suite::operation_sequence(task), task.hash.hex()});
    }
  }
  return table.render();
}

base::Result<std::string> list(const SuiteOptions& options) {
  TRY_ASSIGN(const suite::Suite suite, spec::suite_in(options.folder));
  if (options.type.empty()) {
    return options.json ? json::to_pretty_text(types_json(suite)) : types_text(suite);
  }
  const auto type = suite::task_type_from(options.type);
  if (!type.has_value()) {
    return base::bad_input(
        fmt::format("'{}' is no task type; `sortie suite list` shows them", options.type));
  }
  return options.json ? json::to_pretty_text(tasks_json(suite, *type)) : tasks_text(suite, *type);
}

std::string task_text(const suite::Task& task) {
  std::string out = fmt::format("{}  {}\n", task.id, task.hash.hex());
  for (const suite::Difficulty difficulty : suite::kDifficulties) {
    if (!task.text(difficulty).empty()) {
      out += fmt::format("\n── {} ──\n{}\n", suite::to_string(difficulty), task.text(difficulty));
    }
  }
  out += "\n── reference plan ──\n";
  std::size_t n = 0;
  for (const suite::Step& step : task.plan) {
    out += fmt::format("{}. {} {}\n", ++n, step.tool, json::to_text(step.arguments));
  }
  return out;
}

base::Result<std::string> show(const SuiteOptions& options) {
  TRY_ASSIGN(const suite::Suite suite, spec::suite_in(options.folder));
  const suite::Task* task = suite.find(options.task);
  if (task == nullptr) {
    return base::failure(
        base::Remedy::bad_input,
        base::ErrorCode::not_found,
        fmt::format("no task '{}' in {}; `sortie suite list --type TYPE` names them",
                    options.task,
                    suite.name()));
  }
  if (options.json) {
    return json::to_pretty_text(suite::to_json(*task));
  }
  return task_text(*task);
}

struct Validation {
  std::string text;
  bool good = false;
};

/// The built-in suite has no files that a user could mend: its tasks stand at no place.
base::Result<spec::LoadedSuite> load(const SuiteOptions& options) {
  if (!options.folder.empty()) {
    return spec::load_suite(options.folder);
  }
  spec::LoadedSuite built_in;
  TRY_ASSIGN(built_in.suite, suite::Suite::pilot());
  return built_in;
}

/// Where a finding's task stands; of the suite as a whole, or of the built-in one, only the file.
spec::Position place_of(const spec::LoadedSuite& loaded, const suite::Finding& finding) {
  const auto found = loaded.places.find(finding.task);
  return found == loaded.places.end() ? spec::Position{.file = loaded.file} : found->second;
}

json::Value finding_json(const spec::LoadedSuite& loaded, const suite::Finding& finding) {
  json::Object row{{"task", finding.task},
                   {"rule", finding.rule},
                   {"message", finding.message},
                   {"advice", finding.advice}};
  if (const spec::Position place = place_of(loaded, finding); !place.file.empty()) {
    row["file"] = place.file;
    row["line"] = place.line;
  }
  return row;
}

std::string finding_text(const spec::LoadedSuite& loaded, const suite::Finding& finding) {
  const spec::Position place = place_of(loaded, finding);
  std::string prefix;
  if (place.line > 0) {
    prefix = fmt::format("{}:{}:{}: ", place.file, place.line, place.column);
  } else if (!place.file.empty()) {
    prefix = place.file + ": ";
  }
  return fmt::format("{}{}: {}: {}{}\n",
                     prefix,
                     finding.task.empty() ? loaded.suite.name() : finding.task,
                     finding.rule,
                     finding.message,
                     finding.advice ? " (advice)" : "");
}

base::Result<Validation> validate(const SuiteOptions& options) {
  TRY_ASSIGN(const spec::LoadedSuite loaded, load(options));
  const suite::Suite& suite = loaded.suite;
  // A user's texts are of no lexicon of ours, and a user's suite may be as small as it likes.
  const bool built_in = !suite.catalog().declared();
  std::vector<suite::Finding> findings =
      suite::validate(suite, {.lexicon = built_in, .full_size = built_in});
  std::ranges::move(score::prove_reachable(suite), std::back_inserter(findings));
  std::ranges::move(score::prove_search(suite), std::back_inserter(findings));
  const auto broken =
      std::ranges::count_if(findings, [](const suite::Finding& f) { return !f.advice; });
  Validation validation{.text = {}, .good = broken == 0};
  if (options.json) {
    json::Array rows;
    for (const suite::Finding& finding : findings) {
      rows.push_back(finding_json(loaded, finding));
    }
    validation.text = json::to_pretty_text(json::Object{{"suite", suite.name()},
                                                        {"tasks", suite.tasks().size()},
                                                        {"ok", validation.good},
                                                        {"findings", std::move(rows)}});
    return validation;
  }
  for (const suite::Finding& finding : findings) {
    validation.text += finding_text(loaded, finding);
  }
  const auto advice = static_cast<std::ptrdiff_t>(findings.size()) - broken;
  validation.text += fmt::format("{}: {} tasks, {} findings{}\n",
                                 suite.name(),
                                 suite.tasks().size(),
                                 broken,
                                 advice == 0 ? "" : fmt::format(", {} pieces of advice", advice));
  if (broken > 0) {
    validation.text += "What each rule asks for: docs/reference/suites.md\n";
  }
  return validation;
}

int answer(const base::Result<std::string>& text, bool json) {
  if (!text.has_value()) {
    return fail(text.error(), json);
  }
  print_text(*text);
  return kDone;
}

base::Result<std::string> written(const SuiteOptions& options,
                                  base::Result<std::vector<std::string>> paths) {
  if (!paths.has_value()) {
    return std::unexpected(std::move(paths).error());
  }
  if (options.json) {
    return json::to_pretty_text(json::Object{{"files", json::Array(paths->begin(), paths->end())}});
  }
  return base::join(*paths, "\n") + "\n";
}

base::Result<std::string> generate(const SuiteOptions& options) {
  return written(options, write_generated_tasks(options.directory, options.seed));
}

base::Result<std::string> review(const SuiteOptions& options) {
  TRY_ASSIGN(const suite::Suite suite, spec::suite_in(options.folder));
  return written(options, write_review_sheet(suite, options.directory));
}

int validate_command(const SuiteOptions& options) {
  const auto validation = validate(options);
  if (!validation.has_value()) {
    return fail(validation.error(), options.json);
  }
  print_text(validation->text);
  return validation->good ? kDone : kRefused;
}

}  // namespace

void add_suite(CLI::App& root, Action& action) {
  const auto options = std::make_shared<SuiteOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand("suite", "A suite as data: the built-in one or your own");
  command->require_subcommand(1);
  command->add_flag("--json", options->json, "Print one JSON document");
  command->add_option("--suite", options->folder, "Folder of a suite of your own");
  command->footer("Example:  sortie suite show simple_task-001");
  command->fallthrough();

  CLI::App* listing = command->add_subcommand("list", "The suite's card, or the tasks of one type");
  listing->add_option("--type", options->type, "The tasks of this type");
  listing->footer("Example:  sortie suite list --type data_pipeline");
  listing->callback(
      [&action, options] { action = [options] { return answer(list(*options), options->json); }; });

  CLI::App* showing =
      command->add_subcommand("show", "A task: its texts at each level and its reference plan");
  showing->add_option("TASK", options->task, "Its id")->required();
  showing->footer("Example:  sortie suite show simple_task-001");
  showing->callback(
      [&action, options] { action = [options] { return answer(show(*options), options->json); }; });

  CLI::App* generating = command->add_subcommand("generate", "Write the generator's task files");
  generating->add_option("FOLDER", options->directory, "Where to")->required();
  generating->add_option("--seed", options->seed, "Another seed gives other tasks")
      ->capture_default_str();
  generating->footer(
      "Example:  sortie suite generate /tmp/pilot\nWith the default seed these are the files that "
      "the suite is made of, byte for byte.");
  generating->callback([&action, options] {
    action = [options] { return answer(generate(*options), options->json); };
  });

  CLI::App* reviewing =
      command->add_subcommand("review", "Write a sheet of texts for readers, and its key");
  reviewing->add_option("FOLDER", options->directory, "Where to")->required();
  reviewing->footer("Example:  sortie suite review /tmp/review");
  reviewing->callback([&action, options] {
    action = [options] { return answer(review(*options), options->json); };
  });

  CLI::App* validating = command->add_subcommand(
      "validate", "Prove by running every task that the suite's numbers can be trusted");
  validating->add_option("FOLDER", options->folder, "Of a suite of your own");
  validating->footer(
      "Example:  sortie suite validate\n          sortie suite validate orders\nExit code 3 when a "
      "rule is broken, one line each: file, task, rule. 2 when the suite cannot be read.");
  validating->callback(
      [&action, options] { action = [options] { return validate_command(*options); }; });
}

}  // namespace sortie::app
