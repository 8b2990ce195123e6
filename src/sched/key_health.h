#pragma once

#include "sortie/base/time.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace sortie::sched {

/// A key that its provider refuses: asked once again after a minute, with one request, since keys
/// are also refused by mistake. If that is refused too, a rejected key stays out, and one without
/// money is asked every half hour. Pure.
class KeyHealth {
 public:
  enum class Refusal : std::uint8_t { rejected, out_of_money };

  /// `recheck_after` zero: never asked again.
  explicit KeyHealth(base::Duration recheck_after) : recheck_after_(recheck_after) {}

  [[nodiscard]] bool is_dead() const { return refusals_ > 0; }

  /// Dead, and the first check is still to come or on its way: it may well return.
  [[nodiscard]] bool may_return() const {
    return refusals_ == 1 && check_at_ != base::Instant::max();
  }

  /// The first instant ≥ now at which a request may go; Instant::max() when none may.
  [[nodiscard]] base::Instant earliest(base::Instant now) const {
    if (refusals_ == 0) {
      return now;
    }
    return is_checking_ ? base::Instant::max() : std::max(now, check_at_);
  }

  /// A request goes: of a dead key, the check.
  void admit() { is_checking_ = refusals_ > 0; }

  /// A request that was sent at `sent` was refused because of its key.
  void refused(Refusal refusal, base::Instant sent, base::Instant now) {
    if (refusals_ > 0 && !is_check(sent)) {
      return;
    }
    const bool is_first = refusals_ == 0;
    refusals_ += 1;
    is_checking_ = false;
    if (is_first) {
      check_at_ =
          recheck_after_ > base::Duration::zero() ? now + recheck_after_ : base::Instant::max();
    } else {
      check_at_ = refusal == Refusal::out_of_money ? now + kMoneyEvery : base::Instant::max();
    }
  }

  /// It ended otherwise. `accepted`: the provider took the key, whatever it answered. True: a dead
  /// key is alive again.
  bool ended(bool accepted, base::Instant sent, base::Instant now) {
    if (refusals_ == 0 || !is_check(sent)) {
      return false;
    }
    is_checking_ = false;
    if (accepted) {
      refusals_ = 0;
      return true;
    }
    check_at_ = now + recheck_after_;
    return false;
  }

  /// A person says that it works.
  void revive() {
    refusals_ = 0;
    is_checking_ = false;
  }

 private:
  static constexpr base::Duration kMoneyEvery = std::chrono::minutes(30);

  [[nodiscard]] bool is_check(base::Instant sent) const {
    return is_checking_ && sent >= check_at_;
  }

  base::Duration recheck_after_;
  int refusals_ = 0;  // in a row
  base::Instant check_at_ = base::Instant::max();
  bool is_checking_ = false;
};

}  // namespace sortie::sched
