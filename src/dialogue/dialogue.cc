#include "sortie/dialogue/dialogue.h"

#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/dialogue/parser.h"
#include "sortie/dialogue/replies.h"
#include "sortie/dialogue/texts.h"
#include "sortie/suite/world.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace sortie::dialogue {

namespace {

bool same_command(const Command& a, const Command& b) {
  return a.kind == b.kind && a.name == b.name && a.arguments == b.arguments;
}

/// What became of the commands of one answer.
struct Outcome {
  std::string title;
  std::string body;
  std::optional<std::size_t> tool_call;
};

/// A call that nobody asked for, in the form that was asked for.
std::string as_command(const chat::ToolCall& call) {
  std::string out = "<use_tool>{\"name\": ";
  json::append_quoted(out, call.name);
  out += ", \"arguments\": " + (call.arguments.empty() ? "{}" : call.arguments) + "}</use_tool>";
  return out;
}

/// `calls` as a server accepts them again.
std::vector<chat::ToolCall> sendable(const std::vector<chat::ToolCall>& calls,
                                     std::size_t turn,
                                     const ParsedAnswer& parsed) {
  std::vector<chat::ToolCall> out = calls;
  std::set<std::string> ids;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i].id.empty() || !ids.insert(out[i].id).second) {
      out[i].id = fmt::format("call_{}_{}", turn + 1, i + 1);
      ids.insert(out[i].id);
    }
    const auto arguments = json::parse(out[i].arguments);
    if (arguments && arguments->is_object()) {
      continue;
    }
    const auto command = std::ranges::find(parsed.commands, i, &ParsedCommand::tool_call);
    const bool readable = command != parsed.commands.end() && command->readable &&
                          command->kind == CommandKind::use_tool;
    out[i].arguments = readable ? json::to_text(command->arguments) : "{}";
  }
  return out;
}

}  // namespace

struct Dialogue::State {
  State(const Rules& rules_in,
        const suite::Task& task,
        const suite::TrialParams& params_in,
        DialogueOptions options_in)
      : rules(&rules_in),
        options(options_in),
        protocol(params_in.protocol),
        max_turns(params_in.max_turns),
        world(
            std::in_place,
            rules_in.catalog(),
            task,
            suite::Luck(params_in.seed, task.hash, params_in.repeat, params_in.tool_success_rate)) {
    history.push_back({.role = chat::Role::system});
    history.push_back({.role = chat::Role::user});
    if (options.prompts) {
      history[0].text = rules->system_prompt(protocol);
      history[1].text = rules->first_prompt(task, params_in);
    }
  }

  [[nodiscard]] bool native() const { return protocol == suite::Protocol::native; }

  void on_answer(const chat::Answer& answer);
  Turn begin_turn(const chat::Answer& answer, const ParsedAnswer& parsed);
  std::vector<Outcome> run_all(std::vector<ParsedCommand>& commands, Turn& turn, bool& finished);
  std::string run(Command& command, Turn& turn);
  std::string call_tool(Command& command, Turn& turn);
  void reply(const std::vector<Outcome>& outcomes, const ParsedAnswer& parsed, const Turn& turn);
  void reply_to_calls(const std::vector<Outcome>& outcomes, const Turn& turn);
  [[nodiscard]] bool repeats_last_turn() const;
  [[nodiscard]] bool loops();
  void end(End how);

  const Rules* rules;
  DialogueOptions options;
  suite::Protocol protocol;
  int max_turns;
  std::optional<suite::World> world;  // gone after the end
  std::vector<chat::Message> history;
  Transcript transcript;
  std::size_t same_in_row = 0;
};

