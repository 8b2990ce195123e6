#include "sortie/aio/timer_heap.h"

#include "sortie/base/check.h"
#include "sortie/base/time.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace sortie::aio {
namespace {

// Below this many entries a sweep is not worth its pass.
constexpr std::size_t kSweepMin = 64;

std::uint32_t slot_of(std::uint64_t id) {
  return static_cast<std::uint32_t>(id);
}

std::uint32_t generation_of(std::uint64_t id) {
  return static_cast<std::uint32_t>(id >> 32U);
}

}  // namespace

bool TimerHeap::later(const Entry& a, const Entry& b) {
  return a.when != b.when ? a.when > b.when : a.sequence > b.sequence;
}

std::uint64_t TimerHeap::add(base::Instant when, Callback callback) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.callback = std::move(callback);
  const std::uint64_t id = (std::uint64_t{slot.generation} << 32U) | index;
  heap_.push_back({when, sequence_++, id});
  std::ranges::push_heap(heap_, later);
  ++living_;
  return id;
}

std::optional<TimerHeap::Callback> TimerHeap::cancel(std::uint64_t id) {
  if (!is_living(id)) {
    return std::nullopt;
  }
  Callback callback = free_slot(id);
  if (heap_.size() >= kSweepMin && heap_.size() > 2 * living_) {
    sweep();
  }
  return callback;
}

std::optional<base::Instant> TimerHeap::next() {
  drop_stale_front();
  return heap_.empty() ? std::nullopt : std::optional(heap_.front().when);
}

TimerHeap::Callback TimerHeap::take() {
  drop_stale_front();
  CHECK(!heap_.empty());
  const std::uint64_t id = heap_.front().id;
  std::ranges::pop_heap(heap_, later);
  heap_.pop_back();
  return free_slot(id);
}

bool TimerHeap::is_living(std::uint64_t id) const {
  const std::uint32_t index = slot_of(id);
  return index < slots_.size() && slots_[index].generation == generation_of(id) &&
         slots_[index].callback != nullptr;
}

TimerHeap::Callback TimerHeap::free_slot(std::uint64_t id) {
  Slot& slot = slots_[slot_of(id)];
  ++slot.generation;
  free_.push_back(slot_of(id));
  --living_;
  return std::exchange(slot.callback, nullptr);
}

void TimerHeap::drop_stale_front() {
  while (!heap_.empty() && !is_living(heap_.front().id)) {
    std::ranges::pop_heap(heap_, later);
    heap_.pop_back();
  }
}

void TimerHeap::sweep() {
  std::erase_if(heap_, [this](const Entry& entry) { return !is_living(entry.id); });
  std::ranges::make_heap(heap_, later);
}

}  // namespace sortie::aio
