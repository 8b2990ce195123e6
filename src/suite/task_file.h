#pragma once

#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

// Tasks as JSON: suites/<name>/<type>.json.

namespace sortie::suite {

/// How many steps a plan may have.
inline constexpr std::size_t kStepsMin = 2;
inline constexpr std::size_t kStepsMax = 12;

/// Levels without a text are left out.
[[nodiscard]] json::Object to_json(const Task& task);

/// The digest that Task::hash holds: of everything else, in canonical form.
[[nodiscard]] base::Digest content_hash(const Task& task);

/// A task from its JSON form, checked against the tools: shape, names, arguments, references,
/// reachability of the goal's operations. `where` starts every message. The hash is filled in.
[[nodiscard]] base::Result<Task> task_from_json(const ToolCatalog& catalog,
                                                const json::Value& value,
                                                std::string_view where);

/// The whole file, as the repository holds it: one task after the other, for people to read.
[[nodiscard]] std::string task_file_text(std::string_view suite, std::span<const Task> tasks);

}  // namespace sortie::suite
