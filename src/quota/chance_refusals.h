#pragma once

#include "sortie/base/time.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace sortie::quota {

/// Tells refusals that come by chance from those of a limit. A gateway that sheds load at random
/// refuses the same share of its requests whatever was sent before them. A limit does not: after a
/// pause, or with little in flight, it refuses nothing, or one request after the other until its
/// window has room again. So the shares that were refused under much and under little load are
/// compared, for the rate of the moment, the requests in flight and the size of a request, and the
/// requests between two refusals must vary as those of chance do.
///
/// Once chance is found, it explains twice the share that was seen and a few more in a row; what
/// exceeds that is a limit after all, and the next finding takes twice the evidence, up to a bound.
/// Only for refusals that name neither a limit nor a wait. A value, pure: takes `now`, which must
/// never go backwards.
class ChanceRefusals {
 public:
  /// What was known when a request left. Loads are told apart by powers of two.
  struct Load {
    std::uint64_t number = 0;
    std::uint8_t rate = 0;       // of the last few
    std::uint8_t in_flight = 0;  // with it
    std::uint8_t size = 0;       // its tokens
  };

  enum class Finding : std::uint8_t {
    limit,      // or nothing that can be told yet
    found,      // chance, as it now turns out
    explained,  // one more by chance
    refuted,    // a limit: what was found a moment ago was none
  };

  /// A request of `size` tokens leaves; `in_flight` counts it.
  [[nodiscard]] Load sent(base::Instant now, std::size_t in_flight, double size);

  /// It was refused.
  [[nodiscard]] Finding refused(const Load& load);

  /// The share that chance refuses; 0 while none is found.
  [[nodiscard]] double share() const { return share_; }

 private:
  static constexpr std::size_t kClasses = 24;
  static constexpr std::size_t kSpan = 4;  // requests that tell the rate of the moment

  struct Count {
    double sent = 0;
    double refused = 0;
  };

  /// Requests by the class of their load.
  using Meter = std::array<Count, kClasses>;

  enum class Comparison : std::uint8_t { unknown, alike, different };

  [[nodiscard]] static bool are_alike(const Count& one, const Count& other);
  [[nodiscard]] static Comparison compare(const Meter& meter);
  [[nodiscard]] bool has_gaps_of_chance() const;
  [[nodiscard]] bool is_found() const;
  void count(const Load& load, double Count::* what);
  void count_gap(const Load& load);
  void fade();
  void forget();

  static constexpr double kNeeded = 12;  // refusals before anything is found

  Meter by_rate_{};
  Meter by_flight_{};
  Meter by_size_{};
  Count all_;
  double gap_count_ = 0;
  double gaps_ = 0;  // requests between two refusals, all together
  double gap_squares_ = 0;
  double in_row_ = 0;  // refusals next to another one
  std::array<base::Instant, kSpan> last_{};
  std::uint64_t number_ = 0;  // of the last request; they count from 1
  std::uint64_t refused_number_ = 0;
  std::uint64_t heard_number_ = 0;  // the newest one when a refusal was heard last
  std::uint64_t found_number_ = 0;
  std::uint64_t forgotten_number_ = 0;  // up to it nothing is known any more
  double needed_ = kNeeded;
  double share_ = 0;
  double allowed_ = 0;  // refusals that chance explains now
};

}  // namespace sortie::quota
