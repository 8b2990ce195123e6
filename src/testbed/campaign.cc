#include "sortie/testbed/campaign.h"

#include "sortie/base/check.h"
#include "sortie/base/time.h"
#include "sortie/engine/lengths.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/scheduler.h"
#include "sortie/testbed/agenda.h"
#include "sortie/testbed/judge.h"
#include "sortie/testbed/policy.h"
#include "sortie/testbed/run.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/truth.h"
#include "sortie/testbed/workload.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace sortie::testbed {

namespace {

// How far a client's count of a first request may be off; later ones follow from the provider's.
constexpr double kFirstInputError = 0.1;

// As the engine has them.
constexpr std::size_t kLengthsTurnsMax = 64;
constexpr double kLengthsPrior = 8;

constexpr double kForetellings = 64;  // in the time of the bound

}  // namespace

Campaign::Campaign(const Instance& instance, const PolicySpec& spec, Policy& policy)
    : instance_(instance),
      spec_(spec),
      policy_(policy),
      judge_(instance.scenario, instance.workload, instance.incidents, instance.seed),
      referee_(instance, spec, judge_),
      routes_(routes_of(instance.scenario)),
      agenda_(instance.workload, instance.scenario.models.size(), spec.lengths),
      progress_(instance.workload.dialogues.size()),
      outputs_(instance.scenario.models.size()),
      lengths_(instance.scenario.models.size(),
               engine::DialogueLengths(kLengthsTurnsMax, kLengthsPrior)),
      forecast_(instance.scenario.models.size(), kLengthsTurnsMax, now_),
      service_(instance.scenario.models.size()) {
  if (instance.scenario.collapse_above > 0) {
    servers_.assign(instance.scenario.keys.size(), SharedServer(instance.scenario.collapse_above));
  }
  for (std::size_t model = 0; model < instance.scenario.models.size(); ++model) {
    policy_.has_weight(model, instance.scenario.models[model].weight);
  }
  std::vector<bool> is_told(instance.workload.cells, false);
  for (const Dialogue& dialogue : instance.workload.dialogues) {
    if (!is_told[dialogue.cell]) {
      is_told[dialogue.cell] = true;
      tell_backlog(dialogue.model, dialogue.cell);
    }
  }
}

Outcome Campaign::run() {
  const base::Instant last = base::Instant() + base::from_seconds(kMakespanMax * instance_.bound);
  do {
    open();
    assignments_.clear();
    policy_.decide(now_, assignments_);
    referee_.decided(assignments_.size());
    for (const sched::Assignment& assignment : assignments_) {
      launch(assignment);
    }
    foretell();
  } while (advance() && now_ < last);
  const std::size_t unfinished = open_ + agenda_.left();
  if (unfinished > 0) {
    referee_.timed_out(unfinished);
  }
  Outcome outcome = referee_.outcome(judge_);
  outcome.foretold = std::move(foretold_);
  return outcome;
}

void Campaign::foretell() {
  if (now_ < next_foretelling_) {
    return;
  }
  next_foretelling_ = now_ + base::from_seconds(instance_.bound / kForetellings);
  std::vector<engine::WorkLeft> work(outputs_.size());
  for (std::size_t model = 0; model < work.size(); ++model) {
    work[model].unopened = static_cast<double>(agenda_.left_of(model));
    work[model].seconds_a_turn = service_[model].seconds / std::max(1.0, service_[model].answers);
  }
  if (const auto left = forecast_.time_left(now_, work)) {
    foretold_.push_back({.at = base::seconds(now_ - base::Instant()), .left = *left});
  }
}

void Campaign::open() {
  for (std::size_t model = 0; model < outputs_.size(); ++model) {
    if (agenda_.is_done(model)) {
      continue;
    }
    std::size_t wanted = policy_.wants_open(model);
    for (; wanted > 0 && !agenda_.is_done(model); --wanted) {
      open_one(model);
    }
  }
}

void Campaign::open_one(std::size_t model) {
  if (free_tickets_.empty()) {
    free_tickets_.push_back(static_cast<std::uint32_t>(dialogue_of_.size()));
    dialogue_of_.push_back(0);
  }
  const std::uint32_t ticket = free_tickets_.back();
  free_tickets_.pop_back();
  const std::uint32_t dialogue = agenda_.take(model, policy_.opens_next(model));
  const std::size_t cell = instance_.workload.dialogues[dialogue].cell;
  dialogue_of_[ticket] = dialogue;
  ++open_;
  forecast_.opened(model, 0);
  tell_backlog(model, cell);
  policy_.opened({ticket},
                 {.model = model, .number = agenda_.number_in_model(dialogue), .cell = cell});
  make_ready(ticket);
}

