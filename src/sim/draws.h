#pragma once

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/sim/profile.h"

#include <cstdint>
#include <optional>
#include <string_view>

// Where a simulated provider's chances come from. Answers are a function of (seed, model, trial,
// turn), latencies and faults of (seed, model, trial, turn, attempt); nothing of the order of
// arrival.

namespace sortie::sim {

/// Which request this is: from the header `X-Sortie-Attempt: trial/turn/attempt`, or from the hash
/// of the messages.
struct RequestIdentity {
  base::Digest trial;
  std::uint32_t turn = 0;
  std::uint32_t attempt = 0;
  bool from_header = false;

  bool operator==(const RequestIdentity&) const = default;
};

/// "<32 hexadecimal digits>/<turn>/<attempt>".
[[nodiscard]] std::optional<RequestIdentity> identity_from_header(std::string_view value);

/// Chances of one trial: of the trial as a whole, and of each of its turns.
class TrialDraws {
 public:
  TrialDraws(std::uint64_t seed, std::string_view model, const base::Digest& trial);

  /// In [0, 1). `purpose` < 64.
  [[nodiscard]] double of_turn(std::uint32_t turn, std::uint32_t purpose) const;
  /// More chances of a turn, apart from the others. `purpose` < 64.
  [[nodiscard]] double of_answer(std::uint32_t turn, std::uint32_t purpose) const;
  [[nodiscard]] double of_step(std::uint32_t step, std::uint32_t purpose) const;

 private:
  base::CounterRandom random_;
};

/// Chances of one attempt: latencies and transport faults.
[[nodiscard]] base::RandomStream attempt_draws(std::uint64_t seed,
                                               std::string_view model,
                                               const RequestIdentity& identity);

/// A value of the law from two numbers in [0, 1).
[[nodiscard]] double log_normal(const LogNormal& law, double u, double v);

}  // namespace sortie::sim
