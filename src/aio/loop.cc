#include "sortie/aio/loop.h"

#include "sortie/aio/asio_access.h"
#include "sortie/aio/timer_heap.h"
#include "sortie/base/check.h"
#include "sortie/base/time.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace sortie::aio {

// The heap of timers is our own in both modes, so that their order and cost do not depend on the
// clock; a real loop arms one asio timer for the earliest of them.
struct Loop::Impl {
  explicit Impl(bool real_time);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  [[nodiscard]] bool is_virtual() const { return !alarm.has_value(); }

  [[nodiscard]] base::Clock& clock();

  void arm();
  void alarm_rang();
  bool fire_next();
  bool run_one();

  base::SystemClock system_clock;
  base::ManualClock manual_clock;
  // One thread runs the loop; others only post to it.
  boost::asio::io_context io{1};
  TimerHeap timers;
  std::optional<boost::asio::steady_timer> alarm;  // real loops only
  std::optional<base::Instant> armed_for;
  std::atomic<int> guards = 0;
  bool stopped = false;
  bool closing = false;
};

Loop::Impl::Impl(bool real_time) {
  if (real_time) {
    alarm.emplace(io);
  }
}

Loop::Impl::~Impl() {
  // Callbacks may own suspended tasks, which need the executor until they are gone, and whose
  // destructors may cancel timers of this very heap.
  closing = true;
  while (timers.next()) {
    const TimerHeap::Callback dropped = timers.take();
  }
  alarm.reset();
}

base::Clock& Loop::Impl::clock() {
  if (is_virtual()) {
    return manual_clock;
  }
  return system_clock;
}

void Loop::Impl::arm() {
  if (is_virtual() || closing) {
    return;
  }
  CHECK(alarm.has_value());
  const std::optional<base::Instant> next = timers.next();
  if (!next) {
    if (armed_for) {
      armed_for.reset();
      alarm->cancel();
    }
    return;
  }
  // An alarm that rings early finds nothing due and is set again, which is cheaper than moving it
  // each time.
  if (armed_for && *armed_for <= *next) {
    return;
  }
  armed_for = next;
  alarm->expires_at(std::chrono::steady_clock::time_point(next->time_since_epoch()));
  alarm->async_wait([this](boost::system::error_code error) {
    if (!error) {
      alarm_rang();
    }
  });
}

void Loop::Impl::alarm_rang() {
  armed_for.reset();
  // What the callbacks add is left to the next alarm, even if it is due, so that sockets get their
  // turn.
  const base::Instant now = system_clock.now();
  for (std::size_t left = timers.size(); left > 0 && !stopped; --left) {
    const std::optional<base::Instant> next = timers.next();
    if (!next || *next > now) {
      break;
    }
    timers.take()();
  }
  arm();
}

bool Loop::Impl::fire_next() {
  const std::optional<base::Instant> next = timers.next();
  if (!next) {
    return false;
  }
  manual_clock.advance_to(*next);
  timers.take()();
  return true;
}

bool Loop::Impl::run_one() {
  if (io.stopped()) {
    io.restart();
  }
  if (!is_virtual()) {
    return io.run_one() > 0;
  }
  if (io.poll_one() > 0) {
    return true;
  }
  if (fire_next()) {
    return true;
  }
  if (guards.load(std::memory_order_acquire) == 0) {
    return false;
  }
  io.restart();
  return io.run_one() > 0;
}

Loop::Loop(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Loop::~Loop() = default;

std::unique_ptr<Loop> Loop::real() {
  return std::unique_ptr<Loop>(new Loop(std::make_unique<Impl>(true)));
}

std::unique_ptr<Loop> Loop::virtual_time() {
  return std::unique_ptr<Loop>(new Loop(std::make_unique<Impl>(false)));
}

base::Clock& Loop::clock() {
  return impl_->clock();
}

base::Instant Loop::now() const {
  return impl_->clock().now();
}

bool Loop::is_virtual() const {
  return impl_->is_virtual();
}

TimerId Loop::at(base::Instant when, Callback callback) {
  CHECK(callback != nullptr);
  const std::uint64_t id = impl_->timers.add(when, std::move(callback));
  impl_->arm();
  return TimerId{id};
}

bool Loop::cancel(TimerId id) {
  // The callback's own destructor may come back here, so it dies after the heap is in order.
  const std::optional<Callback> dropped = impl_->timers.cancel(id.value);
  if (dropped && impl_->timers.size() == 0) {
    impl_->arm();
  }
  return dropped.has_value();
}

void Loop::post(Callback callback) {
  boost::asio::post(impl_->io, std::move(callback));
}

void Loop::post_from_thread(Callback callback) {
  boost::asio::post(impl_->io, std::move(callback));
}

void Loop::run() {
  impl_->stopped = false;
  if (!is_virtual()) {
    impl_->io.restart();
    impl_->io.run();
    return;
  }
  while (!impl_->stopped && impl_->run_one()) {
  }
}

void Loop::stop() {
  impl_->stopped = true;
  impl_->io.stop();
}

bool Loop::run_one() {
  return impl_->run_one();
}

std::size_t Loop::timers() const {
  return impl_->timers.size();
}

Loop::Work::Work(Loop& loop) : loop_(&loop) {
  loop.impl_->guards.fetch_add(1, std::memory_order_relaxed);
  loop.impl_->io.get_executor().on_work_started();
}

Loop::Work::Work(Work&& other) noexcept : loop_(std::exchange(other.loop_, nullptr)) {}

Loop::Work& Loop::Work::operator=(Work&& other) noexcept {
  if (this != &other) {
    release();
    loop_ = std::exchange(other.loop_, nullptr);
  }
  return *this;
}

Loop::Work::~Work() {
  release();
}

void Loop::Work::release() {
  if (Loop* loop = std::exchange(loop_, nullptr)) {
    loop->impl_->guards.fetch_sub(1, std::memory_order_release);
    loop->impl_->io.get_executor().on_work_finished();
  }
}

boost::asio::io_context& io_context(Loop& loop) {
  return loop.impl().io;
}

void release_background(Loop& loop) {
  io_context(loop).get_executor().on_work_finished();
}

}  // namespace sortie::aio
