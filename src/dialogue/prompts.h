#pragma once

#include "sortie/chat/message.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

// What a model reads before its first answer. Apart from the blocks of a plan and of the request to
// reason, the text of all prompt styles is the same to the byte.

namespace sortie::dialogue {

[[nodiscard]] std::string system_prompt(const suite::ToolCatalog& catalog,
                                        suite::Protocol protocol);

/// The block that shows a plan; "" for no steps.
[[nodiscard]] std::string plan_block(std::span<const suite::Step> plan);

/// `plan` is a plan block, or "".
[[nodiscard]] std::string first_prompt(std::string_view task,
                                       std::string_view plan,
                                       suite::PromptStyle style);

/// The text of show_tool.
[[nodiscard]] std::string tool_description(const suite::ToolSpec& tool);

/// The functions of the native protocol: every tool, then find_tool, show_tool and finish.
/// Annotations of the world (x-…) and formats of our own are left out of the schemas; the kinds
/// that a handle may have are told in words.
[[nodiscard]] std::vector<chat::ToolSchema> function_schemas(const suite::ToolCatalog& catalog);

}  // namespace sortie::dialogue
