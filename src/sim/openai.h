#pragma once

#include "sortie/base/json.h"
#include "sortie/base/time.h"
#include "sortie/sim/pools.h"
#include "sortie/wire/message.h"

#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The server's side of OpenAI chat completions: what a request says and what answers and errors
// look like. It shares nothing with the client's dialect.

namespace sortie::sim {

struct AskedCall {
  std::string_view id{};
  std::string_view name{};
  std::string_view arguments{};
};

struct AskedMessage {
  std::string_view role{};
  std::string_view text{};
  std::vector<AskedCall> tool_calls{};
  std::string_view tool_call_id{};
};

/// A parsed request. The views point into it, so it does not move once parsed.
struct ChatRequest {
  json::Value document;
  std::deque<std::string> joined;  // texts that came in parts, or were put together
  std::string_view model;
  std::vector<AskedMessage> messages;
  std::optional<std::int64_t> max_tokens;
  std::optional<std::int64_t> seed;
  bool functions = false;     // the request offers functions to call
  bool stream = false;        // the answer is wanted as an event stream
  bool stream_usage = false;  // with its usage at the end

  ChatRequest() = default;
  ChatRequest(const ChatRequest&) = delete;
  ChatRequest& operator=(const ChatRequest&) = delete;

  /// Characters of all messages: what token counts are estimated from.
  [[nodiscard]] std::size_t characters() const;
};

/// An error as OpenAI writes it: {"error": {"message", "type", "param", "code"}}.
struct ApiError {
  int status = 400;
  std::string message{};
  std::string type = "invalid_request_error";
  std::string param{};  // empty: null
  std::string code{};   // empty: null
};

/// Fills `request` from a body, or says what is wrong with it as the provider would.
[[nodiscard]] std::expected<void, ApiError> parse_chat_request(std::string_view body,
                                                               ChatRequest& request);

struct AnsweredCall {
  std::string name;
  std::string arguments;  // JSON text
};

/// An answer before it is written down.
struct ChatAnswer {
  std::string id;
  std::int64_t created = 0;
  std::string model;
  std::string fingerprint;
  std::string text;
  std::string reasoning{};  // reasoning_content
  std::string refusal{};
  std::vector<AnsweredCall> calls{};
  std::string_view finish_reason = "stop";
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;     // reasoning included
  std::int64_t reasoning_tokens = 0;  // of the field
};

[[nodiscard]] wire::Response encode_answer(const ChatAnswer& answer);

/// The events of a stream, each with its empty line, "[DONE]" last. `azure`: with the results of
/// its filter in front.
[[nodiscard]] std::vector<std::string> stream_answer(const ChatAnswer& answer,
                                                     bool with_usage,
                                                     bool azure);

/// The id of an answer's call.
[[nodiscard]] std::string call_id(std::string_view prefix, const ChatAnswer& answer, std::size_t i);

[[nodiscard]] wire::Response encode_error(const ApiError& error);

/// 429 for a limit, with Retry-After in seconds (rounded up) and retry-after-ms.
[[nodiscard]] wire::Response encode_refusal(const Refusal& refusal,
                                            std::string_view model,
                                            std::string_view account,
                                            bool with_retry_after = true);

[[nodiscard]] ApiError invalid_key();
[[nodiscard]] ApiError unknown_model(std::string_view model);

/// GET …/models.
[[nodiscard]] wire::Response encode_models(const std::vector<std::string>& names);

/// A JSON body with its content type.
[[nodiscard]] wire::Response json_response(int status, std::string body);

}  // namespace sortie::sim
