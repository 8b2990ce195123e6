#include "sortie/app/budget_options.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sortie::app {

namespace {

template <class Value>
base::Status take(const std::string& text,
                  std::string_view flag,
                  base::Result<Value> (*parse)(std::string_view),
                  std::optional<Value>& value) {
  if (text.empty()) {
    return {};
  }
  base::Result<Value> parsed = parse(text);
  if (!parsed.has_value()) {
    return std::unexpected(base::with_context(std::move(parsed).error(), flag));
  }
  value = std::move(parsed).value();
  return {};
}

}  // namespace

base::Result<spec::Budget> BudgetOptions::given() const {
  spec::Budget given;
  TRY(take(max_cost, "--max-cost", spec::parse_cost, given.max_cost_usd));
  TRY(take(max_tokens, "--max-tokens", spec::parse_tokens, given.max_tokens));
  TRY(take(deadline, "--deadline", spec::parse_deadline, given.deadline));
  return given;
}

base::Result<spec::Budget> BudgetOptions::budget(const spec::Topology& topology,
                                                 const spec::Campaign& campaign) const {
  TRY_ASSIGN(const spec::Budget flags, given());
  const spec::Budget budget = spec::merged(flags, campaign.budget);
  if (budget.max_cost_usd.has_value()) {
    TRY(spec::check_prices(topology, campaign));
  }
  return budget;
}

void add_budget(CLI::App& command, BudgetOptions& options) {
  command
      .add_option(
          "--max-cost",
          options.max_cost,
          "US dollars that the run directory may cost at most, what it cost before included")
      ->envname("SORTIE_MAX_COST");
  command
      .add_option(
          "--max-tokens", options.max_tokens, "Tokens in and out, likewise: 500000, 500k, 2M")
      ->envname("SORTIE_MAX_TOKENS");
  command
      .add_option("--deadline",
                  options.deadline,
                  "When to stop: 90m, 6h, 1d12h from now, or 2026-11-27T18:00 (local time)")
      ->envname("SORTIE_DEADLINE");
}

}  // namespace sortie::app
