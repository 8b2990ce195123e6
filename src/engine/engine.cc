#include "sortie/engine/engine.h"

#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/engine/core.h"
#include "sortie/engine/records.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::engine {

namespace {

constexpr std::size_t kProblemsMax = 16;

/// What the endpoint's file says; else nothing, and the scheduler's limits of silence hold.
std::optional<wire::Timeouts> timeouts_of(const spec::Endpoint& endpoint) {
  if (endpoint.first_byte_seconds <= 0) {
    return std::nullopt;
  }
  wire::Timeouts timeouts;
  timeouts.first_byte = base::from_seconds(endpoint.first_byte_seconds);
  timeouts.liveness = timeouts.first_byte;
  return timeouts;
}

}  // namespace

Engine::Core::Core(const RunContext& context,
                   const EngineParts& parts,
                   const EngineOptions& options,
                   RunHistory history)
    : context_(context),
      parts_(parts),
      options_(options),
      history_(std::move(history)),
      own_floor_(
          parts.dispatcher != nullptr
              ? nullptr
              : std::make_unique<Dispatcher>(*context.topology,
                                             *parts.loop,
                                             DispatcherOptions{.scheduling = options.scheduling,
                                                               .open_max = options.open_max,
                                                               .funds = {}})),
      floor_(*(own_floor_ != nullptr ? own_floor_.get() : parts.dispatcher)->core_),
      fund_{.budget = Budget(options.funds, history_.spent), .expected = {}},
      forecast_(context.topology->models.size(), kTurnsMax, {}) {
  const spec::Topology& topology = *context_.topology;
  CHECK(&floor_.topology() == &topology);
  place_ = floor_.join(*this, context_.campaign->cells.size(), history_.spent);
  std::vector<std::shared_ptr<const wire::Access>> accesses;
  for (const spec::Endpoint& endpoint : topology.endpoints) {
    accesses.push_back(std::make_shared<const wire::Access>(endpoint.access));
  }
  for (const spec::Route& route : topology.routes) {
    const spec::Endpoint& endpoint = topology.endpoints[route.endpoint];
    const base::Secret& key = (*context_.secrets)[route.endpoint][route.key];
    routes_.push_back({.dialect = provider::find_dialect(endpoint.dialect),
                       .rules = context_.topology->rules_of(route.endpoint),
                       .key = key.empty() ? nullptr : &key,
                       .timeouts = timeouts_of(endpoint),
                       .access = accesses[route.endpoint],
                       .simulated = endpoint.simulated});
    CHECK(routes_.back().dialect != nullptr);
  }
  for (const spec::Model& model : topology.models) {
    models_.push_back({.lengths = DialogueLengths(kTurnsMax, kPriorTurns),
                       .lengths_by_type = {},
                       .estimator = quota::TokenEstimator(),
                       .turn_funds = {},
                       .reserve_max = {},
                       .progress = {},
                       .done = {},
                       .unopened = 0});
    models_.back().progress.model = model.name;
    models_.back().progress.simulated = model.simulated;
  }
  for (std::size_t i = 0; i < context_.campaign->cells.size(); ++i) {
    const spec::Cell& cell = context_.campaign->cells[i];
    ModelState& model = models_[cell.model];
    apply_share(i);
    add_strata(i);
    counts_.push_back({.planned = cell.size(),
                       .scored = history_.cells[i].scored,
                       .succeeded = history_.cells[i].succeeded,
                       .lost = history_.cells[i].lost});
    model.progress.planned += cell.size();
    model.progress.scored += history_.cells[i].scored;
    model.progress.succeeded += history_.cells[i].succeeded;
    model.progress.reused += history_.cells[i].reused;
    model.progress.lost += history_.cells[i].lost;
  }
  next_trial_id_ = parts_.ledger->next_trial_id();
  next_attempt_id_ = parts_.ledger->next_attempt_id();
}

