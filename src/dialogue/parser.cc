#include "sortie/dialogue/parser.h"

#include "sortie/base/text.h"
#include "sortie/dialogue/call_forms.h"
#include "sortie/dialogue/lenient_json.h"
#include "sortie/dialogue/markup.h"
#include "sortie/dialogue/tagged_arguments.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sortie::dialogue {

namespace {

constexpr std::string_view kFence = "```";

/// A query, a name or a result, however it is quoted or wrapped.
std::string clean_body(std::string_view body, CommandKind kind, Repairs& repairs) {
  body = trim_space(body, repairs);
  if (body.starts_with('{')) {
    const std::string_view usual = usual_member(kind);
    Repairs inner;
    LenientReader reader(body, 0, inner, {});
    const auto object = reader.object();
    reader.skip_space();
    if (object && reader.at_end() && object->size() == 1 && object->contains(usual) &&
        object->at(usual).is_string()) {
      repairs.add(inner);
      repairs.add(Repair::json_body);
      return std::string(json::view(object->at(usual).get_string()));
    }
  }
  for (const std::string_view fence : {"```", "`", "\"", "'"}) {
    if (body.size() >= 2 * fence.size() && body.starts_with(fence) && body.ends_with(fence)) {
      body = base::trim(body.substr(fence.size(), body.size() - 2 * fence.size()));
      repairs.add(fence == kFence ? Repair::code_fence : Repair::quoted_body);
    }
  }
  std::string text = base::valid_utf8(body);
  if (text != body) {
    repairs.add(Repair::invalid_utf8);
  }
  return text;
}

/// The body of a command whose close tag is missing: up to what looks like a tag of somebody else
/// (</tool_call>, <|im_end|>) or half of its own.
std::string_view before_other_tags(std::string_view body, Repairs& repairs) {
  for (std::size_t at = body.find_first_of("<["); at != std::string_view::npos;
       at = body.find_first_of("<[", at + 1)) {
    const std::string_view tag = body.substr(at);
    if (tag.starts_with("</") || tag.starts_with("[/")) {
      repairs.add(Repair::mismatched_tag);
      return body.substr(0, at);
    }
    if (tag.starts_with("<|") || tag.starts_with("<｜")) {
      return body.substr(0, at);
    }
  }
  return body;
}

/// Reads the commands of one text, front to back. Everything between two tags is looked at once,
/// but for calls that do not read: those may be looked at again from a later tag, within a budget
/// that keeps the whole linear.
class Scanner {
 public:
  struct Options {
    bool truncated = false;
    bool last_only = false;  // keep the last readable command alone
  };

  Scanner(std::string_view text, Options options, Repairs& repairs)
      : text_(text),
        options_(options),
        repairs_(&repairs),
        tokens_(find_tags(text)),
        budget_(4 * text.size() + 4096) {}

  std::vector<ParsedCommand> scan();

  /// Without any tag: the text, or its code blocks, are calls and nothing else; or objects of calls
  /// stand on lines of their own.
  std::vector<ParsedCommand> scan_bare();

 private:
  void on_token(const Token& token);
  void on_text_command(const Token& token);
  void on_use_tool(const Token& token);
  void on_call_list(const Token& token);
  void on_function(const Token& token);
  void on_invoke(const Token& token);
  void on_native_single(const Token& token);
  void on_named_tag(const Token& token);
  void close_after(const Token& token, std::size_t end);
  void add(ParsedCommand command, const Repairs& repairs);
  void add_broken(const Token& token, std::size_t stopped_at);
  void count_fences(std::size_t until);
  bool read_bare(std::string_view text, std::vector<ParsedCommand>& out);
  void scan_fences(std::vector<ParsedCommand>& out);
  void scan_lines(std::vector<ParsedCommand>& out);

  [[nodiscard]] const Token* next_token(std::size_t from) const;
  [[nodiscard]] bool begins_line(std::size_t at) const;
  [[nodiscard]] bool follows_marker(std::size_t at) const;
  [[nodiscard]] bool is_mention(const Token& token) const;
  [[nodiscard]] bool opens_another(const Token& token) const;

