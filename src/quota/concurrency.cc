#include "sortie/quota/concurrency.h"

#include "sortie/base/check.h"
#include "sortie/base/time.h"

#include <algorithm>
#include <cstddef>

namespace sortie::quota {

base::Instant ConcurrencyCounter::earliest(base::Instant now) const {
  const std::size_t taken = in_flight(now);
  if (taken < slots_) {
    return now;
  }
  // So many holds have to end before a slot is free.
  const std::size_t too_many = taken - slots_ + 1;
  const auto first = std::upper_bound(held_until_.begin(), held_until_.end(), now);
  const auto holds = static_cast<std::size_t>(held_until_.end() - first);
  if (slots_ == 0 || holds < too_many) {
    return kUntilFreed;
  }
  return *(first + static_cast<std::ptrdiff_t>(too_many - 1));
}

void ConcurrencyCounter::acquire(base::Instant now) {
  CHECK(earliest(now) <= now);
  forget_ended_holds(now);
  ++active_;
}

void ConcurrencyCounter::release(base::Instant now) {
  CHECK(active_ > 0);
  forget_ended_holds(now);
  --active_;
}

void ConcurrencyCounter::release_at(base::Instant now, base::Instant when) {
  release(now);
  if (when > now) {
    held_until_.insert(std::upper_bound(held_until_.begin(), held_until_.end(), when), when);
  }
}

std::size_t ConcurrencyCounter::in_flight(base::Instant now) const {
  const auto first = std::upper_bound(held_until_.begin(), held_until_.end(), now);
  return active_ + static_cast<std::size_t>(held_until_.end() - first);
}

void ConcurrencyCounter::forget_ended_holds(base::Instant now) {
  held_until_.erase(held_until_.begin(),
                    std::upper_bound(held_until_.begin(), held_until_.end(), now));
}

}  // namespace sortie::quota
