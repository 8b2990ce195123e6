#pragma once

#include "sortie/base/error.h"
#include "sortie/base/time.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/model.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

// What a run may use: money, tokens, time. Written in the campaign file, the environment, or as
// flags; docs/guide/running.md says what each means.

namespace sortie::spec {

/// "6h", "1d12h", "1h30m", "2M", "25" as they stand on a command line and in a file. Errors say
/// what was expected; they name neither file nor flag.
[[nodiscard]] base::Result<double> parse_cost(std::string_view text);          // US dollars, > 0
[[nodiscard]] base::Result<std::int64_t> parse_tokens(std::string_view text);  // > 0
[[nodiscard]] base::Result<Deadline> parse_deadline(std::string_view text);

/// Each limit of `first`, else that of `second`.
[[nodiscard]] Budget merged(const Budget& first, const Budget& second);

/// When the run has to end, for one that starts at `now`.
[[nodiscard]] base::WallTime end_of(const Deadline& deadline, base::WallTime now);

/// A budget in dollars needs the price of every model that the campaign uses. The error names file
/// and line of the first model without one, and what to write there.
[[nodiscard]] base::Status check_prices(const Topology& topology, const Campaign& campaign);

}  // namespace sortie::spec
