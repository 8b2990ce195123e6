#include "sortie/dialogue/replies.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/dialogue/parser.h"
#include "sortie/dialogue/texts.h"

#include <fmt/args.h>
#include <fmt/format.h>

namespace sortie::dialogue {

namespace {

constexpr std::size_t kEchoBytesMax = 80;  // of what a model wrote itself

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += out.size() > 1 ? "," : "";
  json::append_quoted(out, name);
  out += ':';
  json::append_quoted(out, value);
}

}  // namespace

std::string command_title(CommandKind kind, std::string_view name) {
  std::string title(to_string(kind));
  if (kind == CommandKind::finish || name.empty()) {
    return title;
  }
  title += ' ';
  const std::string echo = base::shortened(name, kEchoBytesMax);
  if (kind == CommandKind::find_tool || echo.find_first_of(" \t\r\n\"") != std::string::npos) {
    json::append_quoted(title, echo);
  } else {
    title += echo;
  }
  return title;
}

std::string call_reply(const suite::CallResult& result) {
  std::string facts = "{";
  if (result.status == suite::CallStatus::ok) {
    append_member(facts, "artifact", result.artifact);
    facts += R"(,"result":)";
    json::append_text(facts, result.value);
    facts += '}';
    return std::string(text(Text::ok)) + "\n" + facts;
  }
  append_member(facts, "code", result.code);
  append_member(facts, "message", result.message);
  facts += '}';
  const Text word = result.status == suite::CallStatus::injected ? Text::failed : Text::rejected;
  return std::string(text(word)) + "\n" + facts;
}

std::string numbered_reply(std::size_t number, std::string_view title, std::string_view body) {
  return fmt::format("[{}] {}: {}", number, title, body);
}

std::string not_run_reply(std::size_t failed_number) {
  return fmt::format(fmt::runtime(text(Text::not_run)), fmt::arg("number", failed_number));
}

std::string not_understood_reply(bool native) {
  const Text which = native ? Text::not_understood_native : Text::not_understood;
  return fmt::format(fmt::runtime(text(which)), fmt::arg("example", kExampleTool));
}

std::string over_limit_reply() {
  return fmt::format(fmt::runtime(text(Text::over_limit)), fmt::arg("limit", kCommandsMax));
}

std::string help_reply(bool native, bool truncated) {
  const Text which = native ? Text::help_native : Text::help_text;
  std::string out(truncated ? text(Text::cut_off) : std::string_view());
  out += fmt::format(fmt::runtime(text(which)), fmt::arg("example", kExampleTool));
  return out;
}

}  // namespace sortie::dialogue
