#pragma once

#include "sortie/quota/signal.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

// What an error answer says about limits and health, as data: the first row that matches decides.
// Rows are values, so that a file can put its own in front of the built-in ones.

namespace sortie::provider {

/// One rule. An absent condition (zero, empty) holds always; text is compared without case (ASCII).
struct SignalRow {
  int status_min = 0;  // HTTP status, both ends included
  int status_max = 0;
  // Alternatives separated by '|', each exact or with '*', of which one must equal the answer's
  // code or type.
  std::string code;
  // Alternatives separated by '|', of which one must occur in the message or the body.
  std::string text;
  quota::SignalClass kind = quota::SignalClass::transient;
  quota::Dimension dimension = quota::Dimension::unknown;
  bool maybe_billed = false;
  std::string code_as;  // replaces the provider's code where we act on ours, e.g. "content_filter"
};

/// The code under which a request that is too long for the model is reported, whatever the provider
/// calls it; and one that its content filter refused.
inline constexpr std::string_view kContextLengthExceeded = "context_length_exceeded";
inline constexpr std::string_view kContentFilter = "content_filter";

/// An error as it was found in an answer. Views into the answer.
struct ErrorFacts {
  int status = 0;  // HTTP status, or the status that the body states inside a 2xx answer
  std::string_view code;
  std::string_view type;
  std::string_view message;  // for people; may be empty
  std::string_view body;
};

/// Rows for OpenAI-compatible gateways. Sources: the providers' references, and for
/// throttling what gateways were seen to send; where two providers use one code with different
/// meanings, the text decides.
[[nodiscard]] std::vector<SignalRow> openai_signal_rows();

/// The signal of the first matching row, without a wait. If none matches: `transient`, which counts
/// an attempt and tries again. The message is the provider's, or its body, at most 500 bytes.
[[nodiscard]] quota::Signal classify(std::span<const SignalRow> rows, const ErrorFacts& facts);

/// '*' stands for any characters; the rest is compared without case (ASCII).
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace sortie::provider
