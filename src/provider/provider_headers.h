#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <span>
#include <string_view>

// Header fields that single providers use beside the usual ones, as data: a table in the .cc, by
// the providers' names in signals.yaml.

namespace sortie::provider {

/// Fields of an answer that state one more limit of a dimension.
struct LimitHeaders {
  std::string_view provider;
  quota::Dimension dimension = quota::Dimension::tokens;  // or requests
  std::string_view limit;                                 // field names; empty: not sent
  std::string_view remaining;
  std::string_view reset;
  base::Duration window;  // of the number in `limit`
};

/// Of all providers.
[[nodiscard]] std::span<const LimitHeaders> limit_headers();

/// Adds what this provider wants in every request; for most nothing.
void add_provider_headers(std::string_view provider, wire::Headers& headers);

}  // namespace sortie::provider
