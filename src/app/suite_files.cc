#include "sortie/app/suite_files.h"

#include "sortie/analysis/files.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/generator.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

constexpr std::size_t kReviewTexts = 50;  // of each level

base::Status make_folder(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return base::io_error(fmt::format("cannot make the folder {}", directory), error.value());
  }
  return {};
}

std::string in_folder(const std::string& directory, std::string_view name) {
  return (std::filesystem::path(directory) / name).string();
}

/// The tasks whose texts of this level are shown: spread over those that have one, other ones at
/// each level.
std::vector<const suite::Task*> chosen(const suite::Suite& suite, std::size_t level) {
  std::vector<const suite::Task*> written;
  for (const suite::Task& task : suite.tasks()) {
    if (!task.texts[level].empty()) {
      written.push_back(&task);
    }
  }
  std::vector<const suite::Task*> tasks;
  const std::size_t count = std::min(kReviewTexts, written.size());
  for (std::size_t i = 0; i < count; ++i) {
    tasks.push_back(written[(i * written.size() / count + level) % written.size()]);
  }
  return tasks;
}

std::string operations_of(const suite::Suite& suite, const suite::Task& task) {
  std::string text;
  for (const suite::Step& step : task.plan) {
    const suite::ToolSpec* tool = suite.catalog().find(step.tool);
    text += fmt::format("{}{}", text.empty() ? "" : " → ", tool->description);
  }
  return text;
}

}  // namespace

base::Result<std::vector<std::string>> write_generated_tasks(const std::string& directory,
                                                             std::uint64_t seed) {
  TRY(make_folder(directory));
  const suite::ToolCatalog catalog = suite::ToolCatalog::pilot();
  std::vector<std::string> paths;
  for (const suite::TaskType type : suite::kTaskTypes) {
    const std::vector<suite::Task> tasks = suite::generate_pilot(catalog, type, {.seed = seed});
    paths.push_back(in_folder(directory, fmt::format("{}.json", suite::to_string(type))));
    TRY(analysis::write_atomically(paths.back(), suite::task_file_text("pilot/1", tasks)));
  }
  return paths;
}

base::Result<std::vector<std::string>> write_review_sheet(const suite::Suite& suite,
                                                          const std::string& directory) {
  TRY(make_folder(directory));
  std::string sheet = fmt::format(
      "# {}: a sheet for readers\n\nFor each text: write down the steps that it asks for, in your "
      "words and in order. Do not look anything up. The key is in a file of its own.\n",
      suite.name());
  std::string key = fmt::format("# {}: the key\n", suite.name());
  for (std::size_t level = 0; level < suite::kDifficulties.size(); ++level) {
    const suite::Difficulty difficulty = suite::kDifficulties[level];
    const std::vector<const suite::Task*> tasks = chosen(suite, level);
    if (tasks.empty()) {
      continue;
    }
    const std::string title = fmt::format("\n## {}\n", suite::to_string(difficulty));
    sheet += title;
    key += title;
    std::size_t n = 0;
    for (const suite::Task* task : tasks) {
      ++n;
      sheet += fmt::format("\n{}. {}\n\n   Steps: \n", n, task->text(difficulty));
      key += fmt::format("\n{}. `{}`: {}\n", n, task->id, operations_of(suite, *task));
    }
  }
  std::vector<std::string> paths = {in_folder(directory, "review.md"),
                                    in_folder(directory, "review-key.md")};
  TRY(analysis::write_atomically(paths[0], sheet));
  TRY(analysis::write_atomically(paths[1], key));
  return paths;
}

}  // namespace sortie::app
