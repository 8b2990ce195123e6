#pragma once

#include "sortie/provider/dialect.h"
#include "sortie/provider/signals.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <expected>
#include <span>

namespace sortie::provider {

/// Reads a chat completions answer: what `openai().decode` does, with rows of the caller's choice.
[[nodiscard]] std::expected<Decoded, quota::Signal> decode_openai(const wire::Response& response,
                                                                  std::span<const SignalRow> rows);

}  // namespace sortie::provider