Engine::Core::~Core() {
  floor_.leave(place_);
}

void Engine::Core::start(std::function<void(RunResult)> on_end) {
  on_end_ = std::move(on_end);
  started_ = now();
  last_life_ = started_;
  forecast_ = Forecast(models_.size(), kTurnsMax, started_);
  running_ = true;
  floor_.start();
  if (options_.deadline.has_value()) {
    deadline_ = started_ + (*options_.deadline - wall());
    next_cut_check_ = started_;
  }
  for (const spec::Cell& cell : context_.campaign->cells) {
    append(to_record(*context_.topology, cell));
  }
  json::Array beside;
  for (const std::string& other : floor_.beside(place_)) {
    beside.emplace_back(other);
  }
  note_event("run_started",
             name(),
             beside.empty() ? "{}" : json::to_text(json::Object{{"beside", std::move(beside)}}));
  reopen_begun_trials();
  wake();
}

void Engine::Core::request_stop() {
  if (stopping_ || ended_) {
    return;
  }
  stopping_ = true;
  note_event("run_interrupted", name(), "{}");
  stop_in_flight();
  wake();
}

/// Takes back what was not sent; those turns stay open.
void Engine::Core::stop_waiting() {
  for (const auto& open : open_) {
    if (open == nullptr) {
      continue;
    }
    if (open->stage == Stage::waiting && open->funded) {
      scheduler().remove(open->assignment.ticket);
      refund(*open, {});
    } else if (open->stage == Stage::departing) {
      parts_.loop->cancel(open->departure);
      --departing_;
      withdraw(open->assignment.ticket);
    }
  }
  tell_backlogs();
}

void Engine::Core::stop_in_flight() {
  stop_waiting();
  for (const auto& open : open_) {
    if (open != nullptr && open->stage == Stage::in_flight) {
      parts_.transport->cancel(exchange_of(open->attempt));
    }
  }
}

/// The ledger has failed, and nobody will hear what becomes of the requests under way: the
/// scheduler must not wait for them.
void Engine::Core::forget_requests() {
  for (const auto& open : open_) {
    if (open != nullptr &&
        (open->stage == Stage::attempt_committing || open->stage == Stage::in_flight)) {
      scheduler().cancelled(open->assignment, now());
      floor_.landed(open->model);
      refund(*open, open->reserve);
      open->stage = Stage::waiting;
    }
  }
}

void Engine::Core::committed(base::Result<ledger::Sequence> outcome) {
  if (!outcome.has_value()) {
    parts_.loop->post_from_thread([this, error = std::move(outcome).error()] { fail(error); });
    return;
  }
  committed_.store(*outcome, std::memory_order_release);
  if (!commit_posted_.exchange(true, std::memory_order_acq_rel)) {
    parts_.loop->post_from_thread([this] {
      // An exchange, not a store: whoever found it set just before has its number seen by pump(),
      // which a load after a mere store might not.
      static_cast<void>(commit_posted_.exchange(false, std::memory_order_acq_rel));
      floor_.pump();
    });
  }
}

void Engine::Core::completed(wire::Completion completion) {
  inbox_.push_back(std::move(completion));
  wake();
}

void Engine::Core::take_arrivals() {
  take_commits();
  take_begun();
  std::vector<wire::Completion> completions;
  completions.swap(inbox_);
  for (wire::Completion& completion : completions) {
    take_completion(std::move(completion));
  }
  check_deadline();
}

/// Unless it has ended meanwhile.
void Engine::Core::take_begun() {
  for (const sched::Assignment& assignment : std::exchange(begun_, {})) {
    const auto& open = open_[assignment.ticket.value];
    if (open != nullptr && open->stage == Stage::in_flight &&
        open->assignment.reservation == assignment.reservation) {
      scheduler().began(assignment, now());
    }
  }
}

void Engine::Core::end_turn() {
  if (!stopping_) {
    check_patience();
  }
  check_end();
}

