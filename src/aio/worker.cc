#include "sortie/aio/worker.h"

#include "sortie/aio/loop.h"
#include "sortie/base/check.h"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include <pthread.h>

namespace sortie::aio {

struct Worker::Impl {
  struct Item {
    Job job;
    Loop::Callback done;
    Loop::Work work;
  };

  Impl(Loop& on, std::size_t most) : loop(on), jobs_max(most) {}

  static void serve(const std::shared_ptr<Impl>& self);
  static void finish(const std::shared_ptr<Impl>& self, Item item);
  bool next(Item& item);

  Loop& loop;
  std::size_t jobs_max;
  std::size_t pending = 0;  // the loop's thread only
  std::thread thread;       // none on a virtual clock

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Item> queue;  // guarded by mutex
  bool closing = false;    // guarded by mutex
};

bool Worker::Impl::next(Item& item) {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return closing || !queue.empty(); });
  if (queue.empty()) {
    return false;
  }
  item = std::move(queue.front());
  queue.pop_front();
  return true;
}

void Worker::Impl::serve(const std::shared_ptr<Impl>& self) {
  Item item;
  while (self->next(item)) {
    item.job();
    // The job's captures go on this thread, before anybody hears that it is done.
    item.job = nullptr;
    finish(self, std::move(item));
  }
}

void Worker::Impl::finish(const std::shared_ptr<Impl>& self, Item item) {
  Loop& loop = self->loop;
  loop.post_from_thread([self, done = std::move(item.done)]() mutable {
    --self->pending;
    if (done != nullptr) {
      done();
    }
  });
  // From here on the posted callback itself keeps the loop running.
  item.work.release();
}

Worker::Worker(Loop& loop, const std::string& name, std::size_t jobs_max)
    : impl_(std::make_shared<Impl>(loop, jobs_max)) {
  CHECK(name.size() <= 15);
  if (loop.is_virtual()) {
    return;
  }
  impl_->thread = std::thread([impl = impl_] { Impl::serve(impl); });
  pthread_setname_np(impl_->thread.native_handle(), name.c_str());
}

Worker::~Worker() {
  if (!impl_->thread.joinable()) {
    return;
  }
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->closing = true;
  }
  impl_->changed.notify_one();
  impl_->thread.join();
}

bool Worker::submit(Job job, Loop::Callback done) {
  if (impl_->pending >= impl_->jobs_max) {
    return false;
  }
  ++impl_->pending;
  if (impl_->loop.is_virtual()) {
    job();
    job = nullptr;
    Impl::finish(impl_, {nullptr, std::move(done), Loop::Work()});
    return true;
  }
  Impl::Item item{std::move(job), std::move(done), Loop::Work(impl_->loop)};
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->queue.push_back(std::move(item));
  }
  impl_->changed.notify_one();
  return true;
}

std::size_t Worker::pending() const {
  return impl_->pending;
}

}  // namespace sortie::aio
