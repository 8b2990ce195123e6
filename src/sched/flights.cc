#include "sortie/sched/flights.h"

#include "sortie/base/check.h"
#include "sortie/sched/scheduler.h"

#include <cstdint>
#include <utility>

namespace sortie::sched {

std::uint64_t Flights::add(Flight flight) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.flight = std::move(flight);
  slot.taken = true;
  slot.generation += 1;
  ++size_;
  return (static_cast<std::uint64_t>(slot.generation) << 32U) | index;
}

Flight& Flights::at(const Assignment& assignment) {
  const auto index = static_cast<std::uint32_t>(assignment.reservation);
  const auto generation = static_cast<std::uint32_t>(assignment.reservation >> 32U);
  CHECK(index < slots_.size());
  Slot& slot = slots_[index];
  CHECK(slot.taken && slot.generation == generation && slot.flight.ticket == assignment.ticket);
  return slot.flight;
}

Flight Flights::take(const Assignment& assignment) {
  Flight flight = std::move(at(assignment));
  const auto index = static_cast<std::uint32_t>(assignment.reservation);
  slots_[index].taken = false;
  free_.push_back(index);
  --size_;
  return flight;
}

}  // namespace sortie::sched
