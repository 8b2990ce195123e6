#include "sortie/provider/provider_headers.h"

#include <array>
#include <chrono>
#include <string>

namespace sortie::provider {

namespace {

struct SentHeader {
  std::string_view provider;
  std::string_view name;
  std::string_view value;
};

constexpr std::array kLimits = {
    // Of the project, which may have one below the organisation's.
    LimitHeaders{.provider = "openai",
                 .dimension = quota::Dimension::tokens,
                 .limit = "x-ratelimit-limit-project-tokens",
                 .remaining = "x-ratelimit-remaining-project-tokens",
                 .reset = "x-ratelimit-reset-project-tokens",
                 .window = std::chrono::minutes(1)},
    // Tokens a second. Those generated have a limit of their own, "…-tokens-generated", of which no
    // pace is made: what is learned of tokens counts those in and out together.
    LimitHeaders{.provider = "fireworks",
                 .dimension = quota::Dimension::tokens,
                 .limit = "x-ratelimit-limit-tokens-prompt",
                 .remaining = {},
                 .reset = {},
                 .window = std::chrono::seconds(1)},
};

constexpr std::array kSent = {
    // Requests that come in a burst may wait there for so many seconds, instead of being refused.
    // Less than the shortest limit of silence.
    SentHeader{.provider = "dashscope", .name = "X-DashScope-Wait-Timeout", .value = "10"},
};

}  // namespace

std::span<const LimitHeaders> limit_headers() {
  return kLimits;
}

void add_provider_headers(std::string_view provider, wire::Headers& headers) {
  for (const SentHeader& sent : kSent) {
    if (sent.provider == provider) {
      headers.add(std::string(sent.name), std::string(sent.value));
    }
  }
}

}  // namespace sortie::provider
