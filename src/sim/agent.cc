#include "sortie/sim/agent.h"

#include "sortie/base/json.h"
#include "sortie/sim/conversation.h"
#include "sortie/sim/draws.h"
#include "sortie/sim/forms.h"
#include "sortie/sim/mind.h"
#include "sortie/sim/skill.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::sim {

namespace {

constexpr double kBytesPerToken = 4;
constexpr std::size_t kProseBytesMax = 16UL * 1024;

/// What a model says around its commands. No sentence holds a tag, a tool's name or anything that a
/// parser could run.
constexpr std::array<std::string_view, 12> kSentences = {
    "Let me look at what has been done so far.",
    "The previous result is what I need for the next part.",
    "I will take this one step at a time.",
    "The values have to be exactly as the text gives them.",
    "Now the input for this step is available.",
    "After this I only have to pass the result on.",
    "That should be enough to go on.",
    "I keep the order in which the results depend on each other.",
    "There is no reason to change anything that already worked.",
    "I check the kind of the result before I use it.",
    "The next step follows from the last one.",
    "If this fails I will look at the message and decide again.",
};

/// The chances of one turn.
class TurnDraws {
 public:
  TurnDraws(const TrialDraws& draws, std::uint32_t turn) : draws_(&draws), turn_(turn) {}

  [[nodiscard]] double of(TurnPurpose purpose) const {
    return draws_->of_turn(turn_, static_cast<std::uint32_t>(purpose));
  }

  [[nodiscard]] double of(AnswerPurpose purpose) const {
    return draws_->of_answer(turn_, static_cast<std::uint32_t>(purpose));
  }

  [[nodiscard]] std::uint32_t turn() const { return turn_; }

 private:
  const TrialDraws* draws_;
  std::uint32_t turn_;
};

/// Sentences from number `first` of 0 to 1 on, until there are enough of them.
std::string sentences(double tokens, double first) {
  const std::size_t bytes =
      std::min(kProseBytesMax, static_cast<std::size_t>(tokens * kBytesPerToken));
  auto sentence = static_cast<std::size_t>(first * static_cast<double>(kSentences.size()));
  std::string out;
  while (out.size() < bytes) {
    if (!out.empty()) {
      out += ' ';
    }
    out += kSentences[sentence++ % kSentences.size()];
  }
  return out;
}

std::string prose(const Skill& skill, const TurnDraws& draws) {
  return sentences(log_normal(skill.verbosity,
                              draws.of(TurnPurpose::prose_length),
                              draws.of(TurnPurpose::prose_length_2)),
                   draws.of(TurnPurpose::prose_first));
}

std::string thoughts(const Skill& skill, const TurnDraws& draws) {
  return sentences(log_normal(skill.reasoning.tokens,
                              draws.of(AnswerPurpose::reasoning_length),
                              draws.of(AnswerPurpose::reasoning_length_2)),
                   draws.of(AnswerPurpose::reasoning_first));
}

bool happens(const Chance& chance, const TurnDraws& draws, AnswerPurpose purpose) {
  return draws.turn() + 1 >= chance.from && draws.of(purpose) < chance.chance;
}

/// It refused once, so it refuses again.
bool refuses(const AgentInput& input, std::uint32_t turn) {
  for (std::uint32_t t = 0; t <= turn && input.skill.refusal.chance > 0; ++t) {
    if (happens(input.skill.refusal, TurnDraws(input.draws, t), AnswerPurpose::refusal)) {
      return true;
    }
  }
  return false;
}

constexpr std::string_view kRefusal = "I am sorry, but I cannot help with that.";

std::string quoted_member(std::string_view name, std::string_view value) {
  std::string out = "{";
  json::append_quoted(out, name);
  out += ':';
  json::append_quoted(out, value);
  out += '}';
  return out;
}

void write_as_functions(const Move& move, AgentAnswer& answer) {
  switch (move.kind) {
    case Move::Kind::search:
      answer.calls.push_back({"find_tool", quoted_member("query", move.text)});
      return;
    case Move::Kind::lookup:
      answer.calls.push_back({"show_tool", quoted_member("name", move.text)});
      return;
    case Move::Kind::finish:
      answer.calls.push_back({"finish", quoted_member("result", move.text)});
      return;
    case Move::Kind::call:
      break;
  }
  for (const auto& [tool, arguments] : move.calls) {
    answer.calls.push_back({.name = tool, .arguments = arguments});
  }
  if (move.then_finish) {
    answer.calls.push_back({"finish", quoted_member("result", "done")});
  }
}

std::string command_text(Form form, const Move& move) {
  switch (move.kind) {
    case Move::Kind::search:
      return spell_command(form, Tag::find_tool, move.text);
    case Move::Kind::lookup:
      return spell_command(form, Tag::show_tool, move.text);
    case Move::Kind::finish:
      return spell_command(form, Tag::finish, move.text);
    case Move::Kind::call:
      break;
  }
  std::string out = spell_calls(form, move.calls);
  if (move.then_finish) {
    out += '\n';
    out += spell_command(Form::plain, Tag::finish, "done");
  }
  return out;
}

void write_as_text(Form form, const Move& move, AgentAnswer& answer) {
  if (form == Form::bare_json && move.kind == Move::Kind::call) {
    answer.text.clear();
  }
  if (!answer.text.empty()) {
    answer.text += "\n\n";
  }
  answer.command_at = answer.text.size();
  answer.text += command_text(form, move);
}

/// Puts what was thought where the model's serving stack leaves it.
void place_thoughts(const Reasoning& reasoning, std::string thought, AgentAnswer& answer) {
  if (reasoning.place == Reasoning::Place::field) {
    answer.reasoning = std::move(thought);
    return;
  }
  const std::string block = "<think>\n" + thought + "\n</think>\n\n";
  answer.text.insert(0, block);
  answer.command_at += block.size();
}

/// The move in words, for better or worse.
AgentAnswer say(const AgentInput& input, const TurnDraws& draws, Form form) {
  const Skill& skill = input.skill;
  const Move move = Mind(input).next();
  AgentAnswer answer;
  answer.text = prose(skill, draws);
  std::string thought = thoughts(skill, draws);
  if (input.functions || (form == Form::structured && move.kind == Move::Kind::call)) {
    write_as_functions(move, answer);
    answer.command_at = answer.text.size();
    if (form == Form::unreadable) {
      for (AnsweredCall& call : answer.calls) {
        call.arguments.resize(call.arguments.size() / 2);
      }
    }
  } else if (!thought.empty() &&
             draws.of(AnswerPurpose::command_inside) < skill.reasoning.command_inside) {
    thought += "\n" + command_text(form, move);
    answer.command_at = answer.text.size();
  } else {
    write_as_text(form, move, answer);
  }
  if (!thought.empty()) {
    place_thoughts(skill.reasoning, std::move(thought), answer);
  }
  return answer;
}

}  // namespace

