#pragma once

#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/world.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

// Plans as they stand: one pass in the order shown, each step once.

namespace sortie::suite {

/// The position that a value of the form {"$step": k} names, -1 for any other value.
[[nodiscard]] std::ptrdiff_t step_reference(const json::Value& value);

[[nodiscard]] json::Value make_reference(std::size_t step);

/// The arguments with references replaced by handles. A step that has no artifact (yet) gives a
/// handle that no world knows.
[[nodiscard]] json::Object bound_arguments(const Step& step,
                                           std::span<const std::string> artifacts);

struct Execution {
  World world;
  std::vector<std::string> artifacts;  // by step; "" where the step gave none

  [[nodiscard]] std::size_t calls_ok() const;
};

/// Runs a plan in the world of a task. A step whose input does not exist or fit is rejected by the
/// world and skipped.
[[nodiscard]] Execution execute(const ToolCatalog& catalog,
                                const Task& task,
                                std::span<const Step> plan,
                                const Luck& luck);

/// Without injected failures.
[[nodiscard]] Execution execute_literally(const ToolCatalog& catalog,
                                          const Task& task,
                                          std::span<const Step> plan);

}  // namespace sortie::suite
