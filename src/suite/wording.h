#pragma once

#include "sortie/base/random.h"
#include "sortie/suite/sequences.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

// From a plan to its text at a level.

namespace sortie::suite {

/// Which wording each clause and frame has; asides only at very_hard.
struct WordingChoice {
  struct Clause {
    std::size_t wording;
    std::size_t frame;
  };

  std::vector<Clause> clauses;
  std::vector<std::size_t> asides;  // the first opens the text, the others follow clauses in turn
};

[[nodiscard]] WordingChoice draw_wording(const Sequence& sequence,
                                         Difficulty difficulty,
                                         base::RandomStream& random);

/// The text; with `masked` every value is "_", so that equal wordings give equal texts.
[[nodiscard]] std::string render_text(const std::vector<Step>& plan,
                                      const Sequence& sequence,
                                      Difficulty difficulty,
                                      const WordingChoice& choice,
                                      bool masked);

}  // namespace sortie::suite
