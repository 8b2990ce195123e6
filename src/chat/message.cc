#include "sortie/chat/message.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace sortie::chat {

namespace {

constexpr std::array<std::pair<FinishReason, std::string_view>, 5> kFinishReasons = {{
    {FinishReason::stop, "stop"},
    {FinishReason::length, "length"},
    {FinishReason::tool_calls, "tool_calls"},
    {FinishReason::content_filter, "content_filter"},
    {FinishReason::other, "other"},
}};

struct TextMember {
  std::string_view name;
  std::string Answer::* member;
};

constexpr std::array<TextMember, 9> kTextMembers = {{
    {"text", &Answer::text},
    {"reasoning", &Answer::reasoning},
    {"opaque", &Answer::opaque},
    {"opaque_dialect", &Answer::opaque_dialect},
    {"refusal", &Answer::refusal},
    {"finish_text", &Answer::finish_text},
    {"served_model", &Answer::served_model},
    {"response_id", &Answer::response_id},
    {"fingerprint", &Answer::fingerprint},
}};

struct CountMember {
  std::string_view name;
  std::int64_t Usage::* member;
};

constexpr std::array<CountMember, 4> kUsageMembers = {{
    {"input", &Usage::input},
    {"output", &Usage::output},
    {"cached_input", &Usage::cached_input},
    {"reasoning", &Usage::reasoning},
}};

struct CallMember {
  std::string_view name;
  std::string ToolCall::* member;
};

constexpr std::array<CallMember, 3> kCallMembers = {{
    {"id", &ToolCall::id},
    {"name", &ToolCall::name},
    {"arguments", &ToolCall::arguments},
}};

json::Value call_to_json(const ToolCall& call) {
  json::Object object;
  for (const CallMember& member : kCallMembers) {
    object[member.name] = call.*member.member;
  }
  return object;
}

base::Status wrong(std::string_view name, std::string_view expected) {
  return base::bad_input(fmt::format("stored answer: member '{}' must be {}", name, expected));
}

/// Reads an object of which every member is known and of one type.
template <class Target, class Members, class Read>
base::Status read_members(const json::Value& value,
                          std::string_view name,
                          Target& target,
                          const Members& members,
                          Read read) {
  const json::Object* object = value.if_object();
  if (object == nullptr) {
    return wrong(name, "an object");
  }
  for (const auto& pair : *object) {
    const std::string_view key = pair.key();
    const auto found = std::ranges::find(members, key, [](const auto& m) { return m.name; });
    if (found == members.end()) {
      return base::bad_input(fmt::format("stored answer: unknown member '{}' in '{}'", key, name));
    }
    TRY(read(key, pair.value(), target.*(found->member)));
  }
  return {};
}

base::Status read_text(std::string_view name, const json::Value& value, std::string& out) {
  if (!value.is_string()) {
    return wrong(name, "a text");
  }
  out = json::view(value.get_string());
  return {};
}

base::Status read_count(std::string_view name, const json::Value& value, std::int64_t& out) {
  if (!value.is_int64()) {
    return wrong(name, "an integer");
  }
  out = value.get_int64();
  return {};
}

base::Status read_calls(const json::Value& value, std::vector<ToolCall>& out) {
  if (!value.is_array()) {
    return wrong("tool_calls", "an array");
  }
  for (const json::Value& item : value.get_array()) {
    TRY(read_members(item, "tool_calls", out.emplace_back(), kCallMembers, read_text));
  }
  return {};
}

base::Status read_finish(const json::Value& value, FinishReason& out) {
  const auto reason =
      value.is_string() ? finish_reason_from(json::view(value.get_string())) : std::nullopt;
  if (!reason) {
    return wrong("finish", "stop, length, tool_calls, content_filter or other");
  }
  out = *reason;
  return {};
}

base::Status read_member(std::string_view name, const json::Value& value, Answer& answer) {
  const auto* text =
      std::ranges::find(kTextMembers, name, [](const TextMember& m) { return m.name; });
  if (text != kTextMembers.end()) {
    return read_text(name, value, answer.*(text->member));
  }
  if (name == "tool_calls") {
    return read_calls(value, answer.tool_calls);
  }
  if (name == "finish") {
    return read_finish(value, answer.finish);
  }
  if (name == "usage") {
    return read_members(value, name, answer.usage, kUsageMembers, read_count);
  }
  if (name == "usage_reported") {
    if (!value.is_bool()) {
      return wrong(name, "true or false");
    }
    answer.usage_reported = value.get_bool();
    return {};
  }
  return base::bad_input(fmt::format("stored answer: unknown member '{}'", name));
}

}  // namespace

std::string_view to_string(Role role) {
  constexpr std::array<std::string_view, 4> kNames = {"system", "user", "assistant", "tool"};
  return kNames.at(static_cast<std::size_t>(role));
}

std::string_view to_string(FinishReason reason) {
  return kFinishReasons.at(static_cast<std::size_t>(reason)).second;
}

std::optional<FinishReason> finish_reason_from(std::string_view name) {
  const auto* found =
      std::ranges::find(kFinishReasons, name, [](const auto& pair) { return pair.second; });
  return found == kFinishReasons.end() ? std::nullopt : std::optional(found->first);
}

json::Value to_json(const Answer& answer) {
  json::Object out;
  for (const TextMember& member : kTextMembers) {
    if (const std::string& text = answer.*member.member; !text.empty()) {
      out[member.name] = text;
    }
  }
  if (!answer.tool_calls.empty()) {
    json::Array calls;
    calls.reserve(answer.tool_calls.size());
    for (const ToolCall& call : answer.tool_calls) {
      calls.push_back(call_to_json(call));
    }
    out["tool_calls"] = std::move(calls);
  }
  out["finish"] = to_string(answer.finish);
  json::Object usage;
  for (const CountMember& member : kUsageMembers) {
    if (const std::int64_t count = answer.usage.*member.member; count != 0) {
      usage[member.name] = count;
    }
  }
  if (!usage.empty()) {
    out["usage"] = std::move(usage);
  }
  if (answer.usage_reported) {
    out["usage_reported"] = true;
  }
  return out;
}

base::Result<Answer> answer_from_json(const json::Value& value) {
  const json::Object* object = value.if_object();
  if (object == nullptr) {
    return base::bad_input("stored answer: an object is expected");
  }
  if (!object->contains("finish")) {
    return base::bad_input("stored answer: member 'finish' is missing");
  }
  Answer answer;
  for (const auto& pair : *object) {
    TRY(read_member(pair.key(), pair.value(), answer));
  }
  return answer;
}

}  // namespace sortie::chat
