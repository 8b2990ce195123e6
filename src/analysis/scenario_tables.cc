#include "sortie/analysis/scenario_tables.h"

#include "sortie/analysis/all_cores.h"
#include "sortie/analysis/table_context.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sortie::analysis {

namespace {

struct Builder {
  const char* scenario;
  std::vector<ResultTable> (*build)(const TableContext&);
};

constexpr std::array kBuilders = {Builder{"baseline", baseline_tables},
                                  Builder{"scale", scale_tables},
                                  Builder{"flawed", flawed_tables},
                                  Builder{"reliability", reliability_tables},
                                  Builder{"prompts", prompts_tables}};

}  // namespace

std::vector<ResultTable> scenario_tables(const TableInputs& inputs) {
  std::set<std::string, std::greater<>> protocols;  // text before native
  for (const PlannedCell& cell : inputs.rows->cells) {
    protocols.insert(cell.factors.protocol);
  }

  struct Part {
    const Builder* builder;
    std::string protocol;
    std::vector<ResultTable> tables;
  };

  std::vector<Part> parts;
  for (const Builder& builder : kBuilders) {
    for (const std::string& protocol : protocols) {
      parts.push_back({.builder = &builder, .protocol = protocol, .tables = {}});
    }
  }
  // Thousands of resampled comparisons: each part by itself, whatever the order.
  on_all_cores(parts.size(), 1, [&](std::size_t i) {
    const TableContext context(inputs, parts[i].builder->scenario, parts[i].protocol);
    if (!context.entrants().empty()) {
      parts[i].tables = parts[i].builder->build(context);
    }
  });
  std::vector<ResultTable> all;
  for (Part& part : parts) {
    std::ranges::move(part.tables, std::back_inserter(all));
  }
  return all;
}

Setting setting_of(const CellFactors& factors) {
  return {.prompt = factors.prompt,
          .severity = factors.severity,
          .difficulty = factors.difficulty,
          .protocol = factors.protocol,
          .tool_success_rate = factors.tool_success_rate,
          .max_turns = factors.max_turns};
}

bool is_pilot(const Declared& declared) {
  return declared.suite.starts_with("pilot/");
}

}  // namespace sortie::analysis
