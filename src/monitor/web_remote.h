#pragma once

#include "sortie/aio/loop.h"
#include "sortie/monitor/web_live.h"

#include <string>

namespace sortie::monitor {

/// The run of another process in `run_directory`, by its control socket. The source may be used as
/// long as the loop lives; what is under way when it dies is not answered.
[[nodiscard]] LiveSource remote_run(aio::Loop& loop, const std::string& run_directory);

}  // namespace sortie::monitor
