#include "sortie/aio/signals.h"

#include "sortie/aio/asio_access.h"
#include "sortie/aio/loop.h"
#include "sortie/base/check.h"

#include <csignal>
#include <memory>
#include <utility>

#include <boost/asio/signal_set.hpp>
#include <boost/system/error_code.hpp>

namespace sortie::aio {

struct SignalWatch::Impl : std::enable_shared_from_this<SignalWatch::Impl> {
  Impl(Loop& on, Callback call)
      : loop(on), callback(std::move(call)), signals(io_context(on), SIGINT, SIGTERM) {}

  void wait() {
    auto on_signal = [self = shared_from_this()](boost::system::error_code error, int /*number*/) {
      if (error || self->is_over) {
        return;
      }
      // Waiting again first: the callback may end the program's interest in signals.
      self->wait();
      ++self->count;
      self->callback(self->count);
    };
    signals.async_wait(BackgroundHandler(loop, std::move(on_signal)));
    release_background(loop);
  }

  Loop& loop;
  Callback callback;
  boost::asio::signal_set signals;
  int count = 0;
  bool is_over = false;
};

SignalWatch::SignalWatch(Loop& loop, Callback callback)
    : impl_(std::make_shared<Impl>(loop, std::move(callback))) {
  CHECK(!loop.is_virtual());
  impl_->wait();
}

SignalWatch::~SignalWatch() {
  // A signal that came before may be on its way through the loop.
  impl_->is_over = true;
  boost::system::error_code ignored;
  impl_->signals.clear(ignored);
  impl_->signals.cancel(ignored);
}

}  // namespace sortie::aio
