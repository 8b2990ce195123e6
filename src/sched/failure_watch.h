#pragma once

#include "sortie/base/time.h"
#include "sortie/sched/scheduler.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

namespace sortie::sched {

/// Tells a sick route from a poisoned item: on a sick route different items fail one after the
/// other and none is answered. Pure.
class FailureWatch {
 public:
  void answered(base::Instant now) {
    answered_at_ = now;
    count_ = 0;
  }

  /// An item failed. True: three different ones did within 10 s, and none was answered since the
  /// first of them.
  bool failed(Ticket item, base::Instant now) {
    const auto end = failures_.begin() + static_cast<std::ptrdiff_t>(count_);
    const auto kept = std::remove_if(failures_.begin(), end, [&](const Failure& one) {
      return now - one.at > kWindow || one.item == item;
    });
    count_ = static_cast<std::size_t>(kept - failures_.begin());
    if (count_ == kItems) {
      std::move(failures_.begin() + 1, failures_.end(), failures_.begin());
      count_ -= 1;
    }
    failures_[count_++] = {.item = item, .at = now};
    return count_ == kItems;
  }

  /// It has answered something of late.
  [[nodiscard]] bool works(base::Instant now) const {
    return answered_at_ && now - *answered_at_ <= kLately;
  }

 private:
  static constexpr std::size_t kItems = 3;
  static constexpr base::Duration kWindow = std::chrono::seconds(10);
  static constexpr base::Duration kLately = std::chrono::seconds(20);

  struct Failure {
    Ticket item;
    base::Instant at;
  };

  std::array<Failure, kItems> failures_{};
  std::size_t count_ = 0;
  std::optional<base::Instant> answered_at_;
};

}  // namespace sortie::sched
