#pragma once

#include "sortie/base/hash.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

// Counter-based random numbers: a value is a pure function of (key, index), so that order,
// concurrency and resume cannot change it. Philox4x32-10 of Salmon, Moraes, Dror and Shaw,
// "Parallel random numbers: as easy as 1, 2, 3" (SC'11).

namespace sortie::base {

/// One Philox4x32-10 block.
[[nodiscard]] std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key);

/// Random access into the sequence that belongs to a key.
class CounterRandom {
 public:
  explicit CounterRandom(const Digest& key);

  /// 64 random bits number `index`.
  [[nodiscard]] std::uint64_t bits(std::uint64_t index) const;

  /// Uniform in [0, 1), 53 bits.
  [[nodiscard]] double uniform(std::uint64_t index) const;

 private:
  std::array<std::uint32_t, 2> key_{};
  std::array<std::uint32_t, 2> high_{};
};

/// The same sequence read in order; a convenience for code that draws many values for one purpose.
class RandomStream {
 public:
  explicit RandomStream(const Digest& key) : random_(key) {}

  [[nodiscard]] std::uint64_t bits() { return random_.bits(next_++); }

  [[nodiscard]] double uniform() { return random_.uniform(next_++); }

  /// Uniform in [0, bound), without modulo bias. `bound` > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);

  /// Standard normal (Box–Muller; two uniforms a value).
  [[nodiscard]] double normal();

  template <class T>
  void shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[static_cast<std::size_t>(below(i))]);
    }
  }

 private:
  CounterRandom random_;
  std::uint64_t next_ = 0;
};

}  // namespace sortie::base
