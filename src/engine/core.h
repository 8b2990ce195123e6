#pragma once

#include "sortie/engine/budget.h"
#include "sortie/engine/control.h"
#include "sortie/engine/dispatcher_core.h"
#include "sortie/engine/engine.h"
#include "sortie/engine/forecast.h"
#include "sortie/engine/lengths.h"
#include "sortie/engine/loss_meter.h"
#include "sortie/engine/open_trial.h"
#include "sortie/engine/speed.h"
#include "sortie/provider/dialect.h"
#include "sortie/quota/token_estimator.h"
#include "sortie/wire/transport.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

// The engine's state and its moves, shared by engine.cc (its part of a turn of the loop), trials.cc
// (opening, replaying, closing), attempts.cc (from assignment to durable turn), funds.cc (the
// budget), deadline.cc and control.cc. Internal to the module.

namespace sortie::engine {

/// Turns of a pilot dialogue before any has finished (docs/design/benchmark.md).
inline constexpr double kPriorTurns = 8;
/// More turns of a dialogue are counted as so many.
inline constexpr std::size_t kTurnsMax = 64;

/// The trials of a cell that are of one task type: they are about as long as each other. Their
/// ordinals in the cell are first + row·step; rows run over repeats slowest.
struct Stratum {
  std::size_t cell = 0;
  suite::TaskType type{};
  std::uint64_t first = 0;
  std::uint64_t step = 1;
  std::uint64_t next = 0;        // row: all before it are begun
  std::uint64_t rows = 0;        // that are wanted
  std::uint64_t per_repeat = 0;  // rows
  std::uint64_t left = 0;        // not begun
  DialogueLengths lengths;

  [[nodiscard]] std::uint64_t ordinal(std::uint64_t row) const { return first + row * step; }
};

/// Sums over the answers of this process, for the bound.
struct WorkDone {
  double requests = 0;
  double input_tokens = 0;
  double output_tokens = 0;
  double service_seconds = 0;
  double dialogue_seconds_max = 0;  // in requests, of one dialogue

  WorkDone& operator+=(const WorkDone& other) {
    requests += other.requests;
    input_tokens += other.input_tokens;
    output_tokens += other.output_tokens;
    service_seconds += other.service_seconds;
    dialogue_seconds_max = std::max(dialogue_seconds_max, other.dialogue_seconds_max);
    return *this;
  }
};

struct ModelState {
  DialogueLengths lengths;
  std::map<suite::TaskType, DialogueLengths> lengths_by_type;
  quota::TokenEstimator estimator;
  MeanFunds turn_funds;
  Funds reserve_max;  // of its requests
  ModelProgress progress;
  WorkDone done;
  std::uint64_t unopened = 0;  // trials
};

/// What a route's requests have in common, resolved once.
struct RouteState {
  const provider::Dialect* dialect = nullptr;
  provider::SignalRules rules;  // how its errors are read
  const base::Secret* key = nullptr;
  std::optional<wire::Timeouts> timeouts;      // as declared
  std::shared_ptr<const wire::Access> access;  // shared with its requests
  bool simulated = false;
};

class Engine::Core final : public wire::CompletionSink {
 public:
  Core(const RunContext& context,
       const EngineParts& parts,
       const EngineOptions& options,
       RunHistory history);
  ~Core() override;
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  void start(std::function<void(RunResult)> on_end);
  void request_stop();
  [[nodiscard]] base::Result<std::vector<std::string>> control(const ControlCommand& command);
  void committed(base::Result<ledger::Sequence> outcome);
  void completed(wire::Completion completion) override;
  wire::Piece received(wire::ExchangeId id,
                       const wire::Response& head,
                       std::string_view piece) override;
  [[nodiscard]] RunStatus status() const;
  [[nodiscard]] std::optional<TimeLeft> time_left() const;
  [[nodiscard]] std::optional<base::Duration> bound_left(const TimeLeft& time_left) const;

  // --- For the dispatcher: an engine's part of a turn of the loop, in this order.
  [[nodiscard]] bool is_running() const { return running_; }

  /// False: no request may leave any more.
  [[nodiscard]] bool may_send() const { return !stopping_ && !past_deadline_; }

  void take_arrivals();
  void fund_parked();
  [[nodiscard]] bool may_begin(std::size_t model);
  void open_next(std::size_t cell);
  void bind(const sched::Assignment& assignment);
  void end_turn();
  /// When it wants its next turn, whatever the scheduler does.
  [[nodiscard]] std::optional<base::Instant> next_check() const;

  // --- Also for the dispatcher: what it asks, and tells.
  [[nodiscard]] std::size_t open_count() const { return open_count_; }

  [[nodiscard]] const ModelState& model(std::size_t index) const { return models_[index]; }

  [[nodiscard]] bool is_draining() const { return counters_.draining; }

  /// A person paused the run or the model.
  [[nodiscard]] bool is_paused(std::size_t model) const {
    return counters_.paused || models_[model].progress.paused;
  }

  /// Adds the turns that wait in the scheduler and may go, by model.
  void count_ready(std::vector<std::size_t>& ready) const;
  [[nodiscard]] std::optional<base::Duration> time_needed() const;

