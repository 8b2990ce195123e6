#include "sortie/aio/group.h"

#include "sortie/aio/asio_access.h"
#include "sortie/aio/event.h"
#include "sortie/aio/loop.h"
#include "sortie/aio/task.h"
#include "sortie/base/check.h"

#include <cstddef>
#include <exception>
#include <list>
#include <memory>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace sortie::aio {
namespace {

using Signals = std::list<boost::asio::cancellation_signal>;

void check_ended_well(const std::exception_ptr& error) {
  if (error == nullptr) {
    return;
  }
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& failure) {
    CHECK(failure.code() == boost::asio::error::operation_aborted);
  } catch (const std::exception& failure) {
    base::check_failed(failure.what(), __FILE__, __LINE__);
  }
}

}  // namespace

struct Group::Impl {
  Impl(Loop& on, std::size_t most) : loop(on), tasks_max(most), empty_and_stopping(on) {}

  void ended(Signals::iterator task) {
    tasks.erase(task);
    if (stopping && tasks.empty()) {
      empty_and_stopping.set();
    }
  }

  Loop& loop;
  std::size_t tasks_max;
  bool stopping = false;
  Signals tasks;
  Event empty_and_stopping;
};

Group::Group(Loop& loop, std::size_t tasks_max) : impl_(std::make_unique<Impl>(loop, tasks_max)) {}

Group::~Group() {
  CHECK(impl_->tasks.empty());
}

bool Group::spawn(Task<void> task) {
  if (impl_->stopping || impl_->tasks.size() >= impl_->tasks_max) {
    return false;
  }
  const auto signal = impl_->tasks.emplace(impl_->tasks.end());
  auto on_end = [impl = impl_.get(), signal](const std::exception_ptr& error) {
    check_ended_well(error);
    // The ending coroutine still refers to its signal; the signal goes when the coroutine is gone.
    impl->loop.post([impl, signal] { impl->ended(signal); });
  };
  boost::asio::co_spawn(io_context(impl_->loop),
                        std::move(task),
                        boost::asio::bind_cancellation_slot(signal->slot(), std::move(on_end)));
  return true;
}

void Group::request_stop() {
  if (std::exchange(impl_->stopping, true)) {
    return;
  }
  if (impl_->tasks.empty()) {
    impl_->empty_and_stopping.set();
    return;
  }
  for (boost::asio::cancellation_signal& task : impl_->tasks) {
    task.emit(boost::asio::cancellation_type::terminal);
  }
}

Task<void> Group::stopped() {
  co_await impl_->empty_and_stopping.wait();
}

std::size_t Group::size() const {
  return impl_->tasks.size();
}

bool Group::stopping() const {
  return impl_->stopping;
}

}  // namespace sortie::aio
