#include "sortie/dialogue/call_forms.h"

#include "sortie/base/text.h"
#include "sortie/dialogue/markup.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <utility>

namespace sortie::dialogue {

namespace {

constexpr std::array<std::string_view, 5> kNameKeys = {
    "name", "tool", "tool_name", "function", "function_name"};
constexpr std::array<std::string_view, 7> kArgumentKeys = {
    "arguments", "parameters", "args", "params", "input", "tool_input", "kwargs"};
constexpr std::array<std::string_view, 2> kIgnoredKeys = {"id", "type"};

bool contains(const auto& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// The member under the first of `keys` that exists; its key is left in `key`.
const json::Value* first_of(const json::Object& object, const auto& keys, std::string_view& key) {
  for (const std::string_view candidate : keys) {
    if (const json::Value* found = object.if_contains(candidate)) {
      key = candidate;
      return found;
    }
  }
  return nullptr;
}

std::string clean_name(std::string_view name) {
  name = base::trim(name);
  if (name.starts_with("functions.")) {
    name.remove_prefix(10);
  }
  return base::valid_utf8(name);
}

/// The text that a command takes: the member with its usual name, or the only member if that is a
/// text.
std::string text_argument(const json::Object& arguments, std::string_view usual) {
  const json::Value* found = arguments.if_contains(usual);
  if (found == nullptr && arguments.size() == 1) {
    found = &arguments.begin()->value();
  }
  if (found == nullptr) {
    return {};
  }
  return found->is_string() ? std::string(json::view(found->get_string())) : json::to_text(*found);
}

/// Arguments written as a value: an object, nothing, or JSON inside a text.
std::optional<json::Object> arguments_from(const json::Value& value, Repairs& repairs) {
  if (value.is_object()) {
    return value.get_object();
  }
  if (value.is_null()) {
    return json::Object();
  }
  if (!value.is_string()) {
    return std::nullopt;
  }
  const std::string_view text = base::trim(json::view(value.get_string()));
  repairs.add(Repair::arguments_as_text);
  if (text.empty()) {
    return json::Object();
  }
  LenientReader reader(text, 0, repairs, {});
  auto object = reader.object();
  reader.skip_space();
  return reader.at_end() ? std::move(object) : std::nullopt;
}

/// Everything beside the name, as arguments.
json::Object flat_arguments(const json::Object& object, std::string_view name_key) {
  json::Object arguments;
  for (const auto& member : object) {
    const std::string_view key = member.key();
    if (key != name_key && !contains(kIgnoredKeys, key)) {
      arguments.insert_or_assign(key, member.value());
    }
  }
  return arguments;
}

/// {"tool_name": {…}}: one member, whose key is no word of ours.
std::optional<ParsedCommand> call_from_single_member(const json::Object& object, Repairs& repairs) {
  if (object.size() != 1 || !object.begin()->value().is_object()) {
    return std::nullopt;
  }
  const std::string_view key = object.begin()->key();
  if (contains(kNameKeys, key) || contains(kArgumentKeys, key) || contains(kIgnoredKeys, key)) {
    return std::nullopt;
  }
  repairs.add(Repair::name_as_key);
  return command_named(clean_name(key), object.begin()->value().get_object());
}

constexpr std::size_t kLanguageMax = 40;  // bytes of the rest of a fence's line

void skip_fence(LenientReader& reader) {
  reader.skip_space();
  if (!reader.consume("```")) {
    return;
  }
  reader.repairs().add(Repair::code_fence);
  const std::string_view rest = reader.rest().substr(0, kLanguageMax);
  const std::size_t line = rest.find('\n');
  const std::string_view language = rest.substr(0, line);
  if (line != std::string_view::npos && language.find_first_of("{[(") == std::string_view::npos) {
    reader.move_to(reader.position() + line);
  }
  reader.skip_space();
}

/// A closing fence and brackets too many.
void skip_leftovers(LenientReader& reader) {
  reader.skip_space();
  while (reader.peek() == '}' || reader.peek() == ']' || reader.peek() == ')') {
    reader.repairs().add(Repair::extra_bracket);
    reader.move_to(reader.position() + 1);
    reader.skip_space();
  }
  if (reader.consume("```")) {
    reader.repairs().add(Repair::code_fence);
    reader.skip_space();
  }
}

constexpr std::size_t kNameMax = 200;  // bytes between two markers that enclose a name

/// Text up to `close`, which is consumed; nullopt if `close` does not come within `bytes_max`.
std::optional<std::string_view> text_until(LenientReader& reader,
                                           std::string_view close,
                                           std::size_t bytes_max = std::string_view::npos) {
  const std::string_view rest = reader.rest().substr(0, bytes_max);
  const std::size_t end = rest.find(close);
  if (end == std::string_view::npos) {
    reader.move_to(reader.position() + rest.size());
    return std::nullopt;
  }
  reader.move_to(reader.position() + end + close.size());
  return rest.substr(0, end);
}

/// A value written between tags: JSON if it is a number, true, false, null, an object or an array;
/// else the text itself.
json::Value value_between_tags(std::string_view text, Repairs& repairs) {
  const std::string_view trimmed = base::trim(text);
  Repairs inner;
  LenientReader reader(trimmed, 0, inner, {});
  auto value = reader.value();
  reader.skip_space();
  if (value && reader.at_end()) {
    repairs.add(inner);
    return *std::move(value);
  }
  return {base::valid_utf8(trimmed)};
}

/// One argument between tags; false at the end of the list, or with `broken` set if a pair is not
/// complete.
bool read_tagged_argument(LenientReader& reader, json::Object& arguments, bool& broken) {
  reader.skip_space();
  std::optional<std::string_view> key;
  std::string_view close = "</parameter>";
  if (reader.consume("<parameter=") || reader.consume("<parameter name=")) {
    key = text_until(reader, ">", kNameMax);
  } else if (reader.consume("<arg_key>")) {
    key = text_until(reader, "</arg_key>", kNameMax);
    reader.skip_space();
    close = "</arg_value>";
    broken = !reader.consume("<arg_value>");
  } else {
    return false;
  }
  const auto value = key && !broken ? text_until(reader, close) : std::nullopt;
  broken = !value;
  if (broken) {
    return false;
  }
  std::string_view name = base::trim(*key);
  if (name.size() >= 2 && (name.front() == '"' || name.front() == '\'')) {
    name = name.substr(1, name.size() - 2);
  }
  arguments.insert_or_assign(base::valid_utf8(name), value_between_tags(*value, reader.repairs()));
  return true;
}

/// <name>x</name><arguments>{…}</arguments>, after "<name>" or "<tool_name>".
std::optional<ParsedCommand> read_xml_members(LenientReader& reader, std::string_view close) {
  const auto name = text_until(reader, close, kNameMax);
  if (!name) {
    return std::nullopt;
  }
  reader.repairs().add(Repair::xml_members);
  json::Object arguments;
  reader.skip_space();
  for (const std::string_view open : {"<arguments>", "<parameters>"}) {
    if (!reader.consume(open)) {
      continue;
    }
    skip_fence(reader);
    auto object = reader.object();
    if (!object) {
      return std::nullopt;
    }
    arguments = *std::move(object);
    skip_leftovers(reader);
    reader.consume(open == "<arguments>" ? "</arguments>" : "</parameters>");
  }
  return command_named(clean_name(*name), std::move(arguments));
}

/// True where a name alone may end: at the end, at a tag, a fence or a line's end.
bool name_ends_here(const LenientReader& reader, bool truncated) {
  return reader.at_end() ? !truncated
                         : reader.peek() == '<' || reader.peek() == '\n' || reader.peek() == '\r' ||
                               reader.rest().starts_with("```");
}

/// name(…), name {…}, or a name alone.
std::optional<ParsedCommand> read_named(LenientReader& reader, CallSyntax syntax) {
  const char quote = reader.peek();
  std::string name;
  if (quote == '"' || quote == '\'') {
    name = clean_name(reader.string().value_or(""));
  } else {
    name = clean_name(reader.identifier());
  }
  if (name.empty()) {
    return std::nullopt;
  }
  while (reader.peek() == ' ' || reader.peek() == '\t') {
    reader.move_to(reader.position() + 1);
  }
  if (reader.consume("(")) {
    // Llama's form for its built-in tools: name.call(key="value").
    name = name.ends_with(".call") ? name.substr(0, name.size() - 5) : name;
    reader.repairs().add(Repair::call_syntax);
    auto arguments = reader.call_arguments();
    return arguments ? std::optional(command_named(std::move(name), *std::move(arguments)))
                     : std::nullopt;
  }
  if (syntax.shape == Shape::strict) {
    return std::nullopt;
  }
  const bool may_end = name_ends_here(reader, syntax.truncated);
  reader.consume("[ARGS]");
  skip_fence(reader);
  if (reader.peek() == '{' || reader.rest().starts_with("<arg_key>")) {
    reader.repairs().add(Repair::name_before_json);
    auto arguments = read_arguments(reader);
    return arguments ? std::optional(command_named(std::move(name), *std::move(arguments)))
                     : std::nullopt;
  }
  if (!may_end) {
    return std::nullopt;
  }
  reader.repairs().add(Repair::name_only);
  return command_named(std::move(name), {});
}

/// The elements of a list of calls.
bool append_list(const json::Array& list,
                 CallSyntax syntax,
                 Repairs& repairs,
                 std::vector<ParsedCommand>& out) {
  for (const json::Value& element : list) {
    auto call = element.is_object() ? call_from_object(element.get_object(), syntax.shape, repairs)
                                    : std::nullopt;
    if (!call) {
      return false;
    }
    out.push_back(*std::move(call));
  }
  if (!syntax.list_expected) {
    repairs.add(Repair::several_in_tag);
  }
  return !list.empty();
}

/// [name(…), name(…)], after the bracket.
bool read_pythonic_list(LenientReader& reader, CallSyntax syntax, std::vector<ParsedCommand>& out) {
  while (true) {
    reader.skip_space();
    auto call = read_named(reader, {.shape = Shape::strict, .truncated = syntax.truncated});
    if (!call) {
      return false;
    }
    out.push_back(*std::move(call));
    reader.skip_space();
    if (reader.consume("]")) {
      return true;
    }
    if (!reader.consume(",")) {
      return false;
    }
  }
}

/// One call or one list of calls.
bool read_item(LenientReader& reader, CallSyntax syntax, std::vector<ParsedCommand>& out) {
  std::optional<ParsedCommand> call;
  const std::size_t begin = reader.position();
  switch (reader.peek()) {
    case '{': {
      auto object = reader.object();
      call = object ? call_from_object(*std::move(object), syntax.shape, reader.repairs())
                    : std::nullopt;
      break;
    }
    case '[': {
      const auto list = reader.value();
      if (list) {
        return append_list(list->get_array(), syntax, reader.repairs(), out);
      }
      reader.move_to(begin + 1);
      return read_pythonic_list(reader, syntax, out);
    }
    case '<':
      if (reader.consume("<name>")) {
        call = read_xml_members(reader, "</name>");
      } else if (reader.consume("<tool_name>")) {
        call = read_xml_members(reader, "</tool_name>");
      }
      break;
    default:
      call = read_named(reader, syntax);
  }
  if (!call) {
    return false;
  }
  out.push_back(*std::move(call));
  return true;
}

bool object_follows(LenientReader& reader) {
  skip_leftovers(reader);
  const std::size_t end = reader.position();
  if (reader.consume(",") || reader.consume(";")) {
    reader.skip_space();
  }
  if (reader.peek() == '{') {
    return true;
  }
  reader.move_to(end);
  return false;
}

}  // namespace

ParsedCommand command_named(std::string name, json::Object arguments) {
  constexpr std::array<std::string_view, 4> kUsual = {"query", "name", "name", "result"};
  const auto* found = std::ranges::find(kCommandTags, name);
  if (found == kCommandTags.end()) {
    return {.name = std::move(name), .arguments = std::move(arguments)};
  }
  const auto kind = static_cast<CommandKind>(found - kCommandTags.begin());
  if (kind != CommandKind::use_tool) {
    return {.kind = kind,
            .name = text_argument(arguments, kUsual.at(static_cast<std::size_t>(kind)))};
  }
  // A call of "use_tool" holds the call that is meant, once.
  Repairs ignored;
  const json::Value* inner = arguments.if_contains("arguments");
  const json::Value* tool = arguments.if_contains("name");
  if (tool == nullptr || !tool->is_string()) {
    return {.name = std::move(name), .arguments = std::move(arguments), .readable = false};
  }
  auto inner_arguments = inner == nullptr ? json::Object() : arguments_from(*inner, ignored);
  const bool readable = inner_arguments.has_value();
  return {.name = clean_name(json::view(tool->get_string())),
          .arguments = readable ? *std::move(inner_arguments) : json::Object(),
          .readable = readable};
}

std::optional<ParsedCommand> call_from_object(json::Object object, Shape shape, Repairs& repairs) {
  if (const json::Value* function = object.if_contains("function");
      function != nullptr && function->is_object()) {
    repairs.add(Repair::nested_function);
    json::Object inner = function->get_object();
    object = std::move(inner);
  }
  std::string_view name_key;
  const json::Value* name = first_of(object, kNameKeys, name_key);
  if (name == nullptr || !name->is_string()) {
    return shape == Shape::any ? call_from_single_member(object, repairs) : std::nullopt;
  }
  std::string_view arguments_key;
  const json::Value* arguments = first_of(object, kArgumentKeys, arguments_key);
  if (shape == Shape::strict && (arguments == nullptr || !arguments->is_object())) {
    return std::nullopt;
  }
  if (name_key != kNameKeys[0] || (arguments != nullptr && arguments_key != kArgumentKeys[0])) {
    repairs.add(Repair::member_names);
  }
  std::string call_name = clean_name(json::view(name->get_string()));
  if (call_name.empty()) {
    return std::nullopt;
  }
  if (arguments == nullptr) {
    json::Object flat = flat_arguments(object, name_key);
    repairs.add(flat.empty() ? Repair::name_only : Repair::flat_arguments);
    return command_named(std::move(call_name), std::move(flat));
  }
  auto read = arguments_from(*arguments, repairs);
  return read ? std::optional(command_named(std::move(call_name), *std::move(read))) : std::nullopt;
}

bool read_calls(LenientReader& reader, CallSyntax syntax, std::vector<ParsedCommand>& out) {
  skip_fence(reader);
  std::vector<ParsedCommand> calls;
  do {
    if (!calls.empty() && !syntax.list_expected) {
      reader.repairs().add(Repair::several_in_tag);
    }
    if (!read_item(reader, syntax, calls)) {
      return false;
    }
  } while (calls.size() <= kCommandsMax && object_follows(reader));
  std::ranges::move(calls, std::back_inserter(out));
  return true;
}

std::optional<json::Object> read_arguments(LenientReader& reader) {
  skip_fence(reader);
  if (reader.peek() == '{') {
    auto object = reader.object();
    if (object) {
      skip_leftovers(reader);
    }
    return object;
  }
  json::Object arguments;
  bool broken = false;
  while (read_tagged_argument(reader, arguments, broken)) {
  }
  const bool something_else = !reader.at_end() && reader.peek() != '<';
  return broken || something_else ? std::nullopt : std::optional(std::move(arguments));
}

std::optional<ParsedCommand> read_deepseek(LenientReader& reader) {
  constexpr std::string_view kSeparator = "<｜tool▁sep｜>";
  const auto before = text_until(reader, kSeparator, kNameMax);
  if (!before) {
    return std::nullopt;
  }
  std::string name = clean_name(*before);
  reader.skip_space();
  if (reader.peek() != '{' && reader.peek() != '`') {
    // The older form names the kind first: function<｜tool▁sep｜>name.
    name = clean_name(reader.identifier());
  }
  auto arguments = read_arguments(reader);
  if (name.empty() || !arguments) {
    return std::nullopt;
  }
  return command_named(std::move(name), *std::move(arguments));
}

std::optional<ParsedCommand> read_kimi(LenientReader& reader) {
  const auto id = text_until(reader, "<|tool_call_argument_begin|>", kNameMax);
  if (!id) {
    return std::nullopt;
  }
  // functions.<name>:<number>
  const std::string name = clean_name(id->substr(0, id->rfind(':')));
  auto arguments = read_arguments(reader);
  if (name.empty() || !arguments) {
    return std::nullopt;
  }
  return command_named(name, *std::move(arguments));
}

std::optional<ParsedCommand> read_harmony(LenientReader& reader) {
  std::string name = clean_name(reader.identifier());
  if (name.empty() || !text_until(reader, "<|message|>", kNameMax)) {
    return std::nullopt;
  }
  auto arguments = read_arguments(reader);
  return arguments ? std::optional(command_named(std::move(name), *std::move(arguments)))
                   : std::nullopt;
}

}  // namespace sortie::dialogue
