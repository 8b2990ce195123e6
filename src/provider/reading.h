#pragma once

#include "sortie/base/json.h"
#include "sortie/provider/dialect.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

// What the readers of all dialects share. Internal to the module.

namespace sortie::provider {

[[nodiscard]] inline bool is_good(int status) {
  return status >= 200 && status <= 299;
}

[[nodiscard]] std::string text_or_empty(const json::Value& value, std::string_view name);

/// A member as text, also where a gateway writes a code as a number.
[[nodiscard]] std::string scalar_text(const json::Value& value, std::string_view name);

/// The first of these members that holds a text.
[[nodiscard]] std::string first_text(const json::Value& value,
                                     std::initializer_list<std::string_view> names);

/// A count that a request can have; nullopt for negative and absurd ones.
[[nodiscard]] std::optional<std::int64_t> token_count(const json::Value& value,
                                                      std::string_view name);

/// An `error` member that says something; null, false and empty ones do not.
[[nodiscard]] bool holds_error(const json::Value& body);

/// What an error says. `body`: the document in it, null if it is none. Reads the forms of OpenAI,
/// Anthropic and Google and those of the gateways.
[[nodiscard]] quota::Signal signal_of_error(const wire::Response& response,
                                            const json::Value* body,
                                            const SignalRules& rules);

/// A 2xx answer that is no answer.
[[nodiscard]] quota::Signal unusable(const wire::Response& response,
                                     quota::SignalClass kind,
                                     std::string_view code,
                                     std::string_view why);

/// The headers' hints, as the rules say the provider means them.
[[nodiscard]] quota::LimitHints hints_of(const wire::Response& response, const SignalRules& rules);

}  // namespace sortie::provider
