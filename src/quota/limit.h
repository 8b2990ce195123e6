#pragma once

#include "sortie/base/time.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Limits as their owner declares them. A limit domain is the pool that is really limited; a request
// on a route must be admitted by every limit of every domain that the route drains.

namespace sortie::quota {

enum class LimitKind : std::uint8_t { requests, tokens, concurrency };

/// What a request costs under a token limit (providers use four rules, which differ by 2–10×).
enum class TokenCost : std::uint8_t {
  input,                 // input only (Gemini)
  output,                // output only
  input_plus_output,     // real tokens, settled at the end (DashScope, Anthropic-like)
  input_plus_max,        // prompt + max_tokens, kept (Azure, Moonshot)
  max_of_max_and_input,  // max(max_tokens, estimate) (OpenAI)
};

/// Where a limit is known from.
enum class LimitSource : std::uint8_t {
  declared,  // in the endpoints file
  header,    // a response named it
  learned,   // refusals showed it
};

[[nodiscard]] std::string_view to_string(LimitKind value);
[[nodiscard]] std::string_view to_string(LimitSource value);
[[nodiscard]] std::string_view to_string(TokenCost value);
[[nodiscard]] std::optional<TokenCost> token_cost_from(std::string_view name);

struct Limit {
  LimitKind kind = LimitKind::requests;
  double quota = 0;  // units per window; requests in flight for concurrency
  base::Duration window = std::chrono::minutes(1);  // unused for concurrency
  base::Duration enforced_over{};  // sub-window over which the share is enforced; zero: the window
  // Units that the provider's token bucket holds, where it is one: full at first, refilled evenly
  // by quota ÷ window, and nothing else counts. 0: the provider may count in any way.
  double bucket = 0;
  TokenCost cost = TokenCost::input_plus_output;  // tokens only
  bool learn = false;  // only where learning starts: may be exceeded when the provider allows more

  bool operator==(const Limit&) const = default;
};

struct LimitDomain {
  std::string name;  // "alpha/key-1×sim-large": what status, logs and messages show
  std::vector<Limit> limits;
};

/// Tokens of a request before it is sent. Output is an expectation, max_output the parameter that
/// is sent.
struct RequestSize {
  double input = 0;
  double output = 0;
  double max_output = 0;

  bool operator==(const RequestSize&) const = default;
};

/// Units that a request takes from a limit when it is admitted.
[[nodiscard]] double cost_of(const Limit& limit, const RequestSize& size);

/// True when the provider corrects the charge to the real usage after the answer.
[[nodiscard]] bool is_settled(TokenCost cost);

}  // namespace sortie::quota
