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

constexpr std::array<NativeMark, 23> kNativeMarks = {{
    {"<tool_call>", Mark::tool_call},
    {"<function_call>", Mark::tool_call},
    {"[TOOL_CALLS]", Mark::bracket_calls},
    {"<|tool_call|>", Mark::bracket_calls},
    {"<|tool_call_start|>", Mark::bracket_calls},
    {"<|python_tag|>", Mark::python_tag},
    {"<function=", Mark::function_tag},
    {"<invoke ", Mark::invoke},
    {"<function ", Mark::invoke},
    {"<｜DSML｜invoke ", Mark::invoke},
    {"<｜tool▁call▁begin｜>", Mark::deepseek},
    {"<|tool▁call▁begin|>", Mark::deepseek},
    {"<|tool_call_begin|>", Mark::kimi},
    {"<|channel|>commentary to=", Mark::harmony},
    {"<|channel|>analysis to=", Mark::harmony},
    {"<|start|>assistant<|channel|>commentary to=", Mark::harmony},
    {"<|start|>assistant<|channel|>analysis to=", Mark::harmony},
    {"<|start|>assistant to=", Mark::harmony},
    {"<tool_calls>", Mark::other_calls},      // Jamba, MiniMax, Hunyuan
    {"<TOOLCALL>", Mark::other_calls},        // Nemotron
    {"<|START_ACTION|>", Mark::other_calls},  // Command
    {"<|plugin|>", Mark::other_calls},        // InternLM
    {"✿FUNCTION✿:", Mark::other_calls},       // Qwen2 with Qwen-Agent
}};

constexpr std::string_view kFunctools = "functools";  // Phi, followed by a list
constexpr std::string_view kAction = "Action:";
constexpr std::string_view kActionInput = "Action Input:";

/// First bytes of what may be a tag.
constexpr std::string_view kTagStarts = "<[A\xE2";

constexpr std::size_t kTagLengthMax = 1000;
constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";

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

/// Reads key="value" pairs from `at` on into `token`. The position after the last one, npos where
/// something else stands.
std::size_t read_attributes(std::string_view tag, std::size_t at, Token& token) {
  while (true) {
    at = std::min(tag.find_first_not_of(kSpace, at), tag.size());
    const std::size_t key_end = std::min(tag.find_first_not_of(kWord, at), tag.size());
    const std::string_view key = tag.substr(at, key_end - at);
    if (key.empty()) {
      return at;
    }
    const std::size_t equals = tag.find_first_not_of(kSpace, key_end);
    if (equals == std::string_view::npos || tag[equals] != '=') {
      return std::string_view::npos;
    }
    const std::size_t open = tag.find_first_not_of(kSpace, equals + 1);
    if (open == std::string_view::npos || (tag[open] != '"' && tag[open] != '\'')) {
      return std::string_view::npos;
    }
    const std::size_t close = tag.find(tag[open], open + 1);
    if (close == std::string_view::npos) {
      return std::string_view::npos;
    }
    const std::string_view value = tag.substr(open + 1, close - open - 1);
    at = close + 1;
    token.exact = false;
    if (key == "name" || key == "tool" || key == "query" || key == "result") {
      token.name = value;
    } else if (key == "arguments" || key == "parameters") {
      token.arguments = value;
    } else if (key != "id" && key != "type") {
      token.other_attributes = true;
    }
  }
}

/// One of our own tags at `begin`, where a '<' stands.
std::optional<Token> own_tag(std::string_view text, std::size_t begin) {
  const std::string_view tag = text.substr(begin, kTagLengthMax);
  std::size_t at = std::min(tag.find_first_not_of(kSpace, 1), tag.size());
  const bool close = at < tag.size() && tag[at] == '/';
  at += close ? 1 : 0;
  at = std::min(tag.find_first_not_of(kSpace, at), tag.size());
  const std::size_t word_end = std::min(tag.find_first_not_of(kWord, at), tag.size());
  const auto kind = kind_of(tag.substr(at, word_end - at));
  if (!kind) {
    return std::nullopt;
  }
  Token token{.kind = *kind, .begin = begin};
  std::size_t last = read_attributes(tag, word_end, token);
  if (last == std::string_view::npos) {
    return std::nullopt;
  }
  const bool self_closing = last < tag.size() && tag[last] == '/';
  last += self_closing ? 1 : 0;
  if (last >= tag.size() || tag[last] != '>') {
    return std::nullopt;
  }
  token.end = begin + last + 1;
  token.mark = close ? Mark::close : self_closing ? Mark::self_closing : Mark::open;
  const std::string_view word = kCommandTags.at(static_cast<std::size_t>(*kind));
  const bool exact_word = tag.substr(at, word_end - at) == word;
  const std::size_t exact_length = word.size() + (close ? 3 : 2);
  // A name attribute and "/>" are repairs of their own.
  const bool said_otherwise = self_closing || (!token.name.empty() && !token.other_attributes);
  token.exact = exact_word && (said_otherwise || token.end - begin == exact_length);
  return token;
}

/// "Action: name" and "Action Input:" on the line after it; `begin` is the A.
std::optional<Token> action_mark(std::string_view text, std::size_t begin) {
  constexpr std::size_t kNameMax = 100;
  const std::string_view rest = text.substr(begin);
  if ((begin > 0 && text[begin - 1] != '\n') || !rest.starts_with(kAction)) {
    return std::nullopt;
  }
  const std::size_t line_end = rest.substr(0, kNameMax).find('\n');
  if (line_end == std::string_view::npos || !rest.substr(line_end + 1).starts_with(kActionInput)) {
    return std::nullopt;
  }
  return Token{.mark = Mark::action, .begin = begin, .end = begin + kAction.size()};
}

