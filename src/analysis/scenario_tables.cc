#include "sortie/analysis/scenario_tables.h"

#include "sortie/analysis/table_context.h"

#include <array>
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
  std::vector<ResultTable> all;
  for (const Builder& builder : kBuilders) {
    for (const std::string& protocol : protocols) {
      const TableContext context(inputs, builder.scenario, protocol);
      if (!context.entrants().empty()) {
        std::vector<ResultTable> tables = builder.build(context);
        std::ranges::move(tables, std::back_inserter(all));
      }
    }
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
