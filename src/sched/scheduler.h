#pragma once

#include "sortie/base/ids.h"
#include "sortie/base/time.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/learner.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/answer_times.h"
#include "sortie/spec/model.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What to send next, when and where: pure, takes `now`. One queue of ready turns per model, longest
// expected remaining dialogue first; the head is bound as late as possible, to the route that can
// take it first; each limit is paced; a waiting turn holds nothing. docs/design/scheduling.md has
// the rules and their sources.

namespace sortie::sched {

/// Most dialogues open at once of a model with a route on which nothing is declared.
inline constexpr std::size_t kOpenMaxUndeclared = 256;

struct TicketTag {};

/// The caller's name for an open dialogue; small and dense.
using Ticket = base::Id<TicketTag>;

/// A turn that waits for a route.
struct ReadyTurn {
  Ticket ticket;
  std::size_t model = 0;         // in Topology::models
  double remaining_turns = 1;    // expected, this one included: longest first
  double input_tokens = 0;       // estimate for this request
  double output_tokens = 0;      // expectation
  double max_output_tokens = 0;  // the parameter that is sent
  // The route that served the dialogue's last turn: preferred when equally early, for the sake of
  // prompt caches.
  std::optional<std::size_t> route_before = std::nullopt;
  // What it belongs to inside its model, e.g. a cell of the experiment: the caller's number. Groups
  // of a model end together.
  std::optional<std::size_t> group = std::nullopt;
};

/// Dialogues of a group that are not open yet.
struct Backlog {
  double dialogues = 0;
  double turns_each = 0;  // expected
};

/// A person's wish for a group.
struct GroupShare {
  double weight = 1;      // > 0: served in proportion to weight × work that is left
  double guaranteed = 0;  // in [0, 1): at least this fraction of what the limits let through
  // Groups of the same tenant, of any model, have the guarantee together; each has to state it. The
  // caller's number, small and dense. Without one, the group has it alone.
  std::optional<std::size_t> tenant = std::nullopt;
};

/// A turn bound to a route, with its capacity reserved. Must be settled exactly once.
struct Assignment {
  Ticket ticket;
  std::size_t route = 0;          // in Topology::routes
  std::uint64_t reservation = 0;  // names it in settle calls
};

/// What becomes of a turn whose attempt failed.
enum class Verdict : std::uint8_t {
  again,    // it is ready again (perhaps later, perhaps elsewhere); the scheduler has queued it
  give_up,  // its budget is used up or nothing can serve it: an infrastructure outcome
};

struct FailureVerdict {
  Verdict verdict = Verdict::again;
  bool route_disabled = false;  // by this failure: tell the user
};

struct RouteStatus {
  bool usable = true;     // false: disabled, or exhausted until closed_until
  bool disabled = false;  // until a person or a check of its key takes it in again
  std::string reason;     // why not, for people
  std::uint64_t in_flight = 0;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  std::uint64_t throttled = 0;
  std::optional<base::Instant> closed_until;  // gate or breaker
};

/// Pools that nothing is declared about and that refusals show to be one limit, e.g. of two keys of
/// one account.
struct SharedPool {
  std::string name;  // of the members; if they are paced as one, of their pool in domain_status()
  std::vector<std::string> members;  // names of pools, as in domain_status()
  base::Instant since;
  bool is_over = false;  // later refusals spoke against it
};

/// What is done about them.
enum class SharedLimits : std::uint8_t {
  ignored,   // nothing: each pool learns for itself
  reported,  // looked for and listed; each pool learns on for itself
  paced,     // looked for, and paced as one limit
};

struct SchedulerOptions {
  double jitter_seconds = 0.010;      // by which delays to a server differ: pacing allows for it
  std::size_t in_flight_max = 0;      // over all routes; 0: no limit beyond the declared ones
  int transient_attempts_max = 6;     // per turn, of classes that count
  int unprocessed_attempts_max = 20;  // per turn, of classes that do not count
  std::uint64_t seed = 0;             // of back-off jitter
  std::vector<quota::PoolMemory> remembered{};  // by earlier runs, matched by pool
  bool ramp = true;  // where nothing is declared, begin slowly; false: as if there were no limit
  SharedLimits shared_limits = SharedLimits::paced;  // that nobody declared
  // A key that is refused is asked once again after so long; zero: never.
  base::Duration dead_key_recheck{};
  // Requests in flight at first, per model of an endpoint, where a route has no declared limit; it
  // grows while answers stay as fast. 0: as many as there are.
  std::size_t window_first = 0;
};

/// What is known about how long an answer took, beyond its end.
struct AnswerTiming {
  std::optional<base::Duration> first_token{};  // of a streamed answer, reasoning included
  std::optional<StreamTiming> stream{};         // if how it came was watched
};

/// Silence after which a request counts as dead: cancel it, report a stall, and only then may it be
/// sent again. Neither limit depends on how long the answer is: see AnswerTimes.
struct SilenceLimits {
  base::Duration first_byte;  // from sending
  base::Duration liveness;    // between two bytes
  base::Duration progress;    // to the first token and between two; of reasoning too
};

class Scheduler {
 public:
  /// `topology` must outlive the scheduler.
  Scheduler(const spec::Topology& topology, const SchedulerOptions& options);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// A turn is ready. One per ticket at a time.
  void add(const ReadyTurn& turn, base::Instant now);

