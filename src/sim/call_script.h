#pragma once

#include "sortie/base/json.h"
#include "sortie/sim/draws.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Steps as calls: a plan's references to earlier steps become the handles that those steps
// produced, and right calls become believable wrong ones.

namespace sortie::sim {

/// Handles that steps produced; nullopt: not done.
using Handles = std::vector<std::optional<std::string>>;

/// Arguments as JSON text. A reference to a step that is not done becomes a name that no artifact
/// has.
[[nodiscard]] std::string arguments_text(const json::Object& arguments, const Handles& handles);

/// Steps that the arguments refer to.
[[nodiscard]] std::vector<std::size_t> references(const json::Object& arguments);

/// Numbers in [0, 1) that decide how a step is misread.
struct Mistake {
  double place = 0;   // which argument or tool
  double choice = 0;  // which value
};

/// The step with a wrong value of one argument; nullopt if it has no value that could be wrong.
[[nodiscard]] std::optional<suite::Step> with_wrong_value(const suite::ToolCatalog& catalog,
                                                          const suite::Step& step,
                                                          const Mistake& mistake);

/// The step with another tool of the same category and those of its arguments that fit there. A
/// tool that the plan does not use, where there is one: calling a tool that is needed elsewhere is
/// a wrong order as much as a wrong tool.
[[nodiscard]] suite::Step with_wrong_tool(const suite::ToolCatalog& catalog,
                                          const suite::Step& step,
                                          const Mistake& mistake,
                                          const std::vector<suite::Step>& plan = {});

/// The step with an input that is another step's result, or no result at all; nullopt if it takes
/// none.
[[nodiscard]] std::optional<suite::Step> with_stale_handle(const suite::Step& step,
                                                           const Mistake& mistake);

/// The step without its arguments, which no tool accepts.
[[nodiscard]] suite::Step without_arguments(const suite::Step& step);

}  // namespace sortie::sim
