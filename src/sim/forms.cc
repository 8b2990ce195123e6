#include "sortie/sim/forms.h"

#include "sortie/base/text.h"
#include "sortie/sim/skill.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::sim {

namespace {

struct TagName {
  Tag tag;
  std::string_view open;
  std::string_view close;
};

constexpr std::array<TagName, 4> kTags = {{{Tag::use_tool, "<use_tool>", "</use_tool>"},
                                           {Tag::find_tool, "<find_tool>", "</find_tool>"},
                                           {Tag::show_tool, "<show_tool>", "</show_tool>"},
                                           {Tag::finish, "<finish>", "</finish>"}}};

constexpr std::string_view kQwenOpen = "<tool_call>";
constexpr std::string_view kQwenClose = "</tool_call>";
constexpr std::string_view kMistral = "[TOOL_CALLS]";
constexpr std::string_view kLlama = "<|python_tag|>";
constexpr std::string_view kDeepseekBegin = "<｜tool▁calls▁begin｜>";
constexpr std::string_view kDeepseekCall = "<｜tool▁call▁begin｜>function";
constexpr std::string_view kDeepseekName = "<｜tool▁sep｜>";
constexpr std::string_view kDeepseekCallEnd = "<｜tool▁call▁end｜>";
constexpr std::string_view kDeepseekEnd = "<｜tool▁calls▁end｜>";
constexpr std::string_view kJsonFence = "\n```json\n";
constexpr std::string_view kUnreadable =
    "run the operation that comes next on the result of the last one";

// --- Writing

std::string object_of(const SpelledCall& call, std::string_view arguments_name = "arguments") {
  return fmt::format(R"({{"name":"{}","{}":{}}})", call.first, arguments_name, call.second);
}

std::string tagged(Form form, Tag tag, std::string_view inside) {
  const TagName& name = kTags.at(static_cast<std::size_t>(tag));
  std::string out(name.open);
  out += inside;
  if (form != Form::unclosed_tag) {
    out += name.close;
  }
  return out;
}

bool has_either_quote_inside(std::string_view json) {
  return json.find('\'') != std::string_view::npos || json.find('\\') != std::string_view::npos;
}

std::string with_single_quotes(std::string json) {
  std::ranges::replace(json, '"', '\'');
  return json;
}

std::string spell_call(Form form, const SpelledCall& call) {
  switch (form) {
    case Form::single_quotes:
      return has_either_quote_inside(call.second)
                 ? tagged(Form::plain, Tag::use_tool, object_of(call))
                 : tagged(form, Tag::use_tool, with_single_quotes(object_of(call)));
    case Form::trailing_comma: {
      std::string object = object_of(call);
      object.insert(object.size() - 1, ",");
      return tagged(form, Tag::use_tool, object);
    }
    case Form::python_call:
      return tagged(form, Tag::use_tool, fmt::format("{}({})", call.first, call.second));
    case Form::qwen:
      return fmt::format("{}\n{}\n{}", kQwenOpen, object_of(call), kQwenClose);
    case Form::llama:
      return fmt::format("{}{}", kLlama, object_of(call, "parameters"));
    case Form::deepseek:
      return fmt::format("{}{}{}{}{}\n```{}",
                         kDeepseekCall,
                         kDeepseekName,
                         call.first,
                         kJsonFence,
                         call.second,
                         kDeepseekCallEnd);
    case Form::unreadable:
      return tagged(form, Tag::use_tool, kUnreadable);
    default:
      return tagged(form, Tag::use_tool, object_of(call));
  }
}

std::string fenced(const std::string& text) {
  return fmt::format("```\n{}\n```", text);
}

// --- Reading

/// The JSON object that begins at text[at]; empty if none does or it does not end.
std::string_view balanced_object(std::string_view text, std::size_t at) {
  if (at >= text.size() || text[at] != '{') {
    return {};
  }
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = at; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return text.substr(at, i + 1 - at);
    }
  }
  return {};
}

/// Takes `expected` and the spaces behind it from the front.
bool take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) {
    return false;
  }
  text.remove_prefix(expected.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return true;
}

/// {"name":"…","arguments":{…}} at the front of `text`; `text` moves behind the arguments.
bool read_object(std::string_view& text, Written& out) {
  if (!take(text, "{") || !take(text, "\"name\"") || !take(text, ":") || !take(text, "\"")) {
    return false;
  }
  const std::size_t name_end = text.find('"');
  if (name_end == std::string_view::npos) {
    return false;
  }
  out.name = text.substr(0, name_end);
  text.remove_prefix(name_end);
  const bool named = take(text, "\"") && take(text, ",") &&
                     (take(text, "\"arguments\"") || take(text, "\"parameters\"")) &&
                     take(text, ":") && text.starts_with('{');
  out.arguments = named ? balanced_object(text, 0) : std::string_view{};
  text.remove_prefix(out.arguments.size());
  return true;
}