  [[nodiscard]] LenientReader reader(std::size_t at, Repairs& repairs) const {
    return {text_, at, repairs, {.end_closes = !options_.truncated}};
  }

  std::string_view text_;
  Options options_;
  Repairs* repairs_;
  std::vector<Token> tokens_;
  std::size_t current_ = 0;  // position in tokens_
  std::size_t cursor_ = 0;   // tags before it belong to what has been read
  std::size_t budget_;       // bytes of failed reads that are still allowed
  std::size_t fences_until_ = 0;
  bool in_fence_ = false;
  std::vector<ParsedCommand> commands_;
};

std::vector<ParsedCommand> Scanner::scan() {
  for (current_ = 0; current_ < tokens_.size(); ++current_) {
    const Token& token = tokens_[current_];
    if (token.begin < cursor_) {
      continue;
    }
    if (commands_.size() > kCommandsMax) {
      break;
    }
    count_fences(token.begin);
    on_token(token);
  }
  return std::move(commands_);
}

void Scanner::on_token(const Token& token) {
  if (token.mark == Mark::close || is_mention(token)) {
    return;
  }
  if (token.mark == Mark::self_closing || token.mark == Mark::open) {
    if (token.kind == CommandKind::use_tool) {
      on_use_tool(token);
    } else {
      on_text_command(token);
    }
    return;
  }
  if (budget_ == 0) {
    add_broken(token, token.end);
    return;
  }
  switch (token.mark) {
    case Mark::tool_call:
    case Mark::bracket_calls:
    case Mark::python_tag:
    case Mark::other_calls:
      on_call_list(token);
      return;
    case Mark::function_tag:
      on_function(token);
      return;
    case Mark::invoke:
      on_invoke(token);
      return;
    default:
      on_native_single(token);
  }
}

/// find_tool, show_tool, finish.
void Scanner::on_text_command(const Token& token) {
  Repairs repairs;
  ParsedCommand command{.kind = token.kind};
  if (token.mark == Mark::self_closing) {
    repairs.add(Repair::self_closing_tag);
    command.name = base::valid_utf8(token.name);
    command.readable = token.kind == CommandKind::finish || !token.name.empty();
    cursor_ = token.end;
    add(std::move(command), repairs);
    return;
  }
  const Token* next = next_token(current_ + 1);
  if (next != nullptr && next->mark == Mark::close) {
    if (next->kind != token.kind) {
      repairs.add(Repair::mismatched_tag);
    }
    if (!next->exact) {
      repairs.add(Repair::tag_spelling);
    }
    command.name =
        clean_body(text_.substr(token.end, next->begin - token.end), token.kind, repairs);
    if (command.name.empty() && !token.name.empty()) {
      command.name = base::valid_utf8(token.name);
      repairs.add(Repair::name_attribute);
    }
    cursor_ = next->end;
    add(std::move(command), repairs);
    return;
  }
  // Unclosed: in the middle of a sentence it is talk about the command, not the command. So it is
  // in a list of the commands, where a space stands behind each.
  const std::size_t limit = next == nullptr ? text_.size() : next->begin;
  std::string_view body = before_other_tags(text_.substr(token.end, limit - token.end), repairs);
  const bool touches = !body.empty() && !std::string_view(" \t\r\n").contains(body.front());
  if (!begins_line(token.begin) && !(touches && follows_marker(token.begin))) {
    return;
  }
  if (token.kind != CommandKind::finish) {
    body = base::trim(body);
    body = body.substr(0, body.find('\n'));
  }
  const bool reaches_end = body.data() + body.size() == text_.data() + text_.size();
  command.name = clean_body(body, token.kind, repairs);
  const bool is_name = command.name.find_first_of(" \t") == std::string::npos;
  if ((token.kind == CommandKind::show_tool && !is_name) ||
      (token.kind != CommandKind::finish && command.name.empty())) {
    return;
  }
  repairs.add(Repair::unclosed_tag);
  command.readable = !(options_.truncated && reaches_end);
  cursor_ = limit;
  add(std::move(command), repairs);
}

void Scanner::on_use_tool(const Token& token) {
  if (opens_another(token)) {
    repairs_->add(Repair::mismatched_tag);
    return;
  }
  if (token.mark == Mark::self_closing || !token.name.empty()) {
    on_named_tag(token);
    return;
  }
  Repairs repairs;
  LenientReader input = reader(token.end, repairs);
  std::vector<ParsedCommand> calls;
  const bool read = budget_ > 0 && read_calls(input, {.truncated = options_.truncated}, calls);
  if (!read) {
    add_broken(token, input.position());
    return;
  }
  for (ParsedCommand& call : calls) {
    if (call.kind != CommandKind::use_tool) {
      repairs.add(Repair::command_as_tool);
    }
    add(std::move(call), repairs);
  }
  close_after(token, input.position());
}

/// <use_tool name="x">{…}</use_tool>, <use_tool name="x" arguments='{…}'/>
void Scanner::on_named_tag(const Token& token) {
  const bool self_closing = token.mark == Mark::self_closing;
  Repairs repairs;
  repairs.add(self_closing ? Repair::self_closing_tag : Repair::name_attribute);
  LenientReader input = reader(token.end, repairs);
  std::optional<json::Object> arguments = json::Object();
  if (!token.arguments.empty()) {
    LenientReader inner(token.arguments, 0, repairs, {});
    arguments = inner.object();
    inner.skip_space();
    arguments = inner.at_end() ? std::move(arguments) : std::nullopt;
  } else if (!self_closing) {
    arguments = read_arguments(input);
  }
  if (token.name.empty() || token.other_attributes || !arguments) {
    add_broken(token, input.position());
    return;
  }
  std::string name = clean_name(token.name, repairs);
  // The body may be the whole call, its name said twice.
  const json::Value* inner_name = arguments->if_contains("name");
  const json::Value* inner_arguments = arguments->if_contains("arguments");
  if (arguments->size() == 2 && inner_name != nullptr && inner_arguments != nullptr &&
      *inner_name == json::Value(std::string_view(name)) && inner_arguments->is_object()) {
    json::Object inner = inner_arguments->get_object();
    arguments = std::move(inner);
  }
  ParsedCommand call = command_named(std::move(name), *std::move(arguments));
  if (call.kind != CommandKind::use_tool) {
    repairs.add(Repair::command_as_tool);
  }
  add(std::move(call), repairs);
  if (self_closing) {
    cursor_ = input.position();
  } else {
    close_after(token, input.position());
  }
}

/// After a call that was read up to `end`: where its tag closes.
void Scanner::close_after(const Token& token, std::size_t end) {
  cursor_ = end;
  std::size_t at = current_ + 1;
  while (at < tokens_.size() && tokens_[at].begin < end) {
    ++at;
  }
  const Token* next = next_token(at);
  if (next == nullptr || next->mark != Mark::close) {
    repairs_->add(Repair::unclosed_tag);
    return;
  }
  if (next->kind != token.kind) {
    repairs_->add(Repair::mismatched_tag);
  }
  if (!next->exact) {
    repairs_->add(Repair::tag_spelling);
  }
  cursor_ = next->end;
}

/// <tool_call>, [TOOL_CALLS], <|python_tag|>: one call or several.
void Scanner::on_call_list(const Token& token) {
  if (opens_another(token)) {
    repairs_->add(Repair::mismatched_tag);
    return;
  }
  Repairs repairs;
  repairs.add(token.mark == Mark::tool_call       ? Repair::native_tool_call
              : token.mark == Mark::bracket_calls ? Repair::native_bracket_calls
              : token.mark == Mark::python_tag    ? Repair::native_python_tag
                                                  : Repair::native_other);
  LenientReader input = reader(token.end, repairs);
  std::vector<ParsedCommand> calls;
  const CallSyntax syntax{.list_expected = token.mark != Mark::tool_call,
                          .truncated = options_.truncated};
  if (!read_calls(input, syntax, calls)) {
    add_broken(token, input.position());
    return;
  }
  cursor_ = input.position();
  for (ParsedCommand& call : calls) {
    add(std::move(call), repairs);
  }
}

/// <function=name>{…}</function> or with <parameter=k>v</parameter>.
void Scanner::on_function(const Token& token) {
  Repairs repairs;
  repairs.add(Repair::native_function_tag);
  LenientReader input = reader(token.end, repairs);
  std::string name(input.identifier());
  // Small models leave the bracket out: <function=name{…}.
  const bool named = !name.empty() && (input.consume(">") || input.peek() == '{');
  auto arguments = named ? read_arguments(input) : std::nullopt;
  if (!arguments) {
    add_broken(token, input.position());
    return;
  }
  cursor_ = input.position();
  add(command_named(std::move(name), *std::move(arguments)), repairs);
}

/// <invoke name="x"><parameter name="k">v</parameter></invoke>
void Scanner::on_invoke(const Token& token) {
  Repairs repairs;
  repairs.add(Repair::native_invoke);
  LenientReader input = reader(token.end, repairs);
  std::optional<std::string> name;
  if (input.consume("name=")) {
    name = input.string();
  }
  const bool named = name && !name->empty() && input.consume(">");
  auto arguments = named ? read_arguments(input) : std::nullopt;
  if (!arguments) {
    add_broken(token, input.position());
    return;
  }
  cursor_ = input.position();
  add(command_named(*std::move(name), *std::move(arguments)), repairs);
}

void Scanner::on_native_single(const Token& token) {
  Repairs repairs;
  LenientReader input = reader(token.end, repairs);
  std::optional<ParsedCommand> call;
  if (token.mark == Mark::deepseek) {
    repairs.add(Repair::native_deepseek);
    call = read_deepseek(input);
  } else if (token.mark == Mark::kimi) {
    call = read_kimi(input);
    repairs.add(call ? Repair::native_kimi : Repair::native_deepseek);
    if (!call) {
      input.move_to(token.end);
      call = read_deepseek(input);
    }
  } else if (token.mark == Mark::action) {
    repairs.add(Repair::native_action);
    call = read_action(input);
  } else {
    repairs.add(Repair::native_harmony);
    call = read_harmony(input);
  }
  if (!call) {
    add_broken(token, input.position());
    return;
  }
  cursor_ = input.position();
  add(*std::move(call), repairs);
}

void Scanner::add(ParsedCommand command, const Repairs& repairs) {
  repairs_->add(repairs);
  const Token& token = tokens_[current_];
  if (!token.exact) {
    repairs_->add(Repair::tag_spelling);
  }
  if (in_fence_) {
    repairs_->add(Repair::code_fence);
  }
  if (options_.last_only) {
    if (!command.readable) {
      return;
    }
    commands_.clear();
  }
  commands_.push_back(std::move(command));
}

/// A tag that was meant as a call but does not read. In the middle of a sentence, with nothing like
/// a call after it, it is talk about the command.
void Scanner::add_broken(const Token& token, std::size_t stopped_at) {
  budget_ -= std::min(budget_, stopped_at - token.begin);
  const std::string_view rest = text_.substr(token.end);
  const std::size_t first = rest.find_first_not_of(" \t\r\n");
  const bool call_follows =
      first != std::string_view::npos && std::string_view("{[\"'`").contains(rest[first]);
  if (!call_follows && !begins_line(token.begin)) {
    return;
  }
  const Token* next = next_token(current_ + 1);
  cursor_ = next != nullptr && next->mark == Mark::close ? next->end : token.end;
  if (!options_.last_only) {
    commands_.push_back({.readable = false});
  }
}

const Token* Scanner::next_token(std::size_t from) const {
  return from < tokens_.size() ? &tokens_[from] : nullptr;
}

bool Scanner::begins_line(std::size_t at) const {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  while (at > 0 && (text_[at - 1] == ' ' || text_[at - 1] == '\t')) {
    --at;
  }
  return at == 0 || text_[at - 1] == '\n' || text_[at - 1] == '`' || text_[at - 1] == '>' ||
         text_.substr(0, at) == kByteOrderMark;
}

/// After the marker of a list, emphasis or a colon.
bool Scanner::follows_marker(std::size_t at) const {
  constexpr std::size_t kMarkerMax = 16;
  constexpr std::string_view kMarkers = " \t\r-*+>#.()0123456789_";
  while (at > 0 && (text_[at - 1] == ' ' || text_[at - 1] == '\t')) {
    --at;
  }
  const std::size_t from = at - std::min(at, kMarkerMax);
  const std::string_view before = text_.substr(from, at - from);
  if (before.ends_with(':') || before.ends_with("：")) {
    return true;
  }
  const std::size_t line = before.rfind('\n');
  if (line == std::string_view::npos && from > 0) {
    return false;
  }
  return before.find_first_not_of(kMarkers, line == std::string_view::npos ? 0 : line + 1) ==
         std::string_view::npos;
}

/// `<finish>` between backticks.
bool Scanner::is_mention(const Token& token) const {
  const auto single = [&](std::size_t at) {
    return at < text_.size() && text_[at] == '`' && !text_.substr(at).starts_with(kFence);
  };
  return token.begin > 0 && single(token.begin - 1) && single(token.end);
}

/// A wrapper: the next thing after this tag is another opening tag.
bool Scanner::opens_another(const Token& token) const {
  const Token* next = next_token(current_ + 1);
  return next != nullptr && next->mark != Mark::close &&
         base::trim(text_.substr(token.end, next->begin - token.end)).empty();
}

void Scanner::count_fences(std::size_t until) {
  const std::string_view before = text_.substr(0, until);
  for (std::size_t at = before.find(kFence, fences_until_); at != std::string_view::npos;
       at = before.find(kFence, fences_until_)) {
    in_fence_ = !in_fence_;
    fences_until_ = at + kFence.size();
  }
  fences_until_ = std::max(fences_until_, until);
}

/// Moves over close tags that lack their open one: serving stacks swallow those.
void skip_close_tags(LenientReader& input) {
  constexpr std::size_t kLengthMax = 40;
  skip_leftovers(input);
  while (input.rest().starts_with("</") || input.rest().starts_with("<|")) {
    const std::size_t end = input.rest().substr(0, kLengthMax).find('>');
    if (end == std::string_view::npos) {
      return;
    }
    input.repairs().add(Repair::unopened_tag);
    input.move_to(input.position() + end + 1);
    input.skip_space();
  }
}

bool Scanner::read_bare(std::string_view text, std::vector<ParsedCommand>& out) {
  Repairs repairs;
  LenientReader input(text, 0, repairs, {});
  input.skip_space();
  std::vector<ParsedCommand> calls;
  const CallSyntax syntax{
      .shape = Shape::strict, .list_expected = true, .truncated = options_.truncated};
  if (!read_calls(input, syntax, calls)) {
    return false;
  }
  skip_close_tags(input);
  if (!input.at_end()) {
    return false;
  }
  repairs_->add(repairs);
  repairs_->add(Repair::bare_call);
  std::ranges::move(calls, std::back_inserter(out));
  return true;
}

std::vector<ParsedCommand> Scanner::scan_bare() {
  std::vector<ParsedCommand> calls;
  if (!read_bare(text_, calls)) {
    scan_fences(calls);
  }
  if (calls.empty()) {
    scan_lines(calls);
  }
  return calls;
}

void Scanner::scan_fences(std::vector<ParsedCommand>& out) {
  std::size_t at = text_.find(kFence);
  while (at != std::string_view::npos && out.size() <= kCommandsMax) {
    const std::size_t close = text_.find(kFence, at + kFence.size());
    if (close == std::string_view::npos) {
      return;
    }
    const std::string_view block = text_.substr(at, close - at);
    const std::size_t line = block.find('\n');
    if (line != std::string_view::npos && read_bare(block.substr(line), out)) {
      repairs_->add(Repair::code_fence);
    }
    at = text_.find(kFence, close + kFence.size());
  }
}

/// Objects of calls that begin a line and end one, between lines of prose.
void Scanner::scan_lines(std::vector<ParsedCommand>& out) {
  constexpr std::string_view kBlank = " \t\r";
  std::size_t line = 0;
  while (line < text_.size() && out.size() <= kCommandsMax && budget_ > 0) {
    const std::size_t begin = text_.find_first_not_of(kBlank, line);
    const bool object = begin != std::string_view::npos && text_[begin] == '{';
    std::size_t searched = line;
    if (object) {
      Repairs repairs;
      LenientReader input(text_, begin, repairs, {});
      auto read = input.object();
      auto call = read ? call_from_object(*std::move(read), Shape::strict, repairs) : std::nullopt;
      const std::size_t end = text_.find_first_not_of(kBlank, input.position());
      if (call && (end == std::string_view::npos || text_[end] == '\n' || text_[end] == '<')) {
        skip_close_tags(input);
        repairs_->add(repairs);
        repairs_->add(Repair::bare_call);
        out.push_back(*std::move(call));
        line = input.position();
        continue;
      }
      budget_ -= std::min(budget_, input.position() - begin);
      searched = begin;
    }
    const std::size_t next = text_.find('\n', searched);
    line = next == std::string_view::npos ? text_.size() : next + 1;
  }
}

/// One entry of the tool_calls field. `cut`: the answer ended in it, so that arguments which have
/// not begun are not known to be none.
ParsedCommand from_structured(const chat::ToolCall& call, bool cut, Repairs& repairs) {
  const std::string name = clean_name(call.name, repairs);
  const std::string_view text = base::trim(call.arguments);
  std::optional<json::Object> arguments = json::Object();
  if (text.empty() && cut) {
    arguments.reset();
  } else if (!text.empty()) {
    LenientReader input(text, 0, repairs, {});
    arguments = input.object();
    input.skip_space();
    if (!input.at_end()) {
      arguments.reset();
    }
  }
  if (name.empty() || !arguments) {
    return {.name = name, .readable = false};
  }
  return command_named(name, *std::move(arguments));
}

void add_structured(const chat::Answer& answer, ParsedAnswer& out) {
  const std::vector<chat::ToolCall>& calls = answer.tool_calls;
  for (std::size_t i = 0; i < calls.size() && i <= kCommandsMax; ++i) {
    const bool cut = answer.finish == chat::FinishReason::length && i + 1 == calls.size();
    out.commands.push_back(from_structured(calls[i], cut, out.repairs));
    out.commands.back().tool_call = i;
  }
}

void read_visible(const chat::Answer& answer, ParsedAnswer& out) {
  const Scanner::Options options{.truncated = answer.finish == chat::FinishReason::length};
  const bool bare = answer.tool_calls.empty();
  const auto read = [&](std::string_view text, Repairs& repairs) {
    Scanner scanner(text, options, repairs);
    auto commands = scanner.scan();
    return commands.empty() && bare ? scanner.scan_bare() : std::move(commands);
  };
  out.commands = read(out.visible, out.repairs);
  if (!out.commands.empty()) {
    return;
  }
  // Nothing: perhaps the marks of the tags are written in another way.
  Repairs repairs;
  const std::string plain = plain_markup(out.visible, repairs);
  if (!repairs.empty()) {
    out.commands = read(plain, repairs);
    if (!out.commands.empty()) {
      out.repairs.add(repairs);
    }
  }
}

}  // namespace

ParsedAnswer parse_answer(const chat::Answer& answer, ParserOptions options) {
  const bool truncated = answer.finish == chat::FinishReason::length;
  SplitText split = split_reasoning(answer.text);
  ParsedAnswer out;
  out.visible = std::move(split.visible);
  if (!options.functions_offered || answer.tool_calls.empty()) {
    read_visible(answer, out);
  }
  if (!answer.tool_calls.empty()) {
    if (!options.functions_offered) {
      out.repairs.add(Repair::structured_calls);
    }
    add_structured(answer, out);
  }
  if (out.commands.empty() && options.commands_from_reasoning) {
    const std::string reasoning = answer.reasoning + split.reasoning;
    Repairs repairs;
    Scanner scanner(reasoning, {.truncated = truncated, .last_only = true}, repairs);
    out.commands = scanner.scan();
    if (!out.commands.empty()) {
      out.repairs.add(repairs);
      out.repairs.add(Repair::from_reasoning);
    }
  }
  if (out.commands.size() > kCommandsMax) {
    out.commands.resize(kCommandsMax);
    out.repairs.add(Repair::over_limit);
  }
  return out;
}

}  // namespace sortie::dialogue
