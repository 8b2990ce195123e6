#include "sortie/aio/event.h"

#include "sortie/aio/loop.h"
#include "sortie/aio/suspend.h"
#include "sortie/aio/task.h"

#include <cstdint>
#include <utility>

namespace sortie::aio {

void Event::set() {
  is_set_ = true;
  for (auto& [arrival, resume] : std::exchange(waiting_, {})) {
    loop_.post(std::move(resume));
  }
}

Task<void> Event::wait() {
  if (is_set_) {
    co_return;
  }
  co_await suspend(loop_, [this](auto resume) {
    const std::uint64_t arrival = arrivals_++;
    waiting_.emplace(arrival, std::move(resume));
    return [this, arrival] { waiting_.erase(arrival); };
  });
}

}  // namespace sortie::aio
