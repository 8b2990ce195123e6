#include "sortie/suite/shown_plans.h"

#include "sortie/suite/flaws.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace sortie::suite {

namespace {

std::shared_ptr<const FlawedView> shared_view(const ToolCatalog& catalog,
                                              const Task& task,
                                              Flaw flaw,
                                              Severity severity) {
  auto view = flawed_view(catalog, task, flaw, severity);
  return view ? std::make_shared<const FlawedView>(*std::move(view)) : nullptr;
}

}  // namespace

std::optional<FlawedView> flawed_view(const ToolCatalog& catalog,
                                      const Task& task,
                                      Flaw flaw,
                                      Severity severity) {
  std::optional<FlawedPlan> flawed = flawed_plan(catalog, task, flaw, severity);
  if (!flawed) {
    return std::nullopt;
  }
  FlawedView view{.steps = std::move(flawed->steps), .sightings = {}, .counterparts = {}};
  view.sightings = detect(catalog, task, view.steps);
  std::erase_if(view.sightings, [&](const Sighting& sighting) { return sighting.flaw != flaw; });
  view.counterparts = counterparts(catalog, task, view.steps);
  return view;
}

std::shared_ptr<const FlawedView> ShownPlans::flawed(const Task& task,
                                                     Flaw flaw,
                                                     Severity severity) const {
  const auto position = position_of(task);
  if (!position) {
    return shared_view(*catalog_, task, flaw, severity);
  }
  const std::uint64_t key =
      (*position * (kPlanFlaws.size() + 1) + static_cast<std::size_t>(flaw)) * kSeverities.size() +
      static_cast<std::size_t>(severity);
  {
    const std::scoped_lock guard(mutex_);
    if (const auto found = known_.find(key); found != known_.end()) {
      return found->second;
    }
  }
  // Two threads may make the same one: it is a pure function.
  auto view = shared_view(*catalog_, task, flaw, severity);
  const std::scoped_lock guard(mutex_);
  return known_.try_emplace(key, std::move(view)).first->second;
}

std::optional<std::size_t> ShownPlans::position_of(const Task& task) const {
  if (suite_ == nullptr) {
    return std::nullopt;
  }
  const std::vector<Task>& tasks = suite_->tasks();
  const Task* const first = tasks.data();
  const bool own = !std::less<>()(&task, first) && std::less<>()(&task, first + tasks.size());
  return own ? std::optional(static_cast<std::size_t>(&task - first)) : std::nullopt;
}

}  // namespace sortie::suite
