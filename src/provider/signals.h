#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What an error answer says about limits and health, as data: the first row that matches decides.
// Rows are values; `spec` reads them from the shipped signals.yaml and from users' files.

namespace sortie::provider {

/// How long a row's condition lasts.
enum class Until : std::uint8_t {
  hint,              // as the answer says, if it does
  midnight_utc,      // the next one
  midnight_pacific,  // Google's day: America/Los_Angeles, with its daylight saving time
  month_utc,         // the first of the next month, 00:00 UTC
  stated_beijing,    // the "2026-02-11 17:03:22" of the message, in China Standard Time (UTC+8)
};

/// One rule. An absent condition (zero, empty) holds always; text is compared without case (ASCII).
struct SignalRow {
  std::string provider{};  // alternatives separated by '|', as endpoints name them; '*' as below
  int status_min = 0;      // HTTP status, both ends included
  int status_max = 0;
  // Alternatives separated by '|', each exact or with '*', of which one must equal the answer's
  // code or type.
  std::string code{};
  // Alternatives separated by '|', of which one must occur in the message or the body.
  std::string text{};
  // "retry-after": must be there; "!retry-after": must not; "x-should-retry: false": must match.
  std::string header{};
  base::Duration wait_over{};  // the answer asks for a longer wait than this
  quota::SignalClass kind = quota::SignalClass::transient;
  quota::Dimension dimension = quota::Dimension::unknown;
  bool maybe_billed = false;
  std::string code_as{};  // replaces the provider's code where we act on ours: "content_filter"
  Until until = Until::hint;
  bool guess = false;  // the row knows nothing of the answer but its status

  bool operator==(const SignalRow&) const = default;
};

/// What is known of a provider beside its errors.
struct ProviderRow {
  std::string name;
  std::vector<std::string> hosts;       // of its API; '*' stands for any characters
  bool ignore_request_headers = false;  // its x-ratelimit-*-requests are not requests per minute
};

struct SignalTable {
  std::vector<SignalRow> rows;
  std::vector<ProviderRow> providers;

  /// nullptr if there is none.
  [[nodiscard]] const ProviderRow* find_provider(std::string_view name) const;

  /// The one whose API is served at `host`.
  [[nodiscard]] const ProviderRow* provider_at(std::string_view host) const;
};

/// The rows in force, and whose answers are read.
struct SignalRules {
  const SignalTable* table = nullptr;  // null: every error is transient
  std::string_view provider = {};      // as rows name it; empty: unknown
};

/// The code under which a request that is too long for the model is reported, whatever the provider
/// calls it; and one that its content filter refused.
inline constexpr std::string_view kContextLengthExceeded = "context_length_exceeded";
inline constexpr std::string_view kContentFilter = "content_filter";

/// An error as it was found in an answer. Views into the answer.
struct ErrorFacts {
  int status = 0;  // HTTP status, or the status that the body states inside a 2xx answer
  std::string_view code{};
  std::string_view type{};
  std::string_view message{};  // for people; may be empty
  std::string_view body{};
  const wire::Headers* headers = nullptr;
  std::optional<base::Duration> wait{};  // that the answer asks for
};

/// The signal of the first matching row. If none matches: `transient`, which counts an attempt and
/// tries again, and `known` is false. The message is the provider's, or its body, at most 500
/// bytes.
[[nodiscard]] quota::Signal classify(const SignalRules& rules, const ErrorFacts& facts);

/// The time from the answer's own Date to that instant; nullopt without a Date, or without an
/// instant in `message` where it states it, and if that is past.
[[nodiscard]] std::optional<base::Duration> wait_until(Until until,
                                                       const wire::Headers* headers,
                                                       std::string_view message = {});

/// '*' stands for any characters; the rest is compared without case (ASCII).
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace sortie::provider
