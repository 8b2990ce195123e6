#pragma once

#include "sortie/engine/status.h"

#include <optional>
#include <string>
#include <vector>

namespace sortie::monitor {

/// What is true of a run at this instant beyond its counts, as lines of text: how it goes on, the
/// budget, each limit with its use, and what people changed. Lines have no maximum width.
[[nodiscard]] std::vector<std::string> details(const engine::RunStatus& status);

/// "Speed  94.2 % of the bound: …" and where the rest went: "" when nothing was answered.
[[nodiscard]] std::string speed_text(const std::optional<engine::SpeedReport>& speed);

/// "key-1 and key-2 of alpha seem to share one limit …" and the lines to declare it with: "" when
/// nothing was found.
[[nodiscard]] std::string shared_text(const std::vector<engine::SharedLimit>& shared);

/// "$12.30 of $25.00 spent, $0.40 set aside; deadline 2026-…": "" without a budget.
[[nodiscard]] std::string budget_text(const engine::BudgetUse& budget);

}  // namespace sortie::monitor
