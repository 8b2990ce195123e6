#pragma once

#include "sortie/base/error.h"
#include "sortie/spec/budget.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/model.h"

#include <string>

#include <CLI/CLI.hpp>

namespace sortie::app {

/// What a run may use, as flags and environment variables say.
struct BudgetOptions {
  std::string max_cost;
  std::string max_tokens;
  std::string deadline;

  /// These alone.
  [[nodiscard]] base::Result<spec::Budget> given() const;

  /// These over the campaign file's, with the prices that a budget in dollars needs.
  [[nodiscard]] base::Result<spec::Budget> budget(const spec::Topology& topology,
                                                  const spec::Campaign& campaign) const;
};

void add_budget(CLI::App& command, BudgetOptions& options);

}  // namespace sortie::app
