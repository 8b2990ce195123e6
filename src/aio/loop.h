#pragma once

#include "sortie/base/ids.h"
#include "sortie/base/time.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace sortie::aio {

struct TimerTag {};

/// Names a timer of one loop; never used twice.
using TimerId = base::Id<TimerTag, std::uint64_t>;

/// One thread's event loop, on the machine's clock or on a virtual one. Except post_from_thread and
/// Work, everything is called on the thread that runs the loop (or before it runs). Callbacks must
/// not throw.
///
/// On the virtual clock time stands still while anything is ready and then jumps to the next timer,
/// so that hours cost microseconds and every run is the same. Timers of one instant fire in the
/// order they were set.
class Loop {
 public:
  using Callback = std::move_only_function<void()>;

  [[nodiscard]] static std::unique_ptr<Loop> real();
  [[nodiscard]] static std::unique_ptr<Loop> virtual_time();

  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Drops what is pending: callbacks and suspended tasks are destroyed, not run. Destroy a Loop
  /// last.
  ~Loop();

  [[nodiscard]] base::Clock& clock();
  [[nodiscard]] base::Instant now() const;
  [[nodiscard]] bool is_virtual() const;

  /// Calls back once at `when` or soon after; at once (but not from inside at()) if that is past.
  TimerId at(base::Instant when, Callback callback);

  /// False if the timer fired, was cancelled or never existed. The callback is destroyed before
  /// this returns.
  bool cancel(TimerId id);

  /// Runs after what is ready now.
  void post(Callback callback);

  /// The same from any thread. Only a Work guard makes the loop wait for it.
  void post_from_thread(Callback callback);

  /// While one is alive, run() waits for posts from other threads instead of returning. Any thread
  /// may destroy it; it must not outlive the loop.
  class Work {
   public:
    Work() = default;
    explicit Work(Loop& loop);
    Work(Work&& other) noexcept;
    Work& operator=(Work&& other) noexcept;
    ~Work();
    void release();

   private:
    Loop* loop_ = nullptr;
  };

  /// Until stop(), or until nothing is left: no timer, nothing posted, no guard, no operation on a
  /// socket. A task that waits for something nobody will do does not count on the virtual clock.
  void run();

  /// Ends the current run() after the current callback; a later run() goes on where this one ended.
  void stop();

  /// Runs what is ready next, waiting for it if necessary. False if nothing is left.
  bool run_one();

  /// Timers that are set and have not fired.
  [[nodiscard]] std::size_t timers() const;

  struct Impl;

  /// For asio_access.h.
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  explicit Loop(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace sortie::aio
