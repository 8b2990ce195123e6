#pragma once

#include "sortie/aio/loop.h"

#include <utility>

#include <boost/asio/io_context.hpp>

// For modules that wrap sockets. Everybody else sees a Loop.

namespace sortie::aio {

[[nodiscard]] boost::asio::io_context& io_context(Loop& loop);

/// Stops counting an operation that was just started with a BackgroundHandler as work of the loop.
void release_background(Loop& loop);

/// Wraps the handler of an operation that must not keep the loop running (a watch, not work). Call
/// release_background directly after the operation was started; the handler balances the count when
/// it runs.
template <class Handler>
class BackgroundHandler {
 public:
  BackgroundHandler(Loop& loop, Handler handler)
      : io_(&io_context(loop)), handler_(std::move(handler)) {}

  template <class... Arguments>
  void operator()(Arguments&&... arguments) {
    io_->get_executor().on_work_started();
    handler_(std::forward<Arguments>(arguments)...);
  }

 private:
  boost::asio::io_context* io_;
  Handler handler_;
};

}  // namespace sortie::aio
