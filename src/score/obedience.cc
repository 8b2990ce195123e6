#include "sortie/score/obedience.h"

#include "sortie/base/json.h"
#include "sortie/score/attempts.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/flaw_detector.h"
#include "sortie/suite/shown_plans.h"
#include "sortie/suite/world.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::score {

namespace {

/// The required operation that a step of the right plan carries out, nullopt if the goal does not
/// ask for it.
std::optional<std::size_t> operation_of(const suite::Task& task, std::size_t step) {
  const auto& required = task.goal.required;
  const suite::Step& wanted = task.plan[step];
  const auto is_done_by = [&](const suite::Required& operation) {
    return operation.tool == wanted.tool &&
           std::ranges::all_of(operation.values, [&](const auto& member) {
             const json::Value* value = wanted.arguments.if_contains(member.key());
             return value != nullptr && suite::same_value(*value, member.value());
           });
  };
  // Goals list their operations as plans do; two operations may look alike.
  if (required.size() == task.plan.size() && is_done_by(required[step])) {
    return step;
  }
  const auto found = std::ranges::find_if(required, is_done_by);
  return found == required.end()
             ? std::nullopt
             : std::optional(static_cast<std::size_t>(found - required.begin()));
}

/// A place that can be followed.
struct Watched {
  const suite::Sighting& sighting;
  std::size_t shown;  // the step whose attempt follows the plan there
  std::size_t input;  // the shown step that matters beside it
};

/// A dialogue beside the plan that was shown in it.
class Reading {
 public:
  Reading(const suite::ToolCatalog& catalog,
          const dialogue::Transcript& transcript,
          const suite::Task& task,
          const suite::FlawedView& view)
      : catalog_(catalog),
        transcript_(transcript),
        task_(task),
        shown_(view.steps),
        attempts_(attempts_at_shown(
            catalog,
            transcript,
            {.shown = view.steps, .right = task.plan, .counterparts = view.counterparts})),
        right_attempts_(attempts_at_steps(catalog, transcript, task.plan)),
        completions_(catalog, transcript, task.goal),
        makers_(makers_of(transcript)) {
    share_among_equals();
  }

  [[nodiscard]] bool followed(const suite::Sighting& sighting) const;

 private:
  void share_among_equals();

  [[nodiscard]] const suite::CallRecord& call(std::size_t index) const {
    return transcript_.calls[index];
  }

  /// The call with which a step of the right plan succeeded; one past the last call if none did.
  [[nodiscard]] std::size_t right_success(std::size_t step) const {
    const auto operation = operation_of(task_, step);
    return operation ? completions_.first(*operation).value_or(transcript_.calls.size())
                     : first_ok(right_attempts_[step]);
  }

  [[nodiscard]] std::size_t first_ok(const std::vector<std::size_t>& calls) const {
    const auto found = std::ranges::find_if(calls, [&](std::size_t index) {
      return call(index).result.status == suite::CallStatus::ok;
    });
    return found == calls.end() ? transcript_.calls.size() : *found;
  }

  /// The first attempt at a shown step; one past the last call if there is none.
  [[nodiscard]] std::size_t first_attempt(std::size_t shown) const {
    return attempts_[shown].empty() ? transcript_.calls.size() : attempts_[shown].front();
  }

  /// An attempt at a shown step, before a call, that is as `wanted` says.
  template <class Wanted>
  [[nodiscard]] bool attempted(std::size_t shown, std::size_t before, const Wanted& wanted) const {
    return std::ranges::any_of(attempts_[shown],
                               [&](std::size_t index) { return index < before && wanted(index); });
  }

  [[nodiscard]] bool has_wrong_value(std::size_t index, const Watched& watched) const;
  [[nodiscard]] bool takes_result_of(std::size_t index, std::size_t shown) const;
  [[nodiscard]] bool repeated(std::size_t step) const;

