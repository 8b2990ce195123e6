#include "sortie/dialogue/call_forms.h"

#include "sortie/base/text.h"
#include "sortie/dialogue/markup.h"
#include "sortie/dialogue/tagged_arguments.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <utility>

#include <fmt/format.h>

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
  return command_named(clean_name(key, repairs), object.begin()->value().get_object());
}

/// <name>x</name><arguments>{…}</arguments>, after the first tag, whose end is `close`. The
/// arguments may be elements too.
std::optional<ParsedCommand> read_xml_members(LenientReader& reader, std::string_view close) {
  const auto name = text_until(reader, close, kNameMax);
  if (!name) {
    return std::nullopt;
  }
  reader.repairs().add(Repair::xml_members);
  std::string call_name = clean_name(*name, reader.repairs());
  reader.skip_space();
  for (const std::string_view member : {"arguments", "parameters", "args"}) {
    if (!reader.consume(fmt::format("<{}>", member))) {
      continue;
    }
    skip_fence(reader);
    const std::string end = fmt::format("</{}>", member);
    const bool object = reader.peek() == '{';
    const bool tagged =
        reader.rest().starts_with("<parameter") || reader.rest().starts_with("<arg_key>");
    auto arguments = object || tagged ? read_arguments(reader) : read_elements(reader, end);
    if (!arguments) {
      return std::nullopt;
    }
    if (object || tagged) {
      reader.skip_space();
      reader.consume(end);
    }
    return command_named(std::move(call_name), *std::move(arguments));
  }
  auto arguments = read_arguments(reader);
  const bool ends_here = reader.at_end() || reader.rest().starts_with("</");
  return arguments && (!arguments->empty() || ends_here)
             ? std::optional(command_named(std::move(call_name), *std::move(arguments)))
             : std::nullopt;
}

/// The call inside a quoted text: "{\"name\": …}".
std::optional<ParsedCommand> read_quoted_call(std::string_view text, LenientReader& outer) {
  LenientReader reader(text, 0, outer.repairs(), {});
  auto object = reader.object();
  reader.skip_space();
  if (!object || !reader.at_end()) {
    return std::nullopt;
  }
  outer.repairs().add(Repair::arguments_as_text);
  return call_from_object(*std::move(object), Shape::any, outer.repairs());
}

/// find_tool("text"), use_tool("name", {…}), after the parenthesis: our own commands have an order
/// of parameters that everybody knows; tools have none.
std::optional<ParsedCommand> read_positional(LenientReader& reader, CommandKind kind) {
  auto text = reader.string();
  if (!text) {
    return std::nullopt;
  }
  reader.skip_space();
  json::Object arguments;
  if (kind == CommandKind::use_tool && reader.consume(",")) {
    reader.skip_space();
    reader.consume("arguments=");
    auto object = reader.object();
    if (!object) {
      return std::nullopt;
    }
    arguments = *std::move(object);
    reader.skip_space();
  }
  if (!reader.consume(")")) {
    return std::nullopt;
  }
  if (kind == CommandKind::use_tool) {
    return command_named(clean_name(*text, reader.repairs()), std::move(arguments));
  }
  return ParsedCommand{.kind = kind, .name = *std::move(text)};
}

std::optional<CommandKind> own_command(std::string_view name) {
  const auto* found = std::ranges::find(kCommandTags, name);
  return found == kCommandTags.end()
             ? std::nullopt
             : std::optional(static_cast<CommandKind>(found - kCommandTags.begin()));
}

/// name(…), after the parenthesis.
std::optional<ParsedCommand> read_call_syntax(LenientReader& reader, std::string name) {
  // Llama's form for its built-in tools: name.call(key="value").
  name = name.ends_with(".call") ? name.substr(0, name.size() - 5) : name;
  reader.repairs().add(Repair::call_syntax);
  reader.skip_space();
  if (const auto kind = own_command(name); kind && reader.at_string()) {
    return read_positional(reader, *kind);
  }
  auto arguments = reader.call_arguments();
  return arguments ? std::optional(command_named(std::move(name), *std::move(arguments)))
                   : std::nullopt;
}

/// The object of a call whose name is known, perhaps in a fence.
std::optional<ParsedCommand> read_object_call(LenientReader& reader, std::string name) {
  skip_fence(reader);
  auto arguments = reader.object();
  if (name.empty() || !arguments) {
    return std::nullopt;
  }
  skip_leftovers(reader);
  return command_named(std::move(name), *std::move(arguments));
}

/// True where a name alone may end: at the end, at a tag, a fence or a line's end.
bool name_ends_here(const LenientReader& reader, bool truncated) {
  return reader.at_end() ? !truncated
                         : reader.peek() == '<' || reader.peek() == '\n' || reader.peek() == '\r' ||
                               reader.rest().starts_with("```");
}

/// The marks that some families put between a name and its arguments.
bool skip_to_arguments(LenientReader& reader) {
  if (reader.consume("[CALL_ID]") && !text_until(reader, "[ARGS]", kNameMax)) {
    return false;
  }
  reader.consume("[ARGS]");
  skip_fence(reader);
  if (reader.consume("✿ARGS✿:")) {
    skip_fence(reader);
  }
  return true;
}