std::optional<Token> native_mark(std::string_view text, std::size_t begin) {
  const std::string_view rest = text.substr(begin);
  for (const NativeMark& native : kNativeMarks) {
    if (rest.starts_with(native.text)) {
      return Token{.mark = native.mark, .begin = begin, .end = begin + native.text.size()};
    }
  }
  if (text[begin] == '[' && text.substr(0, begin).ends_with(kFunctools)) {
    return Token{.mark = Mark::other_calls, .begin = begin - kFunctools.size(), .end = begin};
  }
  return text[begin] == 'A' ? action_mark(text, begin) : std::nullopt;
}

struct ThinkMark {
  std::string_view text;
  bool close = false;
  bool alone = true;    // a close tag that means something without an open one
  bool begins = false;  // what closes the block begins something else
};

constexpr std::array<ThinkMark, 20> kThinkMarks = {{
    {.text = "<think>"},
    {.text = "</think>", .close = true},
    {.text = "<thinking>"},
    {.text = "</thinking>", .close = true},
    {.text = "<thought>"},  // EXAONE
    {.text = "</thought>", .close = true},
    {.text = "<seed:think>"},
    {.text = "</seed:think>", .close = true},
    {.text = "[THINK]"},  // Magistral
    {.text = "[/THINK]", .close = true},
    {.text = "◁think▷"},  // Kimi
    {.text = "◁/think▷", .close = true},
    {.text = "<|START_THINKING|>"},  // Command
    {.text = "<|END_THINKING|>", .close = true},
    {.text = "<|begin_of_thought|>"},
    {.text = "<|end_of_thought|>", .close = true},
    {.text = "<|channel|>analysis<|message|>"},  // gpt-oss
    {.text = "<|end|>", .close = true, .alone = false},
    {.text = "<|start|>", .close = true, .alone = false, .begins = true},
    {.text = "<|return|>", .close = true, .alone = false},
}};

struct ThinkTag {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool close = false;
  bool alone = true;
};

std::vector<ThinkTag> think_tags(std::string_view text) {
  std::vector<ThinkTag> tags;
  constexpr std::string_view kStarts = "<[\xE2";
  for (std::size_t at = text.find_first_of(kStarts); at != std::string_view::npos;
       at = text.find_first_of(kStarts, at + 1)) {
    for (const ThinkMark& mark : kThinkMarks) {
      if (base::equals_ignoring_case(text.substr(at, mark.text.size()), mark.text)) {
        tags.push_back({.begin = at,
                        .end = at + (mark.begins ? 0 : mark.text.size()),
                        .close = mark.close,
                        .alone = mark.alone});
        break;
      }
    }
  }
  return tags;
}

/// Two pieces with a block between them must not make a tag of a block where they meet.
void append_visible(std::string& visible, std::string_view piece) {
  constexpr std::size_t kMarkMax = 32;
  const std::size_t from = visible.size() - std::min(visible.size(), kMarkMax);
  const std::string meeting = visible.substr(from) + std::string(piece.substr(0, kMarkMax));
  if (!think_tags(meeting).empty()) {
    visible += '\n';
  }
  visible += piece;
}

struct Substitute {
  std::string_view written;
  char meant;
  Repair repair;
};

constexpr std::array<Substitute, 10> kSubstitutes = {{
    {"&lt;", '<', Repair::html_escaped},
    {"&gt;", '>', Repair::html_escaped},
    {"&quot;", '"', Repair::html_escaped},
    {"&apos;", '\'', Repair::html_escaped},
    {"&#39;", '\'', Repair::html_escaped},
    {"&#x27;", '\'', Repair::html_escaped},
    {"&amp;", '&', Repair::html_escaped},
    {"＜", '<', Repair::fullwidth_marks},
    {"＞", '>', Repair::fullwidth_marks},
    {"／", '/', Repair::fullwidth_marks},
}};

}  // namespace

std::vector<Token> find_tags(std::string_view text) {
  std::vector<Token> tokens;
  std::size_t at = text.find_first_of(kTagStarts);
  while (at != std::string_view::npos) {
    auto token = native_mark(text, at);
    if (!token && text[at] == '<') {
      token = own_tag(text, at);
    }
    if (token) {
      tokens.push_back(*token);
    }
    at = text.find_first_of(kTagStarts, std::max(at + 1, token ? token->end : 0));
  }
  return tokens;
}

SplitText split_reasoning(std::string_view text) {
  SplitText split;
  std::size_t done = 0;  // everything before belongs to one of the two parts
  bool thinking = false;
  for (const ThinkTag& tag : think_tags(text)) {
    if (tag.close && !tag.alone && !thinking) {
      continue;
    }
    const std::string_view piece = text.substr(done, tag.begin - done);
    if (tag.close && !thinking) {
      split.reasoning += split.visible;
      split.visible.clear();
    }
    if (thinking || tag.close) {
      split.reasoning += piece;
    } else {
      append_visible(split.visible, piece);
    }
    thinking = !tag.close;
    done = tag.end;
  }
  if (thinking) {
    split.reasoning += text.substr(done);
  } else {
    append_visible(split.visible, text.substr(done));
  }
  split.visible = std::string(base::trim(split.visible));
  return split;
}

std::string plain_markup(std::string_view text, Repairs& repairs) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find_first_of("&\xEF"), text.size());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    const auto* found = std::ranges::find_if(
        kSubstitutes, [&](const Substitute& one) { return text.starts_with(one.written); });
    if (found != kSubstitutes.end()) {
      repairs.add(found->repair);
      out += found->meant;
      text.remove_prefix(found->written.size());
    } else if (!text.empty()) {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace sortie::dialogue
