#include "sortie/suite/validator.h"

#include "sortie/base/hash.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/lexicon.h"
#include "sortie/suite/lexicon_check.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"
#include "sortie/suite/validator_rules.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

// The demands on a full suite; smaller ones are for trying things out.
constexpr std::size_t kTasksMin = 100;
constexpr std::size_t kEligibleMin = 80;
constexpr std::size_t kSequencesMin = 25;
constexpr std::size_t kShareMaxPercent = 5;
constexpr std::size_t kTasksPerToolMin = 5;
constexpr std::size_t kTypesPerToolMin = 2;
constexpr std::size_t kDrawn = 20;
constexpr std::size_t kSameDrawnMax = 3;
constexpr std::uint64_t kDrawSeeds = 50;

class SuiteValidator {
 public:
  SuiteValidator(const Suite& suite, const ValidationOptions& options)
      : suite_(suite), options_(options) {}

  std::vector<Finding> run() {
    check_unique();
    if (options_.lexicon) {
      check_phrases();
    }
    if (options_.full_size) {
      for (const TaskType type : kTaskTypes) {
        check_size(type);
        check_diversity(type);
        check_draw(type);
      }
      check_coverage();
    }
    return std::move(findings_);
  }

 private:
  void add(std::string_view rule, std::string message) {
    findings_.push_back({.task = "", .rule = std::string(rule), .message = std::move(message)});
  }

  void check_unique();
  void check_phrases();
  void check_size(TaskType type);
  void check_diversity(TaskType type);
  void check_draw(TaskType type);
  void check_coverage();

  const Suite& suite_;
  const ValidationOptions& options_;
  std::vector<Finding> findings_;
};

void SuiteValidator::check_unique() {
  std::map<base::Digest, std::string> hashes;
  std::map<std::string, std::string> texts;
  for (const Task& task : suite_.tasks()) {
    const auto [same, fresh] = hashes.emplace(task.hash, task.id);
    if (!fresh) {
      findings_.push_back(
          {.task = task.id, .rule = "unique", .message = "has the hash of " + same->second});
    }
    for (const Difficulty difficulty : kDifficulties) {
      const std::string& text = task.text(difficulty);
      if (text.empty()) {
        continue;
      }
      const auto [twin, alone] = texts.emplace(
          fmt::format(
              "{}/{}/{}", to_string(task.type), to_string(difficulty), masked_text(task, text)),
          task.id);
      if (!alone) {
        findings_.push_back(
            {.task = task.id,
             .rule = "unique",
             .message = fmt::format("has the text of {} at {} once the values are masked: word one "
                                    "of them differently",
                                    twin->second,
                                    to_string(difficulty))});
      }
    }
  }
}

void SuiteValidator::check_phrases() {
  for (const auto& [level, wordings] : {std::pair(Difficulty::easy, easy_wordings()),
                                        std::pair(Difficulty::medium, medium_wordings()),
                                        std::pair(Difficulty::hard, hard_wordings())}) {
    for (const std::string& problem :
         phrase_problems(suite_.catalog(), wordings, level >= Difficulty::medium)) {
      add("phrases", fmt::format("lexicon of {}: {}", to_string(level), problem));
    }
  }
}

void SuiteValidator::check_size(TaskType type) {
  const auto tasks =
      static_cast<std::size_t>(std::ranges::count(suite_.tasks(), type, &Task::type));
  for (const auto& [what, count, least] :
       {std::tuple("tasks", tasks, kTasksMin),
        std::tuple("tasks that are eligible for all flaws", suite_.eligible(type), kEligibleMin)}) {
    if (count < least) {
      add("size",
          fmt::format("{} has {} {}, expected at least {}", to_string(type), count, what, least));
    }
  }
}

