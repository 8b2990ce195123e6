#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/gcra.h"
#include "sortie/quota/learning_law.h"
#include "sortie/quota/usage_meter.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sortie::quota {

/// A limit of rate that nobody told: what was sent, what was refused, and the pace that follows.
/// Three phases:
/// - watching: it only counts; nothing is known and nothing held back;
/// - ramp: nothing is known, and the pace grows step by step until something is refused;
/// - steady: the limit is known about; the pace runs along a flat cubic curve around it.
/// A refusal begins an episode, unless it was sent before the last one began; each episode cuts
/// once, to the rate that the server delivered. The pace grows only while it was used. A value,
/// pure: takes `now`, which must never go backwards.
class RateLearner {
 public:
  enum class Phase : std::uint8_t { watching, ramp, steady };

  /// What one request took, and where it stands among the others.
  struct Ticket {
    base::Instant at;
    double units = 0;
    double total_before = 0;  // units sent before it
  };

  /// What the server let through until it refused something.
  struct Delivered {
    std::optional<double> since_episode;  // nullopt without one, or when too little was sent since
    double last_minute = 0;
    double last_step = 0;       // the last whole interval of the busy check
    double ramp = 0;            // the last step of a ramp, not yet over
    double requests = 0;        // that the rate since the episode stands on
    bool is_trusted = false;    // that is enough
    bool is_long_wait = false;  // the server asks for so much patience that its window is long

    /// The best single number: 0 when nothing was measured.
    [[nodiscard]] double reading() const;
  };

  explicit RateLearner(const RateLaw& law)
      : law_(law),
        gcra_({.rate = 0, .burst = 1}),
        patience_(law.patience_min),
        ramp_growth_(law.ramp_growth) {}

  /// From watching: lets `rate` units a second through, more with each clean step. `ceiling`, if
  /// any, ends the ramp there, as a limit that somebody told.
  void start_ramp(base::Instant now, double rate, std::optional<double> ceiling = std::nullopt);

  /// The limit is believed to be `rate`; begins at `share` of it.
  void start_at(base::Instant now, double rate, double share);

  /// Somebody told the limit during a ramp: that ends there.
  void set_ceiling(double ceiling) { ceiling_ = ceiling; }

  /// While watching, a declared limit sets this pace, in units a second.
  void set_declared(double rate) { declared_ = rate; }

  /// Back to watching.
  void stop();

  /// For a trial: exactly this pace, and nothing is learned from its use, until let_go() or until
  /// something else sets the pace. Only while steady.
  void hold(base::Instant now, double rate);

  /// The pace is what it was before hold().
  void let_go(base::Instant now);

  [[nodiscard]] bool is_held() const { return is_held_; }

  /// It was refused where its limit is believed to be: as after an episode that found it again.
  void confirm(base::Instant now);

  /// The pace is back near the limit, after the cut of the last episode.
  [[nodiscard]] bool has_come_back() const { return phase_ == Phase::steady && progress_ >= -0.5; }

  /// The first instant ≥ now at which `units` may be sent. Later only if others are sent.
  [[nodiscard]] base::Instant earliest(base::Instant now, double units) const;

  /// earliest(now, units) must be now, unless a ramp has better evidence than the pace.
  [[nodiscard]] Ticket reserve(base::Instant now, double units);

  /// The real units of a request.
  void settle(base::Instant now, const Ticket& ticket, double used);

  /// The server refused it. `resume`: nothing is sent before. When that begins an episode: the rate
  /// that was delivered until then, as far as it can be told, for blame().
  [[nodiscard]] std::optional<Delivered> refused(base::Instant now,
                                                 const Ticket& ticket,
                                                 base::Instant resume);

  /// The server refused it for no reason of rate: it used the pace, was not delivered, and teaches
  /// nothing.
  void excused(base::Instant now, const Ticket& ticket);

  /// This limit was the reason of the episode: the pace is cut to what was delivered.
  void blame(base::Instant now, const Delivered& delivered);

  /// The server says that the pace grew too fast: a little less, and no growth for a while.
  void too_fast(base::Instant now);

