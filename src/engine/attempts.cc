#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/engine/core.h"
#include "sortie/engine/records.h"
#include "sortie/provider/provider_headers.h"
#include "sortie/provider/signals.h"
#include "sortie/wire/scrub.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

// An attempt's way: assigned → durable → sent → completed → recorded → its turn durable.

namespace sortie::engine {

namespace {

constexpr std::size_t kMessageBytesMax = 500;

/// For what may follow an answer's end, its usage; then the connection is closed by us.
constexpr base::Duration kEndGrace = std::chrono::seconds(5);

std::int64_t microseconds(base::Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

}  // namespace

void Engine::Core::bind(const sched::Assignment& assignment) {
  OpenTrial& open = trial(assignment.ticket);
  CHECK(open.stage == Stage::waiting);
  const spec::Topology& topology = *context_.topology;
  const spec::Route& route = topology.routes[assignment.route];
  open.assignment = assignment;
  open.attempt = next_attempt_id_++;
  open.request = std::make_unique<wire::Request>(encode(open, assignment.route));
  open.stage = Stage::attempt_committing;
  floor_.bound(open.model);
  floor_.losses().took(assignment.route, open.size, now());

  const ledger::Sequence sequence =
      append(ledger::AttemptRecord{.id = open.attempt,
                                   .trial = open.id,
                                   .turn = open.dialogue.turns_done(),
                                   .number = open.attempts,
                                   .route = route.name,
                                   .requested_model = topology.models[open.model].name,
                                   .api_name = route.api_name,
                                   .at = wall(),
                                   .request = base::digest_of(open.request->body),
                                   .reserved_input = open.reserved_usage.input,
                                   .reserved_output = open.reserved_usage.output,
                                   .reserved_cost = open.reserve.cost});
  attempts_committing_.emplace_back(sequence, assignment.ticket);
  ++counters_.attempts;
}

wire::Request Engine::Core::encode(const OpenTrial& open, std::size_t route_index) const {
  const spec::Topology& topology = *context_.topology;
  const spec::Route& route = topology.routes[route_index];
  const spec::Model& model = topology.models[open.model];
  const RouteState& state = routes_[route_index];
  provider::Call call = topology.call_over(route);
  call.key = state.key;
  call.messages = &open.dialogue.history();
  call.functions = &open.dialogue.functions();
  call.sampling = model.sampling;
  if (model.capability.accepts_seed) {
    call.sampling.seed = spec::provider_seed(open.key);
  }
  wire::Request request = state.dialect->encode(call);
  provider::add_provider_headers(topology.endpoints[route.endpoint].provider, request.headers);
  if (state.simulated) {
    request.headers.add(
        "X-Sortie-Attempt",
        fmt::format("{}/{}/{}", open.key.hex(), open.dialogue.turns_done(), open.attempts));
  }
  request.streamed = call.stream;
  request.timeouts = timeouts_for(open, state, call.stream);
  request.access = state.access;
  return request;
}

wire::Timeouts Engine::Core::timeouts_for(const OpenTrial& open,
                                          const RouteState& route,
                                          bool stream) const {
  wire::Timeouts timeouts;
  if (route.timeouts.has_value()) {
    timeouts = *route.timeouts;
    timeouts.progress = timeouts.first_byte;
  } else {
    // Without streaming a route is silent until the whole answer comes.
    const bool shows_life = stream && scheduler().shows_life(open.assignment);
    const sched::SilenceLimits limits = scheduler().silence_limits(open.assignment, shows_life);
    timeouts.first_byte = limits.first_byte;
    timeouts.liveness = limits.liveness;
    // It then comes forward only by its end, however many bytes drip in before.
    timeouts.progress = stream ? limits.progress : limits.first_byte;
  }
  timeouts.total = std::max(base::Duration(std::chrono::milliseconds(1)),
                            options_.trial_deadline - open.request_time);
  return timeouts;
}

/// The attempt is durable: its bytes may leave as soon as its route has a place for them.
void Engine::Core::depart(sched::Ticket ticket, std::optional<base::Instant> granted) {
  OpenTrial& open = trial(ticket);
  if (!may_send()) {
    withdraw(ticket);
    return;
  }
  const base::Instant at = scheduler().departure(open.assignment, granted, now());
  if (at <= now()) {
    send(ticket);
    return;
  }
  open.stage = Stage::departing;
  ++departing_;
  open.departure = parts_.loop->at(at, [this, ticket, at] {
    --departing_;
    depart(ticket, at);
  });
}

void Engine::Core::send(sched::Ticket ticket) {
  OpenTrial& open = trial(ticket);
  open.stage = Stage::in_flight;
  open.sent_at = now();
  open.silent_before = now() - std::max(last_life_, floor_.last_life(open.model));
  ++open.attempts;
  const wire::ExchangeId exchange = exchange_of(open.attempt);
  in_flight_.emplace(exchange.value, ticket);
  ++counts_[open.cell].in_flight;
  wire::Request request = std::move(*open.request);
  open.request.reset();
  if (request.streamed) {
    open.streamed = std::make_unique<StreamedAnswer>(*routes_[open.assignment.route].dialect);
  }
  parts_.transport->start(exchange, std::move(request), *this);
}

/// Recorded but never sent, because the run stops: it costs nothing and the turn stays open.
void Engine::Core::withdraw(sched::Ticket ticket) {
  OpenTrial& open = trial(ticket);
  open.request.reset();
  open.stage = Stage::waiting;
  scheduler().cancelled(open.assignment, now());
  floor_.landed(open.model);
  floor_.losses().returned(open.assignment.route, open.size, now());
  refund(open, {});
  append(ledger::AttemptEndRecord{.attempt = open.attempt,
                                  .at = wall(),
                                  .cause = std::string(to_string(quota::SignalClass::cancelled)),
                                  .status = 0,
                                  .code = "not_sent",
                                  .message = {},
                                  .served_model = {},
                                  .usage = {},
                                  .cost = 0,
                                  .billing_known = true,
                                  .first_byte_us = 0,
                                  .duration_us = 0});
}

bool Engine::Core::is_right_model(std::size_t route, std::string_view served) const {
  const spec::Route& asked = context_.topology->routes[route];
  return provider::accepts_served_model(asked.api_name, asked.served_as, served);
}

/// From inside the transport: nothing but the answer's own state may change.
wire::Piece Engine::Core::received(wire::ExchangeId id,
                                   const wire::Response& head,
                                   std::string_view piece) {
  const auto found = in_flight_.find(id.value);
  CHECK(found != in_flight_.end());
  const auto& open = open_[found->second.value];
  StreamedAnswer* streamed = open != nullptr ? open->streamed.get() : nullptr;
  if (streamed == nullptr) {
    return wire::Piece::stop;  // the run has failed, and forgot its requests
  }
  const wire::Piece what = streamed->take(head, piece, now());
  const std::size_t route = open->assignment.route;
  if (what == wire::Piece::progress && !streamed->is_told && scheduler().awaits_tokens(route) &&
      is_right_model(route, streamed->served_model())) {
    streamed->is_told = true;
    begun_.push_back(open->assignment);
    wake();
  }
  if (streamed->is_over() && !streamed->ending.has_value()) {
    streamed->ending = parts_.loop->at(now() + kEndGrace, [this, id] {
      if (in_flight_.contains(id.value)) {
        parts_.transport->cancel(id);
      }
    });
  }
  return what;
}

/// What the completion comes to: a stream that was over is what it said, however it ended.
std::expected<provider::Decoded, quota::Signal> Engine::Core::read(
    OpenTrial& open, const wire::Completion& completion, StreamedAnswer* streamed) const {
  const RouteState& route = routes_[open.assignment.route];
  if (streamed != nullptr && streamed->has_begun() &&
      (completion.outcome.has_value() || streamed->is_over())) {
    return streamed->finish(route.rules, *parts_.scrubber);
  }
  if (!completion.outcome.has_value()) {
    return std::unexpected(provider::signal_of(completion.outcome.error()));
  }
  return route.dialect->decode(wire::scrubbed(*completion.outcome, *parts_.scrubber), route.rules);
}

void Engine::Core::take_completion(wire::Completion completion) {
  const auto found = in_flight_.find(completion.id.value);
  CHECK(found != in_flight_.end());
  const sched::Ticket ticket = found->second;
  in_flight_.erase(found);
  OpenTrial& open = trial(ticket);
  --counts_[open.cell].in_flight;
  floor_.landed(open.model);
  const base::Duration duration = completion.ended_at - completion.sent_at;
  open.request_time += duration;

  ledger::AttemptEndRecord end;
  end.attempt = open.attempt;
  end.at = wall();
  end.first_byte_us = microseconds(completion.first_byte_at - completion.sent_at);
  end.duration_us = microseconds(duration);
  const std::unique_ptr<StreamedAnswer> streamed = std::move(open.streamed);
  if (const auto ending = streamed != nullptr ? streamed->ending : std::nullopt) {
    parts_.loop->cancel(*ending);
  }
  auto decoded = read(open, completion, streamed.get());
  if (completion.outcome.has_value()) {
    end.status = completion.outcome->status;
  } else if (decoded.has_value()) {
    end.status = 200;  // it was over before its connection was
  }
  hear(open, decoded.has_value() ? std::nullopt : std::optional(decoded.error().kind));
  if (decoded.has_value()) {
    const sched::AnswerTiming timing =
        streamed != nullptr ? streamed->timing(completion) : sched::AnswerTiming{};
    take_answer(ticket, std::move(*decoded), timing, std::move(end));
  } else {
    take_failure(ticket, std::move(decoded).error(), std::move(end));
  }
}

/// A request ended, well or as `failure`: a sign of life, unless nothing was reached. Where all
/// that came back is that the server is down, the time until it came was no silence, but the time
/// before was: or a gateway in front of a dead server would be asked for ever.
void Engine::Core::hear(const OpenTrial& open, std::optional<quota::SignalClass> failure) {
  if (failure == quota::SignalClass::not_processed) {
    return;
  }
  const base::Duration silent =
      failure == quota::SignalClass::transient ? open.silent_before : base::Duration::zero();
  last_life_ = std::max(last_life_, now() - silent);
  floor_.heard(open.model, now() - silent);
}

void Engine::Core::take_answer(sched::Ticket ticket,
                               provider::Decoded decoded,
                               const sched::AnswerTiming& timing,
                               ledger::AttemptEndRecord end) {
  OpenTrial& open = trial(ticket);
  const chat::Answer& answer = decoded.answer;
  end.served_model = answer.served_model;
  end.usage = answer.usage;
  end.billing_known = answer.usage_reported;
  end.cost = answer.usage_reported
                 ? cost_of(context_.topology->models[open.model].price, answer.usage)
                 : open.reserve.cost;
  const Funds used{.cost = end.cost,
                   .tokens = answer.usage_reported ? answer.usage.input + answer.usage.output
                                                   : open.reserve.tokens};
  refund(open, used);
  models_[open.model].turn_funds.add(used);
  counters_.cost_micro_usd += end.cost;
  counters_.input_tokens += answer.usage.input;
  counters_.output_tokens += answer.usage.output;
  if (!is_right_model(open.assignment.route, answer.served_model)) {
    floor_.losses().failed(
        open.assignment.route, open.size, now() - open.sent_at, Loss::fault, now());
    take_wrong_model(ticket, answer, std::move(end));
    return;
  }
  const auto input =
      answer.usage_reported ? static_cast<double>(answer.usage.input) : open.size.input;
  const auto output =
      answer.usage_reported ? static_cast<double>(answer.usage.output) : open.size.output;
  scheduler().answered(open.assignment, input, output, decoded.hints, now(), timing);
  floor_.took(open.assignment.route, now() - open.sent_at);
  count_answer(open, input, output);
  if (answer.usage_reported) {
    models_[open.model].estimator.observe(open.shape, input, output);
    open.shape.previous_input = input;
    open.shape.previous_output = output - static_cast<double>(answer.usage.reasoning);
    open.bytes_counted += static_cast<std::size_t>(open.shape.new_bytes) + answer.text.size();
  }
  commit_turn(ticket, std::move(end), answer, std::string(to_string(answer.finish)));
  open.pending = std::make_unique<dialogue::Event>(dialogue::Answered{std::move(decoded.answer)});
}

/// For the account of the run's time.
void Engine::Core::count_answer(const OpenTrial& open, double input, double output) {
  floor_.losses().answered(open.assignment.route,
                           open.size,
                           {.input = input, .output = output, .max_output = open.size.max_output},
                           now());
  WorkDone& done = models_[open.model].done;
  ++done.requests;
  done.input_tokens += input;
  done.output_tokens += output;
  done.service_seconds += base::seconds(now() - open.sent_at);
  done.dialogue_seconds_max = std::max(done.dialogue_seconds_max, base::seconds(open.request_time));
}

/// An answer that was paid for is a turn: the attempt's end and the turn become durable together.
void Engine::Core::commit_turn(sched::Ticket ticket,
                               ledger::AttemptEndRecord end,
                               const chat::Answer& answer,
                               std::string finish) {
  OpenTrial& open = trial(ticket);
  const std::string& route = context_.topology->routes[open.assignment.route].name;
  open.route_before = open.assignment.route;
  open.stage = Stage::turn_committing;
  end.cause = "answered";
  std::vector<ledger::Record> facts;
  facts.emplace_back(std::move(end));
  facts.emplace_back(ledger::TurnRecord{.trial = open.id,
                                        .turn = open.dialogue.turns_done(),
                                        .attempt = open.attempt,
                                        .answer = json::to_text(chat::to_json(answer)),
                                        .usage = answer.usage,
                                        .route = route,
                                        .served_model = answer.served_model,
                                        .finish = std::move(finish),
                                        .fingerprint = answer.fingerprint});
  const ledger::Sequence sequence = append_together(std::move(facts));
  turns_committing_.emplace_back(sequence, ticket);
  ++counters_.turns;
  ++models_[open.model].progress.turns;
}

/// Another model answered: its answer was paid for and stays an attempt, but never becomes a turn.
void Engine::Core::take_wrong_model(sched::Ticket ticket,
                                    const chat::Answer& answer,
                                    ledger::AttemptEndRecord end) {
  OpenTrial& open = trial(ticket);
  const spec::Route& route = context_.topology->routes[open.assignment.route];
  quota::Signal signal;
  signal.kind = quota::SignalClass::wrong_model;
  signal.status = static_cast<int>(end.status);
  signal.code = "wrong_model";
  signal.message = fmt::format("asked {} for '{}', but '{}' answered",
                               route.name,
                               route.api_name,
                               base::shortened(base::valid_utf8(answer.served_model), 100));
  end.cause = to_string(quota::SignalClass::wrong_model);
  end.message = parts_.scrubber->scrub(signal.message);
  append(std::move(end));
  const sched::FailureVerdict verdict =
      scheduler().wrong_model(open.assignment, answer.served_model, now());
  act_on(ticket, verdict, signal);
}

/// A refusal that is the model's or the provider's final word on this conversation is an outcome of
/// the dialogue, not of the infrastructure.
std::optional<chat::Answer> Engine::Core::model_outcome(const quota::Signal& signal) const {
  if (signal.kind != quota::SignalClass::bad_request) {
    return std::nullopt;
  }
  chat::Answer answer;
  if (signal.code == provider::kContextLengthExceeded) {
    answer.finish = chat::FinishReason::other;
  } else if (signal.code == provider::kContentFilter) {
    answer.finish = chat::FinishReason::content_filter;
  } else {
    return std::nullopt;
  }
  answer.finish_text = signal.code;
  return answer;
}

void Engine::Core::take_failure(sched::Ticket ticket,
                                quota::Signal signal,
                                ledger::AttemptEndRecord end) {
  OpenTrial& open = trial(ticket);
  signal.message = base::shortened(parts_.scrubber->scrub(signal.message), kMessageBytesMax);
  if (!signal.known) {
    // The class is a guess; a row for signals.yaml can be written from this line.
    parts_.log->warning("unknown_answer",
                        {{"route", context_.topology->routes[open.assignment.route].name},
                         {"status", std::to_string(signal.status)},
                         {"code", signal.code},
                         {"class", to_string(signal.kind)},
                         {"body", signal.message}});
  }
  end.cause = to_string(signal.kind);
  end.status = signal.status;
  end.code = signal.code;
  end.message = signal.message;
  end.billing_known = !signal.maybe_billed;
  end.cost = signal.maybe_billed ? open.reserve.cost : 0;
  refund(open, signal.maybe_billed ? open.reserve : Funds{});
  counters_.cost_micro_usd += end.cost;

  if (const std::optional<chat::Answer> answer = model_outcome(signal)) {
    scheduler().answered(open.assignment, 0, 0, {}, now());
    count_answer(open, 0, 0);
    const bool full = answer->finish == chat::FinishReason::other;
    commit_turn(
        ticket,
        std::move(end),
        *answer,
        std::string(full ? to_string(dialogue::End::context_full) : to_string(answer->finish)));
    open.pending = full ? std::make_unique<dialogue::Event>(dialogue::ContextFull{})
                        : std::make_unique<dialogue::Event>(dialogue::Answered{*answer});
    return;
  }
  append(std::move(end));
  if (signal.kind == quota::SignalClass::cancelled) {
    floor_.losses().returned(open.assignment.route, open.size, now());
  } else {
    const bool refused = outcome_of(signal.kind) == "throttled";
    floor_.losses().failed(open.assignment.route,
                           open.size,
                           now() - open.sent_at,
                           refused ? Loss::retry : Loss::fault,
                           now());
  }
  if (!may_send() || signal.kind == quota::SignalClass::cancelled) {
    scheduler().cancelled(open.assignment, now());
    open.stage = Stage::waiting;
    return;
  }
  const sched::FailureVerdict verdict = scheduler().failed(open.assignment, signal, now());
  act_on(ticket, verdict, signal);
}

/// For those whose models use it.
void Engine::Core::route_is_out(std::size_t index, const std::string& why) {
  const spec::Route& route = context_.topology->routes[index];
  if (models_[route.model].progress.planned > 0) {
    note(fmt::format("route {} taken out: {}", route.name, why));
    note_event("route_disabled", route.name, json::to_text(json::Object{{"reason", why}}));
  }
}

void Engine::Core::act_on(sched::Ticket ticket,
                          const sched::FailureVerdict& verdict,
                          const quota::Signal& signal) {
  OpenTrial& open = trial(ticket);
  const spec::Route& route = context_.topology->routes[open.assignment.route];
  parts_.log->info("attempt_failed",
                   {{"trial", open.key.hex()},
                    {"turn", open.dialogue.turns_done()},
                    {"attempt", open.attempt},
                    {"route", route.name},
                    {"class", to_string(signal.kind)},
                    {"status", signal.status},
                    {"code", signal.code},
                    {"message", signal.message}});
  if (verdict.route_disabled) {
    route_is_out(open.assignment.route, signal.message);
    floor_.tell_others(place_, [&](Engine::Core& other) {
      other.route_is_out(open.assignment.route, signal.message);
    });
  }
  open.stage = Stage::waiting;
  if (verdict.verdict == sched::Verdict::give_up) {
    close_lost(ticket, outcome_of(signal.kind), signal.message);
    return;
  }
  if (open.request_time >= options_.trial_deadline) {
    scheduler().remove(ticket);
    close_lost(ticket,
               "timeout",
               fmt::format("more than {} of request time", base::human(options_.trial_deadline)));
    return;
  }
  // The scheduler has queued the turn already: asking again takes a reserve again.
  if (!fund(open)) {
    scheduler().remove(ticket);
    park(ticket);
  }
}

}  // namespace sortie::engine