  const suite::ToolCatalog& catalog_;
  const dialogue::Transcript& transcript_;
  const suite::Task& task_;
  std::span<const suite::Step> shown_;
  CallsOf attempts_;        // at the steps shown
  CallsOf right_attempts_;  // at those of the right plan
  Completions completions_;
  ArtifactMakers makers_;
};

/// Where steps are shown that are the same call, whoever makes that call does what each of them
/// says.
void Reading::share_among_equals() {
  const CallsOf own = attempts_;
  for (std::size_t i = 0; i < shown_.size(); ++i) {
    for (std::size_t k = 0; k < shown_.size(); ++k) {
      if (i != k && shown_[i].tool == shown_[k].tool &&
          suite::same_value(shown_[i].arguments, shown_[k].arguments)) {
        attempts_[i].insert(attempts_[i].end(), own[k].begin(), own[k].end());
      }
    }
    std::ranges::sort(attempts_[i]);
  }
}

/// As shown where the plan is wrong: the same wrong value, or none where the plan shows none.
bool Reading::has_wrong_value(std::size_t index, const Watched& watched) const {
  const json::Object& shown = shown_[watched.shown].arguments;
  return std::ranges::any_of(watched.sighting.parameters, [&](const std::string& name) {
    const json::Value* wrong = shown.if_contains(name);
    const json::Value* said = call(index).arguments.if_contains(name);
    return wrong == nullptr ? said == nullptr : said != nullptr && suite::same_value(*said, *wrong);
  });
}

/// One of its inputs is a result of the shown step's tool, or stands for one that does not exist: a
/// handle of its kind, guessed before the result was seen, or any made-up handle where that step
/// was attempted in vain.
bool Reading::takes_result_of(std::size_t index, std::size_t shown) const {
  const suite::ToolSpec* source = catalog_.find(shown_[shown].tool);
  const suite::ToolSpec* tool = catalog_.find(call(index).tool);
  if (source == nullptr || tool == nullptr) {
    return false;
  }
  const bool in_vain = first_attempt(shown) < index && first_ok(attempts_[shown]) > index;
  return std::ranges::any_of(tool->handle_parameters(), [&](std::string_view name) {
    const json::Value* handle = call(index).arguments.if_contains(name);
    if (handle == nullptr || !handle->is_string()) {
      return false;
    }
    const std::string_view text = json::view(handle->get_string());
    const auto maker = makers_.find(text);
    const bool known = maker != makers_.end() && maker->second < index;
    return known ? call(maker->second).tool == source->name
                 : in_vain || text.substr(0, text.rfind('#')) == source->kind;
  });
}

/// The step's own call again after it had succeeded. Repeating a call that failed is no obedience.
bool Reading::repeated(std::size_t step) const {
  const std::size_t success = right_success(step);
  return std::ranges::any_of(right_attempts_[step], [&](std::size_t index) {
    return index > success && has_values(catalog_, call(index), task_.plan[step]);
  });
}

bool Reading::followed(const suite::Sighting& sighting) const {
  if (!sighting.shown) {
    return false;
  }
  const Watched watched{.sighting = sighting,
                        .shown = *sighting.shown,
                        .input = sighting.input.value_or(*sighting.shown)};
  const std::size_t success = right_success(sighting.place.step);
  switch (sighting.flaw) {
    case suite::Flaw::none:
      break;
    case suite::Flaw::sequence_disorder:
      return first_attempt(watched.shown) < first_attempt(watched.input);
    case suite::Flaw::tool_misuse:
    case suite::Flaw::missing_step:
    case suite::Flaw::semantic_drift:
      return first_attempt(watched.shown) < success;
    case suite::Flaw::parameter_error:
      return attempted(watched.shown, success, [&](std::size_t index) {
        return has_wrong_value(index, watched);
      });
    case suite::Flaw::redundant_operations:
      return repeated(sighting.place.step);
    case suite::Flaw::logical_inconsistency:
      return attempted(watched.shown, success, [&](std::size_t index) {
        return takes_result_of(index, watched.input);
      });
  }
  return false;
}

}  // namespace

std::optional<Obedience> obedience(const suite::ShownPlans& plans,
                                   const dialogue::Transcript& transcript,
                                   const suite::Task& task,
                                   const suite::TrialParams& params) {
  if (params.prompt.style != suite::PromptStyle::flawed) {
    return std::nullopt;
  }
  const auto view = plans.flawed(task, params.prompt.flaw, params.severity);
  if (view == nullptr) {
    return std::nullopt;
  }
  const Reading reading(plans.catalog(), transcript, task, *view);
  Obedience result;
  for (const suite::Sighting& sighting : view->sightings) {
    ++result.places;
    result.followed += reading.followed(sighting) ? 1 : 0;
  }
  return result;
}

std::optional<Obedience> obedience(const suite::ToolCatalog& catalog,
                                   const dialogue::Transcript& transcript,
                                   const suite::Task& task,
                                   const suite::TrialParams& params) {
  return obedience(suite::ShownPlans(catalog), transcript, task, params);
}

}  // namespace sortie::score
