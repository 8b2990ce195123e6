#pragma once

#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/dialogue/dialogue.h"
#include "sortie/dialogue/rules.h"
#include "sortie/ledger/reader.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace sortie::app {

/// A recorded trial, played back from its stored answers without a request.
struct ReplayedTrial {
  ledger::TrialState state;
  std::string model;
  bool simulated = false;  // a stand-in, never a contestant
  const suite::Task* task = nullptr;
  suite::TrialParams params;
  std::vector<ledger::StoredTurn> turns;
  dialogue::Dialogue dialogue;
};

/// What a played back dialogue is for.
enum class ReplayFor : std::uint8_t {
  reading,  // by people: with its prompts
  scoring,  // the first two messages of its history are empty
};

/// Replays trials of one run. `suite` and `rules` must outlive it.
class Replayer {
 public:
  [[nodiscard]] static base::Result<Replayer> open(ledger::Reader& reader,
                                                   const suite::Suite& suite,
                                                   const dialogue::Rules& rules,
                                                   ReplayFor purpose);

  [[nodiscard]] base::Result<ReplayedTrial> replay(const ledger::TrialState& state);

 private:
  struct CellParams {
    std::string model;
    bool simulated = false;
    suite::TrialParams params;
  };

  Replayer(ledger::Reader& reader,
           const suite::Suite& suite,
           const dialogue::Rules& rules,
           ReplayFor purpose)
      : reader_(&reader), suite_(&suite), rules_(&rules), purpose_(purpose) {}

  [[nodiscard]] base::Status check_versions() const;
  base::Status read_models();
  base::Status read_cells();

  ledger::Reader* reader_;
  const suite::Suite* suite_;
  const dialogue::Rules* rules_;
  ReplayFor purpose_;
  std::unordered_map<base::Digest, CellParams> cells_;
  std::set<std::string> from_reasoning_;  // models whose reasoning may hold the command
};

}  // namespace sortie::app