/// Records what is known of an answer before its commands run, and puts it into the history.
Turn Dialogue::State::begin_turn(const chat::Answer& answer, const ParsedAnswer& parsed) {
  Turn turn;
  turn.answer = history.size();
  turn.repairs = parsed.repairs.names();
  turn.empty = parsed.visible.empty() && answer.tool_calls.empty();
  turn.truncated = answer.finish == chat::FinishReason::length;
  turn.filtered = answer.finish == chat::FinishReason::content_filter;
  turn.refused = !answer.refusal.empty();

  chat::Message message{.role = chat::Role::assistant,
                        .text = parsed.visible,
                        .opaque = answer.opaque,
                        .opaque_dialect = answer.opaque_dialect};
  if (message.text.empty()) {
    message.text = answer.refusal;
  }
  if (native()) {
    message.tool_calls = sendable(answer.tool_calls, transcript.turns.size(), parsed);
  } else {
    for (const chat::ToolCall& call : answer.tool_calls) {
      message.text += message.text.empty() ? "" : "\n";
      message.text += as_command(call);
    }
  }
  if (message.text.empty() && message.tool_calls.empty()) {
    message.text = text(Text::no_text);
  }
  history.push_back(std::move(message));
  return turn;
}

void Dialogue::State::on_answer(const chat::Answer& answer) {
  ParsedAnswer parsed = parse_answer(
      answer,
      {.functions_offered = native(), .commands_from_reasoning = options.commands_from_reasoning});
  Turn turn = begin_turn(answer, parsed);
  if (turn.filtered) {
    transcript.turns.push_back(std::move(turn));
    end(End::filtered);
    return;
  }
  bool finished = false;
  const std::vector<Outcome> outcomes = run_all(parsed.commands, turn, finished);
  reply(outcomes, parsed, turn);
  transcript.turns.push_back(std::move(turn));
  const bool looping = loops();
  if (finished) {
    end(End::finish);
  } else if (looping) {
    end(End::loop);
  } else if (transcript.turns.size() >= static_cast<std::size_t>(std::max(0, max_turns))) {
    end(End::max_turns);
  }
}

std::vector<Outcome> Dialogue::State::run_all(std::vector<ParsedCommand>& commands,
                                              Turn& turn,
                                              bool& finished) {
  std::vector<Outcome> outcomes;
  outcomes.reserve(commands.size());
  std::size_t failed = 0;  // number of the first command that did not succeed, from 1
  for (std::size_t i = 0; i < commands.size(); ++i) {
    ParsedCommand& parsed = commands[i];
    Outcome outcome{.title = command_title(parsed.kind, parsed.name),
                    .body = {},
                    .tool_call = parsed.tool_call};
    if (!parsed.readable) {
      ++turn.unreadable;
      outcome.body = not_understood_reply(parsed.tool_call.has_value() && native());
      failed = failed == 0 ? i + 1 : failed;
      outcomes.push_back(std::move(outcome));
      continue;
    }
    turn.understood = true;
    Command command{.kind = parsed.kind,
                    .name = std::move(parsed.name),
                    .arguments = std::move(parsed.arguments)};
    if (finished) {
      outcome.body = text(Text::not_run_after_finish);
    } else if (failed != 0) {
      outcome.body = not_run_reply(failed);
    } else {
      command.ran = true;
      outcome.body = run(command, turn);
      finished = command.kind == CommandKind::finish;
      failed = command.succeeded ? 0 : i + 1;
    }
    turn.commands.push_back(std::move(command));
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

/// Runs a command that may run, and says what came of it.
std::string Dialogue::State::run(Command& command, Turn& turn) {
  command.succeeded = true;
  switch (command.kind) {
    case CommandKind::find_tool:
      return rules->find_tool(command.name);
    case CommandKind::show_tool: {
      const std::string* description = rules->show_tool(command.name);
      command.succeeded = description != nullptr;
      return description != nullptr ? fmt::format("{}\n{}", text(Text::ok), *description)
                                    : std::string(text(Text::unknown_tool));
    }
    case CommandKind::use_tool:
      return call_tool(command, turn);
    case CommandKind::finish:
      break;
  }
  return std::string(text(Text::finished));
}

std::string Dialogue::State::call_tool(Command& command, Turn& turn) {
  CHECK(world.has_value());
  command.call = world->calls().size();
  const suite::CallResult result = world->call(command.name, command.arguments);
  command.succeeded = result.status == suite::CallStatus::ok;
  turn.injected = turn.injected || result.status == suite::CallStatus::injected;
  return call_reply(result);
}

void Dialogue::State::reply(const std::vector<Outcome>& outcomes,
                            const ParsedAnswer& parsed,
                            const Turn& turn) {
  if (!history.back().tool_calls.empty()) {
    reply_to_calls(outcomes, turn);
    return;
  }
  chat::Message message{.role = chat::Role::user};
  if (!turn.understood) {
    message.text = help_reply(native(), turn.truncated);
  } else {
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      message.text += i == 0 ? "" : "\n";
      message.text += numbered_reply(i + 1, outcomes[i].title, outcomes[i].body);
    }
    if (parsed.repairs.has(Repair::over_limit)) {
      message.text += '\n';
      message.text += over_limit_reply();
    }
  }
  history.push_back(std::move(message));
}

/// One message per structured call, in their order; servers demand one for each.
void Dialogue::State::reply_to_calls(const std::vector<Outcome>& outcomes, const Turn& turn) {
  const std::size_t count = history[turn.answer].tool_calls.size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto outcome = std::ranges::find(outcomes, std::optional(i), &Outcome::tool_call);
    chat::Message message{.role = chat::Role::tool};
    message.text = outcome == outcomes.end() ? over_limit_reply()
                                             : fmt::format("{}: {}", outcome->title, outcome->body);
    message.tool_call_id = history[turn.answer].tool_calls[i].id;
    history.push_back(std::move(message));
  }
}

