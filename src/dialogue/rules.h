#pragma once

#include "sortie/base/hash.h"
#include "sortie/chat/message.h"
#include "sortie/dialogue/search.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/shown_plans.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What all dialogues over one catalog share: prompts, the search index and the rendered catalog.
// Built once and never changed in what it says, so any number of dialogues may use one object, from
// any thread.

namespace sortie::dialogue {

class Rules {
 public:
  /// `catalog` must outlive the rules and every dialogue that uses them.
  explicit Rules(const suite::ToolCatalog& catalog);

  /// `suite` must outlive them too: its flawed plans are made once.
  explicit Rules(const suite::Suite& suite);

  [[nodiscard]] const suite::ToolCatalog& catalog() const { return *catalog_; }

  [[nodiscard]] const suite::ShownPlans& plans() const { return *plans_; }

  [[nodiscard]] const std::string& system_prompt(suite::Protocol protocol) const;

  /// The first message of the user. The prompt's flaw has to apply to the task.
  [[nodiscard]] std::string first_prompt(const suite::Task& task,
                                         const suite::TrialParams& params) const;

  /// Functions offered under Protocol::native; empty for text.
  [[nodiscard]] const std::vector<chat::ToolSchema>& functions(suite::Protocol protocol) const;

  /// What find_tool answers.
  [[nodiscard]] std::string find_tool(std::string_view query) const;

  /// What show_tool answers; nullptr if there is no such tool.
  [[nodiscard]] const std::string* show_tool(std::string_view name) const;

  /// Digest over every prompt, help and error text, the parser's version and the search index: part
  /// of a trial's key.
  [[nodiscard]] base::Digest version() const { return version_; }

  /// The block of the first prompt that shows the plan, "" under a style without plan; nullopt if
  /// the prompt's flaw does not apply to the task at this severity.
  [[nodiscard]] std::optional<std::string> plan_text(const suite::Task& task,
                                                     const suite::TrialParams& params) const;

  /// Digest of plan_text: part of a trial's key. The prompt's flaw has to apply to the task.
  [[nodiscard]] base::Digest plan_digest(const suite::Task& task,
                                         const suite::TrialParams& params) const;

 private:
  Rules(const suite::ToolCatalog& catalog, std::unique_ptr<const suite::ShownPlans> plans);

  const suite::ToolCatalog* catalog_;
  std::unique_ptr<const suite::ShownPlans> plans_;
  SearchIndex index_;
  std::string system_text_;
  std::string system_native_;
  std::vector<std::string> descriptions_;  // per tool of the catalog: the text of show_tool
  std::vector<std::string> hits_;  // per tool of the catalog: its line in a result of find_tool
  std::string nothing_found_;
  std::vector<chat::ToolSchema> functions_;
  std::vector<chat::ToolSchema> no_functions_;
  base::Digest version_;
};

}  // namespace sortie::dialogue
