#include "sortie/quota/chance_refusals.h"

#include "sortie/base/time.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace sortie::quota {

namespace {

constexpr double kShareMin = 0.005;  // less costs a learned limit little, and may be one
constexpr double kShareMax = 0.3;    // more, and a limit that is far exceeded looks the same
constexpr double kInRowMax = 0.5;    // of the refusals next to another one: chance has its share
// Variance of the requests between two refusals, relative to that of chance: a limit that is
// exceeded evenly refuses evenly; one that was idle lets many through, and then few.
constexpr double kVarianceMin = 0.35;
constexpr double kVarianceMax = 2.5;
constexpr double kNeededMax = 48;     // refusals before it is found, after findings that were wrong
constexpr double kSideMin = 0.15;     // of the requests, under little load and under much
constexpr double kRefusedMin = 5;     // with nothing else, to tell something
constexpr double kContrastMin = 2.5;  // times the load
constexpr double kLikeness = 0.5;     // of the larger of two shares, for the other to be like it
constexpr double kDeviations = 1.0;   // or as near to it as chance often is
constexpr double kMemory = 4800;      // requests, before what is older counts half
constexpr double kAllowance = 2;      // times the share
constexpr double kAllowedMax = 16;    // refusals in a row, nearly
constexpr double kOver = 12;          // times the requests between two, without any: it is over
constexpr std::uint64_t kRefutedWithin = 300;  // requests: what was known before still holds

constexpr double kFirstRate = -10;  // log2 of the lowest rate told apart, a second

/// Of a load's base-2 logarithm.
std::uint8_t class_of(double load, std::size_t classes) {
  return static_cast<std::uint8_t>(std::clamp(load, 0.0, static_cast<double>(classes - 1)));
}

}  // namespace

/// So far as it can be told from so few.
bool ChanceRefusals::are_alike(const Count& one, const Count& other) {
  const double share = one.refused / one.sent;
  const double other_share = other.refused / other.sent;
  if (std::min(share, other_share) >= kLikeness * std::max(share, other_share)) {
    return true;
  }
  const double all = (one.refused + other.refused) / (one.sent + other.sent);
  const double deviation = std::sqrt(all * (1 - all) * (1 / one.sent + 1 / other.sent));
  return std::abs(share - other_share) <= kDeviations * deviation;
}

ChanceRefusals::Load ChanceRefusals::sent(base::Instant now, std::size_t in_flight, double size) {
  base::Instant& before = last_[number_ % kSpan];
  const double seconds = std::max(1e-6, base::seconds(now - before));
  const double rate =
      number_ >= kSpan ? std::log2(static_cast<double>(kSpan) / seconds) : kFirstRate;
  before = now;
  number_ += 1;
  const auto flight = static_cast<double>(std::max<std::size_t>(1, in_flight));
  const Load load{.number = number_,
                  .rate = class_of(rate - kFirstRate, kClasses),
                  .in_flight = class_of(std::log2(flight), kClasses),
                  .size = class_of(std::log2(std::max(1.0, size)), kClasses)};
  count(load, &Count::sent);
  if (all_.sent >= kMemory) {
    fade();
  }
  if (share_ > 0) {
    allowed_ = std::min(kAllowedMax, allowed_ + kAllowance * share_);
    if (share_ * static_cast<double>(number_ - heard_number_) > kOver) {
      forget();
    }
  }
  return load;
}

void ChanceRefusals::count(const Load& load, double Count::* what) {
  if (load.number > kSpan) {
    by_rate_[load.rate].*what += 1;
  }
  by_flight_[load.in_flight].*what += 1;
  by_size_[load.size].*what += 1;
  all_.*what += 1;
}

