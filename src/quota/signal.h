#pragma once

#include "sortie/base/time.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What an answer says about limits and health. `provider` makes Signals from wire answers, `sched`
// acts on them; nobody else interprets a provider's text. Classes and reactions:
// docs/design/scheduling.md, table of retries (docs/design/scheduling.md).

namespace sortie::quota {

enum class SignalClass : std::uint8_t {
  throttle,       // a rate limit: gate the domain, the attempt is not counted
  concurrency,    // too many at once
  daily_cap,      // exhausted until the provider's reset
  out_of_money,   // spend cap, arrears: until a person acts
  ramp,           // growing too fast
  overload,       // the provider's capacity, not our limit
  transient,      // 500, 502, 504, 520–524: counts an attempt
  not_processed,  // connect, TLS, reset before any byte: not counted, capped
  broken,         // lost after bytes: perhaps billed, counts an attempt
  stall,          // silence beyond the limit, counts an attempt
  auth,           // key rejected: disable the key
  wrong_name,     // deployment or model unknown here, or the server is not the one that is meant:
                  // disable the route
  bad_request,    // this request is refused everywhere: fail after two routes
  wrong_model,    // another model answered: take the route out
  cancelled,      // by us
};

[[nodiscard]] std::string_view to_string(SignalClass value);

/// Which limit a throttle names.
enum class Dimension : std::uint8_t { unknown, requests, tokens, concurrency };

[[nodiscard]] std::string_view to_string(Dimension value);

struct Signal {
  SignalClass kind = SignalClass::transient;
  Dimension dimension = Dimension::unknown;
  std::optional<base::Duration> wait;  // the server's hint, from a header or the body
  int status = 0;                      // HTTP status, 0 without an answer
  std::string code;                    // the provider's code, e.g. "rate_limit_exceeded"
  std::string message;                 // scrubbed, shortened, for people
  bool maybe_billed = false;           // keep the reserved cost
  bool known = true;                   // false: no rule knew this answer, the class is a guess
};

/// What x-ratelimit headers of a good answer said; absent fields were not sent or not usable.
struct LimitHints {
  std::optional<double> limit_requests;
  std::optional<double> remaining_requests;
  std::optional<base::Duration> reset_requests;
  std::optional<double> limit_tokens;
  std::optional<double> remaining_tokens;
  std::optional<base::Duration> reset_tokens;
};

}  // namespace sortie::quota
