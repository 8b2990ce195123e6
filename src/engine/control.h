#pragma once

#include "sortie/quota/limit.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What a person may change while a run goes on. docs/guide/running.md says what each does.

namespace sortie::engine {

enum class ControlAction : std::uint8_t {
  pause,    // send nothing new, of the run or of one model
  resume,   // the reverse
  drain,    // begin no dialogue any more; end when the open ones have
  limit,    // set limits of a domain
  unlimit,  // put its declared limits in force again
  disable,  // take the routes of a key out
  enable,   // and in again
  share,    // weight of a model among those that compete for a limit
};

[[nodiscard]] std::string_view to_string(ControlAction action);
[[nodiscard]] std::optional<ControlAction> control_action_from(std::string_view name);

/// Every action's name, in the order above.
[[nodiscard]] std::vector<std::string> control_actions();

struct ControlCommand {
  ControlAction action = ControlAction::pause;
  std::string target;                   // a model, domain or key; "": the whole run
  std::vector<quota::Limit> limits;     // limit: one of a kind at most
  std::vector<quota::LimitKind> kinds;  // unlimit; none: all kinds
  double weight = 1;                    // share
  std::string author;                   // recorded
  std::string reason;                   // recorded
  bool dry_run = false;                 // say what would change, change nothing
};

/// "600 requests/min", "20 at once".
[[nodiscard]] std::string describe(const quota::Limit& limit);

}  // namespace sortie::engine
