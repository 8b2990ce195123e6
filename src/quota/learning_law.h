#pragma once

#include "sortie/base/time.h"

#include <chrono>
#include <cstddef>

// How unknown limits are learned: every constant in one place. docs/design/scheduling.md,
// "Learning", has the reasons and what was measured.

namespace sortie::quota {

/// Rates: a ramp until the first refusal, then a cubic curve around the rate that the server really
/// delivered, relative to it (CUBIC, RFC 9438, restarts at 0.7 of the last maximum; a limit is no
/// shared link, so here it is 0.95).
struct RateLaw {
  double first_rate = 4;                               // requests a second
  double ramp_growth = 1.6;                            // per step of the ramp
  base::Duration ramp_step = std::chrono::seconds(2);  // longer than a refusal takes
  double cut = 0.95;        // of the delivered rate, where the curve starts
  double curvature = 0.05;  // (1 − cut): back at the maximum after one time constant
  base::Duration recovery_min = std::chrono::seconds(30);  // time constant at least,
  double recovery_requests = 150;                          // and as long as so many requests take
  double minute_growth_max = 1.5;  // a minute-long window hides faster growth
  double recovery_waits = 20;      // and so many times the wait that the server asks for
  base::Duration long_wait = std::chrono::seconds(10);  // that is long: the limit's window is too
  double trusted_requests = 20;   // delivered ones, that a rate may be taken from;
  double trusted_open = 0.8;      // while it was closed for no more of the time than this leaves
  double cut_max = 0.8;           // with fewer, an episode leaves at least this share
  double agreement = 0.05;        // a limit found again within this is the same
  double first_confidence = 0.3;  // after one episode; each that agrees halves the doubt
  double patience_min = 1.0 / 3;  // times the time constant, for a limit that is new
  double patience_growth = 1.5;   // each time it is,
  double patience_max = 4;        // times the time constant at most
  double busy_share = 0.85;       // of the pace used: the limit was the binding one
  base::Duration check_every = std::chrono::seconds(1);  // of that, at least,
  double check_requests = 4;                             // and over so many requests
  double refusals_max = 0.01;  // of the requests of late: more, and probes get rarer
  // Refusals that go on however slow we are have nothing to do with the pace: after so many
  // episodes in a row with fewer clean requests between them, and at so small a share of the pace
  // before them, it is that again.
  int vain_episodes = 8;
  double vain_requests = 5;
  double vain_share = 0.05;
  base::Duration refusals_over = std::chrono::minutes(5);    // "of late"
  double thrift_max = 8;                                     // times the time constant at most
  base::Duration forgiven_after = std::chrono::minutes(10);  // without refusal
  base::Duration ramp_freeze = std::chrono::seconds(60);     // no growth after "growing too fast",
  double ramp_cut = 0.9;                                     // and this share of the rate
  double refuted = 1.2;  // times a limit that a header names was delivered: it is another one
  double remembered_share = 0.8;  // of an earlier run's limit, to begin with
};

/// Requests in flight: exactly what the server held when it refused one, then one more after ever
/// longer intervals.
struct WindowLaw {
  std::size_t ramp_begin = 2;  // in flight when a ramp begins; one more for each answer
  std::size_t answers_min =
      20;  // with a full window, before one more is tried; at least a window's worth
  double first_confidence = 0.3;  // after one episode; each failed trial halves the doubt
  std::size_t patience_max = 64;  // doublings of that interval by failed trials end here
};

}  // namespace sortie::quota
