#include "sortie/dialogue/markup.h"

#include "sortie/base/text.h"

#include <algorithm>
#include <optional>

namespace sortie::dialogue {

namespace {

struct NativeMark {
  std::string_view text;
  Mark mark;
};

constexpr std::array<NativeMark, 12> kNativeMarks = {{
    {"<tool_call>", Mark::tool_call},
    {"<function_call>", Mark::tool_call},
    {"[TOOL_CALLS]", Mark::bracket_calls},
    {"<|tool_call|>", Mark::bracket_calls},
    {"<|tool_call_start|>", Mark::bracket_calls},
    {"<|python_tag|>", Mark::python_tag},
    {"<function=", Mark::function_tag},
    {"<invoke ", Mark::invoke},
    {"<｜tool▁call▁begin｜>", Mark::deepseek},
    {"<|tool_call_begin|>", Mark::kimi},
    {"<|channel|>commentary to=", Mark::harmony},
    {"<|start|>assistant<|channel|>commentary to=", Mark::harmony},
}};

constexpr std::size_t kTagLengthMax = 200;
constexpr std::string_view kSpace = " \t\r\n";

/// "USE-TOOL" → use_tool.
std::optional<CommandKind> kind_of(std::string_view word) {
  std::string normal = base::to_lower(word);
  std::ranges::replace(normal, '-', '_');
  const auto* found = std::ranges::find(kCommandTags, normal);
  if (found == kCommandTags.end()) {
    return std::nullopt;
  }
  return static_cast<CommandKind>(found - kCommandTags.begin());
}

/// The value of name="…" among a tag's attributes.
std::string_view name_attribute(std::string_view attributes) {
  const std::size_t at = attributes.find("name=");
  if (at == std::string_view::npos || at + 6 > attributes.size()) {
    return {};
  }
  const char quote = attributes[at + 5];
  if (quote != '"' && quote != '\'') {
    return {};
  }
  const std::string_view value = attributes.substr(at + 6);
  const std::size_t end = value.find(quote);
  return end == std::string_view::npos ? std::string_view() : value.substr(0, end);
}

/// One of our own tags at `begin`, where a '<' stands.
std::optional<Token> own_tag(std::string_view text, std::size_t begin) {
  constexpr std::string_view kWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";
  const std::string_view tag = text.substr(begin, kTagLengthMax);
  std::size_t at = 1;
  const bool close = at < tag.size() && tag[at] == '/';
  at += close ? 1 : 0;
  at = std::min(tag.find_first_not_of(kSpace, at), tag.size());
  const std::size_t word_end = std::min(tag.find_first_not_of(kWord, at), tag.size());
  const auto kind = kind_of(tag.substr(at, word_end - at));
  const std::size_t last = tag.find_first_of("<>", word_end);
  if (!kind || last == std::string_view::npos || tag[last] != '>') {
    return std::nullopt;
  }
  const std::string_view attributes = base::trim(tag.substr(word_end, last - word_end));
  const bool self_closing = attributes.ends_with('/');
  const std::string_view name = name_attribute(attributes);
  if (name.empty() && !attributes.empty() && attributes != "/") {
    return std::nullopt;
  }
  Token token{.kind = *kind, .begin = begin, .end = begin + last + 1, .name = name};
  token.mark = close ? Mark::close : self_closing ? Mark::self_closing : Mark::open;
  const std::size_t exact_length =
      kCommandTags.at(static_cast<std::size_t>(*kind)).size() + (close ? 3 : 2);
  const bool exact_word =
      tag.substr(at, word_end - at) == kCommandTags.at(static_cast<std::size_t>(*kind));
  token.exact = exact_word && (!attributes.empty() || token.end - begin == exact_length);
  return token;
}

std::optional<Token> native_mark(std::string_view text, std::size_t begin) {
  const std::string_view rest = text.substr(begin);
  for (const NativeMark& native : kNativeMarks) {
    if (rest.starts_with(native.text)) {
      return Token{.mark = native.mark, .begin = begin, .end = begin + native.text.size()};
    }
  }
  return std::nullopt;
}

struct ThinkTag {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool close = false;
};

std::vector<ThinkTag> think_tags(std::string_view text) {
  std::vector<ThinkTag> tags;
  for (std::size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at + 1)) {
    for (const std::string_view tag : {"<think>", "<thinking>", "</think>", "</thinking>"}) {
      if (text.substr(at).starts_with(tag)) {
        tags.push_back({.begin = at, .end = at + tag.size(), .close = tag[1] == '/'});
      }
    }
  }
  return tags;
}

}  // namespace

std::vector<Token> find_tags(std::string_view text) {
  std::vector<Token> tokens;
  std::size_t at = text.find_first_of("<[");
  while (at != std::string_view::npos) {
    auto token = native_mark(text, at);
    if (!token && text[at] == '<') {
      token = own_tag(text, at);
    }
    if (token) {
      tokens.push_back(*token);
    }
    at = text.find_first_of("<[", token ? token->end : at + 1);
  }
  return tokens;
}

SplitText split_reasoning(std::string_view text) {
  SplitText split;
  std::size_t done = 0;  // everything before belongs to one of the two parts
  bool thinking = false;
  for (const ThinkTag& tag : think_tags(text)) {
    const std::string_view piece = text.substr(done, tag.begin - done);
    if (tag.close && !thinking) {
      split.reasoning += split.visible;
      split.visible.clear();
    }
    (thinking || tag.close ? split.reasoning : split.visible) += piece;
    thinking = !tag.close;
    done = tag.end;
  }
  (thinking ? split.reasoning : split.visible) += text.substr(done);
  split.visible = std::string(base::trim(split.visible));
  return split;
}

}  // namespace sortie::dialogue