void cut(AgentAnswer& answer, double place) {
  answer.truncated = true;
  answer.calls.clear();
  if (!answer.reasoning.empty()) {
    answer.text.clear();
    return;
  }
  // Within the first half, so that a call's object is open; the other commands, which a reader may
  // close by itself, within their opening tag.
  const std::string_view command = std::string_view(answer.text).substr(answer.command_at);
  const bool is_call = command.find('{') != std::string_view::npos;
  constexpr std::size_t kOpeningMax = 5;
  const std::size_t longest = is_call ? command.size() / 2 : std::min(kOpeningMax, command.size());
  answer.text.resize(answer.command_at +
                     static_cast<std::size_t>(place * static_cast<double>(longest)));
}

void refuse(AgentAnswer& answer) {
  answer = {};
  answer.refusal = kRefusal;
}

AgentAnswer answer_as_agent(const AgentInput& input) {
  const TurnDraws draws(input.draws, static_cast<std::uint32_t>(input.conversation.turns.size()));
  const Skill& skill = input.skill;
  AgentAnswer answer;
  if (input.situation.task != nullptr && refuses(input, draws.turn())) {
    refuse(answer);
    return answer;
  }
  if (input.situation.task != nullptr && happens(skill.empty, draws, AnswerPurpose::empty)) {
    return answer;
  }
  const Form form =
      skill.format.draw(draws.of(TurnPurpose::slip), draws.of(TurnPurpose::slip_kind));
  if (input.situation.task == nullptr || form == Form::no_command) {
    answer.text = prose(skill, draws);
    if (answer.text.empty()) {
      const std::size_t first = input.situation.task == nullptr ? 0 : draws.turn();
      answer.text = kSentences[first % kSentences.size()];
    }
    answer.command_at = answer.text.size();
  } else {
    answer = say(input, draws, form);
  }
  if (input.situation.task != nullptr &&
      happens(skill.truncated, draws, AnswerPurpose::truncated)) {
    cut(answer, draws.of(TurnPurpose::truncated_at));
  }
  return answer;
}

}  // namespace sortie::sim