/// What became durable since the last turn is acted on: attempts are sent, answers advance their
/// dialogues.
void Engine::Core::take_commits() {
  durable_ = std::max(durable_, committed_.load(std::memory_order_acquire));
  while (!attempts_committing_.empty() && attempts_committing_.front().first <= durable_) {
    const sched::Ticket ticket = attempts_committing_.front().second;
    attempts_committing_.pop_front();
    depart(ticket, std::nullopt);
  }
  while (!turns_committing_.empty() && turns_committing_.front().first <= durable_) {
    const sched::Ticket ticket = turns_committing_.front().second;
    turns_committing_.pop_front();
    advance(ticket);
  }
}

std::optional<base::Instant> Engine::Core::next_check() const {
  if (stopping_) {
    return std::nullopt;
  }
  std::optional<base::Instant> next = next_deadline_check();
  if (open_count_ > 0 && !is_paused() && !is_under_way()) {
    const base::Instant patience = last_life_ + options_.patience;
    next = next.has_value() ? std::min(*next, patience) : patience;
  }
  return next;
}

/// Ends the run when for `patience` no server was heard of and nothing is on its way. A request
/// that reaches nothing is no life, or a dead address would be asked for ever.
void Engine::Core::check_patience() {
  if (open_count_ == 0 || is_paused() || may_be_funded_later()) {
    last_life_ = now();
    return;
  }
  if (is_under_way()) {
    return;
  }
  for (std::size_t model = 0; model < models_.size(); ++model) {
    if (models_[model].progress.running > 0) {
      last_life_ = std::max(last_life_, floor_.last_life(model));
    }
  }
  if (now() - last_life_ < options_.patience) {
    return;
  }
  pending_end_ = RunResult{.end = RunEnd::with_losses,
                           .message = fmt::format("no route of {} open trials was usable for {}",
                                                  open_count_,
                                                  base::human(options_.patience))};
  stopping_ = true;
  stop_in_flight();
}

/// Requests are on their way, its own or those of other campaigns to what its open trials wait for.
bool Engine::Core::is_under_way() const {
  if (!in_flight_.empty() || departing_ > 0 || !attempts_committing_.empty() ||
      !turns_committing_.empty()) {
    return true;
  }
  for (std::size_t model = 0; model < models_.size(); ++model) {
    if (models_[model].progress.running > 0 && floor_.is_under_way(model)) {
      return true;
    }
  }
  return false;
}

std::size_t Engine::Core::waiting() const {
  return static_cast<std::size_t>(std::ranges::count_if(open_, [](const auto& open) {
    return open != nullptr && open->stage == Stage::waiting && open->funded;
  }));
}

void Engine::Core::count_ready(std::vector<std::size_t>& ready) const {
  for (const auto& open : open_) {
    if (open != nullptr && open->stage == Stage::waiting && open->funded &&
        !is_paused(open->model)) {
      ++ready[open->model];
    }
  }
}

/// Trials are left that may begin when it is this campaign's turn.
bool Engine::Core::may_begin_later() const {
  for (std::size_t model = 0; model < models_.size(); ++model) {
    if (models_[model].unopened > 0 && scheduler().has_usable_route(model)) {
      return !counters_.draining;
    }
  }
  return false;
}

/// Does any open trial have a route that works, now or later?
bool Engine::Core::can_go_on() const {
  for (std::size_t model = 0; model < models_.size(); ++model) {
    const bool has_work = models_[model].progress.running > 0;
    if (has_work && (scheduler().has_usable_route(model) || is_taken_out(model))) {
      return true;
    }
  }
  return false;
}

/// A person disabled a route of the model, and may enable it again.
bool Engine::Core::is_taken_out(std::size_t model) const {
  return std::ranges::any_of(context_.topology->routes_of(model),
                             [this](std::size_t route) { return floor_.taken_out()[route]; });
}

