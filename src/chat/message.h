#pragma once

#include "sortie/base/error.h"
#include "sortie/base/json.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Values of a conversation with a model, independent of any provider's wire format.

namespace sortie::chat {

enum class Role : std::uint8_t { system, user, assistant, tool };

[[nodiscard]] std::string_view to_string(Role role);

/// A structured function call of the native protocol.
struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON text as the model wrote it, perhaps broken

  bool operator==(const ToolCall&) const = default;
};

struct Message {
  Role role = Role::user;
  std::string text{};
  std::vector<ToolCall> tool_calls{};  // assistant only
  std::string tool_call_id{};          // tool only
  // Assistant only: as in the Answer it repeats. A dialect sends its own parts back and leaves out
  // those of others.
  std::string opaque{};
  std::string opaque_dialect{};

  bool operator==(const Message&) const = default;
};

struct ToolSchema {
  std::string name;
  std::string description;
  json::Value parameters;  // JSON Schema of an object
};

/// Sampling as it is sent. An absent value is not sent.
struct Sampling {
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<std::int64_t> max_tokens;
  std::optional<std::int64_t> seed;

  bool operator==(const Sampling&) const = default;
};

/// Tokens as counted by the provider.
struct Usage {
  std::int64_t input = 0;   // includes cached_input
  std::int64_t output = 0;  // includes reasoning
  std::int64_t cached_input = 0;
  std::int64_t reasoning = 0;

  bool operator==(const Usage&) const = default;
};

enum class FinishReason : std::uint8_t {
  stop,            // the model ended its answer
  length,          // cut by max_tokens
  tool_calls,      // ended to call functions
  content_filter,  // the provider removed it
  other,
};

[[nodiscard]] std::string_view to_string(FinishReason reason);
[[nodiscard]] std::optional<FinishReason> finish_reason_from(std::string_view name);

/// One complete answer of a model. Stored verbatim in the ledger: to_json and answer_from_json are
/// inverse.
struct Answer {
  std::string text;       // visible content
  std::string reasoning;  // from a reasoning field, never sent back
  // Parts that only their provider can read and wants back verbatim with the conversation, such as
  // signed thinking blocks: JSON text in the form of the dialect that made it. Empty: none.
  std::string opaque;
  std::string opaque_dialect;
  std::vector<ToolCall> tool_calls;
  std::string refusal;
  FinishReason finish = FinishReason::stop;
  std::string finish_text;  // the provider's own word
  Usage usage;
  bool usage_reported = false;
  std::string served_model;  // as stated by the server
  std::string response_id;
  std::string fingerprint;  // system_fingerprint

  bool operator==(const Answer&) const = default;
};

/// Members at their default are left out, so that a stored answer holds little beside its text.
/// Texts are expected to be UTF-8, as every decoder delivers them: printing the value replaces
/// other bytes.
[[nodiscard]] json::Value to_json(const Answer& answer);

/// An unknown member, name or type is an error: a stored answer is never read in part.
[[nodiscard]] base::Result<Answer> answer_from_json(const json::Value& value);

}  // namespace sortie::chat
