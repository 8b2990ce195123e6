#include "sortie/base/random.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::base {
namespace {

TEST(Philox, matches_the_published_vectors) {
  // Random123 1.14, kat_vectors: philox4x32 10.
  using Block = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U}));
  EXPECT_EQ(
      philox({0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U}, {0xa4093822U, 0x299f31d0U}),
      (Block{0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U}));
}

TEST(CounterRandom, is_a_function_of_key_and_index_alone) {
  const CounterRandom a(digest_of("key"));
  const CounterRandom b(digest_of("key"));
  const CounterRandom other(digest_of("other"));
  const std::uint64_t late = a.bits(1000);
  EXPECT_EQ(b.bits(1000), late);
  EXPECT_NE(other.bits(1000), late);
}

TEST(CounterRandom, is_uniform_enough_to_play_tool_luck) {
  const CounterRandom random(digest_of("uniform"));
  constexpr int kDraws = 100000;
  double sum = 0;
  int below = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform(static_cast<std::uint64_t>(i));
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    below += u < 0.8 ? 1 : 0;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.005);
  EXPECT_NEAR(static_cast<double>(below) / kDraws, 0.8, 0.005);
}

TEST(RandomStream, shuffles_to_a_permutation) {
  RandomStream stream(digest_of("shuffle"));
  std::vector<int> items(100);
  std::iota(items.begin(), items.end(), 0);
  std::vector<int> shuffled = items;
  stream.shuffle(std::span(shuffled));
  EXPECT_NE(shuffled, items);
  std::ranges::sort(shuffled);
  EXPECT_EQ(shuffled, items);
}

}  // namespace
}  // namespace sortie::base