/// name(…), name {…}, or a name alone.
std::optional<ParsedCommand> read_named(LenientReader& reader, CallSyntax syntax) {
  std::string name;
  if (reader.at_string()) {
    const std::string text = reader.string().value_or("");
    if (base::trim(text).starts_with('{') && syntax.shape == Shape::any) {
      return read_quoted_call(text, reader);
    }
    name = clean_name(text, reader.repairs());
  } else {
    name = clean_name(reader.identifier(), reader.repairs());
  }
  if (name.empty()) {
    return std::nullopt;
  }
  while (reader.peek() == ' ' || reader.peek() == '\t') {
    reader.move_to(reader.position() + 1);
  }
  if (reader.consume("(")) {
    return read_call_syntax(reader, std::move(name));
  }
  if (syntax.shape == Shape::strict) {
    return std::nullopt;
  }
  const bool may_end = name_ends_here(reader, syntax.truncated);
  if (!skip_to_arguments(reader)) {
    return std::nullopt;
  }
  if (reader.peek() == '{' || reader.rest().starts_with("<arg_key>") ||
      reader.rest().starts_with("<parameter")) {
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
      for (const std::string_view member : {"name", "tool_name", "tool", "function"}) {
        if (!call && reader.consume(fmt::format("<{}>", member))) {
          call = read_xml_members(reader, fmt::format("</{}>", member));
        }
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

std::string_view usual_member(CommandKind kind) {
  constexpr std::array<std::string_view, 4> kUsual = {"query", "name", "name", "result"};
  return kUsual.at(static_cast<std::size_t>(kind));
}

std::string clean_name(std::string_view name, Repairs& repairs) {
  name = trim_space(name, repairs);
  if (name.starts_with("functions.")) {
    name.remove_prefix(10);
  }
  if (const std::size_t mark = name.find("<|"); mark != std::string_view::npos) {
    repairs.add(Repair::native_harmony);
    name = base::trim(name.substr(0, mark));
  }
  return base::valid_utf8(name);
}

ParsedCommand command_named(std::string name, json::Object arguments) {
  const auto kind = own_command(name);
  if (!kind) {
    return {.name = std::move(name), .arguments = std::move(arguments)};
  }
  if (*kind != CommandKind::use_tool) {
    return {.kind = *kind, .name = text_argument(arguments, usual_member(*kind))};
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
  return {.name = clean_name(json::view(tool->get_string()), ignored),
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
  const bool arguments_look_right =
      arguments != nullptr &&
      (arguments->is_object() ||
       (arguments->is_string() && arguments->get_string().starts_with('{')));
  if (shape == Shape::strict && !arguments_look_right) {
    return std::nullopt;
  }
  if (name_key != kNameKeys[0] || (arguments != nullptr && arguments_key != kArgumentKeys[0])) {
    repairs.add(Repair::member_names);
  }
  std::string call_name = clean_name(json::view(name->get_string()), repairs);
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

std::optional<ParsedCommand> read_deepseek(LenientReader& reader) {
  // Some servers write the marks in ASCII.
  constexpr std::array<std::string_view, 3> kSeparators = {
      "<｜tool▁sep｜>", "<|tool▁sep|>", "<|tool_sep|>"};
  const std::string_view rest = reader.rest().substr(0, kNameMax);
  std::optional<std::string_view> before;
  for (const std::string_view separator : kSeparators) {
    if (rest.contains(separator)) {
      before = text_until(reader, separator, kNameMax);
      break;
    }
  }
  if (!before) {
    return std::nullopt;
  }
  std::string name = clean_name(*before, reader.repairs());
  reader.skip_space();
  if (reader.peek() != '{' && reader.peek() != '`') {
    // The older form names the kind first: function<｜tool▁sep｜>name.
    name = clean_name(reader.identifier(), reader.repairs());
  }
  return read_object_call(reader, std::move(name));
}

std::optional<ParsedCommand> read_kimi(LenientReader& reader) {
  const auto id = text_until(reader, "<|tool_call_argument_begin|>", kNameMax);
  if (!id) {
    return std::nullopt;
  }
  // functions.<name>:<number>
  std::string name = clean_name(id->substr(0, id->rfind(':')), reader.repairs());
  auto arguments = reader.object();
  if (name.empty() || !arguments) {
    return std::nullopt;
  }
  return command_named(std::move(name), *std::move(arguments));
}

std::optional<ParsedCommand> read_harmony(LenientReader& reader) {
  std::string name = clean_name(reader.identifier(), reader.repairs());
  if (name.empty() || !text_until(reader, "<|message|>", kNameMax)) {
    return std::nullopt;
  }
  auto arguments = reader.object();
  return arguments ? std::optional(command_named(std::move(name), *std::move(arguments)))
                   : std::nullopt;
}

std::optional<ParsedCommand> read_action(LenientReader& reader) {
  const auto line = text_until(reader, "\n", kNameMax);
  if (!line || !reader.consume("Action Input:")) {
    return std::nullopt;
  }
  std::string name = clean_name(*line, reader.repairs());
  reader.skip_space();
  const auto kind = own_command(name);
  if (kind && *kind != CommandKind::use_tool && reader.peek() != '{') {
    std::string text(base::trim(reader.rest().substr(0, reader.rest().find('\n'))));
    reader.move_to(reader.position() + text.size());
    const bool whole = !reader.at_end() || reader.end_closes();
    return whole ? std::optional(ParsedCommand{.kind = *kind, .name = base::valid_utf8(text)})
                 : std::nullopt;
  }
  return read_object_call(reader, std::move(name));
}

}  // namespace sortie::dialogue
