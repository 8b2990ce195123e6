#pragma once

#include "sortie/aio/loop.h"
#include "sortie/aio/task.h"

#include <cstdint>
#include <functional>
#include <map>

namespace sortie::aio {

/// A condition that tasks wait for: set once, it lets everybody pass until it is reset. All on the
/// loop's thread; must outlive those who wait.
class Event {
 public:
  explicit Event(Loop& loop) : loop_(loop) {}

  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() = default;

  /// Lets those who wait continue, in the order in which they came, not from inside this call.
  void set();

  void reset() { is_set_ = false; }

  [[nodiscard]] bool is_set() const { return is_set_; }

  /// Returns at once if the event is set.
  [[nodiscard]] Task<void> wait();

 private:
  Loop& loop_;
  bool is_set_ = false;
  std::uint64_t arrivals_ = 0;
  std::map<std::uint64_t, Loop::Callback> waiting_;
};

}  // namespace sortie::aio
