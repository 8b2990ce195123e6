#include "sortie/dialogue/parser_cases.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace sortie::dialogue {

namespace {

constexpr std::string_view kMark = "@@ ";

/// `text` with \n, \r, \\ and \xNN as the bytes they stand for.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    if (rest.starts_with("\\x") && rest.size() >= 4) {
      unsigned byte = 0;
      const auto [end, error] = std::from_chars(rest.data() + 2, rest.data() + 4, byte, 16);
      if (error == std::errc() && end == rest.data() + 4) {
        out += static_cast<char>(byte);
        i += 3;
        continue;
      }
    }
    if (rest.starts_with("\\n") || rest.starts_with("\\r") || rest.starts_with("\\\\")) {
      out += rest[1] == 'n' ? '\n' : rest[1] == 'r' ? '\r' : '\\';
      ++i;
      continue;
    }
    out += text[i];
  }
  return out;
}

std::pair<std::string_view, std::string_view> split_at_space(std::string_view text) {
  const std::size_t space = text.find(' ');
  return space == std::string_view::npos ? std::pair(text, std::string_view())
                                         : std::pair(text.substr(0, space), text.substr(space + 1));
}

class Reader {
 public:
  explicit Reader(std::string_view table) : lines_(base::split(table, '\n')) {}

  base::Result<std::vector<ParserCase>> read();

 private:
  base::Status begin_case(std::string_view header);
  base::Status read_section(std::string_view head);
  base::Status expect(std::string_view line);
  std::string body();

  [[nodiscard]] std::unexpected<base::Error> wrong(std::string_view what) const {
    return base::bad_input(fmt::format("line {}: {}", at_ + 1, what));
  }

  std::vector<std::string_view> lines_;
  std::size_t at_ = 0;
  std::vector<ParserCase> cases_;
  std::set<std::string> ids_;
  bool escaped_ = false;
};

base::Result<std::vector<ParserCase>> Reader::read() {
  for (; at_ < lines_.size(); ++at_) {
    const std::string_view line = lines_[at_];
    if (line.starts_with(kMark)) {
      const std::string_view head = line.substr(kMark.size());
      TRY(head.contains('|') && !head.starts_with("call ") ? begin_case(head) : read_section(head));
    } else if (!line.empty() && !line.starts_with('#')) {
      return wrong("expected a line that begins with '@@ '");
    }
  }
  return std::move(cases_);
}

base::Status Reader::begin_case(std::string_view header) {
  const auto parts = base::split(header, '|');
  ParserCase one;
  one.id = base::trim(parts[0]);
  one.family = base::trim(parts[1]);
  one.line = at_ + 1;
  escaped_ = false;
  if (!ids_.insert(one.id).second) {
    return wrong(fmt::format("the id '{}' is taken", one.id));
  }
  for (const std::string_view option : base::split(parts.size() > 2 ? parts[2] : "", ' ')) {
    if (option == "native") {
      one.options.functions_offered = true;
    } else if (option == "from_reasoning") {
      one.options.commands_from_reasoning = true;
    } else if (option == "cut") {
      one.answer.finish = chat::FinishReason::length;
    } else if (option == "escaped") {
      escaped_ = true;
    } else if (!option.empty()) {
      return wrong(fmt::format(
          "unknown option '{}'; expected native, from_reasoning, cut or escaped", option));
    }
  }
  cases_.push_back(std::move(one));
  return {};
}

/// The lines up to the next mark, without the last line break.
std::string Reader::body() {
  std::string out;
  for (bool first = true; at_ + 1 < lines_.size() && !lines_[at_ + 1].starts_with(kMark); ++at_) {
    out += first ? "" : "\n";
    out += lines_[at_ + 1];
    first = false;
  }
  return escaped_ ? unescaped(out) : out;
}

base::Status Reader::read_section(std::string_view head) {
  if (cases_.empty()) {
    return wrong("expected '@@ id | model family' first");
  }
  ParserCase& one = cases_.back();
  if (head == "text") {
    one.answer.text = body();
  } else if (head == "reasoning") {
    one.answer.reasoning = body();
  } else if (head.starts_with("call ")) {
    const std::string name(head.substr(5));
    one.answer.tool_calls.push_back({.id = "", .name = name, .arguments = body()});
  } else if (head == "expect") {
    while (at_ + 1 < lines_.size() && !lines_[at_ + 1].starts_with(kMark)) {
      ++at_;
      TRY(expect(lines_[at_]));
    }
  } else {
    return wrong(
        fmt::format("unknown section '{}'; expected text, reasoning, call NAME or expect", head));
  }
  return {};
}

base::Status Reader::expect(std::string_view line) {
  ParserCase& one = cases_.back();
  const auto [word, rest] = split_at_space(line);
  if (word.empty() || word == "none") {
    return {};
  }
  if (word == "repairs:") {
    for (const std::string_view repair : base::split(rest, ' ')) {
      one.repairs.emplace(repair);
    }
    return {};
  }
  if (word == "visible:") {
    one.visible = rest;
    return {};
  }
  ParsedCommand command;
  if (word == "unreadable") {
    command.readable = false;
  } else if (word == "use_tool") {
    const std::size_t brace = rest.find(" {");
    const auto arguments =
        json::parse(brace == std::string_view::npos ? "" : rest.substr(brace + 1));
    if (!arguments || !arguments->is_object()) {
      return wrong("expected 'use_tool NAME {arguments as JSON}'");
    }
    command.name = unescaped(rest.substr(0, brace));
    command.arguments = arguments->get_object();
  } else {
    constexpr std::array kKinds = {
        CommandKind::find_tool, CommandKind::show_tool, CommandKind::finish};
    const auto* kind =
        std::ranges::find(kKinds, word, [](CommandKind candidate) { return to_string(candidate); });
    if (kind == kKinds.end()) {
      return wrong(fmt::format("unknown expectation '{}'", word));
    }
    command.kind = *kind;
    command.name = unescaped(rest);
  }
  one.commands.push_back(std::move(command));
  return {};
}

}  // namespace

base::Result<std::vector<ParserCase>> parser_cases_from(std::string_view table) {
  return Reader(table).read();
}

base::Result<std::vector<ParserCase>> load_parser_cases(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return base::bad_input(fmt::format("{}: cannot be read", path));
  }
  const std::string table{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return parser_cases_from(table);
}

}  // namespace sortie::dialogue
