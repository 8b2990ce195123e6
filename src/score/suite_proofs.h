#pragma once

#include "sortie/suite/suite.h"
#include "sortie/suite/validator.h"

#include <vector>

// The rules of a suite that take a dialogue and its search to prove; all others are the validator's
// (suite/validator.h).

namespace sortie::score {

/// `reachable`: who only reads gets there, at rate 1 and without a plan. Of the built-in suite the
/// agent `reader`, for each task at each level. The texts of a user's suite are of no lexicon:
/// there the agent `lookup`, which knows the calls, has to find and look at every tool first. Where
/// it fails because the search does not find a tool by its own description, that is advice.
[[nodiscard]] std::vector<suite::Finding> prove_reachable(const suite::Suite& suite);

/// `search`: each wording of `easy` finds its tool among the first hits. Of a user's suite the
/// tool's description does, as advice.
[[nodiscard]] std::vector<suite::Finding> prove_search(const suite::Suite& suite);

}  // namespace sortie::score