void Campaign::tell_backlog(std::size_t model, std::size_t cell) {
  const auto left = static_cast<double>(agenda_.left_in(cell));
  double turns = lengths_[model].mean();
  if (spec_.lengths == Lengths::estimated && left > 0) {
    turns = agenda_.believed_turns_left_in(cell) / left;
  }
  policy_.has_backlog({.model = model, .cell = cell, .dialogues = left, .turns_each = turns});
}

void Campaign::make_ready(std::uint32_t ticket) {
  const std::uint32_t number = dialogue_of_[ticket];
  const Dialogue& dialogue = instance_.workload.dialogues[number];
  const Progress& progress = progress_[number];
  const Turn& turn = instance_.workload.turn(dialogue, progress.turns_done);
  double remaining = 1;
  if (spec_.lengths == Lengths::estimated) {
    remaining = (dialogue.turns - progress.turns_done) * static_cast<double>(dialogue.length_error);
  } else if (spec_.lengths == Lengths::learned) {
    remaining = lengths_[dialogue.model].remaining(progress.turns_done);
  }
  // Errors of lengths and of first requests are independent of each other in sign only; both are
  // drawn once per dialogue.
  const double error =
      progress.turns_done == 0 ? kFirstInputError * (number % 2 == 0 ? 1 : -1) : 0.0;
  policy_.add(
      {.ticket = {ticket},
       .model = dialogue.model,
       .remaining_turns = std::max(1.0, remaining),
       .input_tokens = turn.input * (1 + error),
       .output_tokens = outputs_[dialogue.model].mean,
       .max_output_tokens = static_cast<double>(instance_.workload.output_max[dialogue.model]),
       .route_before = progress.route_before},
      now_);
}

std::uint32_t Campaign::take_flight_slot() {
  if (free_flights_.empty()) {
    free_flights_.push_back(static_cast<std::uint32_t>(flights_.size()));
    flights_.emplace_back();
  }
  const std::uint32_t flight = free_flights_.back();
  free_flights_.pop_back();
  return flight;
}

void Campaign::launch(const sched::Assignment& assignment) {
  const std::uint32_t number = dialogue_of_[assignment.ticket.value];
  Progress& progress = progress_[number];
  CHECK(routes_[assignment.route].model == instance_.workload.dialogues[number].model);
  const std::uint32_t flight = take_flight_slot();
  flights_[flight] = {.assignment = assignment,
                      .attempt = {.route = assignment.route,
                                  .dialogue = number,
                                  .turn = progress.turns_done,
                                  .number = progress.attempts++},
                      .departed = {},
                      .silence = {},
                      .ruling = {}};
  depart(flight, std::nullopt);
}

void Campaign::depart(std::uint32_t flight, std::optional<base::Instant> granted) {
  Flight& of = flights_[flight];
  const base::Instant at = policy_.departure(of.assignment, granted, now_);
  if (at > now_) {
    schedule(at, What::departs, flight);
    return;
  }
  of.departed = now_;
  of.silence =
      policy_.silence(of.assignment).value_or(base::from_seconds(instance_.scenario.stall_seconds));
  referee_.departed(of.attempt, now_);
  schedule(now_ + judge_.delay(of.attempt, /*to_server=*/true), What::arrives, flight);
}

void Campaign::arrive(std::uint32_t flight) {
  Flight& of = flights_[flight];
  of.ruling = judge_.arrive(of.attempt, now_);
  referee_.ruled(of.attempt, of.ruling, of.departed, now_);
  const base::Instant after = now_ + base::from_seconds(of.ruling.seconds);
  switch (of.ruling.kind) {
    case Ruling::Kind::answer:
      // The first token of a shared server depends on what comes after it: it shows with the
      // answer.
      if (servers_.empty() && policy_.awaits_tokens(of.attempt.route)) {
        schedule(now_ + base::from_seconds(first_token_share(of.attempt) * of.ruling.seconds) +
                     judge_.delay(of.attempt, /*to_server=*/false),
                 What::begins,
                 flight);
      }
      if (servers_.empty()) {
        schedule(after, What::served, flight);
      } else {
        servers_[routes_[of.attempt.route].key].start(flight, of.ruling.seconds, now_);
      }
      break;
    case Ruling::Kind::error:
      schedule(after + judge_.delay(of.attempt, /*to_server=*/false), What::received, flight);
      break;
    case Ruling::Kind::silence:
      schedule(of.departed + of.silence, What::stalls, flight);
      break;
  }
}

void Campaign::begin(std::uint32_t flight) {
  const Flight& of = flights_[flight];
  policy_.began(of.assignment, now_);
}

void Campaign::serve(std::uint32_t flight) {
  const Flight& of = flights_[flight];
  judge_.finish(of.ruling, now_, /*cancelled=*/false);
  schedule(now_ + judge_.delay(of.attempt, /*to_server=*/false), What::received, flight);
}

void Campaign::receive(std::uint32_t flight) {
  Flight& of = flights_[flight];
  referee_.told(of.attempt, of.ruling, now_);
  of.ruling.kind == Ruling::Kind::answer ? take_answer(of) : take_failure(of);
  free_flights_.push_back(flight);
}

