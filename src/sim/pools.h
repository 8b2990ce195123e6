#pragma once

#include "sortie/base/time.h"
#include "sortie/sim/limiter.h"
#include "sortie/sim/profile.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::sim {

/// Who asks for what, as far as limits see it.
struct Demand {
  std::string_view key;  // alias
  std::string_view account;
  std::string_view model;
  std::int64_t input = 0;       // tokens
  std::int64_t output = 0;      // tokens of the answer; the simulator knows them beforehand
  std::int64_t max_tokens = 0;  // as asked
};

/// What a limit said no with, enough to write a provider's message about it.
struct Refusal {
  std::string limit;  // name of the pool, e.g. "rpm/key-1"
  Dimension dimension = Dimension::requests;
  double quota = 0;
  double used = 0;
  double requested = 0;
  base::Duration window{};
  base::Duration wait{};  // kNever: larger than the limit
};

/// What one admitted request holds; give it back with finish().
struct Holding {
  struct Part {
    std::size_t pool = 0;
    std::size_t rule = 0;
    Taking taking;
    double settled_cost = 0;
  };

  std::vector<Part> settle_at_end;
  std::vector<std::size_t> slots;  // pools of concurrency
};

/// What became of a limit's pool, for the audit.
struct PoolReport {
  std::string name;
  Dimension dimension = Dimension::requests;
  double quota = 0;
  std::uint64_t admitted = 0;
  std::uint64_t refused = 0;
  double peak_demand =
      0;  // largest share of the quota that was ever asked for at once; > 1: over the limit
  std::uint64_t early_arrivals =
      0;  // requests that came before the pool's last Retry-After had passed
};

/// A limit as an answer shows it: the tightest visible one of its dimension.
struct ShownLimit {
  Dimension dimension = Dimension::requests;
  double quota = 0;
  double remaining = 0;
  base::Duration reset{};  // until all of it is there again
};

/// True when the limit counts requests like this one.
[[nodiscard]] bool applies(const LimitProfile& limit, const Demand& demand);

/// What the request takes when it is admitted; 1 unless the limit counts tokens.
[[nodiscard]] double cost_at_admission(const LimitProfile& limit, const Demand& demand);

/// What a limit that settles at the end charges in the end: the tokens really used.
[[nodiscard]] double cost_at_end(const LimitProfile& limit, const Demand& demand);

/// The pool of a limit that a request drains: "rpm/key-1", and so on with what `per_*` names.
[[nodiscard]] std::string pool_name(const LimitProfile& limit, const Demand& demand);

/// All limits of one provider. A request is admitted by every pool it drains or by none.
class LimitPools {
 public:
  explicit LimitPools(std::vector<LimitProfile> limits);

  /// The holding, or the refusal with the longest wait. `holding` is written only on admission.
  [[nodiscard]] std::optional<Refusal> admit(const Demand& demand,
                                             base::Instant now,
                                             Holding& holding);

  /// The last byte was sent, or the client hung up (`cancelled`): then slots stay taken for their
  /// grace.
  void finish(const Holding& holding, base::Instant now, bool cancelled);

  /// The tightest visible request and token limits.
  [[nodiscard]] std::vector<ShownLimit> shown(const Demand& demand, base::Instant now);

  /// The same as x-ratelimit-* (OpenAI: durations as Go writes them).
  void append_headers(const Demand& demand, base::Instant now, wire::Headers& headers);

  /// The provider changes the limits that the demand's key and model drain to `factor` of what they
  /// were declared as. What is held stays held.
  void scale(const Demand& demand, double factor, base::Instant now);

  [[nodiscard]] std::vector<PoolReport> report() const;

 private:
  struct Pool {
    const LimitProfile* limit = nullptr;
    PoolReport report;
    std::vector<RateRule> rules;
    std::vector<std::unique_ptr<RateLimiter>> windows;  // one a rule; empty for concurrency
    std::optional<ConcurrencyLimiter> slots;
    base::Instant gate{};  // when the last Retry-After passes
  };

  [[nodiscard]] std::vector<std::size_t> pools_of(const Demand& demand);
  [[nodiscard]] std::size_t pool_of(std::size_t limit, const Demand& demand);
  [[nodiscard]] static std::optional<Refusal> judge(Pool& pool,
                                                    const Demand& demand,
                                                    base::Instant now);
  void charge(std::size_t index, const Demand& demand, base::Instant now, Holding& holding);

  std::vector<LimitProfile> limits_;
  std::deque<Pool> pools_;  // in order of first use; pools do not move
  std::map<std::string, std::size_t, std::less<>> by_name_;
};

/// x-ratelimit-{limit,remaining,reset}-{requests,tokens} of one limit.
void append_limit_headers(const ShownLimit& limit, wire::Headers& headers);

/// "120ms", "1s", "7.66s", "6m0s", "1h2m3s": as OpenAI writes durations.
[[nodiscard]] std::string go_duration(base::Duration duration);

}  // namespace sortie::sim