ChanceRefusals::Finding ChanceRefusals::refused(const Load& load) {
  if (load.number <= forgotten_number_) {
    return share_ > 0 ? Finding::explained : Finding::limit;
  }
  heard_number_ = number_;
  count_gap(load);
  count(load, &Count::refused);
  if (share_ > 0) {
    allowed_ -= 1;
    if (allowed_ >= 0) {
      return Finding::explained;
    }
    needed_ = std::min(kNeededMax, 2 * needed_);
    forget();
    return number_ - found_number_ < kRefutedWithin ? Finding::refuted : Finding::limit;
  }
  if (!is_found()) {
    return Finding::limit;
  }
  share_ = all_.refused / all_.sent;
  allowed_ = kAllowedMax;
  found_number_ = number_;
  return Finding::found;
}

void ChanceRefusals::count_gap(const Load& load) {
  const std::uint64_t apart =
      std::max(load.number, refused_number_) - std::min(load.number, refused_number_);
  refused_number_ = load.number;
  if (all_.refused < 1) {
    return;  // what was before it is long ago
  }
  const auto gap = static_cast<double>(std::max<std::uint64_t>(1, apart) - 1);
  gap_count_ += 1;
  gaps_ += gap;
  gap_squares_ += gap * gap;
  in_row_ += apart == 1 ? 1 : 0;
}

bool ChanceRefusals::is_found() const {
  if (all_.refused < needed_) {
    return false;
  }
  const double share = all_.refused / all_.sent;
  return share >= kShareMin && share <= kShareMax && in_row_ <= kInRowMax * all_.refused &&
         has_gaps_of_chance() && compare(by_rate_) == Comparison::alike &&
         compare(by_flight_) == Comparison::alike && compare(by_size_) != Comparison::different;
}

/// Geometric: their mean is (1 − p) / p, their variance (1 − p) / p².
bool ChanceRefusals::has_gaps_of_chance() const {
  const double mean = gaps_ / gap_count_;
  const double variance = gap_squares_ / gap_count_ - mean * mean;
  const double expected = mean * (mean + 1);
  return variance >= kVarianceMin * expected && variance <= kVarianceMax * expected;
}

/// The shares that were refused under little load and under much, wherever the line is drawn.
ChanceRefusals::Comparison ChanceRefusals::compare(const Meter& meter) {
  Count all;
  double all_load = 0;
  for (std::size_t i = 0; i < kClasses; ++i) {
    all.sent += meter[i].sent;
    all.refused += meter[i].refused;
    all_load += static_cast<double>(i) * meter[i].sent;
  }
  Comparison result = Comparison::unknown;
  Count little;
  double little_load = 0;
  for (std::size_t i = 0; i + 1 < kClasses; ++i) {
    little.sent += meter[i].sent;
    little.refused += meter[i].refused;
    little_load += static_cast<double>(i) * meter[i].sent;
    const Count much{.sent = all.sent - little.sent, .refused = all.refused - little.refused};
    if (std::min(little.sent, much.sent) < kSideMin * all.sent) {
      continue;
    }
    const double contrast = (all_load - little_load) / much.sent - little_load / little.sent;
    if (contrast < std::log2(kContrastMin)) {
      continue;
    }
    if (!are_alike(little, much)) {
      return Comparison::different;
    }
    result = Comparison::alike;
  }
  // The least load there is, as a request that is alone: too much of it is not what refuses.
  const Count& least = meter.front();
  const bool is_enough = result == Comparison::unknown && least.refused >= kRefusedMin;
  return is_enough && are_alike(least, all) ? Comparison::alike : result;
}

void ChanceRefusals::fade() {
  const auto halve = [](Count& count) {
    count.sent /= 2;
    count.refused /= 2;
  };
  for (Meter* meter : {&by_rate_, &by_flight_, &by_size_}) {
    std::for_each(meter->begin(), meter->end(), halve);
  }
  halve(all_);
  in_row_ /= 2;
  gap_count_ /= 2;
  gaps_ /= 2;
  gap_squares_ /= 2;
}

void ChanceRefusals::forget() {
  by_rate_ = by_flight_ = by_size_ = {};
  all_ = {};
  in_row_ = gap_count_ = gaps_ = gap_squares_ = share_ = 0;
  forgotten_number_ = number_;
}

}  // namespace sortie::quota
