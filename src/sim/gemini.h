#pragma once

#include "sortie/sim/openai.h"
#include "sortie/sim/pools.h"
#include "sortie/wire/message.h"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

// The server's side of Gemini's generateContent, as its reference describes it.

namespace sortie::sim {

/// `model` as the address names it.
[[nodiscard]] std::expected<void, ApiError> parse_gemini(std::string_view model,
                                                         std::string_view body,
                                                         ChatRequest& request);

[[nodiscard]] wire::Response encode_gemini(const ChatAnswer& answer);

/// Whole answers with a piece of the content each; the last one has the finish reason.
[[nodiscard]] std::vector<std::string> stream_gemini(const ChatAnswer& answer);

/// google.rpc.Status: {"error":{"code","message","status","details"}}.
[[nodiscard]] wire::Response gemini_error(const ApiError& error);
[[nodiscard]] std::string gemini_error_event(const ApiError& error);

/// The wait stands in the body alone (RetryInfo).
[[nodiscard]] wire::Response gemini_refusal(const Refusal& refusal,
                                            std::string_view model,
                                            bool with_retry_delay);

}  // namespace sortie::sim