void Campaign::take_answer(Flight& flight) {
  const Dialogue& dialogue = instance_.workload.dialogues[flight.attempt.dialogue];
  const Turn& turn = instance_.workload.turn(dialogue, flight.attempt.turn);
  policy_.answered(flight.assignment,
                   turn.input,
                   turn.output,
                   flight.ruling.hints,
                   {.first_token = first_token(flight)},
                   now_);
  referee_.answered(flight.attempt);
  Outputs& outputs = outputs_[dialogue.model];
  outputs.count += 1;
  outputs.mean += (turn.output - outputs.mean) / outputs.count;
  Service& service = service_[dialogue.model];
  service.seconds += base::seconds(now_ - flight.departed);
  service.answers += 1;
  forecast_.turn(dialogue.model,
                 flight.attempt.turn,
                 {.tokens = static_cast<double>(turn.input + turn.output),
                  .tokens_reserved = static_cast<double>(
                      turn.input + instance_.workload.output_max[dialogue.model])},
                 now_);
  Progress& progress = progress_[flight.attempt.dialogue];
  progress.turns_done += 1;
  progress.attempts = 0;
  progress.route_before = flight.attempt.route;
  if (progress.turns_done == dialogue.turns) {
    lengths_[dialogue.model].finished(dialogue.turns);
    close(flight.assignment.ticket.value, /*lost=*/false);
  } else {
    make_ready(flight.assignment.ticket.value);
  }
}

/// After departure; answers are streamed. A server that was slower was so from the first token on.
base::Duration Campaign::first_token(const Flight& flight) const {
  return base::from_seconds(base::seconds(now_ - flight.departed) *
                            first_token_share(flight.attempt));
}

/// Of the service time.
double Campaign::first_token_share(const Attempt& attempt) const {
  const Dialogue& dialogue = instance_.workload.dialogues[attempt.dialogue];
  const Turn& turn = instance_.workload.turn(dialogue, attempt.turn);
  return static_cast<double>(turn.first_token / turn.seconds);
}

void Campaign::take_failure(Flight& flight) {
  const sched::FailureVerdict verdict =
      policy_.failed(flight.assignment, flight.ruling.signal, now_);
  if (verdict.verdict == sched::Verdict::give_up) {
    close(flight.assignment.ticket.value, /*lost=*/true);
  }
}

void Campaign::give_up(std::uint32_t flight) {
  Flight& of = flights_[flight];
  judge_.finish(of.ruling, now_, /*cancelled=*/true);
  referee_.stalled(of.attempt);
  of.ruling.signal.kind = quota::SignalClass::stall;
  of.ruling.signal.maybe_billed = true;
  take_failure(of);
  free_flights_.push_back(flight);
}

void Campaign::close(std::uint32_t ticket, bool lost) {
  const std::uint32_t dialogue = dialogue_of_[ticket];
  referee_.ended(dialogue, lost, now_);
  forecast_.closed(instance_.workload.dialogues[dialogue].model,
                   progress_[dialogue].turns_done,
                   /*ended=*/!lost);
  free_tickets_.push_back(ticket);
  --open_;
}

void Campaign::schedule(base::Instant at, What what, std::uint32_t flight) {
  events_.push({.at = at, .order = next_order_++, .what = what, .flight = flight});
}

/// Goes to the next thing that happens; false when nothing does any more.
bool Campaign::advance() {
  std::optional<base::Instant> next = policy_.next_decision(now_);
  const bool has_event = !events_.empty();
  if (has_event && (!next || events_.top().at <= *next)) {
    next = events_.top().at;
  }
  SharedServer* ending = nullptr;
  for (SharedServer& server : servers_) {
    const std::optional<base::Instant> end = server.next_end();
    if (end && (!next || *end <= *next)) {
      next = end;
      ending = &server;
    }
  }
  if (!next) {
    return false;
  }
  if (const auto change = judge_.next_change(); change && *change <= *next) {
    now_ = std::max(now_, *change);
    judge_.change(now_);
    return true;
  }
  now_ = std::max(now_, *next);
  if (ending != nullptr) {
    serve(ending->end(now_));
  } else if (has_event && events_.top().at <= now_) {
    const Event event = events_.top();
    events_.pop();
    handle(event);
  }
  return true;
}

void Campaign::handle(const Event& event) {
  switch (event.what) {
    case What::departs:
      depart(event.flight, event.at);
      break;
    case What::arrives:
      arrive(event.flight);
      break;
    case What::begins:
      begin(event.flight);
      break;
    case What::served:
      serve(event.flight);
      break;
    case What::received:
      receive(event.flight);
      break;
    case What::stalls:
      give_up(event.flight);
      break;
  }
}

}  // namespace sortie::testbed
