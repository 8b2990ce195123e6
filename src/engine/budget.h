#pragma once

#include <cstdint>
#include <optional>

namespace sortie::engine {

/// What requests cost, in the two currencies of a budget.
struct Funds {
  std::int64_t cost = 0;  // micro-dollars
  std::int64_t tokens = 0;

  Funds& operator+=(const Funds& other) {
    cost += other.cost;
    tokens += other.tokens;
    return *this;
  }

  Funds& operator-=(const Funds& other) {
    cost -= other.cost;
    tokens -= other.tokens;
    return *this;
  }

  bool operator==(const Funds&) const = default;
};

[[nodiscard]] inline Funds operator+(Funds a, const Funds& b) {
  return a += b;
}

struct FundLimits {
  std::optional<std::int64_t> cost;
  std::optional<std::int64_t> tokens;
};

/// The account of a run: what was billed and what is set aside for requests that may be billed
/// still never exceed the limits together. A request is sent only with its reserve taken; when its
/// real usage is known, that takes the reserve's place.
class Budget {
 public:
  Budget() = default;

  /// `spent`: what the ledger holds already, unknown attempts as reserved.
  Budget(const FundLimits& limits, const Funds& spent) : limits_(limits), spent_(spent) {}

  [[nodiscard]] bool is_limited() const {
    return limits_.cost.has_value() || limits_.tokens.has_value();
  }

  /// True if `next` can be set aside on top of everything.
  [[nodiscard]] bool covers(const Funds& next) const { return fits(spent_ + reserved_ + next); }

  /// True if dialogues that are expected to use `rest` from here on can all be expected to end.
  [[nodiscard]] bool covers_in_expectation(const Funds& rest) const { return fits(spent_ + rest); }

  /// covers(next) must hold.
  void reserve(const Funds& next) { reserved_ += next; }

  /// The request has ended: `used` instead of `reserve`, which it was given.
  void settle(const Funds& reserve, const Funds& used) {
    reserved_ -= reserve;
    spent_ += used;
  }

  [[nodiscard]] const FundLimits& limits() const { return limits_; }

  [[nodiscard]] const Funds& spent() const { return spent_; }

  [[nodiscard]] const Funds& reserved() const { return reserved_; }

 private:
  [[nodiscard]] bool fits(const Funds& sum) const {
    return (!limits_.cost || sum.cost <= *limits_.cost) &&
           (!limits_.tokens || sum.tokens <= *limits_.tokens);
  }

  FundLimits limits_;
  Funds spent_;
  Funds reserved_;
};

/// What a request of a model has cost so far, on average.
class MeanFunds {
 public:
  void add(const Funds& one) {
    sum_ += one;
    ++count_;
  }

  /// Of `turns` requests; `first_guess` is the mean while there are none.
  [[nodiscard]] Funds of(double turns, const Funds& first_guess) const {
    const double count = count_ == 0 ? 1.0 : static_cast<double>(count_);
    const Funds& sum = count_ == 0 ? first_guess : sum_;
    return {.cost = static_cast<std::int64_t>(turns * static_cast<double>(sum.cost) / count),
            .tokens = static_cast<std::int64_t>(turns * static_cast<double>(sum.tokens) / count)};
  }

 private:
  Funds sum_;
  std::int64_t count_ = 0;
};

}  // namespace sortie::engine
