#pragma once

#include <boost/asio/awaitable.hpp>

namespace sortie::aio {

/// What a coroutine of ours returns. It runs on the loop that its Group spawned it on, and only
/// there. Cancellation arrives as boost::system::system_error(operation_aborted) out of a co_await;
/// let it pass through.
template <class T>
using Task = boost::asio::awaitable<T>;

}  // namespace sortie::aio
