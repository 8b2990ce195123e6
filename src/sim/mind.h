#pragma once

#include "sortie/sim/agent.h"
#include "sortie/sim/call_script.h"
#include "sortie/sim/conversation.h"
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

enum class StepPurpose : std::uint32_t {
  misread = 0,
  kind = 1,
  place = 2,
  choice = 3,
  search = 4,
  lookup = 5,
  gullible = 6
};

/// What the model does next.
struct Move {
  enum class Kind : std::uint8_t { call, search, lookup, finish };
  Kind kind = Kind::finish;
  std::vector<std::pair<std::string, std::string>> calls;  // tool, arguments as JSON text
  std::string text;                                        // query, tool or result
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
  };

  [[nodiscard]] double turn(TurnPurpose purpose) const { return turn_at(now_, purpose); }

  [[nodiscard]] double turn_at(std::size_t turn, TurnPurpose purpose) const;
  [[nodiscard]] double step(std::size_t step, StepPurpose purpose) const;

  /// A literal reader goes through the shown plan once; false once it doubts the plan.
  [[nodiscard]] bool read_literally();
  void form_beliefs();
  void replay();
  void replay_turn(std::size_t turn);
  void see_mistake(std::size_t step);
  void forget_results_of(std::size_t step);

  [[nodiscard]] const suite::Step& believed(std::size_t step) const;
  [[nodiscard]] std::optional<std::size_t> step_called(const PastCall& call) const;
  [[nodiscard]] bool is_ready(std::size_t step) const;
  [[nodiscard]] std::vector<std::size_t> ready() const;
  [[nodiscard]] bool last_turn_had(CallOutcome outcome) const;

  [[nodiscard]] Move finish() const;
  [[nodiscard]] std::optional<Move> after_failure(std::size_t next) const;
  [[nodiscard]] std::optional<Move> look_around(std::size_t step) const;
  [[nodiscard]] Move literal_move() const;

  const AgentInput* input_;
  const suite::Task* task_;
  std::size_t now_;  // turns that lie behind

  bool literal_ = false;
  std::size_t literal_next_ = 0;  // position in the shown plan
  std::vector<Belief> beliefs_;
  Handles handles_;                    // of the plan followed: shown if literal, else right
  bool unrepaired_rejection_ = false;  // the last turn was rejected and the mistake not seen
};

}  // namespace sortie::sim
