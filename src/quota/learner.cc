#include "sortie/quota/learner.h"

#include "sortie/base/time.h"
#include "sortie/quota/chance_refusals.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/rate_learner.h"
#include "sortie/quota/signal.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace sortie::quota {

namespace {

double tokens_of(TokenCost cost, const RequestSize& size) {
  return cost_of({.kind = LimitKind::tokens, .cost = cost}, size);
}

constexpr double kUnrestKept = 0.7;    // of the earlier episodes' unrest
constexpr double kUnrestMargin = 0.6;  // the other unit must be so much calmer
constexpr double kUnrestFloor = 0.05;  // what chance does to the right one
constexpr int kEpisodesToCompare = 2;

}  // namespace

Learner::Learner(const Options& options)
    : options_(options),
      requests_(options.rate),
      tokens_{TokenMeter{.cost = TokenCost::input_plus_output,
                         .rate = RateLearner(options.rate),
                         .refused_at = {}},
              TokenMeter{.cost = TokenCost::input_plus_max,
                         .rate = RateLearner(options.rate),
                         .refused_at = {}}},
      window_(options.window) {}

base::Instant Learner::earliest(base::Instant now, const RequestSize& size) const {
  const TokenMeter& counted = tokens_[counted_];
  const bool is_clocked = is_ramp() && window_.in_flight(now) < ramp_window_;
  return std::max({is_clocked ? now : requests_.earliest(now, 1),
                   counted.rate.earliest(now, tokens_of(counted.cost, size)),
                   window_.earliest(now)});
}

Learner::Share Learner::reserve(base::Instant now, const RequestSize& size) {
  if (!has_begun_ && options_.begins_with_ramp && !knows_a_limit()) {
    start_ramp(now, options_.rate.first_rate);
  }
  has_begun_ = true;
  window_.acquire(now);
  Share share{
      .requests = requests_.reserve(now, 1),
      .tokens = {},
      .load = chance_.sent(now, window_.in_flight(now), tokens_of(tokens_.front().cost, size))};
  for (std::size_t i = 0; i < kTokenUnits; ++i) {
    share.tokens[i] = tokens_[i].rate.reserve(now, tokens_of(tokens_[i].cost, size));
  }
  return share;
}

void Learner::settle(base::Instant now, const Share& share, const RequestSize& used) {
  for (std::size_t i = 0; i < kTokenUnits; ++i) {
    if (is_settled(tokens_[i].cost)) {
      tokens_[i].rate.settle(now, share.tokens[i], tokens_of(tokens_[i].cost, used));
    }
  }
}

void Learner::cancel(base::Instant now, const Share& share) {
  requests_.settle(now, share.requests, 0);
  for (std::size_t i = 0; i < kTokenUnits; ++i) {
    tokens_[i].rate.settle(now, share.tokens[i], 0);
  }
}

void Learner::succeeded(base::Instant now) {
  window_.succeeded(now);
  // Each answer allows one more, while they are used.
  if (is_ramp() && 2 * window_.in_flight(now) >= ramp_window_) {
    ramp_window_ += 1;
  }
}

void Learner::start_ramp(base::Instant now, double rate) {
  requests_.start_ramp(now, rate);
  ramp_window_ = std::max(options_.window.ramp_begin, window_.in_flight(now));
}

void Learner::end_ramp() {
  if (is_ramp()) {
    requests_.stop();
  }
}

std::optional<Learner::Delivered> Learner::note_refusal(base::Instant now,
                                                        const Share& share,
                                                        base::Instant resume) {
  const auto requests = requests_.refused(now, share.requests, resume);
  Delivered delivered;
  for (std::size_t i = 0; i < kTokenUnits; ++i) {
    const auto tokens = tokens_[i].rate.refused(now, share.tokens[i], resume);
    delivered.tokens[i] = tokens.value_or(RateLearner::Delivered{});
  }
  if (!requests) {
    return std::nullopt;
  }
  delivered.requests = *requests;
  return delivered;
}

void Learner::blame_tokens(base::Instant now, const Delivered& delivered) {
  for (std::size_t i = 0; i < kTokenUnits; ++i) {
    TokenMeter& meter = tokens_[i];
    const double rate = delivered.tokens[i].reading();
    if (rate > 0 && meter.refused_at) {
      meter.unrest = kUnrestKept * meter.unrest + std::abs(std::log(rate / *meter.refused_at));
    }
    if (rate > 0) {
      meter.refused_at = rate;
    }
  }
  token_episodes_ += 1;
  tokens_source_ = LimitSource::learned;
  TokenMeter& counted = tokens_[counted_];
  TokenMeter& other = tokens_[1 - counted_];
  counted.rate.blame(now, delivered.tokens[counted_]);
  if (token_episodes_ > kEpisodesToCompare && other.refused_at &&
      other.unrest + kUnrestFloor < kUnrestMargin * counted.unrest) {
    counted.rate.stop();
    counted_ = 1 - counted_;
    other.rate.start_at(now, *other.refused_at, options_.rate.cut);
  }
}

