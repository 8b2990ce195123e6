#include "sortie/base/json.h"
#include "sortie/engine/core.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

// The run's deadline: before it, optional repeats are given up when the pace says so; at it nothing
// more is sent.

namespace sortie::engine {

namespace {

constexpr base::Duration kGrace = std::chrono::minutes(1);  // for what is in flight at the deadline
// The end of a run is slower than its middle: the last dialogues are alone.
constexpr double kCutMargin = 1.1;
constexpr base::Duration kCutInterval = std::chrono::seconds(1);
constexpr std::uint64_t kTurnsMeasured = 100;  // of a model, before its pace is believed

}  // namespace

void Engine::Core::check_deadline() {
  if (!deadline_.has_value() || stopping_) {
    return;
  }
  if (now() < *deadline_) {
    cut_repeats();
    return;
  }
  if (!past_deadline_) {
    past_deadline_ = true;
    note("the deadline is reached: nothing more is sent");
    note_event("deadline_reached", name(), "{}");
    stop_waiting();
  }
  if (now() >= *deadline_ + kGrace) {
    stopping_ = true;
    stop_in_flight();
  }
}

std::optional<base::Instant> Engine::Core::next_deadline_check() const {
  if (!deadline_.has_value()) {
    return std::nullopt;
  }
  if (past_deadline_) {
    return *deadline_ + kGrace;
  }
  return std::min(*deadline_, std::max(next_cut_check_, now()));
}

/// Turns until every trial of the model is closed, as far as its cells are wanted still.
double Engine::Core::turns_left(const ModelState& model) const {
  double turns = 0;
  for (const Stratum& stratum : strata_) {
    if (&models_[model_of(stratum)] == &model) {
      turns += static_cast<double>(stratum.left) * turns_each(stratum);
    }
  }
  // An open dialogue is taken as half done.
  return turns + model.lengths.mean() * static_cast<double>(model.progress.running) / 2;
}

/// Of the model that needs longest, at its own pace so far; nullopt while a pace is not known.
std::optional<base::Duration> Engine::Core::time_needed() const {
  double longest = 0;
  for (const ModelState& model : models_) {
    const double left = turns_left(model);
    if (left == 0) {
      continue;
    }
    if (model.progress.turns < kTurnsMeasured) {
      return std::nullopt;
    }
    const double pace = static_cast<double>(model.progress.turns) / base::seconds(now() - started_);
    longest = std::max(longest, left / pace);
  }
  return base::from_seconds(longest);
}

/// Leaves out the rows from `rows` on that were not begun; how many.
std::uint64_t Engine::Core::shorten(Stratum& stratum, std::uint64_t rows) {
  std::uint64_t cut = 0;
  for (std::uint64_t row = std::max(rows, stratum.next); row < stratum.rows; ++row) {
    cut += history_.cells[stratum.cell].is_begun(stratum.ordinal(row)) ? 0U : 1U;
  }
  stratum.rows = rows;
  stratum.left -= cut;
  models_[model_of(stratum)].unopened -= cut;
  if (cut > 0) {
    tell_backlog(stratum.cell);
  }
  return cut;
}

/// When not everything can be done in time, every cell gives up its last repeats, the cells with
/// the most first, until it can or each has one left. Trials that were begun go on.
void Engine::Core::cut_repeats() {
  if (!deadline_.has_value() || now() < next_cut_check_) {
    return;
  }
  next_cut_check_ = now() + kCutInterval;
  const base::Instant deadline = *deadline_;
  std::uint64_t cut = 0;
  std::uint64_t kept = 0;
  while (true) {
    const auto needed = time_needed();
    if (!needed.has_value() ||
        now() + base::from_seconds(kCutMargin * base::seconds(*needed)) <= deadline) {
      break;
    }
    kept = 0;
    for (const Stratum& stratum : strata_) {
      kept = std::max(kept, (stratum.rows + stratum.per_repeat - 1) / stratum.per_repeat);
    }
    if (kept <= 1) {
      break;
    }
    --kept;
    for (Stratum& stratum : strata_) {
      cut += shorten(stratum, std::min(stratum.rows, kept * stratum.per_repeat));
    }
  }
  trials_cut_ += cut;
  if (cut > 0) {
    note(fmt::format("to meet the deadline, {} repeats at most of each task are kept", kept));
    note_event("repeats_cut",
               name(),
               json::to_text(json::Object{{"repeats_kept", kept}, {"trials_given_up", cut}}));
  }
}

}  // namespace sortie::engine
