#include "sortie/base/random.h"

#include <cmath>
#include <cstring>
#include <numbers>

namespace sortie::base {

namespace {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53U;
constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57U;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9U;
constexpr std::uint32_t kWeyl1 = 0xBB67AE85U;
constexpr int kRounds = 10;

struct Product {
  std::uint32_t high;
  std::uint32_t low;
};

Product multiply(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t product = static_cast<std::uint64_t>(a) * b;
  return {.high = static_cast<std::uint32_t>(product >> 32U),
          .low = static_cast<std::uint32_t>(product)};
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const Product a = multiply(kMultiplier0, counter[0]);
    const Product b = multiply(kMultiplier1, counter[2]);
    counter = {b.high ^ counter[1] ^ key[0], b.low, a.high ^ counter[3] ^ key[1], a.low};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

CounterRandom::CounterRandom(const Digest& key) {
  std::memcpy(key_.data(), key.bytes.data(), sizeof key_);
  std::memcpy(high_.data(), key.bytes.data() + sizeof key_, sizeof high_);
}

std::uint64_t CounterRandom::bits(std::uint64_t index) const {
  const auto block = philox({static_cast<std::uint32_t>(index),
                             static_cast<std::uint32_t>(index >> 32U),
                             high_[0],
                             high_[1]},
                            key_);
  return (static_cast<std::uint64_t>(block[1]) << 32U) | block[0];
}

double CounterRandom::uniform(std::uint64_t index) const {
  return static_cast<double>(bits(index) >> 11U) * 0x1.0p-53;
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t value = bits();
  while (value >= limit) {
    value = bits();
  }
  return value % bound;
}

double RandomStream::normal() {
  const double u = 1.0 - uniform();  // in (0, 1]: its logarithm is finite
  const double v = uniform();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

}  // namespace sortie::base
