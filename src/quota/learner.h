#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/attribution.h"
#include "sortie/quota/chance_refusals.h"
#include "sortie/quota/learning_law.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/rate_learner.h"
#include "sortie/quota/signal.h"
#include "sortie/quota/window_learner.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sortie::quota {

/// A limit that was learned, as status shows it and as it is remembered between runs.
struct LearnedLimit {
  LimitKind kind = LimitKind::requests;
  double value = 0;                               // requests or tokens a second; requests in flight
  TokenCost cost = TokenCost::input_plus_output;  // tokens only: the units they were counted in
  LimitSource source = LimitSource::learned;
  double confidence = 0;  // 0 to 1

  bool operator==(const LearnedLimit&) const = default;
};

/// What one pool taught, for the next run. The pool's name is that of its domain, or of its route.
struct PoolMemory {
  std::string pool;
  std::vector<LearnedLimit> limits;

  bool operator==(const PoolMemory&) const = default;
};

/// What is known about the limits of one pool besides what is declared: one learner per dimension.
/// Where nothing is declared, the number of requests a second begins with a ramp, until something
/// is refused. A value, pure: takes `now`, which must never go backwards.
class Learner {
 public:
  /// Units in which a server may count tokens: what an answer really used, or the prompt and
  /// max_tokens.
  static constexpr std::size_t kTokenUnits = 2;

  /// What one request took.
  struct Share {
    RateLearner::Ticket requests;
    std::array<RateLearner::Ticket, kTokenUnits> tokens;
    ChanceRefusals::Load load;
  };

  struct Options {
    RateLaw rate{};
    WindowLaw window{};
    bool begins_with_ramp = false;
  };

  explicit Learner(const Options& options);

  /// The first instant ≥ now at which what was learned admits the request; kUntilFreed while that
  /// depends on a release.
  [[nodiscard]] base::Instant earliest(base::Instant now, const RequestSize& size) const;

  /// False: earliest() is the same for every request.
  [[nodiscard]] bool depends_on_size() const { return tokens().pace() > 0; }

  /// earliest(now, size) must be now.
  [[nodiscard]] Share reserve(base::Instant now, const RequestSize& size);
  void settle(base::Instant now, const Share& share, const RequestSize& used);

  /// It was never sent.
  void cancel(base::Instant now, const Share& share);

  /// Frees the slot at `when`.
  void release(base::Instant now, base::Instant when) { window_.release(now, when); }

  /// Answered well; not released yet.
  void succeeded(base::Instant now);

  /// A refusal that names neither a limit nor a wait: true when it came by chance, as far as can be
  /// told. Then it is counted, and nothing is to be learned from it. When chance is found out, what
  /// earlier refusals of this sort taught is forgotten, until that proves wrong.
  [[nodiscard]] bool came_by_chance(base::Instant now, const Share& share);

  /// Refused by a limit of this dimension, and released already. Nothing is sent before `resume`;
  /// `is_hinted`: because the server said so. Of an unknown dimension the likeliest is blamed.
  /// True when that began an episode.
  bool refused(base::Instant now,
               const Share& share,
               Dimension dimension,
               base::Instant resume,
               bool is_hinted = false);

  /// The same during a trial: it is counted, and no limit is learned from it.
  bool refused_in_trial(base::Instant now, const Share& share, base::Instant resume);

  /// Another learner has taken over the rates of this pool: here they are only counted, until
  /// resume(). Requests in flight are learned as before.
  void rest();

  /// Begins a little below these limits of rate, which may be none.
  void resume(base::Instant now, const std::vector<LearnedLimit>& rates);

  [[nodiscard]] bool is_resting() const { return is_resting_; }

  /// The limit of rate that refused last, among those that are known.
  [[nodiscard]] std::optional<LimitKind> paced_by() const;

  [[nodiscard]] RateLearner& rate_of(LimitKind kind) {
    return kind == LimitKind::tokens ? tokens_[counted_].rate : requests_;
  }

