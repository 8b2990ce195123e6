#pragma once

#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/data_reader.h"
#include "sortie/suite/declared_task.h"
#include "sortie/suite/declared_tool.h"
#include "sortie/suite/task.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

// A small suite of a user that tests of this module share: a shop.

namespace sortie::suite {

inline constexpr std::string_view kOwnTools = R"([
 {"name": "fetch_order", "description": "Fetches one order by its number.", "kind": "order",
  "parameters": {"type": "object", "required": ["number"],
                 "properties": {"number": {"type": "integer", "x-source": true}}},
  "unknown_source": "ORDER_NOT_FOUND",
  "returns": {"number": {"argument": "number"}, "total": 120, "state": "open"}},
 {"name": "fetch_policy", "description": "Fetches the rules for a country.", "kind": "policy",
  "parameters": {"required": ["country"],
                 "properties": {"country": {"type": "string", "enum": ["no", "pt", "jp"]}}}},
 {"name": "compute_refund", "description": "Computes what is paid back.", "kind": "refund",
  "parameters": {"required": ["order", "percent"],
                 "properties": {"order": {"x-artifact": ["order"]},
                                "percent": {"type": "integer", "minimum": 1, "maximum": 100},
                                "rounded": {"type": "boolean", "default": false},
                                "policy": {"x-artifact": ["policy"]}}},
  "returns": {"of": {"argument": "order", "field": "total"}, "order": {"argument": "order"},
              "detail": {"share": [{"argument": "percent"}, "percent"]}}},
 {"name": "note_order", "description": "Puts a note on an order.", "kind": "note", "keeps_content": true,
  "parameters": {"required": ["order", "text"],
                 "properties": {"order": {"x-artifact": ["order"]}, "text": {"type": "string"}}}},
 {"name": "pay_out", "description": "Pays an amount to an account.", "kind": "payment", "effect": true,
  "category": "bank",
  "parameters": {"required": ["refund", "account"],
                 "properties": {"refund": {"x-artifact": ["refund"]},
                                "account": {"type": "string", "format": "identifier"}}}}])";

inline constexpr std::string_view kOwnTask = R"({
 "id": "refund-1", "type": "simple_task",
 "text": "Pay 80 percent of order 4711 back to the account credit.",
 "plan": [
  {"tool": "fetch_order", "arguments": {"number": 4711}},
  {"tool": "compute_refund", "arguments": {"order": {"step": 1}, "percent": 80}},
  {"tool": "pay_out", "arguments": {"refund": {"step": 2}, "account": "credit"}, "reason": "ends it"}]})";

[[nodiscard]] inline json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  CHECK(value.has_value());
  return std::move(*value);
}

/// `text` with its first `from` replaced.
[[nodiscard]] inline std::string changed(std::string_view text,
                                         std::string_view from,
                                         std::string_view to) {
  std::string out(text);
  const std::size_t at = out.find(from);
  CHECK(at != std::string::npos);
  return out.replace(at, from.size(), to);
}

/// Paths of problems begin with the tool's position.
[[nodiscard]] inline std::vector<ToolSpec> tools_from(std::string_view text,
                                                      std::vector<DataProblem>& problems) {
  std::vector<ToolSpec> tools;
  for (const json::Value& value : parsed(text).get_array()) {
    if (auto tool = declared_tool(value, {fmt::to_string(tools.size())}, "shop", problems)) {
      tools.push_back(std::move(*tool));
    }
  }
  for (std::size_t i = 0; i < tools.size(); ++i) {
    std::vector<DataProblem> missing;
    check_kinds(tools, i, missing);
    for (DataProblem& problem : missing) {
      problem.path.insert(problem.path.begin(), fmt::to_string(i));
      problems.push_back(std::move(problem));
    }
  }
  return tools;
}

[[nodiscard]] inline ToolCatalog own_catalog(std::string_view text = kOwnTools) {
  std::vector<DataProblem> problems;
  std::vector<ToolSpec> tools = tools_from(text, problems);
  CHECK(problems.empty());
  return ToolCatalog::of_declared(std::move(tools));
}

[[nodiscard]] inline Task own_task(const ToolCatalog& catalog, std::string_view text = kOwnTask) {
  std::vector<DataProblem> problems;
  auto task = declared_task(catalog, parsed(text), {}, problems);
  CHECK(task.has_value());
  return std::move(*task);
}

inline constexpr int kWalks = 80;

/// `begin`, 80 tools `walk_…` that each take what `begin` or any of them makes, `spark`, and `end`,
/// which joins a spark with a walk: chains without number, none of which leads to the end. The last
/// walks, `spark` and `end` are of one category, so that no drift leads to the end, either.
[[nodiscard]] inline ToolCatalog entangled_catalog(int walks_of_plan) {
  constexpr std::string_view kTool =
      R"({{"name": "{}", "description": "d", "kind": "{}", "category": "{}", "parameters":
 {{"required": {}, "properties": {{{}}}}}}})";
  constexpr std::string_view kNumber = R"("number": {"type": "integer"})";
  const auto tool = [&](std::string_view name,
                        std::string_view kind,
                        std::string_view category,
                        std::string_view required,
                        std::string_view properties) {
    return fmt::format(kTool, name, kind, category, required, properties);
  };
  std::string tools = tool("begin", "start", "edge", R"(["number"])", kNumber);
  for (int i = 0; i < kWalks; ++i) {
    tools += "," + tool(fmt::format("walk_{}", i),
                        "middle",
                        i < walks_of_plan ? "planned" : "other",
                        R"(["in"])",
                        R"("in": {"x-artifact": ["start", "middle"]})");
  }
  tools += "," + tool("spark", "spark", "other", R"(["number"])", kNumber);
  tools += "," + tool("end",
                      "end",
                      "other",
                      R"(["in", "with"])",
                      R"("in": {"x-artifact": ["spark"]}, "with": {"x-artifact": ["middle"]})");
  return own_catalog("[" + tools + "]");
}

[[nodiscard]] inline Task entangled_task(const ToolCatalog& catalog, int walks_of_plan) {
  std::string plan = R"({"tool": "begin", "arguments": {"number": 5}})";
  for (int i = 0; i < walks_of_plan; ++i) {
    plan +=
        fmt::format(R"(, {{"tool": "walk_{}", "arguments": {{"in": {{"step": {}}}}}}})", i, i + 1);
  }
  plan += fmt::format(R"(, {{"tool": "spark", "arguments": {{"number": 7}}}},
 {{"tool": "end", "arguments": {{"in": {{"step": {}}}, "with": {{"step": {}}}}}}})",
                      walks_of_plan + 2,
                      walks_of_plan + 1);
  return own_task(
      catalog,
      R"({"id": "walk", "type": "basic_task", "text": "From 5 to 7.", "plan": [)" + plan + "]}");
}

/// One line per problem: "plan/1/arguments/percent: argument: …".
[[nodiscard]] inline std::string lines_of(const std::vector<DataProblem>& problems) {
  std::string out;
  for (const DataProblem& problem : problems) {
    std::string path;
    for (const std::string& part : problem.path) {
      path += (path.empty() ? "" : "/") + part;
    }
    out +=
        fmt::format("{}{}: {}: {}", out.empty() ? "" : "\n", path, problem.rule, problem.message);
  }
  return out;
}

}  // namespace sortie::suite
