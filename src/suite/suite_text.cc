#include "sortie/suite/suite_text.h"

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/data_reader.h"
#include "sortie/suite/declared_tool.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

std::string suite_text(const Suite& suite) {
  json::Array tools;
  for (const ToolSpec& tool : suite.catalog().tools()) {
    tools.push_back(to_json(tool));
  }
  json::Array tasks;
  for (const Task& task : suite.tasks()) {
    tasks.push_back(to_json(task));
  }
  // Stored order, not the canonical one: the order of parameters and of arguments is seen.
  json::Object out{
      {"suite", suite.name()}, {"tools", std::move(tools)}, {"tasks", std::move(tasks)}};
  if (!suite.reviewed().empty()) {
    json::Array reviewed;
    for (const Difficulty level : suite.reviewed()) {
      reviewed.push_back(json::Value(to_string(level)));
    }
    out["reviewed"] = std::move(reviewed);
  }
  return json::to_text(out);
}

base::Result<Suite> suite_from_text(std::string_view source, std::string_view text) {
  const auto document = json::parse(text);
  if (!document) {
    return std::unexpected(base::with_context(document.error(), source));
  }
  const json::Array* values = json::get_array(*document, "tools");
  if (values == nullptr) {
    return base::bad_input(fmt::format("{}: 'tools' has to be a list of tools", source));
  }
  std::vector<ToolSpec> tools;
  std::vector<DataProblem> problems;
  for (const json::Value& value : *values) {
    if (std::optional<ToolSpec> tool = declared_tool(value, {}, "", problems)) {
      tools.push_back(std::move(*tool));
    }
  }
  if (!problems.empty()) {
    return base::bad_input(fmt::format("{}: {}", source, problems.front().message));
  }
  Suite suite{std::string(json::get_string(*document, "suite").value_or("")),
              ToolCatalog::of_declared(std::move(tools))};
  TRY(suite.add_tasks(source, text));
  const json::Array* named = json::get_array(*document, "reviewed");
  std::set<Difficulty> reviewed;
  for (std::size_t i = 0; named != nullptr && i < named->size(); ++i) {
    const json::Value& name = (*named)[i];
    const auto level =
        name.is_string() ? difficulty_from(json::view(name.get_string())) : std::nullopt;
    if (!level) {
      return base::bad_input(
          fmt::format("{}: 'reviewed' has to be a list of levels, such as easy", source));
    }
    reviewed.insert(*level);
  }
  suite.set_reviewed(std::move(reviewed));
  return suite;
}

}  // namespace sortie::suite
