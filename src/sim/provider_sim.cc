#include "sortie/sim/provider_sim.h"

#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/sim/agent.h"
#include "sortie/sim/audit.h"
#include "sortie/sim/conversation.h"
#include "sortie/sim/dialects.h"
#include "sortie/sim/draws.h"
#include "sortie/sim/fault.h"
#include "sortie/sim/garble.h"
#include "sortie/sim/mind.h"
#include "sortie/sim/openai.h"
#include "sortie/sim/pools.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/reply.h"
#include "sortie/suite/suite.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace sortie::sim {

namespace {

using base::Duration;
using base::Instant;

constexpr Duration kErrorDelay =
    std::chrono::milliseconds(5);  // a refusal costs a provider no model time
constexpr std::int64_t kCreatedEpoch =
    1767225600;  // 2026-01-01T00:00:00Z, where simulated calendars begin
constexpr std::int64_t kMaxTokensDefault = 4096;
constexpr std::int64_t kTokensPerMessage = 4;
constexpr std::int64_t kTokensPerRequest = 3;
constexpr double kBytesPerToken = 4;
constexpr double kTokensPerPrice = 1e6;
constexpr std::size_t kAttemptsSeenMax = 200'000;
// Of a stream that has nothing to say yet.
constexpr Duration kKeepAlive = std::chrono::seconds(10);
constexpr std::size_t kKeepAlivesMax = 1'000;

bool selects(const std::vector<std::string>& names, std::string_view name) {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

json::Object to_json(const Bill& bill) {
  json::Object out;
  out["requests"] = bill.requests;
  out["billed"] = bill.billed;
  out["input_tokens"] = bill.input_tokens;
  out["output_tokens"] = bill.output_tokens;
  out["cost_usd"] = bill.cost;
  return out;
}

json::Object to_json(const PoolReport& report) {
  json::Object out;
  out["name"] = report.name;
  out["dimension"] = to_string(report.dimension);
  out["quota"] = report.quota;
  out["admitted"] = report.admitted;
  out["refused"] = report.refused;
  out["peak_demand"] = report.peak_demand;
  out["early_arrivals"] = report.early_arrivals;
  return out;
}

void add_to(Bill& bill, const AuditEntry& entry) {
  ++bill.requests;
  if (entry.cost > 0 || entry.output_tokens > 0) {
    ++bill.billed;
  }
  bill.input_tokens += entry.input_tokens;
  bill.output_tokens += entry.output_tokens;
  bill.cost += entry.cost;
}

}  // namespace

struct SimulatedProvider::Exchange {
  Target target;
  ChatRequest request;
  AuditEntry entry;
  Reply reply;
  const KeyProfile* key = nullptr;  // null: none asked for
  const ModelProfile* model = nullptr;
  Demand demand;
  Holding holding;
  ChatAnswer answer;
  std::size_t command_at = 0;  // in the answer's text
  const FaultProfile* fault = nullptr;
  Duration latency{};
  Duration first_token{};

