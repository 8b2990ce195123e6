#pragma once

#include "sortie/engine/status.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"

#include <span>

namespace sortie::engine {

/// What was found in the words of the endpoints file: `limits` are those in force, of which the
/// found pool's is proposed.
[[nodiscard]] SharedLimit describe(const sched::SharedPool& shared,
                                   const spec::Topology& topology,
                                   std::span<const LimitUse> limits);

}  // namespace sortie::engine
