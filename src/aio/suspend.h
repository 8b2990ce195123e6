#pragma once

#include "sortie/aio/loop.h"

#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

// Internal to aio: how a coroutine waits for one of our callbacks.

namespace sortie::aio {

/// co_await suspend(loop, start): suspends the coroutine and calls `start(resume)`, which keeps
/// `resume` and returns a callable that gives it up. Calling `resume` continues the coroutine,
/// once; if the task was cancelled before, it does nothing. On cancellation what `start` returned
/// is called and the coroutine continues with operation_aborted.
template <class Start>
auto suspend(Loop& loop, Start start) {
  namespace asio = boost::asio;
  using boost::system::error_code;
  return asio::async_initiate<const asio::use_awaitable_t<>, void(error_code)>(
      [&loop, start = std::move(start)](auto handler) mutable {
        using Waiting = std::optional<decltype(handler)>;
        const auto slot = asio::get_associated_cancellation_slot(handler);
        // Owned by the callback that resumes. The cancellation slot lives in the suspended
        // coroutine, which `waiting` owns, and therefore must not own it back.
        auto waiting = std::make_shared<Waiting>(std::move(handler));
        auto take = [](Waiting& from) { return *std::exchange(from, std::nullopt); };
        auto give_up = start([waiting, take] {
          if (*waiting) {
            take (*waiting)(error_code());
          }
        });
        if (!slot.is_connected()) {
          return;
        }
        auto cancelled = [&loop, take, give_up, weak = std::weak_ptr<Waiting>(waiting)](
                             asio::cancellation_type) mutable {
          const std::shared_ptr<Waiting> still = weak.lock();
          if (still && *still) {
            loop.post([resume = take(*still)]() mutable {
              std::move(resume)(error_code(asio::error::operation_aborted));
            });
            give_up();
          }
        };
        asio::cancellation_slot(slot).assign(std::move(cancelled));
      },
      asio::use_awaitable);
}

}  // namespace sortie::aio
