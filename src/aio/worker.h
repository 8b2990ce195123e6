#pragma once

#include "sortie/aio/loop.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace sortie::aio {

/// One background thread that runs jobs in the order they were given, and tells the loop when each
/// is done. Jobs own what they use. On a virtual clock there is no thread: a job runs inside
/// submit() and its `done` is posted.
class Worker {
 public:
  using Job = std::move_only_function<void()>;

  /// At most `jobs_max` jobs wait or run. `name` (up to 15 bytes) shows up in tools that list
  /// threads.
  Worker(Loop& loop, const std::string& name, std::size_t jobs_max);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Runs what was accepted, then ends the thread. What is done is still posted to the loop, so
  /// that a `done` must not refer to what dies with the Worker.
  ~Worker();

  /// Runs `job` on the thread and then posts `done` (may be null) to the loop, which waits for it.
  /// False, and neither runs, if the queue is full.
  [[nodiscard]] bool submit(Job job, Loop::Callback done);

  /// Jobs whose `done` has not run yet.
  [[nodiscard]] std::size_t pending() const;

 private:
  struct Impl;
  // Shared with the completions on their way through the loop, which may outlive the Worker.
  std::shared_ptr<Impl> impl_;
};

}  // namespace sortie::aio