/// What stands between the tags of use_tool.
void read_inside(std::string_view inside, Written& out, std::deque<std::string>& respelled) {
  std::string_view text = base::trim(inside);
  if (text.starts_with("{'")) {
    std::string& proper = respelled.emplace_back(text);
    std::ranges::replace(proper, '\'', '"');
    text = proper;
  }
  if (text.starts_with('{')) {
    (void)read_object(text, out);
    return;
  }
  const std::size_t call = text.find("({");
  if (call != std::string_view::npos && text.find(' ') > call) {
    out.name = text.substr(0, call);
    out.arguments = balanced_object(text, call + 1);
  }
}

/// Collects commands.
class CommandReader {
 public:
  explicit CommandReader(std::deque<std::string>& respelled) : respelled_(&respelled) {}

  /// Reads what begins at the front of `text` and appends it.
  void read_at(std::string_view text) {
    for (const TagName& tag : kTags) {
      if (text.starts_with(tag.open)) {
        read_tag(tag, text.substr(tag.open.size()));
        return;
      }
    }
    if (take(text, kQwenOpen) || take(text, kLlama)) {
      read_list(base::trim(text));
    } else if (take(text, kMistral)) {
      (void)take(text, "[");
      read_list(text);
    } else if (take(text, kDeepseekName)) {
      const std::size_t end = text.find(kJsonFence);
      if (end != std::string_view::npos) {
        add({.tag = Tag::use_tool,
             .name = text.substr(0, end),
             .arguments = balanced_object(text, end + kJsonFence.size())});
      }
    }
  }

  /// Objects, one after the other.
  void read_list(std::string_view text) {
    Written written;
    while (read_object(text, written)) {
      add(written);
      written = {};
      if (!take(text, "}") || !take(text, ",")) {
        return;
      }
    }
  }

  [[nodiscard]] std::vector<Written> take_all() { return std::move(out_); }

 private:
  void add(Written written) { out_.push_back(written); }

  void read_tag(const TagName& tag, std::string_view rest) {
    const std::string_view inside = rest.substr(0, rest.find(tag.close));
    Written written{.tag = tag.tag, .name = {}, .arguments = {}};
    if (tag.tag == Tag::use_tool) {
      read_inside(inside, written, *respelled_);
    } else {
      written.name = base::trim(inside);
    }
    add(written);
  }

  std::deque<std::string>* respelled_;
  std::vector<Written> out_;
};

}  // namespace

std::string spell_calls(Form form, const std::vector<SpelledCall>& calls) {
  std::string out;
  if (form == Form::bare_json && calls.size() == 1) {
    return object_of(calls.front());
  }
  if (form == Form::mistral) {
    for (const SpelledCall& call : calls) {
      out += out.empty() ? "" : ",";
      out += object_of(call);
    }
    return fmt::format("{}[{}]", kMistral, out);
  }
  for (const SpelledCall& call : calls) {
    out += out.empty() ? "" : "\n";
    out += spell_call(form, call);
  }
  if (form == Form::deepseek) {
    return fmt::format("{}{}{}", kDeepseekBegin, out, kDeepseekEnd);
  }
  return form == Form::code_fence ? fenced(out) : out;
}

std::string spell_command(Form form, Tag tag, std::string_view inside) {
  std::string out = tagged(form, tag, inside);
  return form == Form::code_fence ? fenced(out) : out;
}

std::vector<Written> read_commands(std::string_view text, std::deque<std::string>& respelled) {
  CommandReader reader(respelled);
  if (text.starts_with(R"({"name")")) {
    reader.read_list(text);
    return reader.take_all();
  }
  for (std::size_t at = text.find_first_of("<["); at != std::string_view::npos;
       at = text.find_first_of("<[", at + 1)) {
    reader.read_at(text.substr(at));
  }
  return reader.take_all();
}

Written read_function_call(std::string_view name, std::string_view arguments) {
  for (const TagName& tag : kTags) {
    if (tag.tag != Tag::use_tool && name == tag.open.substr(1, tag.open.size() - 2)) {
      // {"query":"words"}: the value of the only member, without escapes in anything the model
      // writes.
      const std::size_t colon = arguments.find(":\"");
      const std::size_t end = arguments.rfind('"');
      const bool found = colon != std::string_view::npos && end > colon + 1;
      return {.tag = tag.tag,
              .name = found ? arguments.substr(colon + 2, end - colon - 2) : std::string_view{},
              .arguments = {}};
    }
  }
  return {.tag = Tag::use_tool, .name = name, .arguments = arguments};
}

std::string use_tool_text(std::string_view tool, std::string_view arguments) {
  return spell_calls(Form::plain, {{std::string(tool), std::string(arguments)}});
}

std::string find_tool_text(std::string_view query) {
  return spell_command(Form::plain, Tag::find_tool, query);
}

std::string show_tool_text(std::string_view tool) {
  return spell_command(Form::plain, Tag::show_tool, tool);
}

std::string finish_text(std::string_view result) {
  return spell_command(Form::plain, Tag::finish, result);
}

}  // namespace sortie::sim
