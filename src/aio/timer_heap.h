#pragma once

#include "sortie/base/time.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace sortie::aio {

/// Timers in the order of their instants, those of one instant in the order they were added. add
/// and take are O(log n); cancel is O(1) and leaves an entry behind that is swept when such entries
/// outnumber the living.
class TimerHeap {
 public:
  using Callback = std::move_only_function<void()>;

  /// The id is unique for the life of the heap.
  std::uint64_t add(base::Instant when, Callback callback);

  /// The callback of a living timer, or nothing.
  [[nodiscard]] std::optional<Callback> cancel(std::uint64_t id);

  /// When the next timer is due.
  [[nodiscard]] std::optional<base::Instant> next();

  /// Removes the next timer. Precondition: there is one.
  [[nodiscard]] Callback take();

  [[nodiscard]] std::size_t size() const { return living_; }

  /// Living timers and entries not swept yet: what the heap costs in memory.
  [[nodiscard]] std::size_t entries() const { return heap_.size(); }

 private:
  struct Entry {
    base::Instant when;
    std::uint64_t sequence = 0;
    std::uint64_t id = 0;
  };

  /// An id is a slot's index and its generation, which changes when the slot is freed.
  struct Slot {
    std::uint32_t generation = 1;
    Callback callback;
  };

  static bool later(const Entry& a, const Entry& b);

  [[nodiscard]] bool is_living(std::uint64_t id) const;
  [[nodiscard]] Callback free_slot(std::uint64_t id);
  void drop_stale_front();
  void sweep();

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::uint64_t sequence_ = 0;
  std::size_t living_ = 0;
};

}  // namespace sortie::aio
