#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/rate_learner.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sortie::sched {

/// Finds out whether two pools are one limit. It takes the place of one pool's next look above its
/// limit, and
/// has two rounds of two steps each:
/// 1. That one goes well above its limit, the other as much below: their sum is as before. A limit
///    of its own refuses it before long: the pools are apart.
/// 2. The other goes up again. A limit of both refuses one of them: so it is the sum that counts.
///    If nothing is refused, the limit was only higher than believed.
/// The second round goes higher than all that the first one let through, so that a limit between
/// the two does not pass for a common one. Nothing is learned meanwhile. Pure; `now` never goes
/// backwards.
class SharingTrial {
 public:
  enum class Verdict : std::uint8_t { open, shared, apart, unclear };

  struct Member {
    std::size_t pool = 0;
    quota::RateLearner* rate = nullptr;  // steady; must outlive the trial
  };

  /// `raised` has come back to its limit.
  /// `others`: of pools that may share a limit with either, and so make room for the raised one.
  SharingTrial(const Member& raised,
               const Member& lowered,
               std::vector<const quota::RateLearner*> others,
               base::Instant now);

  [[nodiscard]] bool is_about(std::size_t pool) const {
    return pool == raised_.pool || pool == lowered_.pool;
  }

  [[nodiscard]] std::size_t raised() const { return raised_.pool; }

  [[nodiscard]] std::size_t lowered() const { return lowered_.pool; }

  /// What both were letting through when it began.
  [[nodiscard]] double total() const { return total_; }

  /// A new refusal of one of the two.
  Verdict refused(std::size_t pool, base::Instant now);

  /// Something was sent: a step may be over.
  Verdict check(base::Instant now);

  /// Paces are what they were. `apart`: the raised one was refused at its own limit.
  void end(Verdict verdict, base::Instant now);

 private:
  enum class Step : std::uint8_t { shifted, restored };

  Verdict shift(base::Instant now, double growth);
  [[nodiscard]] bool has_passed(base::Instant now) const;
  [[nodiscard]] bool is_undisturbed() const;
  [[nodiscard]] bool others_made_room(base::Instant now) const;

  Member raised_;
  Member lowered_;

  /// A pool beside the two, at the beginning of a round.
  struct Other {
    const quota::RateLearner* rate = nullptr;
    double load = 0;
    double total = 0;
  };

  std::vector<Other> others_;
  Step step_ = Step::shifted;
  int rounds_ = 0;           // that are over
  double base_ = 0;          // units a second that the raised one's limit may be
  double load_ = 0;          // of the lowered one, before
  double total_ = 0;         // of both, before
  double raise_to_ = 0;      // in this round
  double seen_ = 0;          // units a second of the raised one since it was refused
  base::Instant began_;      // the step
  base::Duration length_{};  // of the first step of this round
};

}  // namespace sortie::sched
