#pragma once

#include "sortie/base/time.h"
#include "sortie/testbed/judge.h"
#include "sortie/testbed/policy.h"
#include "sortie/testbed/run.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace sortie::testbed {

/// Counts what happened in a campaign, and audits the client: what it sent while it had been told
/// to wait, and what a limit that it knew refused.
class Referee {
 public:
  Referee(const Instance& instance, const PolicySpec& spec, const Judge& judge);

  void departed(const Attempt& attempt, base::Instant now);
  /// The request that left at `departed` was ruled on at the server.
  void ruled(const Attempt& attempt,
             const Ruling& ruling,
             base::Instant departed,
             base::Instant now);
  /// The client learned of the ruling.
  void told(const Attempt& attempt, const Ruling& ruling, base::Instant now);
  void answered(const Attempt& attempt);
  void stalled(const Attempt& attempt);
  void ended(std::uint32_t dialogue, bool lost, base::Instant now);
  void decided(std::size_t bound);
  void timed_out(std::size_t unfinished);

  [[nodiscard]] Outcome outcome(const Judge& judge) const;

 private:
  /// The first time that a limit refused, and what became of it.
  struct FirstEpisode {
    std::optional<base::Instant> told_at;       // the client knew
    std::optional<base::Instant> recovered_at;  // departure of the first one admitted afterwards
  };

  /// The policy was told the limits as they are, and no incident has changed them.
  [[nodiscard]] bool knows_limits(base::Instant now) const;

  const Instance& instance_;
  const Judge& judge_;
  Outcome outcome_;
  bool was_told_truth_ = false;
  std::vector<FirstEpisode> episodes_;      // per true pool
  std::vector<base::Instant> gated_until_;  // per route
  double useful_tokens_ = 0;
  double wasted_tokens_ = 0;
};

}  // namespace sortie::testbed
