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

/// Sets the turn's reserve aside. False: a budget does not cover it now.
bool Engine::Core::fund(OpenTrial& trial) {
  CHECK(!trial.funded);
  Budget& common = floor_.fund().budget;
  if (!fund_.budget.covers(trial.reserve) || !common.covers(trial.reserve)) {
    return false;
  }
  fund_.budget.reserve(trial.reserve);
  common.reserve(trial.reserve);
  trial.funded = true;
  return true;
}

/// The attempt has ended, or the turn will not be asked: `used` takes the reserve's place.
void Engine::Core::refund(OpenTrial& trial, const Funds& used) {
  CHECK(trial.funded);
  fund_.budget.settle(trial.reserve, used);
  floor_.fund().budget.settle(trial.reserve, used);
  trial.funded = false;
  dialogue_refused_ = false;
}

/// The dialogue is expected to have so many turns still.
void Engine::Core::expect(OpenTrial& trial, double turns) {
  Fund& common = floor_.fund();
  if (!fund_.budget.is_limited() && !common.budget.is_limited()) {
    return;
  }
  const spec::Price& price = context_.topology->models[trial.model].price;
  const chat::Usage usage{.input = std::llround(trial.size.input),
                          .output = std::llround(trial.size.output)};
  const Funds guess{.cost = cost_of(price, usage), .tokens = usage.input + usage.output};
  const Funds before = trial.expected;
  trial.expected = models_[trial.model].turn_funds.of(turns, guess);
  for (Fund* fund : {&fund_, &common}) {
    fund->expected -= before;
    fund->expected += trial.expected;
  }
}

Funds Engine::Core::whole_dialogue(const ModelState& model) const {
  return model.turn_funds.of(model.lengths.mean(), {});
}

/// One more dialogue, beside those that are open: only if all can be expected to end, with room for
/// the reserve of their last request.
bool Engine::Core::can_afford_dialogue(std::size_t model) {
  const Fund& common = floor_.fund();
  if (!fund_.budget.is_limited() && !common.budget.is_limited()) {
    return true;
  }
  if (!parked_.empty()) {
    return false;
  }
  const ModelState& state = models_[model];
  const Funds whole = whole_dialogue(state);
  if (fund_.affords(whole, state.reserve_max) && common.affords(whole, state.reserve_max)) {
    return true;
  }
  dialogue_refused_ = true;
  return false;
}

/// What it has of its own would do; what other campaigns have set aside may come free.
bool Engine::Core::may_be_funded_later() const {
  if (floor_.fund().budget.reserved() == fund_.budget.reserved()) {
    return false;
  }
  if (!parked_.empty()) {
    return std::ranges::any_of(parked_, [this](const auto& parked) {
      return fund_.budget.covers(open_[parked.second.value]->reserve);
    });
  }
  return std::ranges::any_of(models_, [this](const ModelState& model) {
    return model.unopened > 0 && fund_.affords(whole_dialogue(model), model.reserve_max);
  });
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
  if (waiting() > 0 || may_be_funded_later()) {
    return false;
  }
  return !parked_.empty() || (open_count_ == 0 && dialogue_refused_);
}

std::string Engine::Core::funds_text() const {
  const bool is_own = fund_.budget.is_limited();
  const Budget& budget = is_own ? fund_.budget : floor_.fund().budget;
  const FundLimits& limits = budget.limits();
  const Funds& spent = budget.spent();
  std::string text =
      is_own ? "the budget is used up:" : "the budget of all campaigns together is used up:";
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
