#pragma once

#include "sortie/quota/limit.h"

// How fast a limit may be used so that no enforcement algorithm can reject us: token bucket,
// sliding window or aligned counter, each also over the sub-window that the limit names; or, where
// the limit is declared as a bucket, so that this bucket cannot. Pure.
//
// A pacer of rate λ and burst B lets through at most B + λ·ω units in any window ω, or ⌈λω⌉ + B − 1
// requests of cost 1. How long a request takes to its server differs by up to j seconds from one to
// the next; so what arrives in a window ω was sent within ω + j. Over every (quota Q, window ω) of
// a limit, with r = Q/ω:
//
//   requests, windows:       ⌈λ·(ω + j)⌉ + B − 1 ≤ Q                 where Q is an integer
//   requests, token bucket:  B = 1, λ ≤ 0.99·r, and λ ≤ r/(1 + j·r)  where the capacity max(1, Q)
//   < 1 + j·r tokens:                   B + λ·(ω + j) ≤ Q
//
// A bucket that is known to be one, of rate r and capacity C, never refuses B + λ·(t + j) ≤ C + r·t
// for all t, which is λ ≤ r and B + λ·j ≤ C: no share of the rate pays for the burst. λ stays a
// thousandth below r, since clocks differ by less than that.
//
// Example: 600 requests a minute, enforced over 1 s, j = 10 ms: λ = 10/1.01 = 9.90 a second, B = 1;
// as a bucket of 10: λ = 9.99.

namespace sortie::quota {

struct Pace {
  double rate = 0;   // units per second; 0: nothing may ever be sent
  double burst = 0;  // units at once

  bool operator==(const Pace&) const = default;
};

/// The fastest safe pace for a rate limit. A burst is worth burst/rate seconds once, while for
/// tokens it costs rate all the time; so it is one request, or `largest_cost` tokens (the largest
/// request that shall pass without extra waiting), at most largest_burst(). From a known bucket it
/// costs nothing: there it is largest_burst() of requests. A limit without quota or window has rate
/// 0. Not for concurrency.
[[nodiscard]] Pace pace_for(const Limit& limit, double jitter_seconds, double largest_cost = 1);

/// The most that a burst may be: of tokens half of the smallest window's quota, beyond which it
/// would cost more than it gains; of what a bucket holds half of the requests, so that requests
/// which leave late do no harm, or three quarters of the tokens, and less where it refills so fast
/// that it matters how late requests come.
[[nodiscard]] double largest_burst(const Limit& limit, double jitter_seconds);

/// Of the window and of the sub-window; of a bucket, what it holds. A larger request goes alone.
[[nodiscard]] double smallest_quota(const Limit& limit);

}  // namespace sortie::quota
