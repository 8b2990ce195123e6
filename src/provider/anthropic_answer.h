#pragma once

#include "sortie/base/json.h"
#include "sortie/provider/answer_stream.h"
#include "sortie/provider/dialect.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <expected>
#include <string_view>

// Answers of Anthropic Messages. Internal to the module.

namespace sortie::provider {

inline constexpr std::string_view kAnthropicName = "anthropic";

[[nodiscard]] std::expected<Decoded, quota::Signal> read_anthropic(const json::Value& message,
                                                                   const wire::Response& response,
                                                                   const SignalRules& rules);

/// Adds an event of a stream: message_start, content_block_*, message_delta, message_stop, ping.
void take_anthropic_event(const json::Value& event, AnswerDocument& answer);

}  // namespace sortie::provider
