#include "sortie/suite/execution.h"

#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/world.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

std::ptrdiff_t step_reference(const json::Value& value) {
  if (!value.is_object() || value.get_object().size() != 1) {
    return -1;
  }
  const std::optional<std::int64_t> step = json::get_int(value, "$step");
  return step && *step >= 0 ? static_cast<std::ptrdiff_t>(*step) : -1;
}

json::Value make_reference(std::size_t step) {
  return json::Object{{"$step", static_cast<std::int64_t>(step)}};
}

json::Object bound_arguments(const Step& step, std::span<const std::string> artifacts) {
  json::Object out;
  out.reserve(step.arguments.size());
  for (const auto& [name, value] : step.arguments) {
    const std::ptrdiff_t reference = step_reference(value);
    if (reference < 0) {
      out[name] = value;
      continue;
    }
    const auto position = static_cast<std::size_t>(reference);
    const bool exists = position < artifacts.size() && !artifacts[position].empty();
    out[name] = exists ? artifacts[position] : fmt::format("step-{}", position + 1);
  }
  return out;
}

std::size_t Execution::calls_ok() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      world.calls(), [](const CallRecord& call) { return call.result.status == CallStatus::ok; }));
}

Execution execute(const ToolCatalog& catalog,
                  const Task& task,
                  std::span<const Step> plan,
                  const Luck& luck) {
  Execution execution{.world = World(catalog, task, luck), .artifacts = {}};
  for (const Step& step : plan) {
    const json::Object arguments = bound_arguments(step, execution.artifacts);
    execution.artifacts.push_back(execution.world.call(step.tool, arguments).artifact);
  }
  return execution;
}

Execution execute_literally(const ToolCatalog& catalog,
                            const Task& task,
                            std::span<const Step> plan) {
  return execute(catalog, task, plan, Luck(0, task.hash, 0, 1.0));
}

}  // namespace sortie::suite
