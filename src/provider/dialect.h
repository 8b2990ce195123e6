#pragma once

#include "sortie/base/json.h"
#include "sortie/base/secret.h"
#include "sortie/chat/message.h"
#include "sortie/provider/signals.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

// A provider's wire format, without I/O: values in, values out. One implementation per dialect.

namespace sortie::provider {

/// How parameters must be sent to a model and what its answers hold: its row of the capability
/// table.
struct Capability {
  std::string token_limit_parameter = "max_tokens";  // or "max_completion_tokens"; empty: none
  bool accepts_temperature = true;
  double temperature_min = 0;  // the smallest that is accepted
  bool accepts_top_p = true;
  bool accepts_seed = true;
  bool native_tools = true;   // takes functions
  bool stream_usage = true;   // takes stream_options.include_usage
  bool opaque_parts = false;  // answers may hold parts that only their own dialect can send back

  bool operator==(const Capability&) const = default;
};

/// What to ask, and of whom.
struct Call {
  std::string_view base_url;  // no slash at the end
  std::string_view api_name;
  const base::Secret* key = nullptr;  // null: no credential is sent
  const std::vector<chat::Message>* messages = nullptr;
  const std::vector<chat::ToolSchema>* functions = nullptr;  // null or empty: none
  chat::Sampling sampling;
  const Capability* capability = nullptr;  // never null: the only way parameters are chosen
  bool stream = false;
  std::string_view api_version = {};   // empty: the dialect's default, if it has one
  std::string_view organization = {};  // OpenAI only; empty: not sent
  std::string_view project = {};
};

struct Decoded {
  chat::Answer answer;
  quota::LimitHints hints;
};

struct AnswerDocument;  // answer_stream.h

class Dialect {
 public:
  virtual ~Dialect() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;

  /// The request without timeouts; one of its header fields holds the key.
  [[nodiscard]] virtual wire::Request encode(const Call& call) const = 0;

  /// A complete answer, plain or as an event stream, or what the response says about limits and
  /// health. Never throws, whatever the bytes.
  [[nodiscard]] std::expected<Decoded, quota::Signal> decode(const wire::Response& response,
                                                             const SignalRules& rules) const;

  // --- For AnswerStream: what the dialects differ in.

  /// The member of an answer's document that names the model.
  [[nodiscard]] virtual std::string_view model_field() const { return "model"; }

  /// Adds one event's document to the answer.
  virtual void take_event(json::Value event, AnswerDocument& answer) const = 0;

  /// Reads a complete document of status 2xx without an error in it. `head` has the headers.
  [[nodiscard]] virtual std::expected<Decoded, quota::Signal> read(
      const json::Value& document, const wire::Response& head, const SignalRules& rules) const = 0;
};

/// OpenAI chat completions, the base of all compatible gateways: POST {base}/chat/completions,
/// "Authorization: Bearer". Stateless, like all dialects; the references stay valid for ever.
[[nodiscard]] const Dialect& openai();

/// The same under Azure OpenAI's addresses:
/// POST {base}/openai/deployments/{api_name}/chat/completions?api-version=…, header api-key.
[[nodiscard]] const Dialect& azure();

/// The same under Azure AI services': POST {base}/models/chat/completions?api-version=….
[[nodiscard]] const Dialect& azure_ai();

/// Anthropic Messages: POST {base}/v1/messages, headers x-api-key and anthropic-version.
[[nodiscard]] const Dialect& anthropic();

/// Gemini: POST {base}/v1beta/models/{api_name}:generateContent (:streamGenerateContent?alt=sse),
/// header x-goog-api-key.
[[nodiscard]] const Dialect& gemini();

/// By name as in endpoint files; nullptr if unknown. `dialect_names` lists them.
[[nodiscard]] const Dialect* find_dialect(std::string_view name);
[[nodiscard]] std::vector<std::string> dialect_names();

/// What a transport failure says about health.
[[nodiscard]] quota::Signal signal_of(const wire::Failure& failure);

/// Does `served` satisfy what a route declares? `declared` empty: the sent name, case-insensitive,
/// and that name plus a date or version suffix. Entries are exact names, or patterns with '*'.
[[nodiscard]] bool accepts_served_model(std::string_view sent,
                                        const std::vector<std::string>& declared,
                                        std::string_view served);

}  // namespace sortie::provider