  /// Forgets a waiting turn, e.g. because its trial was cancelled. No effect on a ticket that does
  /// not wait.
  void remove(Ticket ticket);

  /// Binds what the limits allow at `now`, best first. Appends to `out`.
  void decide(base::Instant now, std::vector<Assignment>& out);

  /// When decide() could bind something that it cannot now; nullopt: only after a settle or add.
  [[nodiscard]] std::optional<base::Instant> next_decision(base::Instant now) const;

  /// When the assigned request may leave: now, or later because its attempt became durable late
  /// or a gate has closed since. If later, ask again at that instant with it as `granted`.
  [[nodiscard]] base::Instant departure(const Assignment& assignment,
                                        std::optional<base::Instant> granted,
                                        base::Instant now);

  /// True while began() would tell something: the route has not answered yet, or comes back after
  /// failures.
  [[nodiscard]] bool awaits_tokens(std::size_t route) const;

  /// Tokens of its answer come, from the model that was asked: the route works.
  void began(const Assignment& assignment, base::Instant now);

  /// The answer came: real usage, and what its headers said.
  void answered(const Assignment& assignment,
                double input_tokens,
                double output_tokens,
                const quota::LimitHints& hints,
                base::Instant now,
                const AnswerTiming& timing = {});

  /// Did streams over the assignment's route show life while the model thought? False until one
  /// did.
  [[nodiscard]] bool shows_life(const Assignment& assignment) const;

  /// For the request of this assignment. `shows_life`: the route streams, and sends something while
  /// the model thinks. Progress can only be watched if it is streamed.
  [[nodiscard]] SilenceLimits silence_limits(const Assignment& assignment, bool shows_life) const;

  /// It failed. For `again` the turn is queued inside with its waiting time.
  FailureVerdict failed(const Assignment& assignment,
                        const quota::Signal& signal,
                        base::Instant now);

  /// Another model answered: the route is taken out for good.
  FailureVerdict wrong_model(const Assignment& assignment,
                             std::string_view served,
                             base::Instant now);

  /// It was cancelled by us before it ended: reserved cost stays, the turn is not queued again.
  void cancelled(const Assignment& assignment, base::Instant now);

  /// Tells what the group has to do beyond its open dialogues. Without it, only open dialogues
  /// count.
  void set_backlog(std::size_t model, std::size_t group, const Backlog& backlog);

  /// The group whose next dialogue should be opened, among those with a backlog that `may_open`
  /// lets pass.
  [[nodiscard]] std::optional<std::size_t> opens_next(
      std::size_t model, const std::function<bool(std::size_t group)>& may_open = {}) const;

  // --- A person's decisions while it runs. Each takes effect at the next decide().

  /// The model is served in proportion to `weight` (> 0, at first 1) among those that share limits
  /// with it.
  void set_share(std::size_t model, double weight);
  void set_group_share(std::size_t model, std::size_t group, const GroupShare& share);

  /// Binds nothing until resume(). What is in flight goes on.
  void pause(base::Instant now);
  void resume(base::Instant now);
  void set_model_paused(std::size_t model, bool paused);

  /// The same for a group. Its turns wait outside of the queue: they count nowhere as ready or
  /// open.
  void set_group_paused(std::size_t model, std::size_t group, bool paused, base::Instant now);

  /// A person takes a route out, also one that a failure had taken out: then it does not come back
  /// with its key. `reason` is for people. False when a person has taken it out already.
  bool disable_route(std::size_t route, std::string reason);

  /// Takes it in again, also after a failure took it out for good. It has to prove itself like a
  /// new one. False when it was not out.
  bool enable_route(std::size_t route, base::Instant now);

  /// `limit` takes the place of all limits of its kind of the domain (in Topology::domains), looser
  /// or tighter, until lift_limit() puts the declared ones in force again.
  void limit_domain(std::size_t domain, const quota::Limit& limit, base::Instant now);
  void lift_limit(std::size_t domain, quota::LimitKind kind, base::Instant now);

  /// Does any route of the model still work (now or later)? When the last one is disabled, turns
  /// that wait go on waiting until remove(): the caller decides how long.
  [[nodiscard]] bool has_usable_route(std::size_t model) const;

  /// How many more dialogues of the model should be open, so that its routes never lack ready
  /// turns: 0 when the queue is long enough.
  [[nodiscard]] std::size_t wants_open(std::size_t model) const;

  [[nodiscard]] std::vector<RouteStatus> route_status(base::Instant now) const;

  /// In the order of Topology::domains, then of the routes without one; then pools that stand for
  /// others which seem to be one limit.
  [[nodiscard]] std::vector<quota::DomainStatus> domain_status(base::Instant now) const;

  /// Found so far, and since taken back.
  [[nodiscard]] std::vector<SharedPool> shared_pools() const;

  /// What refusals and headers taught so far, for SchedulerOptions::remembered of the next run;
  /// pools that taught nothing are absent. The store adds the time, and forgets what is old.
  [[nodiscard]] std::vector<quota::PoolMemory> learned() const;

  /// False: no more looking for room beyond learned limits, e.g. because the end is near and there
  /// is no time left to gain from it.
  void set_probing(bool probing);
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::size_t in_flight() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sortie::sched
