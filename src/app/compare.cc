#include "sortie/analysis/cells.h"
#include "sortie/analysis/phrases.h"
#include "sortie/analysis/run_comparison.h"
#include "sortie/analysis/trial_rows.h"
#include "sortie/app/command.h"
#include "sortie/app/styled_text.h"
#include "sortie/base/columns.h"
#include "sortie/base/text.h"
#include "sortie/base/width.h"
#include "sortie/ledger/reader.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

constexpr std::size_t kTrialsShown = 10;

struct CompareOptions {
  std::vector<std::string> runs;
  std::map<std::string, std::vector<std::string>> factors;  // by name: two values
  std::size_t trials = kTrialsShown;
  std::string colour = "auto";
  std::string language = "en";
  bool json = false;
};

/// One run as a side.
struct ComparedRun {
  std::string directory;
  std::unique_ptr<ledger::Reader> reader;
  analysis::RunRows rows;
  std::string suite;
  std::string suite_text;
  std::string seed;
};

base::Result<std::string> manifest_text(ledger::Reader& reader, const std::string& name) {
  TRY_ASSIGN(const auto text, reader.manifest(name));
  return text.value_or("");
}

base::Result<ComparedRun> open_run(const std::string& name) {
  ComparedRun run;
  TRY_ASSIGN(run.directory, run_directory(name));
  TRY_ASSIGN(run.reader, ledger::Reader::open(run.directory));
  TRY_ASSIGN(run.rows, analysis::read_rows(*run.reader));
  TRY_ASSIGN(run.suite, manifest_text(*run.reader, "suite"));
  TRY_ASSIGN(run.suite_text, manifest_text(*run.reader, "suite_text"));
  TRY_ASSIGN(run.seed, manifest_text(*run.reader, "seed"));
  return run;
}

base::Result<analysis::ComparedSides> sides_of(const CompareOptions& options) {
  analysis::ComparedSides sides;
  for (const auto& [factor, values] : options.factors) {
    if (values.empty()) {
      continue;
    }
    if (!sides.factor.empty()) {
      return base::bad_input(
          fmt::format("--{} and --{}: sides that differ in two things cannot be told which made "
                      "the difference; "
                      "give one",
                      sides.factor,
                      factor));
    }
    if (values.size() != 2 || values[0] == values[1]) {
      return base::bad_input(
          fmt::format("--{} takes two different values, as in --{} A,B", factor, factor));
    }
    sides = {.factor = factor, .first = values[0], .second = values[1]};
  }
  if (sides.factor.empty() && options.runs.size() == 1) {
    return base::bad_input(
        "compare needs two runs, or what differs within one: --model A,B or --prompt "
        "baseline,optimal, say");
  }
  return sides;
}

/// "name (run)" of one side, as its heading says it.
std::string side_name(const std::string& value, const std::string& run) {
  return value.empty() ? run : fmt::format("{} ({})", value, run);
}

using TrialNumbers = std::map<std::tuple<std::string, std::string, std::int64_t>, std::int64_t>;

/// Numbers of these trials (cell, task, repeat).
base::Result<TrialNumbers> numbers_of(ledger::Reader& reader, TrialNumbers wanted) {
  TRY(reader.scan("SELECT id, lower(hex(cell)), task, repeat FROM trial",
                  [&](std::span<const ledger::Cell> row) {
                    const auto found = wanted.find({analysis::text_of(row[1]),
                                                    analysis::text_of(row[2]),
                                                    analysis::int_of(row[3])});
                    if (found != wanted.end()) {
                      found->second = analysis::int_of(row[0]);
                    }
                    return true;
                  }));
  return wanted;
}

/// A trial that only one side succeeded at, with its number on either side.
struct NumberedTrial {
  analysis::Disagreement what;
  std::int64_t first = 0;
  std::int64_t second = 0;
};

