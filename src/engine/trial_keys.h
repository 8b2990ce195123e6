#pragma once

#include "sortie/base/hash.h"
#include "sortie/engine/context.h"
#include "sortie/spec/campaign.h"

#include <cstddef>
#include <unordered_map>

namespace sortie::engine {

/// key_of() for many trials of one campaign: a plan is rendered once for each task of a cell, not
/// for each repeat. `context` and what it refers to outlive it.
class TrialKeys {
 public:
  explicit TrialKeys(const RunContext& context);

  [[nodiscard]] base::Digest of(const spec::Trial& trial);

 private:
  const RunContext& context_;
  std::unordered_map<std::size_t, base::Digest> plans_;  // by cell and task
};

}  // namespace sortie::engine