void SuiteValidator::check_diversity(TaskType type) {
  const auto counts = sequence_counts(suite_, type);
  std::size_t total = 0;
  for (const auto& [sequence, count] : counts) {
    total += count;
  }
  if (counts.size() < kSequencesMin) {
    add("diversity",
        fmt::format("{} has {} sequences of operations, expected at least {}",
                    to_string(type),
                    counts.size(),
                    kSequencesMin));
  }
  for (const auto& [sequence, count] : counts) {
    if (count * 100 > total * kShareMaxPercent) {
      add("diversity",
          fmt::format("'{}' answers {} of {} tasks of {}, at most {} % are allowed",
                      sequence,
                      count,
                      total,
                      to_string(type),
                      kShareMaxPercent));
    }
  }
}

void SuiteValidator::check_draw(TaskType type) {
  const std::size_t drawn = std::min(kDrawn, suite_.eligible(type));
  for (std::uint64_t seed = 0; seed < kDrawSeeds; ++seed) {
    std::map<std::string, std::size_t> counts;
    for (const std::size_t position : suite_.draw(seed, type, drawn)) {
      const std::string sequence = operation_sequence(suite_.tasks()[position]);
      if (++counts[sequence] == kSameDrawnMax + 1) {
        add("draw",
            fmt::format("seed {}: '{}' answers more than {} of {} drawn tasks of {}",
                        seed,
                        sequence,
                        kSameDrawnMax,
                        drawn,
                        to_string(type)));
        return;
      }
    }
  }
}

void SuiteValidator::check_coverage() {
  const auto counts = coverage(suite_);
  for (const ToolSpec& tool : suite_.catalog().tools()) {
    const auto found = counts.find(tool.name);
    std::size_t types = 0;
    if (found != counts.end()) {
      types = static_cast<std::size_t>(std::ranges::count_if(
          found->second, [](const auto& entry) { return entry.second >= kTasksPerToolMin; }));
    }
    if (types < kTypesPerToolMin) {
      add("coverage",
          fmt::format("{} is required by {} tasks or more in {} types, expected {}",
                      tool.name,
                      kTasksPerToolMin,
                      types,
                      kTypesPerToolMin));
    }
  }
}

}  // namespace

std::vector<Finding> validate_task(const ToolCatalog& catalog,
                                   const Task& task,
                                   const ValidationOptions& options) {
  std::vector<Finding> findings;
  const TaskCheck check{.catalog = catalog, .task = task, .options = options, .findings = findings};
  if (content_hash(task) != task.hash) {
    check.add("hash", "the hash is not that of the content");
  }
  // What a plan that does not work would still miss says nothing.
  if (check_solvable(check)) {
    check_necessary(check);
    check_complete(check);
    check_needs_text(check);
  }
  check_distractors(check);
  check_flaws(check);
  check_texts(check);
  for (Finding& finding : findings) {
    finding.advice =
        !options.full_size && (finding.rule == "needs_text" || finding.rule == "distractors");
  }
  return findings;
}

std::vector<Finding> validate(const Suite& suite, const ValidationOptions& options) {
  std::vector<Finding> findings;
  for (const Task& task : suite.tasks()) {
    std::ranges::move(validate_task(suite.catalog(), task, options), std::back_inserter(findings));
  }
  std::ranges::move(validate_whole(suite, options), std::back_inserter(findings));
  return findings;
}

std::vector<Finding> validate_whole(const Suite& suite, const ValidationOptions& options) {
  return SuiteValidator(suite, options).run();
}

std::map<std::string, std::map<std::string, std::size_t>> coverage(const Suite& suite) {
  std::map<std::string, std::map<std::string, std::size_t>> out;
  for (const Task& task : suite.tasks()) {
    std::set<std::string> tools;
    for (const Required& required : task.goal.required) {
      tools.insert(required.tool);
    }
    for (const std::string& tool : tools) {
      ++out[tool][std::string(to_string(task.type))];
    }
  }
  return out;
}

std::map<std::string, std::size_t> sequence_counts(const Suite& suite, TaskType type) {
  std::map<std::string, std::size_t> counts;
  for (const Task& task : suite.tasks()) {
    if (task.type == type) {
      ++counts[operation_sequence(task)];
    }
  }
  return counts;
}

}  // namespace sortie::suite