/// The last two turns have the same commands and the same replies.
bool Dialogue::State::repeats_last_turn() const {
  if (transcript.turns.size() < 2) {
    return false;
  }
  const Turn& now = transcript.turns.back();
  const Turn& before = *(transcript.turns.end() - 2);
  if (!std::ranges::equal(now.commands, before.commands, same_command) ||
      now.unreadable != before.unreadable) {
    return false;
  }
  const auto first = history.begin();
  const auto at = [&](std::size_t position) {
    return first + static_cast<std::ptrdiff_t>(position);
  };
  return std::equal(
      at(before.answer + 1),
      at(now.answer),
      at(now.answer + 1),
      history.end(),
      [](const chat::Message& a, const chat::Message& b) { return a.text == b.text; });
}

/// Counts the turn just made. Trying again after an injected failure is never a loop.
bool Dialogue::State::loops() {
  if (transcript.turns.back().injected) {
    same_in_row = 0;
    return false;
  }
  same_in_row = same_in_row > 0 && repeats_last_turn() ? same_in_row + 1 : 1;
  return same_in_row >= kLoopLength;
}

void Dialogue::State::end(End how) {
  CHECK(world.has_value());
  transcript.end = how;
  transcript.goal_met = world->goal_met();
  transcript.progress = world->progress();
  transcript.clean = world->clean();
  transcript.required_done = world->required_done();
  transcript.calls = world->take_calls();
  world.reset();
}

Dialogue::Dialogue(const Rules& rules,
                   const suite::Task& task,
                   const suite::TrialParams& params,
                   DialogueOptions options)
    : state_(std::make_unique<State>(rules, task, params, options)) {}

Dialogue::~Dialogue() = default;
Dialogue::Dialogue(Dialogue&&) noexcept = default;
Dialogue& Dialogue::operator=(Dialogue&&) noexcept = default;

Need Dialogue::need() const {
  const End end = state_->transcript.end;
  return end == End::open ? Need(AskModel{}) : Need(Ended{end});
}

Need Dialogue::step(Event event) {
  CHECK(state_->transcript.end == End::open);
  if (const auto* answered = std::get_if<Answered>(&event)) {
    state_->on_answer(answered->answer);
  } else {
    state_->end(End::context_full);
  }
  return need();
}

const std::vector<chat::Message>& Dialogue::history() const {
  return state_->history;
}

const std::vector<chat::ToolSchema>& Dialogue::functions() const {
  return state_->rules->functions(state_->protocol);
}

int Dialogue::turns_done() const {
  return static_cast<int>(state_->transcript.turns.size());
}

const Transcript& Dialogue::transcript() const {
  return state_->transcript;
}

}  // namespace sortie::dialogue
