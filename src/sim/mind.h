#pragma once

#include "sortie/sim/agent.h"
#include "sortie/sim/call_script.h"
#include "sortie/sim/conversation.h"
#include "sortie/sim/forms.h"
#include "sortie/suite/task.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sortie::sim {

/// What chances are drawn for. Part of what makes answers reproducible: numbers are never reused.
enum class TurnPurpose : std::uint32_t {
  slip = 0,
  slip_kind = 1,
  early_finish = 2,
  repair = 3,
  persistence = 4,
  alternative = 5,
  place = 6,
  choice = 7,
  give_up = 8,
  batching = 9,
  prose_length = 10,
  prose_length_2 = 11,
  prose_first = 12,
  truncated_at = 13,
  content_fault = 14,  // and the following: one a fault of the profile
};

/// Likewise, of TrialDraws::of_answer.
enum class AnswerPurpose : std::uint32_t {
  empty = 0,
  refusal = 1,
  truncated = 2,
  reasoning_length = 3,
  reasoning_length_2 = 4,
  reasoning_first = 5,
  command_inside = 6,
  rushing = 7
};

enum class StepPurpose : std::uint32_t {
  misread = 0,
  kind = 1,
  place = 2,
  choice = 3,
  search = 4,
  lookup = 5,
  gullible = 6,
  loop = 7,      // of the trial
  loop_step = 8  // of the trial
};

/// What the model does next.
struct Move {
  enum class Kind : std::uint8_t { call, search, lookup, finish };
  Kind kind = Kind::finish;
  std::vector<SpelledCall> calls;
  std::string text;          // query, tool or result
  bool then_finish = false;  // after the calls, in the same answer
};

/// What the model believes about one trial, read from its conversation: which steps are done, with
/// which handles, and which it has understood wrongly.
class Mind {
 public:
  explicit Mind(const AgentInput& input);

  [[nodiscard]] Move next() const;

 private:
  struct Belief {
    suite::Step wrong;     // what it takes the step to be, if misread
    bool misread = false;  // until it sees the mistake
    bool done_wrong = false;
    bool early = false;      // it believes that the step needs nothing before it
    bool abandoned = false;  // it takes the step for done although it was rejected
  };

  [[nodiscard]] double turn(TurnPurpose purpose) const { return turn_at(now_, purpose); }

  [[nodiscard]] double turn_at(std::size_t turn, TurnPurpose purpose) const;
  [[nodiscard]] double step(std::size_t step, StepPurpose purpose) const;

  /// A literal reader goes through the shown plan once; false once it doubts the plan.
  [[nodiscard]] bool read_literally();
  void form_beliefs();
  [[nodiscard]] Belief belief_about(std::size_t step) const;
  void replay();
  void replay_turn(std::size_t turn);
  void see_mistake(std::size_t step);
  void overlook_mistake(std::size_t step, std::size_t turn);
  void forget_results_of(std::size_t step);

  [[nodiscard]] const suite::Step& believed(std::size_t step) const;
  [[nodiscard]] std::optional<std::size_t> step_called(const PastCall& call,
                                                       const Handles& handles) const;
  [[nodiscard]] bool needs_something(std::size_t step) const;
  [[nodiscard]] bool is_done(std::size_t step, const Handles& handles) const;
  [[nodiscard]] bool is_ready(std::size_t step, const Handles& handles) const;
  [[nodiscard]] std::vector<std::size_t> ready(const Handles& handles) const;
  [[nodiscard]] bool last_turn_had(CallOutcome outcome) const;

  [[nodiscard]] bool is_stuck_at(std::size_t step) const { return stuck_at_ == step; }

  [[nodiscard]] SpelledCall call_of(const suite::Step& step, const Handles& handles) const;
  [[nodiscard]] Move finish() const;
  [[nodiscard]] std::optional<Move> after_failure(std::size_t next) const;
  [[nodiscard]] std::optional<Move> look_around(std::size_t step) const;
  [[nodiscard]] std::optional<Move> dawdle() const;
  [[nodiscard]] std::optional<std::size_t> too_early() const;
  [[nodiscard]] Move rush(Move move, std::size_t first) const;
  [[nodiscard]] Move literal_move() const;

  const AgentInput* input_;
  const suite::Task* task_;
  std::size_t now_;  // turns that lie behind

  bool literal_ = false;
  std::size_t literal_next_ = 0;  // position in the shown plan
  std::vector<Belief> beliefs_;
  Handles handles_;        // of the plan followed: shown if literal, else right
  bool gives_up_ = false;  // the last turn was rejected, the mistake not seen, and that is enough
  std::optional<std::size_t> stuck_at_;  // the step whose rejected call it repeats for ever
};

}  // namespace sortie::sim