  [[nodiscard]] const RateLearner& rate_of(LimitKind kind) const {
    return kind == LimitKind::tokens ? tokens_[counted_].rate : requests_;
  }

  /// The units that tokens are counted in.
  [[nodiscard]] TokenCost token_cost() const { return tokens_[counted_].cost; }

  /// The server says that the rate grew too fast.
  void too_fast(base::Instant now);

  /// A header names a limit of rate, in units a second: where a ramp ends, no promise. What
  /// refusals taught is better; and a limit below what was delivered is none (gateways show other
  /// pools' limits, or the share of ten seconds as that of a minute).
  void told(base::Instant now, LimitKind kind, double per_second);

  /// The owner says where learning starts.
  void expect(base::Instant now, const LearnedLimit& limit);

  /// A declared limit paces what is sent: when it is refused all the same, the limit is not far
  /// below.
  void declared(const Limit& limit);

  /// Begins with what an earlier run learned, a little below.
  void remember(base::Instant now, const LearnedLimit& limit);

  void set_probing(bool probing);

  /// True as soon as something bounds what is sent: a rate or a window.
  [[nodiscard]] bool knows_a_limit() const;

  [[nodiscard]] std::vector<LearnedLimit> limits() const;

  [[nodiscard]] const RateLearner& requests() const { return requests_; }

  [[nodiscard]] const RateLearner& tokens() const { return tokens_[counted_].rate; }

  [[nodiscard]] const WindowLearner& window() const { return window_; }

  [[nodiscard]] const Attribution& attribution() const { return attribution_; }

  [[nodiscard]] const ChanceRefusals& chance() const { return chance_; }

 private:
  /// Tokens counted in one kind of unit. How much the rate at which they are refused moves from
  /// one episode to the next tells the right unit from the wrong one.
  struct TokenMeter {
    TokenCost cost = TokenCost::input_plus_output;
    RateLearner rate;
    std::optional<double> refused_at;  // units a second, at the last episode
    double unrest = 0;
  };

  void start_rate(base::Instant now, const LearnedLimit& limit, double share);
  void count_tokens_as(TokenCost cost);

  /// What was delivered until an episode began.
  struct Delivered {
    RateLearner::Delivered requests;
    std::array<RateLearner::Delivered, kTokenUnits> tokens;
  };

  struct Suspects {
    bool requests = false;
    bool tokens = false;
    bool window = false;
  };

  [[nodiscard]] std::optional<Delivered> note_refusal(base::Instant now,
                                                      const Share& share,
                                                      base::Instant resume);
  [[nodiscard]] Suspects suspects(Dimension dimension,
                                  const Delivered& delivered,
                                  base::Instant now,
                                  bool is_hinted);
  void blame_tokens(base::Instant now, const Delivered& delivered);
  void acquit(Dimension guilty);

  [[nodiscard]] bool is_ramp() const { return requests_.phase() == RateLearner::Phase::ramp; }

  void start_ramp(base::Instant now, double rate);
  void end_ramp();
  void excuse(base::Instant now, const Share& share);
  void doubt(base::Instant now);
  void believe_again(base::Instant now);

  Options options_;
  RateLearner requests_;
  std::array<TokenMeter, kTokenUnits> tokens_;
  std::size_t counted_ = 0;  // the meter that sets the pace
  int token_episodes_ = 0;
  WindowLearner window_;
  Attribution attribution_;
  ChanceRefusals chance_;
  std::vector<LearnedLimit> doubted_;  // since chance was found
  Suspects suspects_;                  // of the last episode
  Suspects named_;                     // refusals have named them
  LimitSource requests_source_ = LimitSource::learned;
  LimitSource tokens_source_ = LimitSource::learned;
  std::size_t ramp_window_ = 0;  // in flight during a ramp, whatever its pace
  bool has_begun_ = false;
  bool is_resting_ = false;
};

}  // namespace sortie::quota
