#pragma once

#include "sortie/aio/loop.h"
#include "sortie/aio/task.h"

#include <cstddef>
#include <memory>

namespace sortie::aio {

/// Owns tasks. Declare it last in the class whose members they use, and stop it before that class
/// goes: destroying a Group with tasks in it is a bug and stops the program.
///
/// A task that ends with an exception other than its own cancellation is a bug of ours and stops
/// the program.
class Group {
 public:
  /// At most `tasks_max` tasks at a time.
  Group(Loop& loop, std::size_t tasks_max);
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  ~Group();

  /// Starts the task soon, not from inside this call. False, and the task never runs, if the group
  /// is full or stopping.
  [[nodiscard]] bool spawn(Task<void> task);

  /// Cancels every task; no new one is accepted. Idempotent.
  void request_stop();

  /// Waits until a stop was requested and every task has ended. Not to be awaited by a task of this
  /// group.
  [[nodiscard]] Task<void> stopped();

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool stopping() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sortie::aio
