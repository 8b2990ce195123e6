#pragma once

#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// The artifact world of one trial: calls consume handles and produce new ones. Pure and
// deterministic: the state is a function of task, luck and the calls made.

namespace sortie::suite {

/// Tool luck with common random numbers: one uniform number per (seed, task, repeat, tool, nth
/// valid call of that tool), compared with the rate. It depends on nothing else, so that a call
/// that succeeds at 0.6 succeeds at 0.9.
class Luck {
 public:
  Luck(std::uint64_t seed, const base::Digest& task, int repeat, double tool_success_rate);

  [[nodiscard]] bool succeeds(std::string_view tool, std::size_t nth) const;

  /// Which of the tool's injectable codes a failed call shows; drawn like the luck itself.
  [[nodiscard]] std::size_t choose_code(std::string_view tool,
                                        std::size_t nth,
                                        std::size_t count) const;

 private:
  std::uint64_t seed_;
  base::Digest task_;
  int repeat_;
  double rate_;
};

enum class CallStatus : std::uint8_t {
  ok,        // an artifact or effect was produced
  rejected,  // by the world, deterministically; nothing was drawn
  injected,  // a valid call that failed by luck; nothing was changed
};

struct CallResult {
  CallStatus status = CallStatus::ok;
  std::string code;      // "" when ok, else INVALID_INPUT, FILE_NOT_FOUND, TIMEOUT, …
  std::string message;   // a person could act on it; never names the tool that would be right
  json::Value value;     // the typed result when ok
  std::string artifact;  // handle of what was produced, e.g. "table#2"; "" otherwise
};

/// Results are files: one takes the place of any earlier one with the same argument "path".
[[nodiscard]] bool writes_files(const ToolSpec& tool);

/// Why a call was rejected, for labels: which part of it was wrong.
enum class Rejection : std::uint8_t {
  none,
  unknown_tool,
  parameter,
  unknown_handle,
  wrong_kind,
  other
};

struct CallRecord {
  std::string tool;
  json::Object arguments;
  CallResult result;
  Rejection rejection = Rejection::none;
};

class World {
 public:
  World(const ToolCatalog& catalog, const Task& task, const Luck& luck);
  ~World();
  World(World&&) noexcept;
  World& operator=(World&&) noexcept;

  CallResult call(std::string_view tool, const json::Object& arguments);

  /// Every call so far, in order. Owned by the world.
  [[nodiscard]] const std::vector<CallRecord>& calls() const;

  /// The same, taken out of a world that is asked nothing more.
  [[nodiscard]] std::vector<CallRecord> take_calls();

  /// The goal predicate on the artifacts and effects that exist now.
  [[nodiscard]] bool goal_met() const;

  /// Share of required operations, with their checked values, in the lineage of the best artifact;
  /// 1 when the goal is met.
  [[nodiscard]] double progress() const;

  /// Per required operation (position in task.goal.required): done with its values?
  [[nodiscard]] std::vector<bool> required_done() const;

  /// No effect exists that the goal did not ask for.
  [[nodiscard]] bool clean() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sortie::suite
