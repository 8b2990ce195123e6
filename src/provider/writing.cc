#include "sortie/provider/writing.h"

#include "sortie/base/json.h"
#include "sortie/chat/message.h"
#include "sortie/provider/dialect.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::provider {

namespace {

void append_text(std::string& out, std::string_view name, const std::string& number) {
  out += ',';
  json::append_quoted(out, name);
  out += ':';
  out += number;
}

}  // namespace

SentSampling sent_sampling(const Call& call) {
  const Capability& capability = *call.capability;
  SentSampling sent;
  if (capability.accepts_temperature) {
    sent.temperature = call.sampling.temperature;
  }
  if (capability.accepts_top_p) {
    sent.top_p = call.sampling.top_p;
  }
  if (!capability.token_limit_parameter.empty()) {
    sent.max_tokens = call.sampling.max_tokens;
  }
  if (capability.accepts_seed) {
    sent.seed = call.sampling.seed;
  }
  return sent;
}

void append_number(std::string& out, std::string_view name, std::optional<double> number) {
  if (number) {
    append_text(out, name, json::number_text(*number));
  }
}

void append_number(std::string& out, std::string_view name, std::optional<std::int64_t> number) {
  if (number) {
    append_text(out, name, std::to_string(*number));
  }
}

std::string with_prefix(std::string_view base, std::string_view prefix) {
  std::string url(base);
  if (!base.ends_with(prefix)) {
    url += prefix;
  }
  return url;
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kUnreserved = "-._~";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       kUnreserved.contains(c);
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

SystemPrompt system_prompt(const std::vector<chat::Message>& messages) {
  SystemPrompt prompt;
  while (prompt.rest < messages.size() && messages[prompt.rest].role == chat::Role::system) {
    prompt.text += prompt.text.empty() ? "" : "\n\n";
    prompt.text += messages[prompt.rest].text;
    ++prompt.rest;
  }
  return prompt;
}

}  // namespace sortie::provider