base::Result<std::vector<NumberedTrial>> numbered(const analysis::RunComparison& comparison,
                                                  std::size_t count,
                                                  ComparedRun& first,
                                                  ComparedRun& second) {
  std::vector<NumberedTrial> trials;
  TrialNumbers of_first;
  TrialNumbers of_second;
  for (const analysis::Disagreement& what : comparison.disagreements) {
    if (trials.size() == count) {
      break;
    }
    trials.push_back({.what = what});
    of_first[{first.rows.cells[what.first_cell].factors.id, what.task, what.repeat}] = 0;
    of_second[{second.rows.cells[what.second_cell].factors.id, what.task, what.repeat}] = 0;
  }
  TRY_ASSIGN(of_first, numbers_of(*first.reader, std::move(of_first)));
  TRY_ASSIGN(of_second, numbers_of(*second.reader, std::move(of_second)));
  for (NumberedTrial& trial : trials) {
    const analysis::Disagreement& what = trial.what;
    trial.first = of_first[{first.rows.cells[what.first_cell].factors.id, what.task, what.repeat}];
    trial.second =
        of_second[{second.rows.cells[what.second_cell].factors.id, what.task, what.repeat}];
  }
  return trials;
}

std::vector<std::string> remarks_of(const ComparedRun& first,
                                    const ComparedRun& second,
                                    const analysis::Phrases& say) {
  std::vector<std::string> remarks;
  if (first.seed != second.seed) {
    remarks.push_back(
        say("compare.seeds", fmt::arg("first", first.seed), fmt::arg("second", second.seed)));
  }
  if (first.rows.scorer != second.rows.scorer) {
    remarks.push_back(say("compare.scorers",
                          fmt::arg("first", first.rows.scorer),
                          fmt::arg("second", second.rows.scorer)));
  }
  return remarks;
}

/// The table, its lines coloured by what they show.
std::vector<Span> table_spans(const analysis::RunComparison& comparison,
                              analysis::Language language) {
  const std::string text = analysis::to_text(analysis::table_of(comparison, language));
  std::vector<Span> spans;
  std::size_t number = 0;
  constexpr std::size_t kHead = 3;  // title, header, rule
  for (const std::string_view line : base::split(text, '\n')) {
    Style style = number == 0 ? Style::heading : Style::plain;
    if (number >= kHead && number - kHead < comparison.lines.size()) {
      const std::string better = comparison.lines[number - kHead].better();
      style = better == "first" ? Style::good : better == "second" ? Style::bad : Style::plain;
    }
    spans.push_back({.style = style, .text = fmt::format("{}\n", line)});
    ++number;
  }
  return spans;
}

std::vector<Span> trial_spans(const analysis::RunComparison& comparison,
                              const std::vector<NumberedTrial>& trials,
                              const ComparedRun& first,
                              const ComparedRun& second,
                              const analysis::Phrases& say) {
  std::vector<Span> spans;
  if (trials.empty()) {
    return spans;
  }
  spans.push_back({.style = Style::heading,
                   .text = say("compare.trials",
                               fmt::arg("shown", trials.size()),
                               fmt::arg("all", comparison.disagreements.size())) +
                           "\n"});
  const std::string only_first = say("comparisons.only_first");
  const std::string only_second = say("comparisons.only_second");
  const std::size_t columns =
      std::max(base::display_width(only_first), base::display_width(only_second)) + 2;
  for (const NumberedTrial& trial : trials) {
    spans.push_back(
        {.style = trial.what.first_succeeded ? Style::good : Style::bad,
         .text = base::padded(trial.what.first_succeeded ? only_first : only_second, columns)});
    spans.push_back({.style = Style::plain,
                     .text = say("compare.trial",
                                 fmt::arg("task", trial.what.task),
                                 fmt::arg("repeat", trial.what.repeat),
                                 fmt::arg("first", first.directory),
                                 fmt::arg("first_trial", trial.first),
                                 fmt::arg("second", second.directory),
                                 fmt::arg("second_trial", trial.second)) +
                             "\n"});
  }
  return spans;
}

