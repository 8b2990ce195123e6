#pragma once

#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/validator.h"

#include <string>
#include <string_view>
#include <vector>

// The rules of one task, used by validate_task() alone.

namespace sortie::suite {

struct TaskCheck {
  const ToolCatalog& catalog;
  const Task& task;
  const ValidationOptions& options;
  std::vector<Finding>& findings;

  void add(std::string_view rule, std::string message) const;

  /// Whether the goal holds after a literal execution of `plan` in the task's world.
  [[nodiscard]] bool reached_by(const std::vector<Step>& plan) const;
};

/// `solvable`; whether the goal can be met by the plan at all.
bool check_solvable(const TaskCheck& check);
void check_necessary(const TaskCheck& check);
void check_complete(const TaskCheck& check);
void check_needs_text(const TaskCheck& check);
void check_distractors(const TaskCheck& check);
void check_flaws(const TaskCheck& check);

/// `verbatim` and `names`, and with the lexicon `decodable` and `vocabulary`.
void check_texts(const TaskCheck& check);

}  // namespace sortie::suite
