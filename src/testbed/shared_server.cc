#include "sortie/testbed/shared_server.h"

#include "sortie/base/check.h"
#include "sortie/base/time.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

namespace sortie::testbed {

double SharedServer::speed() const {
  const auto count = static_cast<double>(running_.size());
  return count <= knee_ ? 1 : std::pow(knee_ / count, 3);
}

void SharedServer::advance(base::Instant now) {
  served_ += speed() * base::seconds(now - advanced_at_);
  advanced_at_ = now;
}

void SharedServer::start(std::uint32_t request, double seconds, base::Instant now) {
  advance(now);
  running_.emplace(served_ + seconds, request);
}

std::optional<base::Instant> SharedServer::next_end() const {
  if (running_.empty()) {
    return std::nullopt;
  }
  const double left = std::max(0.0, running_.top().first - served_);
  return advanced_at_ + base::from_seconds(left / speed());
}

std::uint32_t SharedServer::end(base::Instant now) {
  CHECK(!running_.empty());
  advance(now);
  const std::uint32_t request = running_.top().second;
  running_.pop();
  return request;
}

}  // namespace sortie::testbed
