#include "sortie/score/reference.h"

#include "sortie/base/check.h"

#include <set>
#include <string_view>
#include <vector>

namespace sortie::score {

namespace {

/// P(at least `wanted` successes in `trials` draws).
double at_least(std::size_t wanted, std::size_t trials, double rate) {
  // chance[k]: k successes so far, the last entry: `wanted` or more.
  std::vector<double> chance(wanted + 1, 0.0);
  chance.front() = 1;
  for (std::size_t i = 0; i < trials; ++i) {
    for (std::size_t k = wanted; k > 0; --k) {
      const double stays = k == wanted ? chance[k] : chance[k] * (1 - rate);
      chance[k] = stays + chance[k - 1] * rate;
    }
    chance.front() *= wanted == 0 ? 1 : 1 - rate;
  }
  return chance.back();
}

}  // namespace

std::string_view to_string(Policy policy) {
  switch (policy) {
    case Policy::direct:
      return "direct";
    case Policy::search:
      return "search";
    case Policy::lookup:
      return "lookup";
  }
  CHECK(false);
}

double reference_success(Policy policy, const ReferenceQuestion& question) {
  const std::size_t overhead = question.tools * (policy == Policy::direct   ? 0
                                                 : policy == Policy::search ? 1
                                                                            : 2);
  if (overhead >= question.max_turns) {
    return question.operations == 0 ? 1 : 0;
  }
  return at_least(question.operations, question.max_turns - overhead, question.tool_success_rate);
}

double reference_success(Policy policy, const suite::Task& task, const suite::TrialParams& params) {
  std::set<std::string_view> tools;
  for (const suite::Step& step : task.plan) {
    tools.insert(step.tool);
  }
  return reference_success(policy,
                           {.operations = task.plan.size(),
                            .tools = tools.size(),
                            .tool_success_rate = params.tool_success_rate,
                            .max_turns = static_cast<std::size_t>(params.max_turns)});
}

}  // namespace sortie::score
