#include "sortie/dialogue/tagged_arguments.h"

#include "sortie/base/text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sortie::dialogue {

namespace {

constexpr std::size_t kLanguageMax = 40;  // bytes of the rest of a fence's line

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
  return json::Value(base::valid_utf8(trimmed));
}

/// What stands before the next tag that ends a value: `close`, which is consumed, or one that shows
/// that it is missing.
std::optional<std::string_view> value_until(LenientReader& reader, std::string_view close) {
  constexpr std::array<std::string_view, 9> kNext = {"<parameter",
                                                     "<｜DSML｜parameter",
                                                     "<arg_key>",
                                                     "</function",
                                                     "</invoke",
                                                     "</｜DSML｜",
                                                     "</tool_call",
                                                     "</use_tool",
                                                     "</arguments"};
  const std::string_view text = reader.rest();
  std::size_t at = text.find('<');
  for (; at != std::string_view::npos; at = text.find('<', at + 1)) {
    const std::string_view tag = text.substr(at);
    if (tag.starts_with(close)) {
      reader.move_to(reader.position() + at + close.size());
      return text.substr(0, at);
    }
    if (std::ranges::any_of(kNext, [&](std::string_view next) { return tag.starts_with(next); })) {
      break;
    }
  }
  const bool ends = at != std::string_view::npos || reader.end_closes();
  at = std::min(at, text.size());
  reader.move_to(reader.position() + at);
  if (!ends) {
    return std::nullopt;
  }
  reader.repairs().add(Repair::unclosed_tag);
  return text.substr(0, at);
}

struct ParameterTag {
  std::string_view name;
  std::string_view close = "</parameter>";
  bool verbatim = false;  // said to be a text
};

/// `k>`, `"k">` or `"k" string="true">`, after the equals sign.
bool read_parameter_name(LenientReader& reader, ParameterTag& tag) {
  const auto whole = text_until(reader, ">", kNameMax);
  if (!whole) {
    return false;
  }
  tag.name = base::trim(*whole);
  if (!tag.name.empty() && (tag.name.front() == '"' || tag.name.front() == '\'')) {
    const std::size_t end = tag.name.find(tag.name.front(), 1);
    if (end == std::string_view::npos) {
      return false;
    }
    tag.verbatim = tag.name.substr(end).find("string=\"true\"") != std::string_view::npos;
    tag.name = tag.name.substr(1, end - 1);
  }
  return !tag.name.empty();
}

/// One argument between tags; false at the end of the list, or with `broken` set if a pair is not
/// complete.
bool read_tagged_argument(LenientReader& reader, json::Object& arguments, bool& broken) {
  reader.skip_space();
  ParameterTag tag;
  if (reader.consume("<parameter=") || reader.consume("<parameter name=")) {
    broken = !read_parameter_name(reader, tag);
  } else if (reader.consume("<｜DSML｜parameter name=")) {
    tag.close = "</｜DSML｜parameter>";
    broken = !read_parameter_name(reader, tag);
  } else if (reader.consume("<arg_key>")) {
    const auto name = text_until(reader, "</arg_key>", kNameMax);
    reader.skip_space();
    broken = !name || !reader.consume("<arg_value>");
    tag = {.name = base::trim(name.value_or("")), .close = "</arg_value>"};
  } else {
    return false;
  }
  const auto value = broken ? std::nullopt : value_until(reader, tag.close);
  broken = !value;
  if (broken) {
    return false;
  }
  arguments.insert_or_assign(base::valid_utf8(tag.name),
                             tag.verbatim ? json::Value(base::valid_utf8(*value))
                                          : value_between_tags(*value, reader.repairs()));
  return true;
}

/// After arguments between tags, or none: nothing but the end or a close tag may follow.
bool arguments_end_here(const LenientReader& reader) {
  return reader.at_end()       ? reader.end_closes()
         : reader.end_closes() ? reader.peek() == '<'
                               : reader.rest().starts_with("</");
}

}  // namespace

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

std::optional<std::string_view> text_until(LenientReader& reader,
                                           std::string_view close,
                                           std::size_t bytes_max) {
  const std::string_view rest = reader.rest().substr(0, bytes_max);
  const std::size_t end = rest.find(close);
  if (end == std::string_view::npos) {
    reader.move_to(reader.position() + rest.size());
    return std::nullopt;
  }
  reader.move_to(reader.position() + end + close.size());
  return rest.substr(0, end);
}

std::optional<json::Object> read_elements(LenientReader& reader, std::string_view close) {
  json::Object arguments;
  while (true) {
    reader.skip_space();
    if (reader.consume(close)) {
      return arguments;
    }
    if (!reader.consume("<")) {
      return std::nullopt;
    }
    const std::string name(reader.identifier());
    if (name.empty() || !reader.consume(">")) {
      return std::nullopt;
    }
    const auto value = text_until(reader, "</" + name + ">");
    if (!value) {
      return std::nullopt;
    }
    arguments.insert_or_assign(name, value_between_tags(*value, reader.repairs()));
  }
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
  return broken || !arguments_end_here(reader) ? std::nullopt : std::optional(std::move(arguments));
}

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

}  // namespace sortie::dialogue