  /// Writes down what was not noted yet, as events.
  void note_shared_limits(const std::vector<SharedLimit>& shared);
  void route_is_out(std::size_t route, const std::string& why);
  /// `through`: the campaign that was told; "" for this one.
  void record(const ControlCommand& command,
              const std::vector<std::string>& changes,
              std::string_view through);

  [[nodiscard]] const std::string& name() const { return context_.campaign->name; }

 private:
  // --- engine.cc
  void wake() { floor_.wake(); }

  void take_commits();
  void take_begun();
  void check_patience();
  [[nodiscard]] bool is_under_way() const;
  /// Turns that wait in the scheduler.
  [[nodiscard]] std::size_t waiting() const;
  void check_end();
  void finish(RunEnd end, std::string message);
  void fail(const base::Error& error);
  [[nodiscard]] RunResult result_when_idle() const;
  [[nodiscard]] bool can_go_on() const;
  [[nodiscard]] bool may_begin_later() const;
  [[nodiscard]] bool is_paused() const;
  [[nodiscard]] bool is_shown(const LimitUse& limit) const;
  // --- progress.cc
  [[nodiscard]] std::vector<ScenarioProgress> scenarios() const;
  [[nodiscard]] std::vector<RouteProgress> routes() const;
  static void add_domains(RunStatus& status);
  [[nodiscard]] bool is_taken_out(std::size_t model) const;
  [[nodiscard]] std::string routes_out() const;
  ledger::Sequence append(ledger::Record record);
  /// Durable all or none.
  ledger::Sequence append_together(std::vector<ledger::Record> records);
  void schedule_commit();
  void note(std::string text);
  void note_event(std::string_view kind, std::string_view subject, std::string_view detail);
  void stop_waiting();
  void stop_in_flight();

  [[nodiscard]] base::Instant now() const { return parts_.loop->now(); }

  [[nodiscard]] sched::Scheduler& scheduler() const { return floor_.scheduler(); }

  [[nodiscard]] std::size_t group_of(std::size_t cell) const {
    return floor_.first_group(place_) + cell;
  }

  [[nodiscard]] base::WallTime wall() const { return parts_.loop->clock().wall(); }

  // --- control.cc
  using Changes = base::Result<std::vector<std::string>>;
  [[nodiscard]] Changes change(const ControlCommand& command);
  [[nodiscard]] Changes set_paused(const ControlCommand& command, bool paused);
  [[nodiscard]] Changes start_draining(const ControlCommand& command);
  [[nodiscard]] Changes set_share(const ControlCommand& command);
  void apply_pauses();
  void apply_share(std::size_t cell);
  [[nodiscard]] Changes change_limits(const ControlCommand& command);
  [[nodiscard]] Changes set_key_enabled(const ControlCommand& command, bool enabled);
  [[nodiscard]] base::Result<std::size_t> model_named(const std::string& name) const;
  [[nodiscard]] std::vector<quota::Limit> limits_in_force(std::size_t domain,
                                                          quota::LimitKind kind) const;

  // --- funds.cc
  void measure_reserve(OpenTrial& trial);
  [[nodiscard]] bool fund(OpenTrial& trial);
  void refund(OpenTrial& trial, const Funds& used);
  void expect(OpenTrial& trial, double turns);
  [[nodiscard]] Funds whole_dialogue(const ModelState& model) const;
  [[nodiscard]] bool can_afford_dialogue(std::size_t model);
  [[nodiscard]] bool may_be_funded_later() const;
  void park(sched::Ticket ticket);
  [[nodiscard]] bool is_out_of_funds() const;
  [[nodiscard]] std::string funds_text() const;

  // --- deadline.cc
  void check_deadline();
  void cut_repeats();
  std::uint64_t shorten(Stratum& stratum, std::uint64_t rows);
  [[nodiscard]] double turns_left(const ModelState& model) const;
  [[nodiscard]] std::optional<base::Instant> next_deadline_check() const;

  void report_speed();

  // --- time_left.cc
  [[nodiscard]] std::vector<sched::WorkClass> work_left() const;

  // --- trials.cc
  void reopen_begun_trials();
  [[nodiscard]] spec::Trial next_trial(std::size_t cell);
  void add_strata(std::size_t cell);
  [[nodiscard]] std::size_t stratum_of(const spec::Trial& trial) const;
  void tell_backlog(std::size_t cell);
  void tell_backlogs();
  [[nodiscard]] std::span<Stratum> strata_of(std::size_t cell);
  [[nodiscard]] std::size_t model_of(const Stratum& stratum) const;
  [[nodiscard]] double turns_each(const Stratum& stratum) const;
  sched::Ticket place(std::unique_ptr<OpenTrial> trial);
  [[nodiscard]] base::Status replay(OpenTrial& trial, const std::vector<ledger::StoredTurn>& turns);
  void make_ready(sched::Ticket ticket);
  void queue(sched::Ticket ticket);
  [[nodiscard]] double turns_to_come(const OpenTrial& open) const;
  void measure(OpenTrial& trial) const;
  void advance(sched::Ticket ticket);
  void close_scored(sched::Ticket ticket);
  void close_lost(sched::Ticket ticket, std::string_view outcome, std::string detail);
  void release(sched::Ticket ticket, bool ended);

