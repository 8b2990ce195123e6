#include "sortie/suite/plan_draft.h"

#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/content.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/sampling.h"
#include "sortie/suite/sequences.h"
#include "sortie/suite/task.h"
#include "sortie/suite/tools.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

using namespace std::string_view_literals;

constexpr std::array kRoots = {"exports"sv, "archive"sv, "shared"sv, "incoming"sv, "branches"sv};
constexpr std::array kAreas = {
    "lisbon"sv, "oslo"sv, "quito"sv, "nairobi"sv, "osaka"sv, "perth"sv, "lyon"sv, "tampa"sv};
constexpr std::array kHosts = {
    "aurora"sv, "beacon"sv, "cobalt"sv, "dynamo"sv, "ember"sv, "falcon"sv, "garnet"sv};
constexpr std::array kNames = {
    "summer"sv, "granite"sv, "harvest"sv, "ivory"sv, "juniper"sv, "kestrel"sv, "lantern"sv};
constexpr std::array kExtensions = {"csv"sv, "json"sv, "xml"sv, "yaml"sv};
constexpr std::array kArchiveExtensions = {"zip"sv, "gz"sv, "pack"sv};
constexpr std::array kComparisons = {">"sv, ">="sv, "<"sv, "<="sv};

template <class Items>
std::string_view pick(const Items& items, base::RandomStream& random) {
  return items[static_cast<std::size_t>(random.below(items.size()))];
}

class Draft {
 public:
  Draft(const ToolCatalog& catalog, const Sequence& sequence, base::RandomStream& random)
      : catalog_(catalog),
        sequence_(sequence),
        random_(random),
        // The last subject is the one of folder listings.
        subject_(subjects()[static_cast<std::size_t>(random.below(subjects().size() - 1))]) {}

  bool add_step(std::size_t position);

  [[nodiscard]] std::vector<Step> take() { return std::move(plan_); }

 private:
  [[nodiscard]] const Content* input(std::size_t position) const {
    const auto& inputs = sequence_.inputs[position];
    return inputs.empty() ? nullptr : &contents_[inputs.front()];
  }

  json::Value draw(const ToolSpec& tool,
                   std::string_view name,
                   const json::Value& property,
                   const Content* source);
  json::Value draw_path(const ToolSpec& tool, const Content* source);
  json::Value draw_url(const ToolSpec& tool);
  json::Value draw_field(const ToolSpec& tool,
                         std::string_view name,
                         const Content& source,
                         const json::Object& drawn);
  void draw_condition(const Content& source, json::Object& arguments);

  const ToolCatalog& catalog_;
  const Sequence& sequence_;
  base::RandomStream& random_;
  const Subject& subject_;
  std::vector<Step> plan_;
  std::vector<Content> contents_;
};

json::Value Draft::draw_path(const ToolSpec& tool, const Content* source) {
  const std::uint64_t year = 2019 + random_.below(7);
  const std::uint64_t quarter = 1 + random_.below(4);
  if (tool.operation == "scanner") {
    return json::Value(
        fmt::format("{}/{}/{}-q{}", pick(kRoots, random_), pick(kAreas, random_), year, quarter));
  }
  if (tool.operation == "reader") {
    return json::Value(fmt::format("{}/{}/{}-{}-q{}.{}",
                                   pick(kRoots, random_),
                                   subject_.name,
                                   pick(kAreas, random_),
                                   year,
                                   quarter,
                                   pick(kExtensions, random_)));
  }
  const bool packed = source != nullptr && source->table.find("number").has_value();
  return json::Value(
      fmt::format("results/{}-{}.{}",
                  pick(kNames, random_),
                  100 + random_.below(900),
                  packed ? pick(kArchiveExtensions, random_) : pick(kExtensions, random_)));
}

