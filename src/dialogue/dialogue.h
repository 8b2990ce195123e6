#pragma once

#include "sortie/chat/message.h"
#include "sortie/dialogue/rules.h"
#include "sortie/dialogue/transcript.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <memory>
#include <variant>
#include <vector>

// One conversation, without I/O and without clock: step() takes what happened and says what is
// needed next.

namespace sortie::dialogue {

/// This many answers in a row with the same commands and the same replies are a loop.
inline constexpr std::size_t kLoopLength = 5;

/// Ask the model with Dialogue::history().
struct AskModel {};

/// Run tools outside (tools with effects); the pilot world answers inside and never asks for this.
struct RunTools {
  std::vector<chat::ToolCall> calls;
};

struct Ended {
  End end = End::finish;
};

using Need = std::variant<AskModel, RunTools, Ended>;

/// The model answered.
struct Answered {
  chat::Answer answer;
};

/// The provider refused the prompt as too long; no answer exists.
struct ContextFull {};

using Event = std::variant<Answered, ContextFull>;

struct DialogueOptions {
  bool commands_from_reasoning = false;  // capability of the model: see the parser
  /// False where nobody asks a model: the first two messages of history() are left empty.
  bool prompts = true;
};

class Dialogue {
 public:
  /// `rules` and `task` must outlive the dialogue. The prompt's flaw has to apply to the task.
  Dialogue(const Rules& rules,
           const suite::Task& task,
           const suite::TrialParams& params,
           DialogueOptions options = {});
  ~Dialogue();
  Dialogue(Dialogue&&) noexcept;
  Dialogue& operator=(Dialogue&&) noexcept;

  /// What is needed now.
  [[nodiscard]] Need need() const;

  /// Advances by one event; only after AskModel.
  Need step(Event event);

  /// What the next request holds: system, user, then answers and replies in turn. After the end it
  /// also holds the reply to the last answer, which nobody asked for, so that a transcript can be
  /// shown in full. Valid until the next step.
  ///
  /// An answer stands there as it goes back to the model: without reasoning; with calls that nobody
  /// asked for written as commands; with ids and valid JSON for structured calls that lack them,
  /// since some servers refuse such a history.
  [[nodiscard]] const std::vector<chat::Message>& history() const;

  /// Functions offered under Protocol::native; empty for text.
  [[nodiscard]] const std::vector<chat::ToolSchema>& functions() const;

  [[nodiscard]] int turns_done() const;

  /// Complete once ended; calls and the goal fields are filled in at the end.
  [[nodiscard]] const Transcript& transcript() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sortie::dialogue