  [[nodiscard]] std::string_view account() const {
    if (key == nullptr) {
      return "default";
    }
    return key->account.empty() ? key->name : key->account;
  }
};

SimulatedProvider::SimulatedProvider(ProviderProfile profile,
                                     std::uint64_t seed,
                                     const suite::Suite& suite,
                                     ProviderOptions options)
    : profile_(std::move(profile)),
      seed_(seed),
      situations_(suite),
      pools_(profile_.limits),
      audit_(profile_.name, options.audit_entries_max),
      fault_requests_(profile_.faults.size(), 0) {}

std::optional<wire::Response> SimulatedProvider::administer(const Incoming& incoming) const {
  const std::string_view path = incoming.target.substr(0, incoming.target.find('?'));
  if (incoming.method == wire::Method::get) {
    if (path == "/sim/audit") {
      return json_response(200, audit_json());
    }
    if (path == "/sim/bill") {
      return json_response(200, bill_json());
    }
    if (path == profile_.path + "/models") {
      std::vector<std::string> names;
      for (const ModelProfile& model : profile_.models) {
        names.push_back(model.name);
      }
      return encode_models(names);
    }
  }
  if (target_of(incoming.target, profile_.path)) {
    if (incoming.method == wire::Method::post) {
      return std::nullopt;
    }
    return encode_error({.status = 405,
                         .message = "Not allowed to use this method on this URL.",
                         .param = {},
                         .code = {}});
  }
  return encode_error(
      {.status = 404, .message = fmt::format("Invalid URL ({})", path), .param = {}, .code = {}});
}

const KeyProfile* SimulatedProvider::authorize(Dialect dialect,
                                               const wire::Headers& headers) const {
  const std::string_view credential = credential_of(dialect, headers);
  for (const KeyProfile& key : profile_.keys) {
    if (key.secret.empty() || (!credential.empty() && key.secret.reveal() == credential)) {
      return &key;
    }
  }
  return nullptr;
}

RequestIdentity SimulatedProvider::identify(const ChatRequest& request) {
  // The messages before the first answer say which trial it is; the seed parameter tells repeats
  // apart.
  base::FieldHasher hasher("sortie.sim.trial.v1");
  std::uint32_t turn = 0;
  for (const AskedMessage& message : request.messages) {
    if (message.role == "assistant") {
      ++turn;
    } else if (turn == 0) {
      hasher.field(message.role, message.text);
    }
  }
  hasher.field("seed", request.seed.value_or(0));
  RequestIdentity identity{
      .trial = hasher.finish(), .turn = turn, .attempt = 0, .from_header = false};
  if (attempts_seen_.size() >= kAttemptsSeenMax) {
    attempts_seen_.clear();
  }
  identity.attempt =
      attempts_seen_[identity.trial.low64() ^ (static_cast<std::uint64_t>(turn) << 48U)]++;
  return identity;
}

std::int64_t SimulatedProvider::tokens_of(std::size_t characters) const {
  return static_cast<std::int64_t>(
      std::ceil(static_cast<double>(characters) / kBytesPerToken * (1.0 + profile_.token_bias)));
}

void SimulatedProvider::compose(Exchange& exchange) {
  const ChatRequest& request = exchange.request;
  const ModelProfile& model = *exchange.model;
  const RequestIdentity& identity = exchange.entry.identity;
  const Conversation conversation = read_conversation(request);
  const TrialDraws draws(seed_, model.name, identity.trial);
  AgentAnswer said = answer_as_agent({.catalog = situations_.suite().catalog(),
                                      .situation = situations_.recognise(conversation.opening),
                                      .conversation = conversation,
                                      .skill = model.skill,
                                      .draws = draws,
                                      .functions = request.functions});
  exchange.answer.model = model.served_as.empty() ? model.name : model.served_as;
  exchange.answer.input_tokens =
      tokens_of(request.characters()) + kTokensPerRequest +
      kTokensPerMessage * static_cast<std::int64_t>(request.messages.size());
  write_down(exchange, std::move(said));
}

void SimulatedProvider::write_down(Exchange& exchange, AgentAnswer said) const {
  ChatAnswer& answer = exchange.answer;
  exchange.command_at = said.command_at;
  answer.text = std::move(said.text);
  answer.reasoning = std::move(said.reasoning);
  answer.refusal = std::move(said.refusal);
  answer.calls = std::move(said.calls);
  answer.finish_reason = answer.calls.empty() ? "stop" : "tool_calls";
  std::size_t characters = answer.text.size() + answer.reasoning.size() + answer.refusal.size();
  for (const AnsweredCall& call : answer.calls) {
    characters += call.name.size() + call.arguments.size();
  }
  answer.output_tokens = tokens_of(characters);
  answer.reasoning_tokens = tokens_of(answer.reasoning.size());
  const std::int64_t limit = exchange.request.max_tokens.value_or(answer.output_tokens);
  if (said.truncated || answer.output_tokens > limit) {
    answer.finish_reason = "length";
  }
  if (answer.output_tokens > limit) {
    answer.output_tokens = limit;
    answer.reasoning_tokens = std::min(answer.reasoning_tokens, limit);
    answer.calls.clear();
    // What is thought comes first.
    std::size_t left = static_cast<std::size_t>(static_cast<double>(limit) * kBytesPerToken /
                                                (1.0 + profile_.token_bias));
    answer.reasoning.resize(std::min(answer.reasoning.size(), left));
    left -= answer.reasoning.size();
    answer.text.resize(std::min(answer.text.size(), left));
  }
}

/// Faults that change what the model said.
void SimulatedProvider::distort(Exchange& exchange, FaultKind kind) const {
  ChatAnswer& answer = exchange.answer;
  AgentAnswer said;
  if (kind == FaultKind::refusal) {
    sim::refuse(said);
  } else if (kind == FaultKind::truncated_answer) {
    said.text = std::move(answer.text);
    said.reasoning = std::move(answer.reasoning);
    said.calls = std::move(answer.calls);
    said.command_at = exchange.command_at;
    const RequestIdentity& identity = exchange.entry.identity;
    const TrialDraws draws(seed_, exchange.model->name, identity.trial);
    cut(said, draws.of_turn(identity.turn, static_cast<std::uint32_t>(TurnPurpose::truncated_at)));
  }
  write_down(exchange, std::move(said));
  if (kind == FaultKind::content_filter) {
    answer.finish_reason = "content_filter";
  }
}

void SimulatedProvider::choose_fault(Exchange& exchange) {
  const RequestIdentity& identity = exchange.entry.identity;
  const ModelProfile& model = *exchange.model;
  base::RandomStream stream = attempt_draws(seed_, model.name, identity);
  const double u = stream.uniform();
  const double v = stream.uniform();
  const double ttft = log_normal(model.ttft_ms, u, v);
  const double w = stream.uniform();
  const double x = stream.uniform();
  const double per_token = log_normal(model.ms_per_output_token, w, x);
  exchange.first_token = base::from_seconds(ttft / 1000);
  exchange.latency = base::from_seconds(
      (ttft + per_token * static_cast<double>(exchange.answer.output_tokens)) / 1000);
  exchange.answer.id = fmt::format("chatcmpl-{:016x}{:016x}", stream.bits(), stream.bits());
  if (profile_.faults.empty()) {
    return;
  }
  const TrialDraws draws(seed_, model.name, identity.trial);
  for (std::size_t i = 0; i < profile_.faults.size(); ++i) {
    const FaultProfile& fault = profile_.faults[i];
    // Drawn whether it applies or not, so that one rule does not move the chances of another.
    const double of_attempt = stream.uniform();
    const double of_turn = draws.of_turn(
        identity.turn,
        static_cast<std::uint32_t>(TurnPurpose::content_fault) + static_cast<std::uint32_t>(i));
    if (is_connection_fault(fault.kind) || !selects(fault.models, model.name) ||
        !selects(fault.keys, exchange.entry.key)) {
      continue;
    }
    const std::uint64_t request = ++fault_requests_[i];
    const bool due =
        request >= fault.from_request && request <= fault.until_request.value_or(UINT64_MAX);
    const double chance = is_content_fault(fault.kind) ? of_turn : of_attempt;
    if (due && chance < fault.probability && exchange.fault == nullptr) {
      exchange.fault = &fault;
    }
  }
}

void SimulatedProvider::deliver_error(Exchange& exchange,
                                      Decision decision,
                                      const ApiError& error) {
  exchange.reply.response = error_in(exchange.target.dialect, error);
  exchange.reply.delay = kErrorDelay;
  exchange.entry.decision = decision;
  exchange.entry.reason = error.code.empty() ? error.type : error.code;
}

bool SimulatedProvider::refuse(Exchange& exchange, Instant now) {
  exchange.demand = {.key = exchange.entry.key,
                     .account = exchange.account(),
                     .model = exchange.model->name,
                     .input = exchange.answer.input_tokens,
                     .output = exchange.answer.output_tokens,
                     .max_tokens = exchange.request.max_tokens.value_or(kMaxTokensDefault)};
  const auto refusal = pools_.admit(exchange.demand, now, exchange.holding);
  if (!refusal.has_value()) {
    return false;
  }
  exchange.entry.decision = Decision::rate_limited;
  exchange.entry.reason = refusal->limit;
  exchange.reply.response =
      refusal_in(exchange.target.dialect, *refusal, exchange.model->name, exchange.account(), true);
  exchange.reply.delay = kErrorDelay;
  show_limits(exchange, now);
  return true;
}

bool SimulatedProvider::deliver_fault(Exchange& exchange) {
  const FaultProfile& fault = *exchange.fault;
  auto outcome = outcome_of(fault,
                            {.dialect = exchange.target.dialect,
                             .model = exchange.model->name,
                             .account = exchange.account(),
                             .stream = exchange.request.stream});
  if (!outcome.has_value()) {
    return false;
  }
  exchange.entry.decision = outcome->decision;
  exchange.entry.reason = to_string(fault.kind);
  exchange.reply.delivery = outcome->delivery;
  exchange.reply.every = fault.every;
  exchange.reply.response = std::move(outcome->response);
  exchange.reply.delay = outcome->at_once ? kErrorDelay : exchange.latency;
  return true;
}

void SimulatedProvider::deliver(Exchange& exchange, Instant now) {
  ChatAnswer& answer = exchange.answer;
  Reply& reply = exchange.reply;
  reply.delay = exchange.latency;
  const auto is = [&](FaultKind kind) {
    return exchange.fault != nullptr && exchange.fault->kind == kind;
  };
  if (is(FaultKind::wrong_model)) {
    answer.model = exchange.fault->served_as;
  } else if (is(FaultKind::empty_answer) || is(FaultKind::content_filter) ||
             is(FaultKind::refusal) || is(FaultKind::truncated_answer)) {
    distort(exchange, exchange.fault->kind);
  } else if (is(FaultKind::invalid_utf8)) {
    answer.text.insert(answer.text.size() / 2, kBreakingPoint);
  } else if (exchange.fault != nullptr && deliver_fault(exchange)) {
    return;
  }
  if (exchange.fault != nullptr) {
    exchange.entry.decision =
        is_transmission_fault(exchange.fault->kind) ? Decision::fault : Decision::answered;
    exchange.entry.reason = to_string(exchange.fault->kind);
  }
  answer.created =
      kCreatedEpoch + std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  answer.fingerprint =
      fmt::format("fp_{:016x}", base::digest_of(fmt::format("{}/{}", seed_, answer.model)).low64());
  if (exchange.request.stream) {
    stream_out(exchange);
  } else {
    reply.response = answer_in(exchange.target.dialect, answer);
  }
  if (exchange.fault != nullptr) {
    garble(reply, exchange.fault->kind);
  }
  exchange.entry.input_tokens = answer.input_tokens;
  exchange.entry.output_tokens = answer.output_tokens;
  exchange.entry.cost = (static_cast<double>(answer.input_tokens) * exchange.model->price_input +
                         static_cast<double>(answer.output_tokens) * exchange.model->price_output) /
                        kTokensPerPrice;
}

/// The first event leaves with the first token, the last one at the end; before it, signs of life.
void SimulatedProvider::stream_out(Exchange& exchange) const {
  const Dialect dialect = exchange.target.dialect;
  Streamed stream = stream_in(dialect, exchange.answer, exchange.request);
  Reply& reply = exchange.reply;
  reply.response = std::move(stream.head);
  const Duration first = std::min(exchange.first_token, exchange.latency);
  const std::size_t signs = exchange.model->keep_alive ? kKeepAlivesMax : 0;
  for (std::size_t i = 1; i <= signs && static_cast<int>(i) * kKeepAlive < first; ++i) {
    reply.pieces.push_back({static_cast<int>(i) * kKeepAlive, keep_alive_in(dialect)});
  }
  const std::size_t last = stream.events.size() - 1;
  for (std::size_t i = 0; i <= last; ++i) {
    const double share = last == 0 ? 1 : static_cast<double>(i) / static_cast<double>(last);
    const Duration at = first + base::from_seconds(base::seconds(exchange.latency - first) * share);
    reply.pieces.push_back({i == last ? exchange.latency : at, std::move(stream.events[i])});
  }
}

void SimulatedProvider::show_limits(Exchange& exchange, Instant now) {
  const std::int64_t calendar =
      kCreatedEpoch + std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  show_limits_in(exchange.target.dialect,
                 pools_.shown(exchange.demand, now),
                 calendar,
                 exchange.reply.response.headers);
}

Reply SimulatedProvider::conclude(Exchange& exchange) {
  Reply& reply = exchange.reply;
  AuditEntry& entry = exchange.entry;
  entry.id = next_id_++;
  reply.id = entry.id;
  if (sends_head(reply.delivery)) {
    entry.status = reply.response.status;
    reply.response.headers.add("x-request-id", fmt::format("req_{:016x}", entry.id));
  }
  add_to(bill_, entry);
  add_to(bill_by_key_[entry.key], entry);
  open_.emplace(entry.id, std::move(exchange.holding));
  audit_.add(std::move(entry));
  return std::move(reply);
}

bool SimulatedProvider::understand(Exchange& exchange, const Incoming& incoming) {
  if (!profile_.keys.empty()) {
    exchange.key = authorize(exchange.target.dialect, incoming.headers);
    if (exchange.key == nullptr) {
      deliver_error(exchange, Decision::unauthorized, invalid_key());
      return false;
    }
    exchange.entry.key = exchange.key->name;
  }
  ChatRequest& request = exchange.request;
  if (auto parsed = parse_request(exchange.target, incoming.headers, incoming.body, request);
      !parsed) {
    deliver_error(exchange, Decision::bad_request, parsed.error());
    return false;
  }
  exchange.entry.model = request.model;
  if (!exchange.entry.identity.from_header) {
    exchange.entry.identity = identify(request);
  }
  exchange.model = profile_.find_model(request.model);
  if (exchange.model == nullptr) {
    deliver_error(exchange, Decision::bad_request, unknown_model(request.model));
    return false;
  }
  return true;
}

Reply SimulatedProvider::handle(const Incoming& incoming, Instant now) {
  if (auto response = administer(incoming)) {
    return {.id = 0,
            .delay = {},
            .delivery = Reply::Delivery::answer,
            .response = std::move(*response)};
  }
  Exchange exchange;
  exchange.target = target_of(incoming.target, profile_.path).value_or(Target{});
  exchange.entry.arrival = now;
  // Also of requests that are refused before they are read: the audit names every attempt it can.
  exchange.entry.identity = identity_from_header(incoming.headers.find(kAttemptHeader).value_or(""))
                                .value_or(RequestIdentity{});
  if (!understand(exchange, incoming)) {
    return conclude(exchange);
  }
  compose(exchange);
  choose_fault(exchange);
  if (exchange.fault != nullptr && comes_before_limits(exchange.fault->kind) &&
      deliver_fault(exchange)) {
    return conclude(exchange);
  }
  if (refuse(exchange, now)) {
    return conclude(exchange);
  }
  deliver(exchange, now);
  show_limits(exchange, now);
  return conclude(exchange);
}

void SimulatedProvider::finished(std::uint64_t id, Instant now, bool cancelled) {
  const auto open = open_.find(id);
  if (open == open_.end()) {
    return;
  }
  pools_.finish(open->second, now, cancelled);
  open_.erase(open);
  audit_.close(id, cancelled ? AuditEntry::End::disconnected : AuditEntry::End::sent, now);
}

std::string SimulatedProvider::audit_json() const {
  std::string out = fmt::format(R"({{"provider":{},"dropped":{},"requests":[)",
                                json::to_text(json::Value(profile_.name)),
                                audit_.dropped());
  bool first = true;
  for (const AuditEntry& entry : audit_.entries()) {
    if (!first) {
      out += ",\n";
    }
    first = false;
    out += json::to_text(sim::to_json(entry));
  }
  out += "]}\n";
  return out;
}

std::string SimulatedProvider::bill_json() const {
  json::Object out;
  out["provider"] = profile_.name;
  out["total"] = to_json(bill_);
  json::Object keys;
  for (const auto& [key, bill] : bill_by_key_) {
    keys[key] = to_json(bill);
  }
  out["keys"] = std::move(keys);
  json::Array limits;
  for (const PoolReport& report : pools_.report()) {
    limits.push_back(to_json(report));
  }
  out["limits"] = std::move(limits);
  out["in_flight"] = open_.size();
  out["audit_complete"] = !audit_.write_failed() && audit_.dropped() == 0;
  return json::to_pretty_text(out);
}

}  // namespace sortie::sim
