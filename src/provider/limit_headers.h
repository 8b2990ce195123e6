#pragma once

#include "sortie/base/time.h"
#include "sortie/provider/provider_headers.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <optional>
#include <string_view>

namespace sortie::provider {

/// A duration as servers write it: Go style ("6m0s", "1h2m3.5s", "250ms"), or plain seconds
/// ("7.66"). Nullopt for anything else, for negative values and for more than ten years (which is a
/// point in time written as a number).
[[nodiscard]] std::optional<base::Duration> parse_wait(std::string_view text);

/// The server's hint how long to wait: retry-after-ms, Retry-After (seconds or an HTTP date, which
/// is read relative to the answer's own Date), or a phrase of the message such as "Please retry
/// after 41 seconds" or "Please try again in 6m0s".
[[nodiscard]] std::optional<base::Duration> wait_hint(const wire::Headers& headers,
                                                      std::string_view message);

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, IMF-fixdate; obsolete forms are not read).
[[nodiscard]] std::optional<base::WallTime> parse_http_date(std::string_view text);

/// x-ratelimit-{limit,remaining,reset}-{requests,tokens}, or Anthropic's
/// anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}. Negative numbers, which some
/// gateways send for "unknown", are as absent; with an unusable limit, so is what remains of it.
[[nodiscard]] quota::LimitHints limit_hints(const wire::Headers& headers);

/// Reads one more limit of a dimension; the tighter one counts, with what is said of it: that of
/// the smaller number, of equal ones that of which less remains.
void take_limit(const wire::Headers& headers, const LimitHeaders& fields, quota::LimitHints& hints);

}  // namespace sortie::provider
