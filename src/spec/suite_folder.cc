#include "sortie/spec/suite_folder.h"

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/spec/file.h"
#include "sortie/spec/node.h"
#include "sortie/spec/node_json.h"
#include "sortie/spec/read_campaign.h"
#include "sortie/spec/reader.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/data_reader.h"
#include "sortie/suite/declared_task.h"
#include "sortie/suite/declared_tool.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <expected>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::spec {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> kSuiteFiles = {"suite.yaml", "suite.yml", "suite.json"};
constexpr std::size_t kShownBytesMax = 60;

/// One file of the folder, with what is wrong with it.
struct SuiteFile {
  SuiteFile(std::string path, std::string bytes)
      : text(std::move(bytes)), problems(std::move(path), text) {}

  std::string text;
  Problems problems;
  Node root;
};

/// One tool or task, where it stands.
struct Item {
  SuiteFile* file = nullptr;
  const Node* node = nullptr;
};

/// "orders/1": a word, a slash, a number.
bool is_suite_name(std::string_view name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) {
    return false;
  }
  const std::string_view number = name.substr(slash + 1);
  return suite::is_word(name.substr(0, slash)) && !number.empty() && number.size() <= 6 &&
         number[0] != '0' && number.find_first_not_of("0123456789") == std::string_view::npos;
}

class FolderReader {
 public:
  explicit FolderReader(std::string folder) : folder_(std::move(folder)) {}

  base::Result<LoadedSuite> read();

 private:
  base::Result<std::string> suite_file() const;
  /// nullptr after a problem of its own, or of `where` in `from`.
  SuiteFile* open(const std::string& path);
  void read_top(SuiteFile& file);
  void read_name(Mapping& top, SuiteFile& file);
  void read_reviewed(const Node& node, SuiteFile& file);
  void collect(const Node& node, std::string_view what, SuiteFile& file, std::vector<Item>& items);
  void collect_file(const Node& name,
                    std::string_view what,
                    SuiteFile& from,
                    std::vector<Item>& items);
  void report(const Item& item,
              std::string_view what,
              const std::vector<suite::DataProblem>& problems);
  void read_tools();
  void read_tasks();
  [[nodiscard]] bool any_problem() const;
  [[nodiscard]] base::Error error() const;

  std::string folder_;
  std::string name_;
  std::vector<std::unique_ptr<SuiteFile>> files_;
  std::vector<Item> tools_;
  std::vector<Item> tasks_;
  std::set<suite::Difficulty> reviewed_;
  LoadedSuite loaded_;
};

base::Result<std::string> FolderReader::suite_file() const {
  std::error_code error;
  if (!fs::is_directory(folder_, error)) {
    return base::failure(base::Remedy::bad_input,
                         base::ErrorCode::not_found,
                         fmt::format("{}: there is no such folder", folder_));
  }
  std::string found;
  for (const std::string_view name : kSuiteFiles) {
    const fs::path path = fs::path(folder_) / name;
    if (!fs::exists(path, error)) {
      continue;
    }
    if (!found.empty()) {
      return base::bad_input(
          fmt::format("{}: is beside {}: a suite has one of them", path.string(), found));
    }
    found = path.string();
  }
  if (found.empty()) {
    return base::failure(
        base::Remedy::bad_input,
        base::ErrorCode::not_found,
        fmt::format("{}: holds no suite.yaml: a suite is a folder with that file", folder_));
  }
  return found;
}

SuiteFile* FolderReader::open(const std::string& path) {
  auto text = read_file(path, kYamlBytesMax);
  if (!text) {
    return nullptr;
  }
  files_.push_back(std::make_unique<SuiteFile>(path, std::move(*text)));
  SuiteFile& file = *files_.back();
  auto root = parse_yaml(file.text, file.problems);
  if (!root) {
    return nullptr;
  }
  file.root = std::move(*root);
  return &file;
}

void FolderReader::read_name(Mapping& top, SuiteFile& file) {
  const Node* node = top.require("name");
  name_ = top.text("name").value_or("");
  if (node == nullptr || name_.empty()) {
    return;
  }
  if (!is_suite_name(name_)) {
    file.problems.add(node->mark,
                      fmt::format("suite: name: '{}' is no name of a suite, expected a word and a "
                                  "version number such as orders/1",
                                  base::shortened(name_, kShownBytesMax)));
  } else if (name_ == suite::kBuiltInSuite) {
    file.problems.add(
        node->mark,
        fmt::format("suite: name: '{}' is the built-in suite: choose another name", name_));
  }
}