json::Value Draft::draw_url(const ToolSpec& tool) {
  const std::string_view host = pick(kHosts, random_);
  if (tool.operation == "monitor") {
    return json::Value(
        fmt::format("https://{}.example.net/{}/health", host, pick(kAreas, random_)));
  }
  if (tool.operation == "fetcher") {
    return json::Value(fmt::format("https://{}.example.com/{}/{}-{}",
                                   host,
                                   subject_.name,
                                   pick(kAreas, random_),
                                   2019 + random_.below(7)));
  }
  return json::Value(
      fmt::format("https://{}.example.org/intake/{}", host, 100 + random_.below(900)));
}

json::Value Draft::draw_field(const ToolSpec& tool,
                              std::string_view name,
                              const Content& source,
                              const json::Object& drawn) {
  std::vector<std::string_view> words;
  std::vector<std::string_view> numbers;
  for (std::size_t i = 0; i < source.table.columns.size(); ++i) {
    const Column& column = source.table.columns[i];
    // The running number is a poor thing to group, rank or add up.
    const bool running = column.name.ends_with("_id");
    if (!column.numeric()) {
      words.push_back(column.name);
    } else if (!running) {
      numbers.push_back(column.name);
    }
  }
  const json::Value* rule = drawn.if_contains("rule");
  const bool any_field = tool.operation == "validator" && rule != nullptr &&
                         json::view(rule->get_string()) == "complete";
  if ((name == "group_by" || (any_field && random_.below(2) == 0)) && !words.empty()) {
    return json::Value(pick(words, random_));
  }
  return json::Value(numbers.empty() ? "value"sv : pick(numbers, random_));
}

void Draft::draw_condition(const Content& source, json::Object& arguments) {
  const Table& table = source.table;
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (!table.columns[i].name.ends_with("_id")) {
      columns.push_back(i);
    }
  }
  if (columns.empty() || table.rows() == 0) {
    return;
  }
  const std::size_t column = columns[static_cast<std::size_t>(random_.below(columns.size()))];
  std::vector<double> values = table.values(column);
  std::ranges::sort(values);
  arguments["field"] = table.columns[column].name;
  if (!table.columns[column].numeric()) {
    const auto word = static_cast<std::size_t>(values[random_.below(values.size())]);
    arguments["operator"] = random_.below(3) == 0 ? "!=" : "==";
    arguments["value"] = table.columns[column].words[word];
    return;
  }
  // From the middle of what is there, so that some rows stay and some go.
  arguments["operator"] = pick(kComparisons, random_);
  arguments["value"] = values[values.size() / 3 + random_.below(values.size() / 3 + 1)];
}

json::Value Draft::draw(const ToolSpec& tool,
                        std::string_view name,
                        const json::Value& property,
                        const Content* source) {
  const std::string_view format = json::get_string(property, "format").value_or("");
  if (format == "path") {
    return draw_path(tool, source);
  }
  if (format == "url") {
    return draw_url(tool);
  }
  if (format == "identifier") {
    return json::Value(fmt::format("{}-{}", pick(kNames, random_), 10 + random_.below(90)));
  }
  if (name == "format" && source != nullptr) {
    return json::Value(to_string(source->format));
  }
  json::Value value = sample_value(name, property, subject_, random_);
  // Texts say "the next {horizon} steps".
  while (name == "horizon" && same_value(value, 1)) {
    value = sample_value(name, property, subject_, random_);
  }
  return value;
}

