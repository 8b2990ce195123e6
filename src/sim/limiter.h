#pragma once

#include "sortie/base/time.h"
#include "sortie/sim/profile.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

// How providers really enforce limits: exact implementations of the shapes that they use. They
// judge clients, so they share no code with what paces clients. All are pure state over the `now`
// they are given, which never goes back.

namespace sortie::sim {

/// A cost that can never be admitted, however long one waits.
inline constexpr base::Duration kNever = base::Duration::max();

/// One admitted cost, as needed to correct it later.
struct Taking {
  double cost = 0;
  base::Instant at;
  std::uint64_t serial = 0;
};

/// Units per time.
class RateLimiter {
 public:
  virtual ~RateLimiter() = default;

  /// How long until `cost` would be admitted if nothing else came; zero: now; kNever: larger than
  /// the limit.
  [[nodiscard]] virtual base::Duration wait(double cost, base::Instant now) = 0;

  /// Charges the cost, admissible or not.
  virtual Taking take(double cost, base::Instant now) = 0;

  /// Changes what `taking` cost to `cost`, as far as it still counts.
  virtual void settle(const Taking& taking, double cost, base::Instant now) = 0;

  /// Units that count against the quota now.
  [[nodiscard]] virtual double used(base::Instant now) = 0;

  /// Until nothing counts any more, if nothing else came.
  [[nodiscard]] virtual base::Duration until_reset(base::Instant now) = 0;

  /// The provider changes the limit to `factor` of what its rule says; what was taken still counts.
  virtual void scale(double factor, base::Instant now) = 0;
};

struct RateRule {
  Shape shape = Shape::sliding;
  double quota = 0;
  base::Duration window = std::chrono::minutes(1);
  double burst = 0;  // token_bucket: capacity; 0: the quota
};

[[nodiscard]] std::unique_ptr<RateLimiter> make_rate_limiter(const RateRule& rule);

/// The rule of a limit and, where it is also enforced over a shorter window, that window's share of
/// it. A share of requests that is not an integer is rounded up, or evenly spaced requests at the
/// declared rate would be refused.
[[nodiscard]] std::vector<RateRule> rules_of(const LimitProfile& limit);

/// Requests at once. A slot is taken from admission until the last byte, or until a grace after the
/// client hung up.
class ConcurrencyLimiter {
 public:
  explicit ConcurrencyLimiter(std::size_t quota) : quota_(quota) {}

  [[nodiscard]] bool admits(base::Instant now) { return in_use(now) < quota_; }

  void take() { ++active_; }

  /// Frees the slot of one request at `at`, which may lie in the future.
  void release(base::Instant at);

  [[nodiscard]] std::size_t in_use(base::Instant now);

  [[nodiscard]] std::size_t quota() const { return quota_; }

  /// Requests that hold a slot keep it.
  void set_quota(std::size_t quota) { quota_ = quota; }

 private:
  std::size_t quota_;
  std::size_t active_ = 0;
  std::deque<base::Instant> releases_;  // sorted
};

}  // namespace sortie::sim