Learner::Suspects Learner::suspects(Dimension dimension,
                                    const Delivered& delivered,
                                    base::Instant now,
                                    bool is_hinted) {
  if (dimension == Dimension::unknown) {
    attribution_.observe({.requests = delivered.requests.reading(),
                          .tokens = delivered.tokens[counted_].reading(),
                          .in_flight = static_cast<double>(window_.in_flight(now)),
                          .measured = delivered.requests.requests},
                         is_hinted);
    // Wrongly holding back another limit as well would hide the evidence; a wrong guess is refused
    // again soon.
    dimension = attribution_.likeliest();
    acquit(dimension);
  } else {
    named_.requests = named_.requests || dimension == Dimension::requests;
    named_.tokens = named_.tokens || dimension == Dimension::tokens;
    named_.window = named_.window || dimension == Dimension::concurrency;
  }
  return {.requests = dimension == Dimension::requests,
          .tokens = dimension == Dimension::tokens,
          .window = dimension == Dimension::concurrency};
}

/// Limits that were only suspected while another is to blame are none.
void Learner::acquit(Dimension guilty) {
  if (guilty != Dimension::requests && !named_.requests) {
    requests_.stop();
  }
  if (guilty != Dimension::tokens && !named_.tokens) {
    tokens_[counted_].rate.stop();
  }
  if (guilty != Dimension::concurrency && !named_.window) {
    window_.stop();
  }
}

void Learner::excuse(base::Instant now, const Share& share) {
  requests_.excused(now, share.requests);
  for (std::size_t i = 0; i < kTokenUnits; ++i) {
    tokens_[i].rate.excused(now, share.tokens[i]);
  }
}

/// Limits that only refusals without a name taught, now or in an earlier run, may be the work of
/// chance.
void Learner::doubt(base::Instant now) {
  doubted_ = limits();
  const double pace =
      std::max({requests_.pace(), requests_.delivered(now), options_.rate.first_rate});
  const Suspects named = named_;
  named_.requests = named_.requests || requests_source_ != LimitSource::learned;
  named_.tokens = named_.tokens || tokens_source_ != LimitSource::learned;
  acquit(Dimension::unknown);
  named_ = named;
  if (!knows_a_limit() && (options_.begins_with_ramp || !doubted_.empty())) {
    start_ramp(now, pace);
  }
}

/// Unless something better is known by now.
void Learner::believe_again(base::Instant now) {
  const std::vector<LearnedLimit> known = limits();
  for (const LearnedLimit& limit : std::exchange(doubted_, {})) {
    if (std::ranges::find(known, limit.kind, &LearnedLimit::kind) == known.end()) {
      remember(now, limit);
    }
  }
}

bool Learner::came_by_chance(base::Instant now, const Share& share) {
  using Finding = ChanceRefusals::Finding;
  const Finding finding = chance_.refused(share.load);
  if (finding == Finding::refuted) {
    believe_again(now);
  } else if (finding == Finding::found && !is_resting_) {
    doubt(now);
  }
  const bool is_chance = finding == Finding::found || finding == Finding::explained;
  if (is_chance) {
    excuse(now, share);
  }
  return is_chance;
}

bool Learner::refused(base::Instant now,
                      const Share& share,
                      Dimension dimension,
                      base::Instant resume,
                      bool is_hinted) {
  const auto delivered = note_refusal(now, share, resume);
  const bool is_rested = is_resting_ && dimension != Dimension::concurrency;
  if (delivered && !is_rested) {
    suspects_ = suspects(dimension, *delivered, now, is_hinted);
    if (suspects_.requests) {
      requests_source_ = LimitSource::learned;
      requests_.blame(now, delivered->requests);
    } else {
      end_ramp();
    }
    if (suspects_.tokens) {
      blame_tokens(now, *delivered);
    }
  }
  if (suspects_.window && !is_rested) {
    window_.refused(share.requests.at, now);
  }
  return delivered.has_value();
}

bool Learner::refused_in_trial(base::Instant now, const Share& share, base::Instant resume) {
  return note_refusal(now, share, resume).has_value();
}

void Learner::rest() {
  is_resting_ = true;
  doubted_.clear();
  requests_.stop();
  for (TokenMeter& meter : tokens_) {
    meter.rate.stop();
  }
}

void Learner::resume(base::Instant now, const std::vector<LearnedLimit>& rates) {
  is_resting_ = false;
  has_begun_ = true;
  for (const LearnedLimit& limit : rates) {
    start_rate(now, limit, options_.rate.cut);
  }
}

