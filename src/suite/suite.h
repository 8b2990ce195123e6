#pragma once

#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sortie::suite {

/// The name of the suite in the binary.
inline constexpr std::string_view kBuiltInSuite = "pilot/1";

/// A named, versioned set of tasks over a tool catalog. Immutable after loading; shared by
/// reference.
class Suite {
 public:
  Suite() = default;
  Suite(std::string name, ToolCatalog catalog);

  /// The suite embedded in the binary, "pilot/1".
  [[nodiscard]] static base::Result<Suite> pilot();

  /// From the text of a task file (one per type): {"suite": "pilot/1", "tasks": [...]}. `source`
  /// names it in errors.
  base::Status add_tasks(std::string_view source, std::string_view text);

  /// Adds a task whose hash is filled in. False if its id is taken.
  [[nodiscard]] bool add_task(Task task);

  [[nodiscard]] const std::string& name() const { return name_; }

  /// Whether this is the suite of that name in the binary; other suites cannot have the name.
  [[nodiscard]] bool built_in() const { return name_ == kBuiltInSuite; }

  [[nodiscard]] const ToolCatalog& catalog() const { return catalog_; }

  /// In file order.
  [[nodiscard]] const std::vector<Task>& tasks() const { return tasks_; }

  [[nodiscard]] const Task* find(std::string_view id) const;

  /// Digest over its tools and tasks: results of one version are comparable.
  [[nodiscard]] base::Digest version() const;

  /// The levels whose texts people have read and understood; whoever publishes the suite says so,
  /// since nothing can prove it.
  [[nodiscard]] const std::set<Difficulty>& reviewed() const { return reviewed_; }

  void set_reviewed(std::set<Difficulty> levels) { reviewed_ = std::move(levels); }

  /// How many tasks have a text at a level.
  [[nodiscard]] std::size_t texts(Difficulty level) const;

  /// How many eligible tasks a type has.
  [[nodiscard]] std::size_t eligible(TaskType type) const;

  /// How many tasks of a type a campaign can draw: the eligible ones; of a user's suite all, since
  /// its tasks need not have flaws.
  [[nodiscard]] std::size_t available(TaskType type) const;

  /// Positions in tasks() of the first `count` tasks of a permutation keyed by (seed, type) alone,
  /// eligible tasks before all others, balanced over operation sequences: among 20 drawn tasks no
  /// sequence occurs more than 3 times while that is possible. A larger count contains the smaller.
  /// count ≤ available(type).
  [[nodiscard]] std::vector<std::size_t> draw(std::uint64_t seed,
                                              TaskType type,
                                              std::size_t count) const;

 private:
  struct TextHash {
    using is_transparent = void;

    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  std::string name_;
  ToolCatalog catalog_;
  std::vector<Task> tasks_;
  std::set<Difficulty> reviewed_;
  std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>> positions_;  // by id
};

/// The tools of a task's plan in order: what draw() balances.
[[nodiscard]] std::string operation_sequence(const Task& task);

/// The levels with texts that count as "not reviewed by people", in order: for the suite's card and
/// the notes beside its numbers.
[[nodiscard]] std::vector<Difficulty> not_reviewed(const Suite& suite);

/// The plan as it is shown under a prompt style: the reference plan for optimal, mutated for a
/// flaw, nothing for baseline and cot. nullopt: the flaw does not apply to this task at this
/// severity.
[[nodiscard]] std::optional<std::vector<Step>> shown_plan(const ToolCatalog& catalog,
                                                          const Task& task,
                                                          Prompt prompt,
                                                          Severity severity);

}  // namespace sortie::suite
