#pragma once

#include "sortie/aio/loop.h"

#include <functional>
#include <memory>

namespace sortie::aio {

/// Calls back on the loop for each SIGINT or SIGTERM with how many came so far: 1 asks to finish, 2
/// to end at once. Does not keep the loop running. One per process at a time; a real loop only.
class SignalWatch {
 public:
  using Callback = std::move_only_function<void(int count)>;

  SignalWatch(Loop& loop, Callback callback);
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// Gives the signals back to their default action.
  ~SignalWatch();

 private:
  struct Impl;
  // Shared with the pending wait, which may outlive the watch by one turn of the loop.
  std::shared_ptr<Impl> impl_;
};

}  // namespace sortie::aio
