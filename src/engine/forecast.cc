#include "sortie/engine/forecast.h"

#include "sortie/base/time.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace sortie::engine {

namespace {

constexpr std::size_t kStretchesMax = 128;
constexpr std::size_t kStretchesMin = 16;  // before a pace is believed
constexpr std::uint64_t kTurnsMin = 50;    // in the time that the pace is taken from
constexpr std::size_t kParts = 8;          // of that time
constexpr double kQuantile = 1.645;        // two-sided 90 %
// Of the mean pace: for steps that it has not shown yet, an outage or a limit that changes.
constexpr double kUnseen = 0.02;
constexpr double kHazardMin = 1e-3;
// Beyond the longest dialogue seen, dialogues may end so many times as often as is thought likely,
// or as seldom.
constexpr double kUnseenLengths = 2;

/// The longest of several residual lengths: where the chance that none is longer passes `chance`.
class LongestLeft {
 public:
  LongestLeft(const LengthLaw& law, std::span<const std::uint32_t> open) {
    for (std::size_t age = 0; age < open.size(); ++age) {
      if (open[age] > 0) {
        groups_.push_back({.age = age, .dialogues = static_cast<double>(open[age])});
      }
    }
    law_ = &law;
  }

  [[nodiscard]] double at(double chance) const {
    std::size_t low = 0;
    std::size_t high = law_->turns_max();
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (chance_within(middle) < chance) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return static_cast<double>(low);
  }

 private:
  struct Group {
    std::size_t age = 0;  // turns
    double dialogues = 0;
  };

  /// That all of them end within so many turns.
  [[nodiscard]] double chance_within(std::size_t turns) const {
    double log_chance = 0;
    for (const Group& group : groups_) {
      const double alive = law_->beyond(group.age);  // none at the most turns that are counted
      const double longer = alive > 0 ? law_->beyond(group.age + turns) / alive : 0;
      log_chance += group.dialogues * std::log1p(-std::min(longer, 1 - 1e-12));
    }
    return std::exp(log_chance);
  }

  const LengthLaw* law_ = nullptr;
  std::vector<Group> groups_;
};

/// An element, made where it is missing.
template <class T>
T& at(std::vector<T>& values, std::size_t index) {
  values.resize(std::max(values.size(), index + 1));
  return values[index];
}

template <std::size_t size>
void add(std::array<double, size>& sum, const std::array<double, size>& more) {
  for (std::size_t i = 0; i < size; ++i) {
    sum[i] += more[i];
  }
}

/// Of so many dialogues by age, `remaining` each.
double cost_of_open(std::span<const std::uint32_t> open, std::span<const double> remaining) {
  double sum = 0;
  for (std::size_t age = 0; age < open.size(); ++age) {
    sum += open[age] * remaining[age];
  }
  return sum;
}

double sum_of(std::span<const std::uint32_t> counts) {
  double sum = 0;
  for (const std::uint32_t count : counts) {
    sum += count;
  }
  return sum;
}

}  // namespace

LengthLaw::LengthLaw(std::span<const std::uint32_t> ended,
                     std::span<const std::uint32_t> open,
                     std::size_t turns_max,
                     double unseen) {
  // An open dialogue of t turns is known to have more than t. One dialogue is added that went
  // further than all that were seen: the next one might.
  double at_risk = sum_of(ended) + sum_of(open) + 1;
  double share = 1;
  Rate all;
  Rate later;
  const std::size_t seen =
      std::clamp(std::max(ended.size(), open.size()), std::size_t{1}, turns_max);
  for (std::size_t t = 0; t < seen; ++t) {
    const double ends = t < ended.size() ? ended[t] : 0;
    share *= 1 - ends / at_risk;
    beyond_.push_back(share);
    all.add(ends, at_risk);
    if (2 * t >= seen) {
      later.add(ends, at_risk);
    }
    at_risk -= ends + (t < open.size() ? open[t] : 0);
  }
  // Many kinds of dialogue end the less likely the longer they are, none the more.
  const double hazard = std::max(kHazardMin, unseen * std::min(all.value(), later.value()));
  for (std::size_t t = seen; t < turns_max; ++t) {
    beyond_.push_back(beyond_.back() * (1 - hazard));
  }
  beyond_.push_back(0);
  remaining_ = remaining_cost(std::array{1.0});
}

