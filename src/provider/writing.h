#pragma once

#include "sortie/provider/dialect.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What the request builders of all dialects share. Internal to the module.

namespace sortie::provider {

/// The parameters of a call that its model takes, in its capability row's terms.
struct SentSampling {
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<std::int64_t> max_tokens;
  std::optional<std::int64_t> seed;
};

[[nodiscard]] SentSampling sent_sampling(const Call& call);

/// `,"name":number`, or nothing.
void append_number(std::string& out, std::string_view name, std::optional<double> number);
void append_number(std::string& out, std::string_view name, std::optional<std::int64_t> number);

/// `base` with `prefix` at its end, once: people write it with and without.
[[nodiscard]] std::string with_prefix(std::string_view base, std::string_view prefix);

/// One segment of a path (RFC 3986: everything but unreserved characters is encoded).
[[nodiscard]] std::string percent_encoded(std::string_view text);

/// The system messages at the beginning of a conversation, joined by empty lines, and where the
/// rest begins.
struct SystemPrompt {
  std::string text;
  std::size_t rest = 0;
};

[[nodiscard]] SystemPrompt system_prompt(const std::vector<chat::Message>& messages);

}  // namespace sortie::provider
