#include "sortie/base/check.h"
#include "sortie/base/text.h"
#include "sortie/engine/core.h"
#include "sortie/engine/records.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include <fmt/format.h>

// The budget at work: a turn enters the scheduler only with its reserve set aside, and keeps it
// until its attempt has ended. What the budget does not cover is parked, and a dialogue begins only
// if those that are open can be expected to end.

namespace sortie::engine {

namespace {

// What an unknown attempt is costed with must not be less than its bill: the estimate of its input,
// after the first turn good to 1 %, is widened to cover a first turn's error, and its output is
// taken as all that it may be.
constexpr double kReservedInputFactor = 1.25;
constexpr double kReservedInputExtra = 64;

}  // namespace

void Engine::Core::measure_reserve(OpenTrial& trial) {
  trial.reserved_usage = {
      .input =
          std::llround(std::ceil(trial.size.input * kReservedInputFactor + kReservedInputExtra)),
      .output = std::llround(std::max(trial.size.max_output, trial.size.output)),
  };
  trial.reserve = {
      .cost = cost_of(context_.topology->models[trial.model].price, trial.reserved_usage),
      .tokens = trial.reserved_usage.input + trial.reserved_usage.output};
  Funds& most = models_[trial.model].reserve_max;
  most.cost = std::max(most.cost, trial.reserve.cost);
  most.tokens = std::max(most.tokens, trial.reserve.tokens);
}

/// Sets the turn's reserve aside. False: the budget does not cover it now.
bool Engine::Core::fund(OpenTrial& trial) {
  CHECK(!trial.funded);
  if (!budget_.covers(trial.reserve)) {
    return false;
  }
  budget_.reserve(trial.reserve);
  trial.funded = true;
  return true;
}

/// The attempt has ended, or the turn will not be asked: `used` takes the reserve's place.
void Engine::Core::refund(OpenTrial& trial, const Funds& used) {
  CHECK(trial.funded);
  budget_.settle(trial.reserve, used);
  trial.funded = false;
  dialogue_refused_ = false;
}

/// The dialogue is expected to have so many turns still.
void Engine::Core::expect(OpenTrial& trial, double turns) {
  if (!budget_.is_limited()) {
    return;
  }
  const spec::Price& price = context_.topology->models[trial.model].price;
  const chat::Usage usage{.input = std::llround(trial.size.input),
                          .output = std::llround(trial.size.output)};
  const Funds guess{.cost = cost_of(price, usage), .tokens = usage.input + usage.output};
  expected_ -= trial.expected;
  trial.expected = models_[trial.model].turn_funds.of(turns, guess);
  expected_ += trial.expected;
}

/// One more dialogue, beside those that are open: only if all can be expected to end, with room for
/// the reserve of their last request.
bool Engine::Core::can_afford_dialogue(std::size_t model) {
  if (!budget_.is_limited()) {
    return true;
  }
  if (!parked_.empty()) {
    return false;
  }
  const ModelState& state = models_[model];
  const Funds whole = state.turn_funds.of(state.lengths.mean(), {});
  if (budget_.covers(state.reserve_max) &&
      budget_.covers_in_expectation(expected_ + whole + state.reserve_max)) {
    return true;
  }
  dialogue_refused_ = true;
  return false;
}

void Engine::Core::park(sched::Ticket ticket) {
  OpenTrial& open = trial(ticket);
  open.stage = Stage::unfunded;
  parked_.emplace(turns_to_come(open), ticket);
}

/// Those nearest to their end go first: they make the most of what is left.
void Engine::Core::fund_parked() {
  for (auto next = parked_.begin(); next != parked_.end();) {
    if (!fund(trial(next->second))) {
      ++next;
      continue;
    }
    queue(next->second);
    next = parked_.erase(next);
  }
}

/// Nothing can be sent any more, since the budget covers neither a turn of an open dialogue nor
/// another dialogue. Only meaningful when nothing is in flight.
bool Engine::Core::is_out_of_funds() const {
  if (scheduler_.waiting() > 0) {
    return false;
  }
  return !parked_.empty() || (open_count_ == 0 && dialogue_refused_);
}

std::string Engine::Core::funds_text() const {
  const FundLimits& limits = budget_.limits();
  const Funds& spent = budget_.spent();
  std::string text = "the budget is used up:";
  if (limits.cost.has_value()) {
    text += fmt::format(" ${:.4f} of ${:.4f}",
                        static_cast<double>(spent.cost) / 1e6,
                        static_cast<double>(*limits.cost) / 1e6);
  }
  if (limits.tokens.has_value()) {
    text += fmt::format("{} {} of {} tokens",
                        limits.cost.has_value() ? "," : "",
                        base::with_thousands(spent.tokens),
                        base::with_thousands(*limits.tokens));
  }
  return text + (parked_.empty() ? ", which does not leave enough for another dialogue"
                                 : ", which does not leave enough for one more request");
}

}  // namespace sortie::engine