double LengthLaw::beyond(std::size_t turns) const {
  return turns < beyond_.size() ? beyond_[turns] : 0;
}

double LengthLaw::remaining(std::size_t turns) const {
  return turns < remaining_.size() ? remaining_[turns] : 1;
}

std::vector<double> LengthLaw::remaining_cost(std::span<const double> costs) const {
  std::vector<double> result(beyond_.size());
  for (std::size_t t = beyond_.size(); t-- > 0;) {
    const double cost = costs[std::min(t, costs.size() - 1)];
    result[t] = beyond(t) > 0 && t + 1 < beyond_.size()
                    ? cost + beyond_[t + 1] / beyond_[t] * result[t + 1]
                    : cost;
  }
  return result;
}

double LengthLaw::deviation_of_cost(std::span<const double> costs) const {
  double first = 0;
  double second = 0;
  double cost = 0;  // of a dialogue of t + 1 turns
  for (std::size_t t = 0; t + 1 < beyond_.size(); ++t) {
    cost += costs[std::min(t, costs.size() - 1)];
    const double share = beyond_[t] - beyond_[t + 1];
    first += share * cost;
    second += share * cost * cost;
  }
  return std::sqrt(std::max(0.0, second - first * first));
}

Forecast::Forecast(std::size_t models, std::size_t turns_max, base::Instant start)
    : start_(start), turns_max_(turns_max), models_(models) {}

void Forecast::make_room(base::Instant now) {
  while (now - start_ >= stretch_ * kStretchesMax) {
    stretch_ *= 2;
    for (Model& model : models_) {
      std::vector<Costs> merged((model.done.size() + 1) / 2);
      for (std::size_t i = 0; i < model.done.size(); ++i) {
        add(merged[i / 2], model.done[i]);
      }
      model.done = std::move(merged);
    }
  }
}

void Forecast::opened(std::size_t model, std::size_t turns) {
  ++at(models_[model].open, counted(turns));
  models_[model].dialogues_open += 1;
}

void Forecast::turn(std::size_t model, std::size_t turns_before, TurnCost cost, base::Instant now) {
  make_room(now);
  Model& of = models_[model];
  const Costs costs = {1, cost.tokens, cost.tokens_reserved};
  add(at(of.done, static_cast<std::size_t>((now - start_) / stretch_)), costs);
  add(at(of.by_age, counted(turns_before)), costs);
  --at(of.open, counted(turns_before));
  ++at(of.open, counted(turns_before + 1));
}

void Forecast::closed(std::size_t model, std::size_t turns, bool ended) {
  Model& of = models_[model];
  --at(of.open, counted(turns));
  of.dialogues_open -= 1;
  if (ended) {
    ++at(of.ended, counted(turns));
    of.dialogues_ended += 1;
  }
}

/// Of a turn after so many turns. Beyond those seen it grows on as steadily: what was said before
/// is sent again.
std::vector<double> Forecast::costs_of(const Model& model, std::size_t unit) const {
  std::vector<double> costs(turns_max_ + 1);
  double turns = 0;  // of a straight line through the means
  double age = 0;
  double cost = 0;
  for (std::size_t t = 0; t < model.by_age.size(); ++t) {
    const Costs& sum = model.by_age[t];
    turns += sum[0];
    age += sum[0] * static_cast<double>(t);
    cost += sum[unit];
  }
  age /= turns;
  cost /= turns;
  double covariance = 0;
  double variance = 0;
  for (std::size_t t = 0; t < model.by_age.size(); ++t) {
    const Costs& sum = model.by_age[t];
    const double from_mean = static_cast<double>(t) - age;
    covariance += from_mean * (sum[unit] - sum[0] * cost);
    variance += sum[0] * from_mean * from_mean;
  }
  const double slope = variance > 0 ? std::max(0.0, covariance / variance) : 0;
  for (std::size_t t = 0; t < costs.size(); ++t) {
    costs[t] = std::max(0.0, cost + slope * (static_cast<double>(t) - age));
  }
  return costs;
}