  [[nodiscard]] OpenTrial& trial(sched::Ticket ticket) { return *open_[ticket.value]; }

  // --- attempts.cc
  [[nodiscard]] wire::Request encode(const OpenTrial& trial, std::size_t route) const;
  [[nodiscard]] wire::Timeouts timeouts_for(const OpenTrial& open,
                                            const RouteState& route,
                                            bool stream) const;
  void depart(sched::Ticket ticket, std::optional<base::Instant> granted);
  void send(sched::Ticket ticket);
  void take_completion(wire::Completion completion);
  [[nodiscard]] bool is_right_model(std::size_t route, std::string_view served) const;
  [[nodiscard]] std::expected<provider::Decoded, quota::Signal> read(
      OpenTrial& open, const wire::Completion& completion, StreamedAnswer* streamed) const;
  void hear(const OpenTrial& open, std::optional<quota::SignalClass> failure);
  void take_answer(sched::Ticket ticket,
                   provider::Decoded decoded,
                   const sched::AnswerTiming& timing,
                   ledger::AttemptEndRecord end);
  void count_answer(const OpenTrial& open, double input, double output);
  void take_wrong_model(sched::Ticket ticket,
                        const chat::Answer& answer,
                        ledger::AttemptEndRecord end);
  void take_failure(sched::Ticket ticket, quota::Signal signal, ledger::AttemptEndRecord end);
  void act_on(sched::Ticket ticket,
              const sched::FailureVerdict& verdict,
              const quota::Signal& signal);
  void commit_turn(sched::Ticket ticket,
                   ledger::AttemptEndRecord end,
                   const chat::Answer& answer,
                   std::string finish);
  [[nodiscard]] std::optional<chat::Answer> model_outcome(const quota::Signal& signal) const;
  void withdraw(sched::Ticket ticket);
  void forget_requests();

  /// Names the attempt's exchange among those of all engines: the transport may be shared.
  [[nodiscard]] wire::ExchangeId exchange_of(ledger::AttemptId attempt) const {
    return {(static_cast<std::uint64_t>(place_) << 48U) | static_cast<std::uint64_t>(attempt)};
  }

  RunContext context_;
  EngineParts parts_;
  EngineOptions options_;
  RunHistory history_;
  std::unique_ptr<Dispatcher> own_floor_;  // null: it is shared
  Dispatcher::Core& floor_;
  std::size_t place_ = 0;  // there

  std::vector<RouteState> routes_;
  std::vector<ModelState> models_;
  std::vector<TrialCounts> counts_;  // by cell
  std::vector<Stratum> strata_;
  std::vector<std::size_t> first_stratum_;        // by cell
  std::vector<std::unique_ptr<OpenTrial>> open_;  // by ticket; null: free
  std::size_t open_count_ = 0;
  std::size_t departing_ = 0;
  Fund fund_;  // of this campaign; floor_.fund() holds beside it
  std::set<std::pair<double, sched::Ticket>> parked_;  // unfunded, nearest to their end first
  bool dialogue_refused_ = false;                      // by the budget, since it last changed
  std::unordered_map<std::uint64_t, sched::Ticket> in_flight_;  // by exchange id

  std::deque<std::pair<ledger::Sequence, sched::Ticket>> attempts_committing_;
  std::deque<std::pair<ledger::Sequence, sched::Ticket>> turns_committing_;
  ledger::Sequence appended_ = 0;
  ledger::Sequence durable_ = 0;
  bool commit_scheduled_ = false;  // inline ledger only

  std::vector<wire::Completion> inbox_;
  std::vector<sched::Assignment> begun_;  // the first answer of its route has
  ledger::TrialId next_trial_id_ = 1;
  ledger::AttemptId next_attempt_id_ = 1;

  // Written by the ledger's thread, read by the loop.
  std::atomic<ledger::Sequence> committed_{0};
  std::atomic<bool> commit_posted_{false};

  bool running_ = false;  // begun and not ended
  bool stopping_ = false;
  bool past_deadline_ = false;  // nothing is sent any more, what is in flight may end
  std::optional<base::Instant> deadline_;
  base::Instant next_cut_check_;
  std::uint64_t trials_cut_ = 0;
  bool ended_ = false;
  bool speed_reported_ = false;
  std::set<std::pair<std::string, bool>> shared_noted_;  // name, is_over
  std::optional<RunResult> pending_end_;                 // decided, waiting for the last commit
  base::Instant last_life_;
  base::Instant started_;
  Forecast forecast_;
  std::optional<base::Instant> ended_at_;
  std::function<void(RunResult)> on_end_;
  RunStatus counters_;
};

template <class Action>
void Dispatcher::Core::for_each_running(Action action) const {
  for (const Member& member : members_) {
    if (member.engine != nullptr && member.engine->is_running()) {
      action(*member.engine);
    }
  }
}

}  // namespace sortie::engine