/// Everything that is open waits for a person.
bool Engine::Core::is_paused() const {
  return counters_.paused || std::ranges::all_of(models_, [](const ModelState& model) {
           return model.progress.running == 0 || model.progress.paused;
         });
}

RunResult Engine::Core::result_when_idle() const {
  if (pending_end_.has_value()) {
    return *pending_end_;
  }
  if (stopping_ && !past_deadline_) {
    return {.end = RunEnd::interrupted, .message = {}};
  }
  std::uint64_t lost = 0;
  std::uint64_t missing = 0;
  for (const ModelState& model : models_) {
    lost += model.progress.lost;
    missing += model.progress.planned - model.progress.scored - model.progress.lost;
  }
  if (lost + missing == 0) {
    return {.end = RunEnd::complete, .message = {}};
  }
  if (missing > 0 && past_deadline_) {
    return {.end = RunEnd::deadline,
            .message = fmt::format("the deadline was reached with {} trials left", missing)};
  }
  if (missing > 0 && counters_.draining && open_count_ == 0) {
    return {.end = RunEnd::drained,
            .message = fmt::format("drained as asked; {} trials are left", missing)};
  }
  if (missing > 0 && is_out_of_funds()) {
    return {.end = RunEnd::budget_used,
            .message = fmt::format("{}; {} trials are left", funds_text(), missing)};
  }
  if (missing > 0 && trials_cut_ > 0) {
    return {.end = RunEnd::deadline,
            .message = fmt::format("{} optional repeats were given up for the deadline", missing)};
  }
  std::string message = fmt::format("{} trials ended with an infrastructure outcome", lost);
  if (missing > 0) {
    message += fmt::format(", {} are left without a usable route{}", missing, routes_out());
  }
  return {.end = RunEnd::with_losses, .message = std::move(message)};
}

/// " (route: why; …)" of the routes that were taken out.
std::string Engine::Core::routes_out() const {
  std::string text;
  const std::vector<sched::RouteStatus> routes = scheduler().route_status(now());
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (!routes[i].usable) {
      text += fmt::format("{}{}: {}",
                          text.empty() ? " (" : "; ",
                          context_.topology->routes[i].name,
                          routes[i].reason);
    }
  }
  return text.empty() ? text : text + ")";
}

void Engine::Core::check_end() {
  if (!in_flight_.empty() || departing_ > 0 || !inbox_.empty() || !attempts_committing_.empty() ||
      !turns_committing_.empty()) {
    return;
  }
  if (may_send() && !is_out_of_funds() && (open_count_ > 0 ? can_go_on() : may_begin_later())) {
    return;
  }
  const RunResult result = result_when_idle();
  if (!pending_end_.has_value()) {
    pending_end_ = result;
    if (result.end == RunEnd::complete || result.end == RunEnd::with_losses) {
      note_event("run_finished", name(), "{}");
    }
  }
  if (!speed_reported_) {
    speed_reported_ = true;
    report_speed();
  }
  if (durable_ >= appended_) {
    finish(result.end, result.message);
  }
}

void Engine::Core::finish(RunEnd end, std::string message) {
  ended_ = true;
  ended_at_ = now();
  stop_waiting();
  running_ = false;
  counters_.phase = Phase::finished;
  floor_.ended();
  if (on_end_) {
    on_end_({.end = end, .message = std::move(message)});
  }
}

void Engine::Core::fail(const base::Error& error) {
  if (ended_) {
    return;
  }
  parts_.log->error("ledger_failed", {{"message", error.message}});
  stopping_ = true;
  stop_in_flight();
  forget_requests();
  finish(RunEnd::failed, error.message);
}

ledger::Sequence Engine::Core::append(ledger::Record record) {
  appended_ = parts_.ledger->append(std::move(record));
  schedule_commit();
  return appended_;
}

