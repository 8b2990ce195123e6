#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/route_admission.h"
#include "sortie/sched/scheduler.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sortie::sched {

/// A request on its way.
struct Flight {
  Ticket ticket;
  std::size_t route = 0;
  base::Instant sent;
  bool is_probe = false;   // a breaker let this one through
  bool has_begun = false;  // tokens of its answer have come
  quota::RouteReservation reservation;
};

/// The requests in flight under the names that assignments carry. A name is never used twice, so
/// that settling twice is noticed.
class Flights {
 public:
  [[nodiscard]] std::uint64_t add(Flight flight);

  /// `assignment` must be one that was given out and not settled yet.
  [[nodiscard]] Flight& at(const Assignment& assignment);

  /// Ends it. `assignment` must be one that was given out and not settled yet.
  [[nodiscard]] Flight take(const Assignment& assignment);

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Slot {
    Flight flight;
    std::uint32_t generation = 0;
    bool taken = false;
  };

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace sortie::sched
