#include "sortie/sim/dialects.h"

#include "sortie/base/hash.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/sim/anthropic.h"
#include "sortie/sim/gemini.h"
#include "sortie/sim/limiter.h"
#include "sortie/sim/openai.h"
#include "sortie/sim/pools.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::sim {

namespace {

constexpr std::string_view kBearer = "bearer ";
constexpr std::size_t kPieceBytes = 24;

bool is_azure(Dialect dialect) {
  return dialect == Dialect::azure || dialect == Dialect::azure_ai;
}

std::string_view bearer_in(const wire::Headers& headers) {
  const std::string_view given = headers.find("Authorization").value_or("");
  return base::equals_ignoring_case(given.substr(0, kBearer.size()), kBearer)
             ? base::trim(given.substr(kBearer.size()))
             : std::string_view{};
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size()) {
      const auto [end, error] =
          std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
      if (error == std::errc() && end == text.data() + i + 3) {
        out += static_cast<char>(value);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

/// What stands between `before` and `after`; nullopt if the path has another form.
std::optional<std::string> between(std::string_view path,
                                   std::string_view before,
                                   std::string_view after) {
  if (!path.starts_with(before) || !path.ends_with(after) ||
      path.size() <= before.size() + after.size()) {
    return std::nullopt;
  }
  path.remove_prefix(before.size());
  path.remove_suffix(after.size());
  return path.contains('/') ? std::nullopt : std::optional(percent_decoded(path));
}

/// Azure writes the status as a code, and the wait into its message.
wire::Response azure_refusal(const Refusal& refusal, bool with_retry_after) {
  const bool waits =
      with_retry_after && refusal.wait != kNever && refusal.dimension != Dimension::concurrency;
  const auto wait =
      waits ? std::chrono::ceil<std::chrono::seconds>(refusal.wait) : std::chrono::seconds(0);
  std::string message =
      refusal.dimension == Dimension::concurrency
          ? std::string(
                "The system is currently experiencing high demand and cannot process your "
                "request.")
          : fmt::format(
                "Requests to the ChatCompletions_Create Operation under Azure OpenAI API "
                "have exceeded {} rate limit of your current OpenAI S0 pricing tier.",
                refusal.dimension == Dimension::tokens ? "token" : "call");
  if (waits) {
    message += fmt::format(" Please retry after {} seconds.", wait.count());
  }
  wire::Response response = encode_error(
      {.status = 429, .message = std::move(message), .type = {}, .param = {}, .code = "429"});
  if (waits) {
    response.headers.add("retry-after", std::to_string(wait.count()));
    response.headers.add(
        "retry-after-ms",
        std::to_string(std::chrono::ceil<std::chrono::milliseconds>(refusal.wait).count()));
  }
  return response;
}

ApiError in_azures_words(ApiError error) {
  if (error.code == "invalid_api_key") {
    error.type = {};
    error.code = "401";
    error.message =
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide "
        "a valid key for an active subscription and use a correct regional API endpoint for your "
        "resource.";
  } else if (error.code == "model_not_found") {
    error.type = {};
    error.code = "DeploymentNotFound";
    error.message =
        "The API deployment for this resource does not exist. If you created the deployment within "
        "the last 5 minutes, please wait a moment and try again.";
  }
  return error;
}

}  // namespace

std::optional<Target> target_of(std::string_view path_and_query, std::string_view prefix) {
  const std::string_view path = path_and_query.substr(0, path_and_query.find('?'));
  const std::string_view query =
      path.size() < path_and_query.size() ? path_and_query.substr(path.size()) : "";
  if (path.starts_with(prefix) && path.substr(prefix.size()) == "/chat/completions") {
    return Target{.dialect = Dialect::openai};
  }
  if (auto name = between(path, "/openai/deployments/", "/chat/completions")) {
    if (!query.contains("api-version=")) {
      return std::nullopt;
    }
    return Target{.dialect = Dialect::azure, .model = std::move(*name)};
  }
  if (path == "/models/chat/completions" && query.contains("api-version=")) {
    return Target{.dialect = Dialect::azure_ai};
  }
  if (path == "/v1/messages") {
    return Target{.dialect = Dialect::anthropic};
  }
  // The vendor's own client asks for v1, its documentation for v1beta.
  for (const std::string_view models : {"/v1beta/models/", "/v1/models/"}) {
    if (auto name = between(path, models, ":generateContent")) {
      return Target{.dialect = Dialect::gemini, .model = std::move(*name)};
    }
    if (auto name = between(path, models, ":streamGenerateContent");
        name && query.contains("alt=sse")) {
      return Target{.dialect = Dialect::gemini, .model = std::move(*name), .stream = true};
    }
  }
  return std::nullopt;
}

std::string_view credential_of(Dialect dialect, const wire::Headers& headers) {
  switch (dialect) {
    case Dialect::azure:
    case Dialect::azure_ai:
      return headers.find("api-key").value_or("");
    case Dialect::anthropic:
      // The vendor's own client sends keys as bearer tokens from its version 1 on.
      return headers.find("x-api-key").value_or(bearer_in(headers));
    case Dialect::gemini:
      return headers.find("x-goog-api-key").value_or("");
    case Dialect::openai:
      break;
  }
  return bearer_in(headers);
}

std::expected<void, ApiError> parse_request(const Target& target,
                                            const wire::Headers& headers,
                                            std::string_view body,
                                            ChatRequest& request) {
  if (target.dialect == Dialect::anthropic) {
    return parse_anthropic(headers, body, request);
  }
  if (target.dialect == Dialect::gemini) {
    request.stream = target.stream;
    return parse_gemini(target.model, body, request);
  }
  auto parsed = parse_chat_request(body, request);
  if (parsed && target.dialect == Dialect::azure && request.model != target.model) {
    // The service ignores the body's name; a client that names two deployments is mistaken.
    return std::unexpected(ApiError{
        .message = fmt::format(
            "The address names the deployment '{}', the body '{}'.", target.model, request.model),
        .param = "model",
        .code = "DeploymentMismatch"});
  }
  return parsed;
}

wire::Response answer_in(Dialect dialect, const ChatAnswer& answer) {
  switch (dialect) {
    case Dialect::anthropic:
      return encode_anthropic(answer);
    case Dialect::gemini:
      return encode_gemini(answer);
    case Dialect::openai:
    case Dialect::azure:
    case Dialect::azure_ai:
      break;
  }
  return encode_answer(answer);
}

Streamed stream_in(Dialect dialect, const ChatAnswer& answer, const ChatRequest& request) {
  Streamed out;
  out.head.status = 200;
  out.head.headers.add("content-type", "text/event-stream; charset=utf-8");
  if (dialect == Dialect::anthropic) {
    out.events = stream_anthropic(answer);
  } else if (dialect == Dialect::gemini) {
    out.events = stream_gemini(answer);
  } else {
    out.events = stream_answer(answer, request.stream_usage, is_azure(dialect));
  }
  return out;
}

wire::Response error_in(Dialect dialect, const ApiError& error) {
  if (dialect == Dialect::anthropic) {
    return anthropic_error(error);
  }
  if (dialect == Dialect::gemini) {
    return gemini_error(error);
  }
  return encode_error(is_azure(dialect) ? in_azures_words(error) : error);
}

std::string error_event_in(Dialect dialect, const ApiError& error) {
  if (dialect == Dialect::anthropic) {
    return anthropic_error_event(error);
  }
  if (dialect == Dialect::gemini) {
    return gemini_error_event(error);
  }
  return "data: " + encode_error(error).body + "\n\n";
}

std::string keep_alive_in(Dialect dialect) {
  return dialect == Dialect::anthropic ? "event: ping\ndata: {\"type\": \"ping\"}\n\n"
                                       : ": keep-alive\n\n";
}

wire::Response refusal_in(Dialect dialect,
                          const Refusal& refusal,
                          std::string_view model,
                          std::string_view account,
                          bool with_retry_after) {
  if (dialect == Dialect::anthropic) {
    return anthropic_refusal(refusal, with_retry_after);
  }
  if (dialect == Dialect::gemini) {
    return gemini_refusal(refusal, model, with_retry_after);
  }
  return is_azure(dialect) ? azure_refusal(refusal, with_retry_after)
                           : encode_refusal(refusal, model, account, with_retry_after);
}

void show_limits_in(Dialect dialect,
                    const std::vector<ShownLimit>& limits,
                    std::int64_t now,
                    wire::Headers& out) {
  if (dialect == Dialect::anthropic) {
    show_anthropic_limits(limits, now, out);
    return;
  }
  for (const ShownLimit& limit : limits) {
    if (dialect == Dialect::openai) {
      append_limit_headers(limit, out);
    } else if (is_azure(dialect)) {
      out.add(fmt::format("x-ratelimit-remaining-{}", to_string(limit.dimension)),
              fmt::format("{:.0f}", limit.remaining));
    }
  }
}

std::vector<std::string_view> pieces_of(std::string_view text) {
  const std::size_t size = std::max(kPieceBytes, text.size() / kPiecesMax + 1);
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    std::size_t length = std::min(size, text.size());
    // Whole characters: a continuation byte begins with the bits 10.
    while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) {
      ++length;
    }
    pieces.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return pieces;
}

std::string signature_of(std::string_view thoughts) {
  return base::FieldHasher("sortie.sim.signature.v1").field("text", thoughts).finish().hex();
}

}  // namespace sortie::sim
