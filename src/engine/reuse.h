#pragma once

#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/base/time.h"
#include "sortie/engine/context.h"
#include "sortie/engine/history.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

// Results that other runs have paid for: a scored trial of theirs whose key is that of a trial
// which this campaign plans and has not begun. A key says all that a result depends on and nothing
// of routes or time, so equal keys are the same trial.

namespace sortie::engine {

/// Does a declaration of the model accept an answer that came over this route? The route's own
/// decides; where there is no such route, as for a trial of another run, any of the model's.
[[nodiscard]] bool is_declared(const spec::Topology& topology,
                               const std::string& model,
                               const std::string& route,
                               const std::string& api_name,
                               const std::string& served);

/// Another run's ledger, held at one snapshot from opening to destruction.
class ReuseSource {
 public:
  /// Errors: those of Reader::open.
  [[nodiscard]] static base::Result<ReuseSource> open(const std::string& directory);

  [[nodiscard]] const std::string& directory() const { return directory_; }

  [[nodiscard]] const base::Digest& key() const { return key_; }

  [[nodiscard]] const std::string& mark() const { return mark_; }

  [[nodiscard]] ledger::Reader& reader() const { return *reader_; }

 private:
  std::string directory_;
  base::Digest key_;
  std::string mark_;
  std::unique_ptr<ledger::Reader> reader_;
};

/// A trial that a source has and this campaign wants. `origin` is what its ReuseRecord will say,
/// but for this ledger's id, the digest and the time.
struct ReusableTrial {
  std::size_t source = 0;
  ledger::TrialId trial = 0;  // there
  std::size_t cell = 0;       // in Campaign::cells
  std::uint64_t ordinal = 0;  // in the cell
  ledger::ReuseRecord origin;
};

/// What one source gives, and why not more.
struct ReuseSummary {
  std::string directory;
  std::uint64_t trials = 0;
  std::int64_t cost = 0;           // paid there for them, micro-dollars
  std::uint64_t scored = 0;        // that the source has
  std::uint64_t had_already = 0;   // begun here, or given by a source named before
  std::uint64_t other_served = 0;  // of models that no route of today declares
};

struct ReusePlan {
  std::vector<ReusableTrial> trials;
  std::vector<ReuseSummary> sources;  // as they were named
  std::uint64_t planned = 0;          // trials of the campaign
};

/// What `sources` give to a campaign with this history; the first source that has a trial gives it.
/// Taken are scored trials only, whose every answer a route of the model accepts as today's files
/// declare it: the route of its own name, or any if there is none of that name any more.
[[nodiscard]] base::Result<ReusePlan> plan_reuse(const RunContext& context,
                                                 const RunHistory& history,
                                                 std::span<const ReuseSource> sources);

/// Copies the planned trials into `ledger`, each whole or not at all, and returns when they are
/// durable: trial, the attempt behind each turn (free of charge), turns with their answers,
/// outcome, a score by today's scorer, calls, origin. Whoever is killed meanwhile plans again and
/// copies the rest. Errors: integrity, where a source's answers do not match their digests or do
/// not give the end that it recorded; those of the ledger.
[[nodiscard]] base::Status copy_reused(const RunContext& context,
                                       const ReusePlan& plan,
                                       std::span<const ReuseSource> sources,
                                       base::WallTime now,
                                       ledger::Ledger& ledger);

/// "reuses 1,240 of 12,400 trials from runs/x ($3.2100 paid there)", a line per source.
[[nodiscard]] std::string to_text(const ReusePlan& plan);

}  // namespace sortie::engine
