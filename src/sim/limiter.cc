#include "sortie/sim/limiter.h"

#include "sortie/base/time.h"
#include "sortie/sim/profile.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace sortie::sim {

namespace {

using base::Duration;
using base::Instant;

// Sums of fractions of tokens: far below any cost, far above the error of adding up 10^6 doubles.
constexpr double kEpsilon = 1e-6;

/// Continuous refill of quota/window up to the capacity.
class TokenBucket final : public RateLimiter {
 public:
  explicit TokenBucket(const RateRule& rule)
      : declared_capacity_(rule.burst > 0 ? rule.burst : rule.quota),
        declared_rate_(rule.quota / base::seconds(rule.window)),
        capacity_(declared_capacity_),
        rate_(declared_rate_),
        level_(capacity_) {}

  Duration wait(double cost, Instant now) override {
    refill(now);
    if (cost > capacity_ + kEpsilon) {
      return kNever;
    }
    const double missing = cost - level_;
    return missing <= kEpsilon ? Duration::zero() : base::from_seconds(missing / rate_);
  }

  Taking take(double cost, Instant now) override {
    refill(now);
    level_ -= cost;
    return {.cost = cost, .at = now};
  }

  void settle(const Taking& taking, double cost, Instant now) override {
    refill(now);
    level_ = std::min(capacity_, level_ + taking.cost - cost);
  }

  double used(Instant now) override {
    refill(now);
    return capacity_ - level_;
  }

  Duration until_reset(Instant now) override { return base::from_seconds(used(now) / rate_); }

  void scale(double factor, Instant now) override {
    refill(now);
    const double used = capacity_ - level_;
    capacity_ = factor * declared_capacity_;
    rate_ = factor * declared_rate_;
    level_ = capacity_ - used;
  }

 private:
  void refill(Instant now) {
    level_ = std::min(capacity_, level_ + rate_ * base::seconds(now - filled_at_));
    filled_at_ = now;
  }

  double declared_capacity_;
  double declared_rate_;
  double capacity_;
  double rate_;  // units per second
  double level_;
  Instant filled_at_;
};

/// What was taken in (now − window, now] counts.
class SlidingLog final : public RateLimiter {
 public:
  explicit SlidingLog(const RateRule& rule)
      : declared_quota_(rule.quota), quota_(rule.quota), window_(rule.window) {}

  Duration wait(double cost, Instant now) override {
    expire(now);
    if (cost > quota_ + kEpsilon) {
      return kNever;
    }
    double sum = sum_;
    Duration until{};
    for (auto entry = entries_.begin(); entry != entries_.end() && sum + cost > quota_ + kEpsilon;
         ++entry) {
      sum -= entry->cost;
      until = entry->at + window_ - now;
    }
    return until;
  }

  Taking take(double cost, Instant now) override {
    expire(now);
    const Taking taking{.cost = cost, .at = now, .serial = next_serial_++};
    entries_.push_back(taking);
    sum_ += cost;
    return taking;
  }

  void settle(const Taking& taking, double cost, Instant now) override {
    expire(now);
    const auto entry = std::lower_bound(
        entries_.begin(),
        entries_.end(),
        taking.serial,
        [](const Taking& held, std::uint64_t serial) { return held.serial < serial; });
    if (entry != entries_.end() && entry->serial == taking.serial) {
      sum_ += cost - entry->cost;
      entry->cost = cost;
    }
  }

  double used(Instant now) override {
    expire(now);
    return sum_;
  }

  Duration until_reset(Instant now) override {
    expire(now);
    return entries_.empty() ? Duration::zero() : entries_.back().at + window_ - now;
  }

  void scale(double factor, Instant /*now*/) override { quota_ = factor * declared_quota_; }

 private:
  void expire(Instant now) {
    while (!entries_.empty() && entries_.front().at + window_ <= now) {
      sum_ -= entries_.front().cost;
      entries_.pop_front();
    }
    if (entries_.empty()) {
      sum_ = 0;
    }
  }

  double declared_quota_;
  double quota_;
  Duration window_;
  std::deque<Taking> entries_;
  double sum_ = 0;
  std::uint64_t next_serial_ = 0;
};

/// One counter a window. Windows follow each other without gaps from Instant 0 (aligned), or each
/// begins with the first request after the last one ended.
class FixedWindow final : public RateLimiter {
 public:
  explicit FixedWindow(const RateRule& rule)
      : declared_quota_(rule.quota),
        quota_(rule.quota),
        window_(rule.window),
        aligned_(rule.shape == Shape::fixed_aligned) {}

  Duration wait(double cost, Instant now) override {
    roll(now);
    if (cost > quota_ + kEpsilon) {
      return kNever;
    }
    return sum_ + cost <= quota_ + kEpsilon ? Duration::zero() : begin_ + window_ - now;
  }

  Taking take(double cost, Instant now) override {
    roll(now);
    if (!open_) {
      open_ = true;
      begin_ = aligned_ ? now - (now.time_since_epoch() % window_) : now;
    }
    sum_ += cost;
    return {.cost = cost, .at = now};
  }

  void settle(const Taking& taking, double cost, Instant now) override {
    roll(now);
    if (open_ && taking.at >= begin_) {
      sum_ += cost - taking.cost;
    }
  }

  double used(Instant now) override {
    roll(now);
    return sum_;
  }

  Duration until_reset(Instant now) override {
    roll(now);
    return open_ ? begin_ + window_ - now : Duration::zero();
  }

  void scale(double factor, Instant /*now*/) override { quota_ = factor * declared_quota_; }

 private:
  void roll(Instant now) {
    if (open_ && now >= begin_ + window_) {
      open_ = false;
      sum_ = 0;
    }
  }

  double declared_quota_;
  double quota_;
  Duration window_;
  bool aligned_;
  bool open_ = false;
  Instant begin_;
  double sum_ = 0;
};

}  // namespace

std::unique_ptr<RateLimiter> make_rate_limiter(const RateRule& rule) {
  switch (rule.shape) {
    case Shape::token_bucket:
      return std::make_unique<TokenBucket>(rule);
    case Shape::sliding:
      return std::make_unique<SlidingLog>(rule);
    case Shape::fixed_aligned:
    case Shape::fixed_first_use:
      break;
  }
  return std::make_unique<FixedWindow>(rule);
}

std::vector<RateRule> rules_of(const LimitProfile& limit) {
  std::vector<RateRule> rules = {
      {.shape = limit.shape, .quota = limit.quota, .window = limit.window, .burst = limit.burst}};
  if (limit.enforced_over.has_value() && *limit.enforced_over < limit.window) {
    double share = limit.quota * base::seconds(*limit.enforced_over) / base::seconds(limit.window);
    if (limit.dimension == Dimension::requests) {
      share = std::max(1.0, std::ceil(share - kEpsilon));
    }
    rules.push_back(
        {.shape = limit.shape, .quota = share, .window = *limit.enforced_over, .burst = 0});
  }
  return rules;
}

void ConcurrencyLimiter::release(Instant at) {
  releases_.insert(std::upper_bound(releases_.begin(), releases_.end(), at), at);
}

std::size_t ConcurrencyLimiter::in_use(Instant now) {
  while (!releases_.empty() && releases_.front() <= now) {
    releases_.pop_front();
    --active_;
  }
  return active_;
}

}  // namespace sortie::sim
