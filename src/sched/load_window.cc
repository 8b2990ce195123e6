#include "sortie/sched/load_window.h"

#include "sortie/base/time.h"
#include "sortie/quota/domain_limiter.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>

namespace sortie::sched {

namespace {

constexpr double kOverloadFactor = 0.7;
constexpr double kCutMin = 0.5;  // of the window, in one step
constexpr double kFirstGrowth = 1.5;
// Answers that take so much longer are the sign of overload: much longer where the load was never
// seen to matter, a little where it was.
const double kExcessMax = std::log(1.5);
const double kExcessMaxSensitive = std::log(1.1);
// After a row of cuts by so much it is decided whether they helped: by half of what a server at its
// capacity would gain.
const double kVerdictAfter = std::log(1.4);
constexpr double kGainMin = 0.5;
constexpr std::size_t kSamplesMin = 40;
constexpr std::size_t kSamplesMax = 200;
constexpr std::size_t kSamplesMinSensitive = 100;
constexpr double kUsualSmoothing = 0.1;
constexpr double kFallShare = 0.3;

}  // namespace

LoadWindow::LoadWindow(std::size_t first) : is_first_(first > 0) {
  if (first > 0) {
    window_ = static_cast<double>(first);
  }
}

std::optional<std::size_t> LoadWindow::window() const {
  return window_ ? std::optional(std::max<std::size_t>(1, static_cast<std::size_t>(*window_)))
                 : std::nullopt;
}

base::Instant LoadWindow::earliest(base::Instant now) const {
  const std::optional<std::size_t> most = window();
  if (most && in_flight_ >= *most) {
    return base::Instant::max();
  }
  return std::max(now, closed_until_);
}

void LoadWindow::admit() {
  in_flight_ += 1;
  peak_ = std::max(peak_, in_flight_);
}

void LoadWindow::answered(base::Instant sent, base::Instant now, double seconds, double size) {
  backoff_.succeeded(sent);
  if (sent < changed_at_ || !(seconds > 0) || !(size > 0)) {
    return;
  }
  samples_.push_back(std::log(seconds / size));
  if (samples_.size() >= samples_wanted()) {
    judge(now);
  }
}

std::size_t LoadWindow::samples_wanted() const {
  return is_sensitive_ ? std::clamp(2 * peak_, kSamplesMinSensitive, kSamplesMax)
                       : std::clamp(peak_ / 2, kSamplesMin, kSamplesMax);
}

LoadWindow::Latency LoadWindow::latency() {
  const auto quantile = [&](std::size_t quarters) {
    const auto place = static_cast<std::ptrdiff_t>(samples_.size() * quarters / 4);
    std::nth_element(samples_.begin(), samples_.begin() + place, samples_.end());
    return samples_[static_cast<std::size_t>(place)];
  };
  const double spread = quantile(3) - quantile(1);
  // A normal law has a standard deviation of 0.74 times its interquartile range, and a median that
  // is 1.25 times less certain than the mean.
  const double error = 1.25 * 0.74 * spread / std::sqrt(static_cast<double>(samples_.size()));
  return {.median = quantile(2), .error = error};
}

/// Enough answers to requests that were sent under the present window.
void LoadWindow::judge(base::Instant now) {
  const Latency now_latency = latency();
  if (before_ && cut_was_vain(*before_, now_latency)) {
    // It is not our load: what it is now is the usual.
    window_ = before_->had_window ? std::optional(before_->window) : std::nullopt;
    is_sensitive_ = false;
    before_.reset();
    usual_ = now_latency.median;
    begin(now);
    return;
  }
  const double usual = usual_.value_or(now_latency.median);
  const double excess = now_latency.median - usual;
  usual_ = usual;
  // Where load is known to matter a cut is small and cheap; else only what is certain counts.
  const bool is_slow =
      is_sensitive_ ? excess > kExcessMaxSensitive : excess - now_latency.error > kExcessMax;
  if (is_slow) {
    cut(now_latency, excess);
  } else {
    is_sensitive_ = is_sensitive_ || before_.has_value();
    before_.reset();
    usual_ = usual + learned_of_usual(now_latency, excess);
    grow(now);
  }
  begin(now);
}

/// By how much the usual moves. A window that is being filled up must not take its own effect for
/// the usual: there only a fall counts that cannot be chance.
double LoadWindow::learned_of_usual(const Latency& latency, double excess) {
  if (is_sensitive_ && is_full()) {
    return excess + 3 * latency.error < 0 ? kFallShare * excess : 0;
  }
  calm_ += 1;
  return std::max(kUsualSmoothing, 1 / calm_) * excess;
}

bool LoadWindow::cut_was_vain(const Before& before, const Latency& latency) const {
  const double cut_by = window_ ? std::log(before.window / *window_) : 0;
  return cut_by >= kVerdictAfter && latency.median > before.median - kGainMin * cut_by;
}

void LoadWindow::cut(const Latency& latency, double excess) {
  const auto load = static_cast<double>(std::max<std::size_t>(1, peak_));
  const double from = window_ ? std::min(*window_, load) : load;
  if (!before_) {
    before_ = {.window = from, .median = latency.median, .had_window = window_.has_value()};
  }
  is_first_ = false;
  window_ = std::max(1.0, from * std::max(kCutMin, std::exp(-excess / 2)));
}

bool LoadWindow::is_full() const {
  return window_ && static_cast<double>(peak_) + 1 > *window_;
}

void LoadWindow::grow(base::Instant now) {
  if (!window_ || !is_full() || now < frozen_until_) {
    return;
  }
  const double window = *window_;
  window_ = is_first_ ? window * kFirstGrowth : window + std::max(1.0, std::sqrt(window) / 4);
}

void LoadWindow::begin(base::Instant now) {
  samples_.clear();
  changed_at_ = now;
  peak_ = in_flight_;
}

void LoadWindow::overloaded(base::Instant sent,
                            base::Instant now,
                            std::optional<base::Duration> wait,
                            double uniform) {
  if (const auto own = backoff_.next(sent, now, uniform)) {
    closed_until_ = std::max(closed_until_, now + *own);
    // The refused request counts: it was one too many.
    const double load = static_cast<double>(in_flight_) + 1;
    window_ = std::max(1.0, kOverloadFactor * std::min(window_.value_or(load), load));
    is_sensitive_ = true;
    is_first_ = false;
    before_.reset();
    begin(now);
  }
  if (wait) {
    closed_until_ = std::max(closed_until_, now + quota::gate_wait(*wait, uniform));
  }
}

void LoadWindow::freeze(base::Instant until) {
  frozen_until_ = std::max(frozen_until_, until);
}

}  // namespace sortie::sched