ledger::Sequence Engine::Core::append_together(std::vector<ledger::Record> records) {
  appended_ = parts_.ledger->append_together(std::move(records));
  schedule_commit();
  return appended_;
}

/// In virtual time a commit takes a constant; a real ledger commits by itself.
void Engine::Core::schedule_commit() {
  if (parts_.loop->is_virtual() && !commit_scheduled_) {
    commit_scheduled_ = true;
    parts_.loop->at(now() + options_.commit_latency, [this] {
      commit_scheduled_ = false;
      // The listener hears about success and failure alike.
      static_cast<void>(parts_.ledger->flush());
    });
  }
}

void Engine::Core::note(std::string text) {
  if (counters_.problems.size() == kProblemsMax) {
    counters_.problems.erase(counters_.problems.begin());
  }
  counters_.problems.push_back({.at = wall(), .text = std::move(text)});
}

void Engine::Core::note_event(std::string_view kind,
                              std::string_view subject,
                              std::string_view detail) {
  append(ledger::EventRecord{.at = wall(),
                             .kind = std::string(kind),
                             .subject = std::string(subject),
                             .detail = std::string(detail)});
  parts_.log->info(kind, {{"subject", subject}, {"detail", detail}});
}

RunStatus Engine::Core::status() const {
  RunStatus status = counters_;
  status.run = context_.campaign->name;
  status.phase = ended_ ? Phase::finished : stopping_ ? Phase::stopping : Phase::running;
  status.at = wall();
  status.elapsed = ended_at_.value_or(now()) - started_;
  status.time_left = time_left();
  if (status.time_left.has_value()) {
    status.bound_left = bound_left(*status.time_left);
  }
  status.in_flight = in_flight_.size();
  status.in_flight_max = floor_.options().scheduling.in_flight_max;
  status.open = open_count_;
  status.open_max = floor_.options().open_max;
  status.waiting = waiting();
  status.unfunded = parked_.size();
  status.budget = {.limits = fund_.budget.limits(),
                   .spent = fund_.budget.spent(),
                   .reserved = fund_.budget.reserved(),
                   .deadline = options_.deadline};
  for (const ModelState& model : models_) {
    if (model.progress.planned > 0) {
      status.models.push_back(model.progress);
    }
  }
  status.scenarios = scenarios();
  status.routes = routes();
  status.shared_limits = floor_.shared_limits();
  status.limits = floor_.limits();
  std::erase_if(status.limits, [&](const LimitUse& limit) {
    const auto& shared = status.shared_limits;
    return !is_shown(limit) &&
           std::ranges::find(shared, limit.domain, &SharedLimit::name) == shared.end();
  });
  add_domains(status);
  return status;
}

/// Beside other campaigns, only what this one's models use.
bool Engine::Core::is_shown(const LimitUse& limit) const {
  const spec::Topology& topology = *context_.topology;
  return floor_.engines() == 1 || std::ranges::any_of(topology.routes, [&](const auto& route) {
           return models_[route.model].progress.planned > 0 &&
                  (route.name == limit.domain ||
                   std::ranges::any_of(route.domains, [&](std::size_t domain) {
                     return topology.domains[domain].name == limit.domain;
                   }));
         });
}

Engine::Engine(const RunContext& context,
               const EngineParts& parts,
               const EngineOptions& options,
               RunHistory history)
    : core_(std::make_unique<Core>(context, parts, options, std::move(history))) {}

Engine::~Engine() = default;

void Engine::start(std::function<void(RunResult)> on_end) {
  core_->start(std::move(on_end));
}

void Engine::request_stop() {
  core_->request_stop();
}

void Engine::committed(base::Result<ledger::Sequence> outcome) {
  core_->committed(std::move(outcome));
}

base::Result<std::vector<std::string>> Engine::control(const ControlCommand& command) {
  return core_->control(command);
}

RunStatus Engine::status() const {
  return core_->status();
}

}  // namespace sortie::engine
