#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace sortie::sched {

/// Which routes take much longer than the best of their model, and how many times as long. The
/// service time of a route is the mean, on a logarithmic scale, of its answers' seconds divided by
/// what an answer of that size takes (`usual_seconds`). Pure; knows no time.
class SlowRoutes {
 public:
  /// `by_model`: the routes of each model; `routes`: how many there are in all.
  SlowRoutes(std::vector<std::vector<std::size_t>> by_model, std::size_t routes);

  /// An answer took `seconds`, times as long as `size` (> 0) in a constant unit.
  void answered(std::size_t route, double seconds, double size);

  struct Change {
    std::size_t route = 0;
    double before = 1;  // slowness
    double now = 1;
  };

  /// Judges the model's routes anew, after an answer. The best one is among those that are usable.
  /// Returns the routes whose slowness has changed; valid until the next call.
  std::span<const Change> judge(std::size_t model,
                                const std::function<bool(std::size_t)>& is_usable);

  /// Service time over that of the model's best route; 1 while it is not known or less than twice
  /// as long.
  [[nodiscard]] double slowness(std::size_t route) const { return pace_[route].slowness; }

  /// What all but one in a hundred of the model's answers take on a route, over their mean, as
  /// their logarithms vary (normal law). At least 1.
  [[nodiscard]] double tail(std::size_t model) const;

  /// The model's routes whose slowness is not 1.
  [[nodiscard]] const std::vector<std::size_t>& slow_of(std::size_t model) const {
    return slow_[model];
  }

 private:
  struct Pace {
    double log_seconds = 0;  // per size
    double answers = 0;
    double slowness = 1;
  };

  /// Of the logarithms of the seconds that answers took, over the slowness of their routes.
  struct Spread {
    double mean = 0;
    double variance = 0;
    double answers = 0;
  };

  std::vector<std::vector<std::size_t>> by_model_;
  std::vector<std::size_t> model_of_;           // by route
  std::vector<Spread> spread_;                  // by model
  std::vector<Pace> pace_;                      // by route
  std::vector<std::vector<std::size_t>> slow_;  // by model
  std::vector<Change> changes_;
};

}  // namespace sortie::sched
