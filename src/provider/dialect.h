#pragma once

#include "sortie/base/secret.h"
#include "sortie/chat/message.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

// A provider's wire format, without I/O: values in, values out. One implementation per dialect.

namespace sortie::provider {

/// How parameters must be sent to a model: its row of the capability table.
struct Capability {
  std::string token_limit_parameter = "max_tokens";  // or "max_completion_tokens"
  bool accepts_temperature = true;
  bool accepts_top_p = true;
  bool accepts_seed = true;
};

/// What to ask, and of whom.
struct Call {
  std::string_view base_url;  // ends in /v1 or the like, no slash at the end
  std::string_view api_name;
  const base::Secret* key = nullptr;  // null: no credential is sent
  const std::vector<chat::Message>* messages = nullptr;
  const std::vector<chat::ToolSchema>* functions = nullptr;  // null or empty: none
  chat::Sampling sampling;
  const Capability* capability = nullptr;
};

struct Decoded {
  chat::Answer answer;
  quota::LimitHints hints;
};

class Dialect {
 public:
  virtual ~Dialect() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;

  /// The request without timeouts; its Authorization header holds the key.
  [[nodiscard]] virtual wire::Request encode(const Call& call) const = 0;

  /// A complete answer, or what the response says about limits and health. Never throws, whatever
  /// the bytes.
  [[nodiscard]] virtual std::expected<Decoded, quota::Signal> decode(
      const wire::Response& response) const = 0;
};

/// OpenAI chat completions, the base of all compatible gateways. Stateless; the reference stays
/// valid for ever.
[[nodiscard]] const Dialect& openai();

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
