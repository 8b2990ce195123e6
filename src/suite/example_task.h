#pragma once

#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/task_file.h"

#include <string_view>
#include <utility>

// A task that tests of this module share: read, parse, filter, aggregate, store.

namespace sortie::suite {

inline constexpr std::string_view kExampleTask = R"({
  "id": "example-001",
  "type": "data_pipeline",
  "texts": {"very_easy": "a", "easy": "b", "medium": "c", "hard": "d", "very_hard": "e"},
  "plan": [
    {"tool": "file_operations_reader", "arguments": {"path": "data/orders/a.csv"}, "reason": "r"},
    {"tool": "data_processing_parser", "arguments": {"source": {"$step": 0}, "format": "csv"}, "reason": "r"},
    {"tool": "data_processing_filter",
     "arguments": {"source": {"$step": 1}, "field": "amount", "operator": ">", "value": 200}, "reason": "r"},
    {"tool": "data_processing_aggregator",
     "arguments": {"source": {"$step": 2}, "group_by": "region", "function": "sum", "field": "amount"}, "reason": "r"},
    {"tool": "file_operations_writer", "arguments": {"source": {"$step": 3}, "path": "out/sums.csv"}, "reason": "r"}],
  "order": [[0, 1], [0, 2], [0, 3], [0, 4], [1, 2], [1, 3], [1, 4], [2, 3], [2, 4], [3, 4]],
  "goal": [
    {"tool": "file_operations_reader", "values": {"path": "data/orders/a.csv"}, "inputs": []},
    {"tool": "data_processing_parser", "values": {"format": "csv"}, "inputs": [0]},
    {"tool": "data_processing_filter", "values": {"field": "amount", "operator": ">", "value": 200}, "inputs": [1]},
    {"tool": "data_processing_aggregator",
     "values": {"group_by": "region", "function": "sum", "field": "amount"}, "inputs": [2]},
    {"tool": "file_operations_writer", "values": {"path": "out/sums.csv"}, "inputs": [3]}],
  "eligible": true})";

[[nodiscard]] inline json::Object parsed_object(std::string_view text) {
  auto value = json::parse(text);
  CHECK(value.has_value() && value->is_object());
  return value->get_object();
}

[[nodiscard]] inline Task example_task(const ToolCatalog& catalog) {
  auto task = task_from_json(catalog, parsed_object(kExampleTask), "example");
  CHECK(task.has_value());
  return std::move(*task);
}

}  // namespace sortie::suite
