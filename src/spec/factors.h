#pragma once

#include "sortie/base/hash.h"
#include "sortie/spec/model.h"
#include "sortie/suite/trial.h"

// The parts of a trial's key and of a cell's id that both contain. A change here changes every key
// ever written.

namespace sortie::spec {

/// Canonical name, declared revision, simulated or not, sampling as resolved, and whether commands
/// inside reasoning may run (it decides what a recorded answer means).
void add_model_fields(base::FieldHasher& hasher, const Model& model);

/// Every factor but the repeat; the severity only with a flaw.
void add_factor_fields(base::FieldHasher& hasher, const suite::TrialParams& params);

/// All that a trial's key is made of (its list is in docs/reference/files.md), as values.
struct KeyParts {
  base::Digest task;
  base::Digest world;
  base::Digest dialogue;
  base::Digest plan;
  const Model* model = nullptr;
  suite::TrialParams params;
};

[[nodiscard]] base::Digest key_of(const KeyParts& parts);

}  // namespace sortie::spec