  /// False: no more looking for room, e.g. because the campaign is nearly over.
  void set_probing(bool probing) { is_probing_ = probing; }

  [[nodiscard]] Phase phase() const { return phase_; }

  /// Units a second; 0 while watching.
  [[nodiscard]] double pace() const { return gcra_.pace().rate; }

  /// What the limit is believed to be, in units a second; nullopt before the first episode.
  [[nodiscard]] std::optional<double> limit() const;

  /// From 0 to 1: how often it was found again at the same place.
  [[nodiscard]] double confidence() const { return confidence_; }

  void set_confidence(double confidence) { confidence_ = confidence; }

  /// Units a second that were sent and not refused of late.
  [[nodiscard]] double delivered(base::Instant now) const { return minute_.in_window(now) / 60; }

  /// Units a second that go through now: the pace where it is used, else what was delivered lately.
  [[nodiscard]] double load() const;

  /// Since the last episode began: how long, and what was sent and not refused. Nothing without
  /// one.
  struct SinceEpisode {
    double seconds = 0;
    double units = 0;
  };

  [[nodiscard]] SinceEpisode since_episode(base::Instant now) const;

  /// Units sent and not refused so far.
  [[nodiscard]] double clean_total() const { return sent_total_ - refused_total_; }

  /// Episodes so far.
  [[nodiscard]] std::size_t episodes() const { return episodes_; }

  /// The wait that the last one asked for.
  [[nodiscard]] double wait_seconds() const { return wait_seconds_; }

  [[nodiscard]] double mean_units() const { return mean_units_; }

 private:
  struct Mark {
    base::Instant at;
    double total = 0;  // sent and not refused until then
  };

  [[nodiscard]] base::Duration check_interval() const;
  [[nodiscard]] double time_constant() const;
  [[nodiscard]] double curve() const;
  [[nodiscard]] Delivered delivered_before(base::Instant now,
                                           const Ticket& ticket,
                                           base::Duration wait) const;
  void check(base::Instant now);
  void grow(base::Instant now, double elapsed_seconds);
  void set_rate(base::Instant now, double rate);
  void restart(base::Instant now, double rate);
  [[nodiscard]] bool is_minute_enough(double per_second) const;
  [[nodiscard]] double ramp_begin() const;
  [[nodiscard]] double found_first(const Delivered& delivered) const;
  [[nodiscard]] double passed(const Delivered& delivered) const;
  [[nodiscard]] double found(const Delivered& delivered) const;
  void count_refusal(base::Instant now);
  [[nodiscard]] bool is_in_vain();
  void agree();
  void age_counts(base::Instant now);

  RateLaw law_;
  Gcra gcra_;
  Phase phase_ = Phase::watching;
  bool is_probing_ = true;
  bool is_held_ = false;
  bool has_recovered_ = false;  // the curve came back to its maximum once
  double limit_ = 0;
  double progress_ = 0;  // along the curve, 0 where it is at the limit
  double patience_;
  double thrift_ = 1;
  double confidence_ = 0;
  double ramp_growth_;
  std::optional<double> ceiling_;
  double declared_ = 0;

  std::optional<base::Instant> sent_at_;  // the last one
  double sent_total_ = 0;
  double refused_total_ = 0;
  double mean_units_ = 0;
  double sent_late_ = 0;  // requests, fading
  double refused_late_ = 0;
  base::Instant counted_at_{};

  double requests_ = 0;           // sent and not refused
  double requests_at_blame_ = 0;  // of these, when it was blamed last
  int vain_ = 0;                  // episodes in a row
  double rate_before_vain_ = 0;   // the limit as it was believed before them

  Mark checked_;             // begin of the current interval of the busy check
  Mark checked_before_;      // and of the one before
  double checked_rate_ = 0;  // delivered in the last whole one
  Mark episode_;             // at the request that began the last one
  std::optional<base::Instant> episode_at_;
  std::size_t episodes_ = 0;
  UsageMeter minute_{std::chrono::minutes(1)};  // sent and not refused
  double wait_seconds_ = 0;                     // of the last episode
  base::Instant opened_at_{};                   // when that was over
  base::Instant frozen_until_ = base::Instant::min();
};

}  // namespace sortie::quota
