#pragma once

#include "sortie/sim/openai.h"
#include "sortie/sim/pools.h"
#include "sortie/wire/message.h"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

// The server's side of Anthropic Messages, as its reference describes it.

namespace sortie::sim {

[[nodiscard]] std::expected<void, ApiError> parse_anthropic(const wire::Headers& headers,
                                                            std::string_view body,
                                                            ChatRequest& request);

[[nodiscard]] wire::Response encode_anthropic(const ChatAnswer& answer);

/// message_start … message_stop, with a ping.
[[nodiscard]] std::vector<std::string> stream_anthropic(const ChatAnswer& answer);

/// {"type":"error","error":{"type","message"}}; the status says the type.
[[nodiscard]] wire::Response anthropic_error(const ApiError& error);
[[nodiscard]] std::string anthropic_error_event(const ApiError& error);

[[nodiscard]] wire::Response anthropic_refusal(const Refusal& refusal, bool with_retry_after);

/// anthropic-ratelimit-*, and the Date that resets, which are instants, are relative to. `now`:
/// seconds of the calendar.
void show_anthropic_limits(const std::vector<ShownLimit>& limits,
                           std::int64_t now,
                           wire::Headers& out);

}  // namespace sortie::sim
