#pragma once

#include "sortie/base/time.h"
#include "sortie/sim/openai.h"
#include "sortie/sim/pools.h"
#include "sortie/wire/message.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The dialects that a simulated provider speaks, all of them at once: the address that a request
// goes to decides. Written from the providers' documentation; nothing here knows how Sortie's own
// client reads or writes them.

namespace sortie::sim {

enum class Dialect : std::uint8_t { openai, azure, azure_ai, anthropic, gemini };

/// Where a request went.
struct Target {
  Dialect dialect = Dialect::openai;
  std::string model{};  // as the address names it; empty: the body does
  bool stream = false;  // the address asks for a stream (Gemini)
};

/// The dialect of a path and query: {prefix}/chat/completions,
/// /openai/deployments/NAME/chat/completions, /models/chat/completions, /v1/messages,
/// /v1beta/models/NAME:generateContent and :streamGenerateContent. nullopt: no address of any
/// dialect. Azure's need an api-version.
[[nodiscard]] std::optional<Target> target_of(std::string_view path_and_query,
                                              std::string_view prefix);

/// The credential where the dialect wants it; empty if it is not there.
[[nodiscard]] std::string_view credential_of(Dialect dialect, const wire::Headers& headers);

/// Fills `request`, whose views point into itself and into `target`.
[[nodiscard]] std::expected<void, ApiError> parse_request(const Target& target,
                                                          const wire::Headers& headers,
                                                          std::string_view body,
                                                          ChatRequest& request);

/// The whole answer.
[[nodiscard]] wire::Response answer_in(Dialect dialect, const ChatAnswer& answer);

/// The same as an event stream: the head, and the events one by one.
struct Streamed {
  wire::Response head;
  std::vector<std::string> events;
};

[[nodiscard]] Streamed stream_in(Dialect dialect,
                                 const ChatAnswer& answer,
                                 const ChatRequest& request);

/// An error in the dialect's own words; statuses may differ from OpenAI's (529 for overload).
[[nodiscard]] wire::Response error_in(Dialect dialect, const ApiError& error);

/// The same as an event in a stream.
[[nodiscard]] std::string error_event_in(Dialect dialect, const ApiError& error);

/// What keeps a stream alive while nothing is said.
[[nodiscard]] std::string keep_alive_in(Dialect dialect);

/// 429 for a limit.
[[nodiscard]] wire::Response refusal_in(Dialect dialect,
                                        const Refusal& refusal,
                                        std::string_view model,
                                        std::string_view account,
                                        bool with_retry_after);

/// Headers that show limits: OpenAI's, Azure's of what remains, Anthropic's with instants instead
/// of durations (`now`: seconds of the calendar), Gemini's none.
void show_limits_in(Dialect dialect,
                    const std::vector<ShownLimit>& limits,
                    std::int64_t now,
                    wire::Headers& out);

/// An answer's text in pieces of whole characters, at most `kPiecesMax` of them.
inline constexpr std::size_t kPiecesMax = 48;
[[nodiscard]] std::vector<std::string_view> pieces_of(std::string_view text);

/// What a provider signs its thoughts with: a function of the text, so that a changed one shows.
[[nodiscard]] std::string signature_of(std::string_view thoughts);

}  // namespace sortie::sim
