#include "sortie/stats/repeats.h"

#include <bit>
#include <cstdint>

#include <gtest/gtest.h>

namespace sortie::stats {
namespace {

TEST(PassAtK, is_the_share_of_draws_with_a_success) {
  // Counted over all C(n, k) subsets.
  constexpr std::uint64_t kMax = 7;
  for (std::uint64_t n = 1; n <= kMax; ++n) {
    for (std::uint64_t c = 0; c <= n; ++c) {
      for (std::uint64_t k = 1; k <= n; ++k) {
        const std::uint64_t successes = (std::uint64_t{1} << c) - 1;
        double subsets = 0;
        double some = 0;
        double all = 0;
        for (std::uint64_t set = 0; set < (std::uint64_t{1} << n); ++set) {
          if (std::popcount(set) != static_cast<int>(k)) {
            continue;
          }
          ++subsets;
          some += (set & successes) != 0 ? 1 : 0;
          all += (set & ~successes) == 0 ? 1 : 0;
        }
        EXPECT_NEAR(pass_at_k(n, c, k), some / subsets, 1e-12) << n << " " << c << " " << k;
        EXPECT_NEAR(pass_hat_k(n, c, k), all / subsets, 1e-12) << n << " " << c << " " << k;
      }
    }
  }
}

TEST(PassAtK, of_one_draw_is_the_success_rate) {
  EXPECT_DOUBLE_EQ(pass_at_k(8, 3, 1), 3.0 / 8);
  EXPECT_DOUBLE_EQ(pass_hat_k(8, 3, 1), 3.0 / 8);
}

}  // namespace
}  // namespace sortie::stats