/// The levels whose texts people have read and understood.
void FolderReader::read_reviewed(const Node& node, SuiteFile& file) {
  std::vector<std::string> levels;
  for (const suite::Difficulty level : suite::kDifficulties) {
    levels.emplace_back(suite::to_string(level));
  }
  for (const Name& name : read_names(node, "suite: reviewed", file.problems)) {
    if (const auto level = suite::difficulty_from(name.text)) {
      reviewed_.insert(*level);
    } else {
      report_unknown("level", name, levels, file.problems);
    }
  }
}

void FolderReader::read_top(SuiteFile& file) {
  Mapping top(file.root, "suite file", file.problems);
  if (!check_version(file.root, top, file.problems)) {
    return;
  }
  read_name(top, file);
  static_cast<void>(top.get("description"));  // for people
  if (const Node* reviewed = top.get("reviewed")) {
    read_reviewed(*reviewed, file);
  }
  if (const Node* tools = top.require("tools")) {
    collect(*tools, "tools", file, tools_);
  }
  if (const Node* tasks = top.require("tasks")) {
    collect(*tasks, "tasks", file, tasks_);
  }
  top.finish();
}

/// A list of mappings and of names of files, or one name.
void FolderReader::collect(const Node& node,
                           std::string_view what,
                           SuiteFile& file,
                           std::vector<Item>& items) {
  if (node.kind == Node::Kind::nothing || node.kind == Node::Kind::mapping ||
      (node.kind == Node::Kind::list && node.items.empty())) {
    file.problems.add(
        node.mark,
        fmt::format("suite: {0}: expected a list of {0} or the name of a file with "
                    "one, found {1}",
                    what,
                    node.kind == Node::Kind::list ? "an empty list" : kind_name(node)));
    return;
  }
  for (const Node& item : items_of(node)) {
    if (item.kind == Node::Kind::scalar) {
      collect_file(item, what, file, items);
    } else {
      items.push_back({.file = &file, .node = &item});
    }
  }
}

void FolderReader::collect_file(const Node& name,
                                std::string_view what,
                                SuiteFile& from,
                                std::vector<Item>& items) {
  const fs::path relative(name.text);
  const bool inside =
      relative.is_relative() &&
      std::ranges::none_of(relative, [](const fs::path& part) { return part == ".."; });
  if (!inside || files_.size() >= kSuiteFilesMax || &from != files_.front().get()) {
    from.problems.add(
        name.mark,
        !inside ? fmt::format("suite: {}: '{}' is not inside the suite's folder", what, name.text)
        : files_.size() >= kSuiteFilesMax
            ? fmt::format("suite: {}: more than {} files", what, kSuiteFilesMax)
            : fmt::format("suite: {}: only {} names files", what, files_.front()->problems.file()));
    return;
  }
  const std::string path = (fs::path(folder_) / relative).string();
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    from.problems.add(name.mark, fmt::format("suite: {}: there is no file {}", what, path));
    return;
  }
  SuiteFile* file = open(path);
  if (file == nullptr) {
    if (files_.empty() || !files_.back()->problems.any()) {
      from.problems.add(name.mark, fmt::format("suite: {}: {} cannot be read", what, path));
    }
    return;
  }
  Mapping top(file->root, fmt::format("file of {}", what), file->problems);
  if (const Node* node = top.require(what)) {
    collect(*node, what, *file, items);
  }
  top.finish();
}

/// Puts every problem where its value stands: "task 'refund-1': argument: …".
void FolderReader::report(const Item& item,
                          std::string_view what,
                          const std::vector<suite::DataProblem>& problems) {
  const json::Value value = to_json(*item.node);
  const auto name = json::get_string(value, what == "tool" ? "name" : "id");
  for (const suite::DataProblem& problem : problems) {
    const std::string subject =
        name ? fmt::format("{} '{}'", what, base::shortened(*name, kShownBytesMax))
             : fmt::format("{} without {}", what, what == "tool" ? "name" : "id");
    item.file->problems.add(mark_of_path(*item.node, problem.path, problem.at_key),
                            fmt::format("{}: {}: {}", subject, problem.rule, problem.message));
  }
}

