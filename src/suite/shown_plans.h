#pragma once

#include "sortie/suite/catalog.h"
#include "sortie/suite/flaw_detector.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

// Flawed plans as dialogues show them and scores read them. Making one and finding what is wrong
// with it costs more than the rest of a short dialogue, and thousands of trials show the same.

namespace sortie::suite {

/// A flawed plan beside the right one.
struct FlawedView {
  std::vector<Step> steps;                               // as shown
  std::vector<Sighting> sightings;                       // of the flaw that was put in, by place
  std::vector<std::optional<std::size_t>> counterparts;  // per shown step, of counterparts()
};

/// nullopt: the flaw does not apply to the task at this severity.
[[nodiscard]] std::optional<FlawedView> flawed_view(const ToolCatalog& catalog,
                                                    const Task& task,
                                                    Flaw flaw,
                                                    Severity severity);

/// Makes each flawed plan of a suite's tasks once. Grows up to one view per task, flaw and
/// severity that is asked for. Any thread may ask.
class ShownPlans {
 public:
  /// Keeps nothing. `catalog` must outlive it.
  explicit ShownPlans(const ToolCatalog& catalog) : catalog_(&catalog) {}

  /// `suite` must outlive it.
  explicit ShownPlans(const Suite& suite) : catalog_(&suite.catalog()), suite_(&suite) {}

  [[nodiscard]] const ToolCatalog& catalog() const { return *catalog_; }

  /// nullptr: the flaw does not apply to the task at this severity. Shared by this object and
  /// whoever reads it. A task that is none of the suite's own objects is looked at anew each time.
  [[nodiscard]] std::shared_ptr<const FlawedView> flawed(const Task& task,
                                                         Flaw flaw,
                                                         Severity severity) const;

 private:
  /// Of a task in the suite's list.
  [[nodiscard]] std::optional<std::size_t> position_of(const Task& task) const;

  const ToolCatalog* catalog_;
  const Suite* suite_ = nullptr;
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::uint64_t, std::shared_ptr<const FlawedView>> known_;
};

}  // namespace sortie::suite