json::Value to_json(const analysis::RunComparison& comparison,
                    const std::vector<NumberedTrial>& trials,
                    const std::vector<std::string>& remarks) {
  json::Array list;
  for (const NumberedTrial& trial : trials) {
    list.push_back(json::Object{{"task", trial.what.task},
                                {"repeat", trial.what.repeat},
                                {"first_succeeded", trial.what.first_succeeded},
                                {"first_trial", trial.first},
                                {"second_trial", trial.second}});
  }
  json::Value table = analysis::to_json(analysis::table_of(comparison));
  json::Object& document = table.as_object();
  document["factor"] = comparison.sides.factor;
  document["first"] = comparison.sides.first;
  document["second"] = comparison.sides.second;
  document["disagreements"] = comparison.disagreements.size();
  document["trials"] = std::move(list);
  document["remarks"] = json::Array(remarks.begin(), remarks.end());
  return table;
}

base::Status print_comparison(const CompareOptions& options) {
  TRY_ASSIGN(const analysis::Language language, analysis::language_of_code(options.language));
  const analysis::Phrases& say = analysis::phrases_in(language);
  TRY_ASSIGN(const analysis::ComparedSides sides, sides_of(options));
  TRY_ASSIGN(ComparedRun first, open_run(options.runs.front()));
  TRY_ASSIGN(ComparedRun second, open_run(options.runs.back()));
  if (first.suite != second.suite || first.suite_text != second.suite_text) {
    return base::bad_input(
        fmt::format("the runs have different suites, {} and {}: trials of "
                    "different tasks are not compared",
                    first.suite,
                    second.suite));
  }
  TRY_ASSIGN(const auto comparison, analysis::compare_runs(first.rows, second.rows, sides));
  TRY_ASSIGN(const auto trials, numbered(comparison, options.trials, first, second));
  const std::vector<std::string> remarks = remarks_of(first, second, say);
  if (options.json) {
    print_json(to_json(comparison, trials, remarks));
    return {};
  }
  std::vector<Span> spans{
      {.style = Style::heading,
       .text = fmt::format(
           "{}\n{}\n\n",
           say("compare.side_first", fmt::arg("side", side_name(sides.first, first.directory))),
           say("compare.side_second",
               fmt::arg("side", side_name(sides.second, second.directory))))}};
  std::ranges::move(table_spans(comparison, language), std::back_inserter(spans));
  std::ranges::move(trial_spans(comparison, trials, first, second, say), std::back_inserter(spans));
  for (const std::string& remark : remarks) {
    spans.push_back({.style = Style::caution, .text = remark + "\n"});
  }
  print_spans(spans, wants_colour(options.colour));
  return {};
}

int compare(const CompareOptions& options) {
  const auto printed = print_comparison(options);
  return printed.has_value() ? kDone : fail(printed.error(), options.json);
}

}  // namespace

void add_compare(CLI::App& root, Action& action) {
  const auto options = std::make_shared<CompareOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand(
      "compare", "Two runs, or two models of a run, on the same tasks: paired differences");
  command
      ->add_option("RUN",
                   options->runs,
                   "One run directory (or its name under runs/) and what differs within it, or two")
      ->required()
      ->expected(1, 2);
  for (const std::string& factor : analysis::compared_factors()) {
    command
        ->add_option("--" + factor,
                     options->factors[factor],
                     "Two values of it, A,B: the first side's and the second's")
        ->delimiter(',')
        ->expected(1, 2);
  }
  command
      ->add_option(
          "--trials", options->trials, "How many trials to list that only one side succeeded at")
      ->capture_default_str();
  add_colour_option(*command, options->colour);
  CLI::Option* language =
      command
          ->add_option("--lang",
                       options->language,
                       "Language of the words: en or zh (simplified Chinese); names and codes stay")
          ->capture_default_str();
  command->add_flag("--json", options->json, "Print one JSON document")->excludes(language);
  command->footer(
      "Example:  sortie compare quickstart --model sim-large,sim-small\n"
      "          sortie compare june july\n"
      "Cells are paired that are alike in every other factor, trials that share task and repeat. "
      "p-values are\nexact (McNemar), or a bootstrap's over tasks where trials share them, with "
      "Holm's correction over the lines.");
  command->callback([&action, options] { action = [options] { return compare(*options); }; });
}

}  // namespace sortie::app
