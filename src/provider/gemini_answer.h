#pragma once

#include "sortie/base/json.h"
#include "sortie/provider/answer_stream.h"
#include "sortie/provider/dialect.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <expected>
#include <string_view>

// Answers of Gemini's generateContent. Internal to the module.

namespace sortie::provider {

inline constexpr std::string_view kGeminiName = "gemini";

[[nodiscard]] std::expected<Decoded, quota::Signal> read_gemini(const json::Value& body,
                                                                const wire::Response& response,
                                                                const SignalRules& rules);

/// Adds an event of a stream, which is a whole answer with a piece of the content.
void take_gemini_event(const json::Value& event, AnswerDocument& answer);

}  // namespace sortie::provider
