#pragma once

#include "sortie/base/json.h"
#include "sortie/provider/answer_stream.h"
#include "sortie/provider/dialect.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <expected>
#include <string_view>

// Answers of chat completions, for all dialects of that family. Internal to the module.

namespace sortie::provider {

/// Whose opaque parts these dialects understand: their own, whatever the address.
inline constexpr std::string_view kOpenAiFamily = "openai";

[[nodiscard]] std::expected<Decoded, quota::Signal> read_openai(const json::Value& body,
                                                                const wire::Response& response,
                                                                const SignalRules& rules);

/// Adds a chunk of a stream ("chat.completion.chunk").
void take_openai_event(const json::Value& event, AnswerDocument& answer);

}  // namespace sortie::provider
