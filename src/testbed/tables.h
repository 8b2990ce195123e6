#pragma once

#include "sortie/testbed/policy.h"
#include "sortie/testbed/run.h"
#include "sortie/testbed/scenario.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What Sortie promises of its scheduler, as rows that can be measured.

namespace sortie::testbed {

/// How much faster a campaign is with more keys or more room.
struct Multiple {
  std::string name;
  Scenario few;
  Scenario many;
  std::string policy_few = "sortie";
  std::string policy_many = "sortie";
  // How the first user did it; measured on `few` and `many` in the same way.
  std::optional<PolicySpec> before;
  double work = 1;  // dialogues in `many` ÷ dialogues in `few`
  double at_least = 0;
};

[[nodiscard]] const std::vector<Multiple>& multiples();

enum class Metric : std::uint8_t {
  eta,               // median
  rejections,        // per accepted request, median; before a limit's first recovery not counted
  first_rejections,  // the others, per accepted request, median
  audit,    // requests that left before a gate or that a declared limit refused, most of all seeds
  overrun,  // most of all seeds
  lost,     // dialogues, most of all seeds
  last_model_end,  // end of the scenario's last model, as a share of the makespan, median
  model_gap,       // last model's end minus first one's, as a share of the makespan, median
};

[[nodiscard]] std::string_view to_string(Metric metric);

/// One promise about one policy in one scenario.
struct Target {
  std::string scenario;
  std::string policy;
  Metric metric = Metric::eta;
  double limit = 0;

  /// η must reach its limit, everything else stay below it.
  [[nodiscard]] bool is_met_by(double value) const {
    return metric == Metric::eta ? value >= limit : value <= limit;
  }
};

[[nodiscard]] const std::vector<Target>& targets();

/// Of several seeds of one policy in one scenario.
[[nodiscard]] double value_of(Metric metric, const std::vector<Outcome>& outcomes);

/// Of an odd number of values the middle one, of an even number the mean of the two.
[[nodiscard]] double median(std::vector<double> values);

}  // namespace sortie::testbed