/// Over the later half of the time: what a campaign learns of its limits, it learns before.
std::optional<Forecast::Pace> Forecast::pace(const Model& model, base::Instant now) const {
  const auto whole = static_cast<std::size_t>((now - start_) / stretch_);
  if (whole < kStretchesMin) {
    return std::nullopt;
  }
  const std::size_t length = std::max<std::size_t>(1, whole / 2 / kParts);
  std::array<Costs, kParts> parts{};
  for (std::size_t i = 0; i < kParts * length; ++i) {
    const std::size_t stretch = whole - 1 - i;
    if (stretch < model.done.size()) {
      add(parts[i / length], model.done[stretch]);
    }
  }
  std::optional<Pace> best;
  for (std::size_t unit = 0; unit < kUnits; ++unit) {
    double sum = 0;
    double squares = 0;
    for (const Costs& part : parts) {
      sum += part[unit];
    }
    for (const Costs& part : parts) {
      squares += std::pow(part[unit] - sum / kParts, 2);
    }
    if (sum <= 0 || (unit == 0 && sum < kTurnsMin)) {
      return best;
    }
    const double seconds = base::seconds(stretch_) * static_cast<double>(length);
    const double spread = std::sqrt(squares / (kParts - 1)) * kParts / sum;
    if (!best.has_value() || spread < best->spread) {
      best = {.unit = unit, .mean = sum / kParts / seconds, .spread = spread, .seconds = seconds};
    }
  }
  return best;
}

std::optional<TimeLeft> Forecast::of_model(const Model& model,
                                           const WorkLeft& work,
                                           base::Instant now) const {
  const auto pace = this->pace(model, now);
  if (!pace || model.dialogues_ended < 2) {
    return std::nullopt;
  }
  const std::vector<double> costs = costs_of(model, pace->unit);
  const auto last_begun_and_all = [&](const LengthLaw& law) {
    const std::vector<double> remaining = law.remaining_cost(costs);
    const double begun = work.unopened * remaining[0] / pace->mean;
    return std::pair(begun, begun + cost_of_open(model.open, remaining) / pace->mean);
  };
  const LengthLaw law(model.ended, model.open, turns_max_, 1);
  const auto [until_last, body] = last_begun_and_all(law);
  // The pace to come is a mean over `body` seconds, the known one over all parts.
  const double pace_error =
      pace->spread * std::sqrt(1.0 / kParts + 1 / std::max(1.0, body / pace->seconds));
  const double length_error = law.deviation_of_cost(costs) / law.remaining_cost(costs)[0] *
                              std::sqrt(1 / model.dialogues_ended +
                                        1 / std::max(1.0, work.unopened + model.dialogues_open));
  const double error = kQuantile * body * std::hypot(pace_error, length_error, kUnseen);
  // The dialogues that are open now are about as many and as old as those that will be when the
  // last one has begun.
  const LongestLeft longest(law, model.open);
  const double alone = longest.at(0.5) * work.seconds_a_turn;
  const LengthLaw shorter(model.ended, model.open, turns_max_, kUnseenLengths);
  const LengthLaw longer(model.ended, model.open, turns_max_, 1 / kUnseenLengths);
  const double less =
      std::max(alone - LongestLeft(shorter, model.open).at(0.05) * work.seconds_a_turn,
               body - last_begun_and_all(shorter).second);
  const double more =
      std::max(LongestLeft(longer, model.open).at(0.95) * work.seconds_a_turn - alone,
               last_begun_and_all(longer).second - body);
  const double likely = std::max(body, until_last + alone);
  return TimeLeft{.earliest = base::from_seconds(std::max(0.0, likely - std::hypot(error, less))),
                  .likely = base::from_seconds(likely),
                  .latest = base::from_seconds(likely + std::hypot(error, more))};
}

std::optional<TimeLeft> Forecast::time_left(base::Instant now,
                                            std::span<const WorkLeft> work) const {
  TimeLeft result;
  for (std::size_t i = 0; i < models_.size(); ++i) {
    if (work[i].unopened == 0 && models_[i].dialogues_open == 0) {
      continue;
    }
    const auto left = of_model(models_[i], work[i], now);
    if (!left) {
      return std::nullopt;
    }
    result.earliest = std::max(result.earliest, left->earliest);
    result.likely = std::max(result.likely, left->likely);
    result.latest = std::max(result.latest, left->latest);
  }
  return result;
}

}  // namespace sortie::engine