bool Draft::add_step(std::size_t position) {
  const ToolSpec& tool = catalog_.tools()[sequence_.tools[position]];
  const auto& inputs = sequence_.inputs[position];
  const Content* source = input(position);
  Step step{.tool = tool.name, .arguments = {}, .reason = tool.description};
  std::size_t used = 0;
  for (const auto& [name, property] : *json::get_object(tool.parameters, "properties")) {
    if (accepted_kinds(property) != nullptr) {
      if (used < inputs.size()) {
        step.arguments[name] = make_reference(inputs[used++]);
      }
    } else if (tool.operation == "filter") {
      step.arguments[name] = nullptr;  // drawn together below: the value depends on the field
    } else if (json::get_string(property, "format") == "field" && source != nullptr) {
      step.arguments[name] = draw_field(tool, name, *source, step.arguments);
    } else {
      step.arguments[name] = draw(tool, name, property, source);
    }
  }
  if (tool.operation == "filter" && source != nullptr) {
    draw_condition(*source, step.arguments);
  }
  std::vector<const Content*> contents;
  for (const std::size_t k : inputs) {
    contents.push_back(&contents_[k]);
  }
  for (const auto& [name, value] : step.arguments) {
    const json::Value& property = *property_of(tool, name);
    if (accepted_kinds(property) == nullptr && check_value(name, property, value)) {
      return false;
    }
  }
  Outcome outcome = tool_function(tool.name)(
      ToolInput{.arguments = step.arguments, .contents = contents, .source_known = true});
  // A condition that keeps nothing or everything is no condition.
  if (!outcome || outcome->content.table.rows() == 0 ||
      (tool.operation == "filter" && outcome->content.table.rows() == source->table.rows())) {
    return false;
  }
  contents_.push_back(std::move(outcome->content));
  plan_.push_back(std::move(step));
  return true;
}

}  // namespace

std::optional<std::vector<Step>> draft_plan(const ToolCatalog& catalog,
                                            const Sequence& sequence,
                                            base::RandomStream& random) {
  Draft draft(catalog, sequence, random);
  for (std::size_t i = 0; i < sequence.tools.size(); ++i) {
    if (!draft.add_step(i)) {
      return std::nullopt;
    }
  }
  return draft.take();
}

Goal goal_of(const ToolCatalog& catalog, const std::vector<Step>& plan) {
  Goal goal;
  for (const Step& step : plan) {
    const ToolSpec& tool = *catalog.find(step.tool);
    Required required{.tool = step.tool, .values = {}, .inputs = {}};
    for (const auto& [name, value] : step.arguments) {
      if (accepted_kinds(*property_of(tool, name)) != nullptr) {
        required.inputs.push_back(static_cast<std::size_t>(step_reference(value)));
      } else {
        required.values[name] = value;
      }
    }
    goal.required.push_back(std::move(required));
  }
  return goal;
}

namespace {

/// Each required operation as a text that holds what leads to it; the last one first, then sorted.
std::vector<std::string> terms_of(const ToolCatalog& catalog, const Goal& goal) {
  std::vector<std::string> terms;
  for (const Required& required : goal.required) {
    const ToolSpec* tool = catalog.find(required.tool);
    std::vector<std::string> inputs;
    for (const std::size_t input : required.inputs) {
      inputs.push_back(input < terms.size() ? terms[input] : "?");
    }
    std::ranges::sort(inputs);
    const json::Value values =
        tool == nullptr ? required.values : with_defaults(*tool, required.values);
    terms.push_back(
        fmt::format("{}{}({})", required.tool, json::canonical(values), fmt::join(inputs, ",")));
  }
  std::ranges::reverse(terms);
  std::sort(terms.begin() + (terms.empty() ? 0 : 1), terms.end());
  return terms;
}

}  // namespace

bool same_goal(const ToolCatalog& catalog, const Goal& a, const Goal& b) {
  return terms_of(catalog, a) == terms_of(catalog, b);
}

std::vector<std::pair<std::size_t, std::size_t>> order_of(const std::vector<Step>& plan) {
  std::vector<std::vector<bool>> needs(plan.size(), std::vector<bool>(plan.size()));
  std::vector<std::pair<std::size_t, std::size_t>> out;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    for (const auto& [name, value] : plan[i].arguments) {
      const std::ptrdiff_t reference = step_reference(value);
      if (reference < 0) {
        continue;
      }
      const auto k = static_cast<std::size_t>(reference);
      needs[i][k] = true;
      for (std::size_t j = 0; j < k; ++j) {
        needs[i][j] = needs[i][j] || needs[k][j];
      }
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (needs[i][j]) {
        out.emplace_back(j, i);
      }
    }
  }
  return out;
}

}  // namespace sortie::suite
