#include "sortie/http/poll_set.h"

#include "sortie/aio/asio_access.h"
#include "sortie/aio/loop.h"
#include "sortie/base/check.h"
#include "sortie/base/time.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <boost/asio/posix/descriptor_base.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/error_code.hpp>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace sortie::http {
namespace {

constexpr std::size_t kBatch = 256;

}  // namespace

struct PollSet::Core : std::enable_shared_from_this<PollSet::Core> {
  struct Entry {
    std::uint32_t events = 0;
    // Tells events of an earlier socket with the same number apart.
    std::uint32_t generation = 0;
  };

  Core(aio::Loop& on, Callbacks call);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  ~Core() { ::close(timer); }

  void wait();
  void dispatch();
  void dispatch_one(const epoll_event& event);

  aio::Loop& loop;
  Callbacks callbacks;
  int epoll;
  int timer;
  boost::asio::posix::stream_descriptor readiness;  // owns `epoll`
  std::vector<Entry> entries;                       // by descriptor: dense and small
  bool closed = false;
};

PollSet::Core::Core(aio::Loop& on, Callbacks call)
    : loop(on),
      callbacks(std::move(call)),
      epoll(::epoll_create1(EPOLL_CLOEXEC)),
      timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      readiness(aio::io_context(on)) {
  CHECK(epoll >= 0 && timer >= 0);
  readiness.assign(epoll);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = static_cast<std::uint32_t>(timer);
  CHECK(::epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) == 0);
  entries.resize(static_cast<std::size_t>(timer) + 1);
}

void PollSet::Core::wait() {
  auto on_ready = [self = shared_from_this()](boost::system::error_code error) {
    if (!error && !self->closed) {
      self->dispatch();
    }
  };
  readiness.async_wait(boost::asio::posix::descriptor_base::wait_read,
                       aio::BackgroundHandler(loop, std::move(on_ready)));
  aio::release_background(loop);
}

void PollSet::Core::dispatch() {
  std::array<epoll_event, kBatch> events{};
  const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 0);
  for (const epoll_event& event :
       std::span(events).first(static_cast<std::size_t>(std::max(count, 0)))) {
    dispatch_one(event);
    if (closed) {
      return;
    }
  }
  callbacks.batch_done();
  if (!closed) {
    wait();
  }
}

void PollSet::Core::dispatch_one(const epoll_event& event) {
  const auto descriptor = static_cast<int>(static_cast<std::uint32_t>(event.data.u64));
  if (descriptor == timer) {
    std::uint64_t expirations = 0;
    if (::read(timer, &expirations, sizeof(expirations)) == sizeof(expirations)) {
      callbacks.alarm();
    }
    return;
  }
  const Entry& entry = entries[static_cast<std::size_t>(descriptor)];
  if (entry.events != 0 && entry.generation == event.data.u64 >> 32U) {
    callbacks.ready(descriptor, event.events);
  }
}

PollSet::PollSet(aio::Loop& loop, Callbacks callbacks)
    : core_(std::make_shared<Core>(loop, std::move(callbacks))) {
  CHECK(!loop.is_virtual());
  core_->wait();
}

PollSet::~PollSet() {
  core_->closed = true;
  core_->callbacks = {};
  boost::system::error_code ignored;
  core_->readiness.close(ignored);
}

void PollSet::watch(int descriptor, std::uint32_t events) {
  const auto index = static_cast<std::size_t>(descriptor);
  if (index >= core_->entries.size()) {
    core_->entries.resize(index + 1);
  }
  Core::Entry& entry = core_->entries[index];
  if (entry.events == events) {
    return;
  }
  const bool known = std::exchange(entry.events, events) != 0;
  if (events == 0) {
    ++entry.generation;
    ::epoll_ctl(core_->epoll, EPOLL_CTL_DEL, descriptor, nullptr);
    return;
  }
  epoll_event event{};
  event.events = events;
  event.data.u64 =
      (std::uint64_t{entry.generation} << 32U) | static_cast<std::uint32_t>(descriptor);
  ::epoll_ctl(core_->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, &event);
}

void PollSet::set_alarm(base::Duration delay) {
  // An all-zero value would disarm the timer.
  const base::Duration wait = std::max(delay, base::Duration(1));
  const auto whole = std::chrono::floor<std::chrono::seconds>(wait);
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<std::time_t>(whole.count());
  spec.it_value.tv_nsec = static_cast<long>((wait - whole).count());
  CHECK(::timerfd_settime(core_->timer, 0, &spec, nullptr) == 0);
}

}  // namespace sortie::http
