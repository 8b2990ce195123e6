#include "sortie/sim/small_suite.h"

#include "sortie/base/check.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/suite.h"

#include <string_view>

namespace sortie::sim {

namespace {

constexpr std::string_view kTasks = R"({"suite": "small/1", "tasks": [
 {"id": "chain", "type": "simple_task",
  "texts": {
   "very_easy": "Read data/orders.csv, parse it as csv and filter region == north (chain, level one).",
   "easy": "Take data/orders.csv as csv and keep the rows where region == north (chain, level two).",
   "medium": "From data/orders.csv, a csv, only what has region == north matters (chain, level three).",
   "hard": "The desk wants its rows of data/orders.csv, csv, region == north (chain, level four).",
   "very_hard": "On a rainy day the desk wants data/orders.csv, csv, region == north (chain, level five)."},
  "plan": [
   {"tool": "file_operations_reader", "arguments": {"path": "data/orders.csv"}, "reason": "gets the content"},
   {"tool": "data_processing_parser", "arguments": {"source": {"$step": 0}, "format": "csv"}, "reason": "makes rows"},
   {"tool": "data_processing_filter",
    "arguments": {"source": {"$step": 1}, "field": "region", "operator": "==", "value": "north"},
    "reason": "keeps what matters"}],
  "order": [[0, 1], [1, 2]],
  "goal": [
   {"tool": "file_operations_reader", "values": {"path": "data/orders.csv"}, "inputs": []},
   {"tool": "data_processing_parser", "values": {"format": "csv"}, "inputs": [0]},
   {"tool": "data_processing_filter", "values": {"field": "region", "operator": "==", "value": "north"},
    "inputs": [1]}],
  "eligible": true},
 {"id": "branch", "type": "multi_stage_pipeline",
  "texts": {
   "very_easy": "Read data/orders.csv and data/orders_old.csv, archive both as zip, write out/all.zip (branch, one).",
   "easy": "Put data/orders.csv and data/orders_old.csv into one zip at out/all.zip (branch, two).",
   "medium": "One zip at out/all.zip with data/orders.csv and data/orders_old.csv (branch, three).",
   "hard": "The auditors want out/all.zip, a zip of data/orders.csv and data/orders_old.csv (branch, four).",
   "very_hard": "In spring the auditors want out/all.zip, a zip of data/orders.csv and data/orders_old.csv (branch, five)."},
  "plan": [
   {"tool": "file_operations_reader", "arguments": {"path": "data/orders.csv"}, "reason": "gets the first"},
   {"tool": "file_operations_reader", "arguments": {"path": "data/orders_old.csv"}, "reason": "gets the second"},
   {"tool": "file_operations_compressor",
    "arguments": {"source": {"$step": 0}, "method": "zip", "also": {"$step": 1}}, "reason": "joins them"},
   {"tool": "file_operations_writer", "arguments": {"source": {"$step": 2}, "path": "out/all.zip"},
    "reason": "keeps the archive"}],
  "order": [[0, 2], [1, 2], [2, 3]],
  "goal": [
   {"tool": "file_operations_reader", "values": {"path": "data/orders.csv"}, "inputs": []},
   {"tool": "file_operations_reader", "values": {"path": "data/orders_old.csv"}, "inputs": []},
   {"tool": "file_operations_compressor", "values": {"method": "zip"}, "inputs": [0, 1]},
   {"tool": "file_operations_writer", "values": {"path": "out/all.zip"}, "inputs": [2]}],
  "eligible": true}
]})";

}  // namespace

suite::Suite small_suite() {
  suite::Suite suite("small/1", suite::ToolCatalog::pilot());
  CHECK(suite.add_tasks("small suite", kTasks).has_value());
  return suite;
}

}  // namespace sortie::sim
