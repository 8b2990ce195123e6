#pragma once

#include "sortie/aio/loop.h"
#include "sortie/aio/task.h"
#include "sortie/base/time.h"

namespace sortie::aio {

/// Resumes at `when` on either clock. Cancelling the task ends the sleep with operation_aborted.
[[nodiscard]] Task<void> sleep_until(Loop& loop, base::Instant when);

}  // namespace sortie::aio
