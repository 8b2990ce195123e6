#pragma once

#include "sortie/base/time.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sortie::engine {

/// How long a campaign will go on; the range is meant to hold the end in nine of ten cases.
struct TimeLeft {
  base::Duration earliest{};
  base::Duration likely{};
  base::Duration latest{};
};

/// What a model has still to do, beside its open dialogues.
struct WorkLeft {
  double unopened = 0;        // dialogues
  double seconds_a_turn = 0;  // from sending a request to its answer, in the mean
};

/// What a turn costs, in the units that limits may count: whichever the campaign is held up by, its
/// pace is steadiest in that one.
struct TurnCost {
  double tokens = 0;           // input and output
  double tokens_reserved = 0;  // input and the most that the output may have
};

/// How many turns dialogues have, from those that ended and those that are open: the product-limit
/// estimate (Kaplan and Meier 1958), since the first to end are the short ones.
class LengthLaw {
 public:
  /// `ended[t]`: dialogues that ended with t turns; `open[t]`: that have had t and go on. None has
  /// more than `turns_max` turns. Beyond the longest seen, dialogues end `unseen` times as often as
  /// they did of late.
  LengthLaw(std::span<const std::uint32_t> ended,
            std::span<const std::uint32_t> open,
            std::size_t turns_max,
            double unseen = 1);

  [[nodiscard]] std::size_t turns_max() const { return beyond_.size() - 1; }

  /// Share of dialogues with more than `turns` turns.
  [[nodiscard]] double beyond(std::size_t turns) const;

  /// Turns to come, in the mean, of a dialogue that has had so many and goes on; at least 1.
  [[nodiscard]] double remaining(std::size_t turns) const;

  [[nodiscard]] double mean() const { return remaining(0); }

  /// The same in cost: `costs[t]` is that of a dialogue's turn after t turns, the last one's that
  /// of all further ones. By turns.
  [[nodiscard]] std::vector<double> remaining_cost(std::span<const double> costs) const;

  /// Standard deviation of the cost of whole dialogues.
  [[nodiscard]] double deviation_of_cost(std::span<const double> costs) const;

 private:
  /// How often dialogues ended, of those that might have.
  struct Rate {
    double ends = 0;
    double risk = 0;

    void add(double more_ends, double more_risk) {
      ends += more_ends;
      risk += more_risk;
    }

    [[nodiscard]] double value() const { return risk > 0 ? ends / risk : 0; }
  };

  std::vector<double> beyond_;     // [t]: share with more than t turns
  std::vector<double> remaining_;  // [t]
};

/// Forecasts the end of a campaign from how it went so far. Work goes on at the pace of late, in
/// turns or in tokens, whichever is steadier; how steady it is shows in the parts of that time.
/// When nothing is left to begin, the dialogues that are open go on beside each other until the
/// longest has ended. Paces are kept over at most 128 stretches of equal time, however long the
/// campaign is.
class Forecast {
 public:
  /// More than `turns_max` turns of a dialogue are counted as so many.
  Forecast(std::size_t models, std::size_t turns_max, base::Instant start);

  /// A dialogue of the model is open, which has had so many turns.
  void opened(std::size_t model, std::size_t turns);

  /// A dialogue that had had so many turns has had one more.
  void turn(std::size_t model, std::size_t turns_before, TurnCost cost, base::Instant now);

  /// A dialogue is open no more; one that has not `ended` was given up.
  void closed(std::size_t model, std::size_t turns, bool ended);

  /// One entry of `work` a model. nullopt while too little has happened: some model with work left
  /// has no steady pace yet, or none of its dialogues has ended.
  [[nodiscard]] std::optional<TimeLeft> time_left(base::Instant now,
                                                  std::span<const WorkLeft> work) const;

 private:
  static constexpr std::size_t kUnits = 3;  // turns, and the two of TurnCost
  using Costs = std::array<double, kUnits>;

  struct Model {
    std::vector<Costs> done;           // by stretch
    std::vector<Costs> by_age;         // of turns after so many, summed
    std::vector<std::uint32_t> open;   // dialogues, by turns
    std::vector<std::uint32_t> ended;  // dialogues, by turns
    double dialogues_open = 0;
    double dialogues_ended = 0;
  };

  /// Of late, in one unit.
  struct Pace {
    std::size_t unit = 0;
    double mean = 0;     // a second
    double spread = 0;   // standard deviation between the parts of that time, of the mean
    double seconds = 0;  // of one part
  };

  void make_room(base::Instant now);
  [[nodiscard]] std::vector<double> costs_of(const Model& model, std::size_t unit) const;

  [[nodiscard]] std::size_t counted(std::size_t turns) const {
    return turns < turns_max_ ? turns : turns_max_;
  }

  [[nodiscard]] std::optional<Pace> pace(const Model& model, base::Instant now) const;
  [[nodiscard]] std::optional<TimeLeft> of_model(const Model& model,
                                                 const WorkLeft& work,
                                                 base::Instant now) const;

  base::Instant start_;
  std::size_t turns_max_;
  base::Duration stretch_ = std::chrono::milliseconds(100);
  std::vector<Model> models_;
};

}  // namespace sortie::engine
