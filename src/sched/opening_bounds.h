#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/limit.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace sortie::sched {

/// How early the routes of a model can open at best, as far as it is known from what was asked
/// before: a larger request never goes earlier than a smaller one, so that what was found for a few
/// sizes bounds all others from below. Most routes need not be asked then. Knows nothing where
/// routes are so few that asking them is as cheap. Pure.
class OpeningBounds {
 public:
  explicit OpeningBounds(std::size_t routes)
      : routes_(routes >= kRoutesMin ? routes : 0), at_(kSizes * routes_, base::Instant::min()) {}

  /// From now on everything is about requests of this size.
  void ask(const quota::RequestSize& size) {
    if (size_ == size) {
      return;
    }
    size_ = size;
    if (!depends_on_size_) {
      sizes_[asked_] = size;  // what is known is true of all
      return;
    }
    asked_ = (asked_ + 1) % kSizes;
    sizes_[asked_] = size;
    base::Instant* const to = at_.data() + asked_ * routes_;
    std::fill_n(to, routes_, base::Instant::min());
    for (std::size_t one = 0; one < kSizes; ++one) {
      if (one != asked_ && is_at_most(sizes_[one], size)) {
        const base::Instant* const from = at_.data() + one * routes_;
        std::transform(to, to + routes_, from, to, [](auto a, auto b) { return std::max(a, b); });
      }
    }
  }

  [[nodiscard]] const quota::RequestSize& size() const { return size_; }

  [[nodiscard]] bool is_in_use() const { return routes_ > 0; }

  /// The route at this place of the model's opens no earlier; Instant::min() while nothing is known
  /// of it. Only while in use.
  [[nodiscard]] base::Instant at(std::size_t place) const { return at_[asked_ * routes_ + place]; }

  /// `any_size`: true of all requests.
  void found(std::size_t place, base::Instant at, bool any_size) {
    if (routes_ > 0) {
      depends_on_size_ = depends_on_size_ || !any_size;
      at_[asked_ * routes_ + place] = at;
    }
  }

  /// Something that it depends on has changed.
  void forget(std::size_t place) {
    for (std::size_t i = place; i < at_.size(); i += routes_) {
      at_[i] = base::Instant::min();
    }
  }

 private:
  static constexpr std::size_t kRoutesMin = 16;
  static constexpr std::size_t kSizes = 6;  // the last that were asked for

  /// Whatever a limit counts. Without a maximum the expected output stands for it.
  [[nodiscard]] static bool is_at_most(const quota::RequestSize& one,
                                       const quota::RequestSize& other) {
    return one.input <= other.input && one.output <= other.output &&
           one.max_output <= other.max_output && (one.max_output > 0 || other.max_output <= 0);
  }

  std::size_t routes_;
  quota::RequestSize size_;
  std::array<quota::RequestSize, kSizes> sizes_;
  std::vector<base::Instant> at_;  // by size, then by place
  std::size_t asked_ = 0;          // of the sizes
  bool depends_on_size_ = false;   // of something that was found the answer did
};

}  // namespace sortie::sched