void FolderReader::read_tools() {
  const std::string category = name_.substr(0, name_.find('/'));
  std::vector<suite::ToolSpec> tools;
  std::vector<Item> items;
  for (const Item& item : tools_) {
    std::vector<suite::DataProblem> problems;
    auto tool = suite::declared_tool(to_json(*item.node), {}, category, problems);
    if (tool && std::ranges::find(tools, tool->name, &suite::ToolSpec::name) != tools.end()) {
      problems.push_back({.path = {"name"},
                          .rule = "unique",
                          .message = fmt::format("another tool has the name '{}'", tool->name)});
    }
    report(item, "tool", problems);
    if (tool && problems.empty()) {
      tools.push_back(std::move(*tool));
      items.push_back(item);
    }
  }
  if (tools_.size() > kSuiteToolsMax) {
    files_.front()->problems.add({}, fmt::format("suite: tools: more than {}", kSuiteToolsMax));
  }
  // With a tool missing its kind would be missed, too.
  if (!any_problem()) {
    for (std::size_t i = 0; i < tools.size(); ++i) {
      std::vector<suite::DataProblem> problems;
      suite::check_kinds(tools, i, problems);
      report(items[i], "tool", problems);
    }
  }
  loaded_.suite = suite::Suite(name_, suite::ToolCatalog::of_declared(std::move(tools)));
}

void FolderReader::read_tasks() {
  if (tasks_.size() > kSuiteTasksMax) {
    files_.front()->problems.add(
        {}, fmt::format("suite: tasks: more than {}", base::with_thousands(kSuiteTasksMax)));
    return;
  }
  for (const Item& item : tasks_) {
    std::vector<suite::DataProblem> problems;
    auto task = suite::declared_task(loaded_.suite.catalog(), to_json(*item.node), {}, problems);
    if (task) {
      std::string id = task->id;
      if (loaded_.suite.add_task(std::move(*task))) {
        loaded_.places.emplace(std::move(id), item.file->problems.position(item.node->mark));
      } else {
        const Position& first = loaded_.places.at(id);
        problems.push_back(
            {.path = {"id"},
             .rule = "unique",
             .message = fmt::format(
                 "another task has the id '{}', in {}:{}", id, first.file, first.line)});
      }
    }
    report(item, "task", problems);
  }
}

bool FolderReader::any_problem() const {
  return std::ranges::any_of(files_, [](const auto& file) { return file->problems.any(); });
}

base::Error FolderReader::error() const {
  base::Error all;
  for (const auto& file : files_) {
    if (file->problems.any()) {
      all.message += (all.message.empty() ? "" : "\n") + file->problems.error().message;
    }
  }
  return all;
}

base::Result<LoadedSuite> FolderReader::read() {
  TRY_ASSIGN(loaded_.file, suite_file());
  SuiteFile* file = open(loaded_.file);
  if (file == nullptr && files_.empty()) {
    return std::unexpected(read_file(loaded_.file, kYamlBytesMax).error());
  }
  if (file != nullptr) {
    read_top(*file);
  }
  if (!any_problem()) {
    read_tools();
  }
  // Tasks are read against tools: with broken ones most of what could be said would be wrong.
  if (!any_problem()) {
    read_tasks();
  }
  if (any_problem()) {
    return std::unexpected(error());
  }
  loaded_.suite.set_reviewed(std::move(reviewed_));
  return std::move(loaded_);
}

}  // namespace

base::Result<LoadedSuite> load_suite(const std::string& folder) {
  return FolderReader(folder).read();
}

base::Result<suite::Suite> suite_in(const std::string& folder) {
  if (folder.empty()) {
    return suite::Suite::pilot();
  }
  TRY_ASSIGN(LoadedSuite loaded, load_suite(folder));
  return std::move(loaded.suite);
}

base::Result<suite::Suite> load_suite_of(const std::string& campaign_path) {
  TRY_ASSIGN(const std::string text, read_file(campaign_path, kYamlBytesMax));
  Problems problems(campaign_path, text);
  SuiteName name;
  if (const std::optional<Node> root = parse_yaml(text, problems)) {
    name = read_suite_name(*root, problems);
  }
  if (problems.any()) {
    return std::unexpected(problems.error());
  }
  if (name.text == suite::kBuiltInSuite) {
    return suite::Suite::pilot();
  }
  const std::string folder = resolve_path(name.text, campaign_path);
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    problems.add(
        name.mark,
        fmt::format("suite: expected {} or the folder of a suite, and there is no folder {}",
                    suite::kBuiltInSuite,
                    folder));
    return std::unexpected(problems.error());
  }
  return suite_in(folder);
}

}  // namespace sortie::spec
