#include "sortie/stats/repeats.h"

#include "sortie/base/check.h"

namespace sortie::stats {

namespace {

/// C(from, k) / C(n, k): the chance that k draws without replacement all come from `from` of n.
double all_from(std::uint64_t n, std::uint64_t from, std::uint64_t k) {
  double chance = 1;
  for (std::uint64_t i = 0; i < k; ++i) {
    if (from <= i) {
      return 0;
    }
    chance *= static_cast<double>(from - i) / static_cast<double>(n - i);
  }
  return chance;
}

}  // namespace

double pass_at_k(std::uint64_t n, std::uint64_t c, std::uint64_t k) {
  CHECK(c <= n && k >= 1 && k <= n);
  return 1 - all_from(n, n - c, k);
}

double pass_hat_k(std::uint64_t n, std::uint64_t c, std::uint64_t k) {
  CHECK(c <= n && k >= 1 && k <= n);
  return all_from(n, c, k);
}

}  // namespace sortie::stats