std::optional<LimitKind> Learner::paced_by() const {
  if (tokens().limit() && (suspects_.tokens || !requests_.limit())) {
    return LimitKind::tokens;
  }
  return requests_.limit() ? std::optional(LimitKind::requests) : std::nullopt;
}

void Learner::too_fast(base::Instant now) {
  requests_.too_fast(now);
  tokens_[counted_].rate.too_fast(now);
}

void Learner::count_tokens_as(TokenCost cost) {
  for (std::size_t i = 0; i < kTokenUnits; ++i) {
    if (is_settled(tokens_[i].cost) == is_settled(cost)) {
      counted_ = i;
      tokens_[i].cost = cost;
    }
  }
}

void Learner::start_rate(base::Instant now, const LearnedLimit& limit, double share) {
  const bool is_tokens = limit.kind == LimitKind::tokens;
  if (is_tokens) {
    count_tokens_as(limit.cost);
  }
  RateLearner& rate = is_tokens ? tokens_[counted_].rate : requests_;
  rate.start_at(now, limit.value, share);
  rate.set_confidence(limit.confidence);
  (is_tokens ? tokens_source_ : requests_source_) = limit.source;
}

void Learner::declared(const Limit& limit) {
  const double rate = limit.quota / base::seconds(limit.window);
  if (limit.kind == LimitKind::requests) {
    requests_.set_declared(rate);
  } else if (limit.kind == LimitKind::tokens) {
    count_tokens_as(limit.cost);
    tokens_[counted_].rate.set_declared(rate);
  }
}

void Learner::expect(base::Instant now, const LearnedLimit& limit) {
  if (!(limit.value > 0)) {
    return;
  }
  if (limit.kind == LimitKind::concurrency) {
    window_.start_at(static_cast<std::size_t>(limit.value));
    window_.set_confidence(limit.confidence);
  } else {
    start_rate(now, limit, 1);
  }
}

void Learner::remember(base::Instant now, const LearnedLimit& limit) {
  if (limit.kind == LimitKind::concurrency || !(limit.value > 0)) {
    // Slots are known exactly; one refusal tells when that is no longer true.
    expect(now, limit);
  } else {
    start_rate(now, limit, options_.rate.remembered_share);
  }
}

void Learner::told(base::Instant now, LimitKind kind, double per_second) {
  if (is_resting_) {
    return;
  }
  const bool is_tokens = kind == LimitKind::tokens;
  RateLearner& rate = is_tokens ? tokens_[counted_].rate : requests_;
  LimitSource& source = is_tokens ? tokens_source_ : requests_source_;
  const LearnedLimit limit{.kind = kind,
                           .value = per_second,
                           .cost = tokens_[counted_].cost,
                           .source = LimitSource::header,
                           .confidence = options_.rate.first_confidence};
  const bool is_refuted = rate.delivered(now) > options_.rate.refuted * per_second;
  if (rate.phase() == RateLearner::Phase::steady) {
    if (source != LimitSource::header) {
      return;
    }
    if (is_refuted) {
      source = LimitSource::learned;
      rate.start_ramp(now, rate.pace());
    } else if (std::abs(std::log(per_second / rate.limit().value_or(per_second))) >
               options_.rate.agreement) {
      start_rate(now, limit, std::min(1.0, rate.pace() / per_second));
    }
  } else if (is_refuted) {
    return;
  } else if (rate.phase() == RateLearner::Phase::ramp) {
    source = LimitSource::header;
    rate.set_ceiling(per_second);
  } else {
    start_rate(now, limit, 1);
  }
}

void Learner::set_probing(bool probing) {
  requests_.set_probing(probing);
  for (TokenMeter& meter : tokens_) {
    meter.rate.set_probing(probing);
  }
  window_.set_probing(probing);
}

std::vector<LearnedLimit> Learner::limits() const {
  std::vector<LearnedLimit> result;
  const auto add = [&](LimitKind kind, double value, LimitSource source, double confidence) {
    result.push_back(
        {.kind = kind,
         .value = value,
         .cost = kind == LimitKind::tokens ? tokens_[counted_].cost : LearnedLimit{}.cost,
         .source = source,
         .confidence = confidence});
  };
  if (const auto limit = requests_.limit()) {
    add(LimitKind::requests, *limit, requests_source_, requests_.confidence());
  }
  if (const auto limit = tokens().limit()) {
    add(LimitKind::tokens, *limit, tokens_source_, tokens().confidence());
  }
  if (const auto window = window_.window()) {
    add(LimitKind::concurrency,
        static_cast<double>(*window),
        LimitSource::learned,
        window_.confidence());
  }
  return result;
}

bool Learner::knows_a_limit() const {
  return requests_.limit() || tokens().limit() || window_.window();
}

}  // namespace sortie::quota
