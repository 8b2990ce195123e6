#include "sortie/engine/latency.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sortie::engine {

namespace {

constexpr double kLeast = 0.001;  // seconds

}  // namespace

void LatencyHistogram::add(base::Duration took) {
  if (recent_ > 0 && now_.count >= recent_) {
    before_ = now_;
    now_ = {};
  }
  const double doublings = std::log2(std::max(base::seconds(took), kLeast) / kLeast);
  const auto bucket = static_cast<std::size_t>(std::ceil(doublings * kPerDoubling));
  ++now_.buckets.at(std::min(bucket, kBuckets - 1));
  ++now_.count;
}

std::optional<base::Duration> LatencyHistogram::quantile(double share) const {
  if (count() == 0) {
    return std::nullopt;
  }
  const auto wanted = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count()))));
  std::uint64_t seen = 0;
  std::size_t bucket = 0;
  for (; bucket < kBuckets - 1; ++bucket) {
    seen += now_.buckets.at(bucket) + before_.buckets.at(bucket);
    if (seen >= wanted) {
      break;
    }
  }
  // The middle of the bucket, by ratio.
  const double doublings = (static_cast<double>(bucket) - (bucket == 0 ? 0.0 : 0.5)) / kPerDoubling;
  return base::from_seconds(kLeast * std::exp2(doublings));
}

}  // namespace sortie::engine
