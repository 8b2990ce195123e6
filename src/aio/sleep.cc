#include "sortie/aio/sleep.h"

#include "sortie/aio/loop.h"
#include "sortie/aio/suspend.h"
#include "sortie/aio/task.h"
#include "sortie/base/time.h"

#include <utility>

namespace sortie::aio {

Task<void> sleep_until(Loop& loop, base::Instant when) {
  co_await suspend(loop, [&loop, when](auto resume) {
    const TimerId timer = loop.at(when, std::move(resume));
    return [&loop, timer] { loop.cancel(timer); };
  });
}

}  // namespace sortie::aio
