#pragma once

#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/data_reader.h"
#include "sortie/suite/tools.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Tools of a user's suite: they do what their data says, the same for every domain. A call checks
// its arguments against the schema, its inputs against their kinds and its sources against what the
// task names; then it yields an artifact and an answer made of constants, arguments and earlier
// answers (docs/reference/suites.md).

namespace sortie::suite {

/// The tool that a dialogue's examples of the format call (src/dialogue/texts.h): no suite has a
/// tool of that name, or the example would be a call of it.
inline constexpr std::string_view kExampleToolName = "garden_watering";

/// How many handles one call can take.
inline constexpr std::size_t kHandlesMax = 2;

/// A tool as a user's suite writes it. `category` is used where it names none. nullopt after a
/// problem; paths begin with `path`.
[[nodiscard]] std::optional<ToolSpec> declared_tool(const json::Value& value,
                                                    const DataPath& path,
                                                    std::string_view category,
                                                    std::vector<DataProblem>& problems);

/// The same tool as data again: declared_tool() reads it back as it is.
[[nodiscard]] json::Object to_json(const ToolSpec& tool);

/// Parameters of the tool at `position` that take a handle of a kind that no tool makes; paths
/// begin at the tool.
void check_kinds(const std::vector<ToolSpec>& tools,
                 std::size_t position,
                 std::vector<DataProblem>& problems);

/// An earlier result that a call takes.
struct DeclaredInput {
  std::string_view parameter;
  const json::Value* value = nullptr;  // what its call returned
};

/// What a valid call returns: the tool's `returns` filled in, or, if it has none, the kind, the
/// handles and the values of the call.
[[nodiscard]] json::Object declared_result(const ToolSpec& tool,
                                           const json::Object& arguments,
                                           std::span<const DeclaredInput> inputs);

/// The refusal of a source that the task does not name. `parameter` holds it.
[[nodiscard]] Refusal unknown_source_refusal(const ToolSpec& tool,
                                             std::string_view parameter,
                                             const json::Object& arguments);

}  // namespace sortie::suite
