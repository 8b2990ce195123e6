#include "sortie/sim/transport.h"

#include "sortie/aio/loop.h"
#include "sortie/base/check.h"
#include "sortie/base/time.h"
#include "sortie/sim/body_script.h"
#include "sortie/sim/outage.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/sim/reply.h"
#include "sortie/sim/torment.h"
#include "sortie/wire/message.h"
#include "sortie/wire/patience.h"
#include "sortie/wire/transport.h"
#include "sortie/wire/url.h"

#include <algorithm>
#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::sim {

namespace {

using base::Duration;
using wire::FailureKind;

// A century is as good as never.
constexpr double kForeverSeconds = 3.0e9;
constexpr int kOk = 200;

/// When a client with these limits gives up on an answer that comes all at once after `delay`, if
/// it does before that.
struct GivingUp {
  Duration after{};
  FailureKind kind = FailureKind::first_byte_timeout;
};

/// The earlier of the two.
void keep_earlier(std::optional<GivingUp>& kept, GivingUp other) {
  if (!kept || other.after < kept->after) {
    kept = other;
  }
}

/// Of an answer whose pieces come one by one, the last one at the end.
std::optional<GivingUp> patience(const wire::Timeouts& timeouts,
                                 const std::vector<Reply::Piece>& pieces) {
  std::optional<GivingUp> gives_up;
  if (timeouts.total > Duration::zero() && timeouts.total < pieces.back().at) {
    keep_earlier(gives_up, {.after = timeouts.total, .kind = FailureKind::total_timeout});
  }
  // The head comes at once; from then on silence is what liveness watches.
  Duration last{};
  for (const Reply::Piece& piece : pieces) {
    if (timeouts.liveness > Duration::zero() && piece.at - last > timeouts.liveness) {
      keep_earlier(gives_up,
                   {.after = last + timeouts.liveness, .kind = FailureKind::liveness_timeout});
      break;
    }
    last = piece.at;
  }
  return gives_up;
}

std::optional<GivingUp> patience(const wire::Timeouts& timeouts) {
  const bool first_byte = timeouts.first_byte > Duration::zero();
  const bool total = timeouts.total > Duration::zero();
  if (total && (!first_byte || timeouts.total < timeouts.first_byte)) {
    return GivingUp{.after = timeouts.total, .kind = FailureKind::total_timeout};
  }
  if (first_byte) {
    return GivingUp{.after = timeouts.first_byte, .kind = FailureKind::first_byte_timeout};
  }
  return std::nullopt;
}

bool is_good(const wire::Response& response) {
  return response.status >= kOk && response.status < 300;
}

/// A plain answer to a streamed request.
void hand_on_whole(wire::Completion& completion, wire::CompletionSink& sink) {
  wire::Response& head = *completion.outcome;
  const std::string body = std::exchange(head.body, {});
  if (!body.empty() && sink.received(completion.id, head, body) == wire::Piece::stop) {
    completion.outcome = std::unexpected(
        wire::Failure{.kind = FailureKind::cancelled, .message = "stopped by its reader"});
  }
}

wire::Failure too_large(std::size_t answer_bytes_max) {
  return {.kind = FailureKind::too_large,
          .message = fmt::format("the answer has more than {} bytes", answer_bytes_max)};
}

/// The pieces of a stream as one body.
void join_pieces(Reply& reply) {
  for (const Reply::Piece& piece : reply.pieces) {
    reply.response.body += piece.bytes;
  }
}

std::expected<wire::Response, wire::Failure> outcome_of(Reply& reply,
                                                        std::size_t answer_bytes_max) {
  switch (reply.delivery) {
    case Reply::Delivery::answer:
      break;
    case Reply::Delivery::truncated:
      return std::unexpected(
          wire::Failure{.kind = FailureKind::broken, .message = "the body ended early"});
    case Reply::Delivery::bad_chunks:
    case Reply::Delivery::bad_gzip:
      return std::unexpected(
          wire::Failure{.kind = FailureKind::broken, .message = "the body cannot be decoded"});
    case Reply::Delivery::reset:
    case Reply::Delivery::stall:
      return std::unexpected(
          wire::Failure{.kind = FailureKind::reset, .message = "the connection was reset"});
    case Reply::Delivery::fin:
    case Reply::Delivery::half_close:
    case Reply::Delivery::head_stall:
    case Reply::Delivery::drip:
    case Reply::Delivery::comments:
    case Reply::Delivery::loris:
      return std::unexpected(wire::Failure{.kind = FailureKind::broken, .message = "never ended"});
  }
  if (reply.response.body.size() > answer_bytes_max) {
    return std::unexpected(too_large(answer_bytes_max));
  }
  return std::move(reply.response);
}

}  // namespace

SimTransport::~SimTransport() {
  for (const auto& [id, open] : open_) {
    loop_->cancel(open.timer);
  }
}

void SimTransport::add(const std::string& authority, SimulatedProvider& provider) {
  providers_[authority] = &provider;
}

void SimTransport::add(SimulatedProvider& provider) {
  add(fmt::format("{}:{}", provider.profile().host, provider.profile().port), provider);
}

void SimTransport::remove(const std::string& authority) {
  providers_.erase(authority);
}

void SimTransport::arm(Open open, Duration delay) {
  const wire::ExchangeId id = open.completion.id;
  open.timer = loop_->at(loop_->now() + delay, [this, id] { complete(id); });
  const bool unique = open_.emplace(id, std::move(open)).second;
  CHECK(unique);
}

void SimTransport::start(wire::ExchangeId id, wire::Request request, wire::CompletionSink& sink) {
  const base::Instant now = loop_->now();
  Open open;
  open.completion = {
      .id = id, .outcome = {}, .sent_at = now, .first_byte_at = now, .ended_at = now};
  open.sink = &sink;
  const auto url = wire::parse_url(request.url);
  if (!url) {
    open.completion.outcome = std::unexpected(
        wire::Failure{.kind = FailureKind::invalid_request, .message = url.error().message});
    return arm(std::move(open), Duration::zero());
  }
  const auto found = providers_.find(url->authority());
  if (found == providers_.end()) {
    open.completion.outcome = std::unexpected(wire::Failure{
        .kind = FailureKind::connect, .message = "nobody listens at " + url->authority()});
    return arm(std::move(open), Duration::zero());
  }
  const auto outage =
      meet_outage(found->second->profile(), provider_now(), request.timeouts, url->authority());
  if (outage.has_value()) {
    return wait_for_connection(std::move(open), *outage, std::move(request));
  }
  open.provider = found->second;
  Reply reply = open.provider->handle({.method = request.method,
                                       .target = url->target,
                                       .headers = request.headers,
                                       .body = request.body},
                                      provider_now());
  open.request = reply.id;
  open.streamed = request.streamed;
  if (request.streamed && BodyScript::plays(reply)) {
    begin_stream(std::move(open), std::move(reply), request, url->authority());
    return;
  }
  const bool streams = !reply.pieces.empty();
  const auto gives_up =
      streams ? patience(request.timeouts, reply.pieces) : patience(request.timeouts);
  const bool stalls = reply.delivery == Reply::Delivery::stall;
  if (gives_up.has_value() && !is_torment(reply.delivery) &&
      (stalls || gives_up->after < reply.delay)) {
    open.hangs_up = true;
    open.completion.outcome = std::unexpected(
        wire::Failure{.kind = gives_up->kind,
                      .message = fmt::format("no answer in {}", base::human(gives_up->after))});
    return arm(std::move(open), gives_up->after);
  }
  if (is_torment(reply.delivery)) {
    if (auto release = release_from(reply, request.timeouts, url->authority())) {
      open.hangs_up = true;
      open.completion.outcome = std::unexpected(std::move(release->failure));
      return arm(std::move(open), release->after);
    }
    return arm(std::move(open), base::from_seconds(kForeverSeconds));
  }
  // Without any limit a stalled exchange ends only by cancel().
  const Duration delay = stalls ? base::from_seconds(kForeverSeconds) : reply.delay;
  join_pieces(reply);
  open.first_byte = streams ? Duration::zero() : delay;
  open.completion.outcome = outcome_of(reply, request.answer_bytes_max);
  arm(std::move(open), delay);
}

void SimTransport::wait_for_connection(Open open, MetOutage outage, wire::Request request) {
  if (outage.failure.has_value()) {
    open.completion.outcome = std::unexpected(std::move(*outage.failure));
    return arm(std::move(open), outage.after);
  }
  const wire::ExchangeId id = open.completion.id;
  wire::CompletionSink* sink = open.sink;
  Duration& total = request.timeouts.total;
  total = total > Duration::zero() ? total - outage.after : total;
  open.timer = loop_->at(loop_->now() + outage.after,
                         [this, id, sink, request = std::move(request)]() mutable {
                           open_.erase(id);
                           start(id, std::move(request), *sink);
                         });
  open_.emplace(id, std::move(open));
}

void SimTransport::complete(wire::ExchangeId id) {
  const auto found = open_.find(id);
  Open open = std::move(found->second);
  open_.erase(found);
  const base::Instant now = loop_->now();
  if (open.provider != nullptr && open.request != 0) {
    open.provider->finished(open.request, provider_now(), open.hangs_up);
  }
  open.completion.ended_at = now;
  const bool bytes_came = open.completion.outcome.has_value() ||
                          open.completion.outcome.error().kind == FailureKind::broken ||
                          open.completion.outcome.error().kind == FailureKind::liveness_timeout ||
                          open.completion.outcome.error().kind == FailureKind::progress_timeout ||
                          open.completion.outcome.error().kind == FailureKind::too_large;
  open.completion.first_byte_at = bytes_came
                                      ? std::min(now, open.completion.sent_at + open.first_byte)
                                      : open.completion.sent_at;
  if (open.streamed && open.completion.outcome.has_value() && is_good(*open.completion.outcome)) {
    hand_on_whole(open.completion, *open.sink);
  }
  open.sink->completed(std::move(open.completion));
}

/// The head leaves at its time; before it nothing is known of the answer.
void SimTransport::begin_stream(Open open,
                                Reply reply,
                                const wire::Request& request,
                                std::string peer) {
  const wire::ExchangeId id = open.completion.id;
  const base::Instant now = loop_->now();
  auto stream = std::make_unique<Stream>();
  stream->head = reply.response;
  stream->head.status = stream->head.status == 0 ? kOk : stream->head.status;
  stream->head.body.clear();
  if (reply.delivery == Reply::Delivery::comments) {
    stream->head.headers.add("content-type", "text/event-stream");
  }
  const bool ends = is_bounded(reply, request.timeouts) || !is_torment(reply.delivery);
  stream->script = BodyScript(std::move(reply));
  stream->patience = wire::Patience(request.timeouts, now);
  stream->patience.sent(now);
  stream->began = now;
  stream->peer = std::move(peer);
  stream->bytes_max = request.answer_bytes_max;
  open.first_byte = stream->script.head_at();
  const Duration head_at = stream->script.head_at();
  open.stream = std::move(stream);
  if (!ends) {
    return arm(std::move(open), base::from_seconds(kForeverSeconds));
  }
  open.timer = {};
  Open& placed = open_.emplace(id, std::move(open)).first->second;
  const auto limit = placed.stream->patience.next_limit();
  if (!limit || now + head_at < *limit) {
    placed.timer = loop_->at(now + head_at, [this, id] {
      open_.at(id).stream->patience.byte(loop_->now());
      await_step(id);
    });
    return;
  }
  placed.timer = loop_->at(*limit, [this, id] { take_step(id); });
}

/// Until the next piece, or until the client's patience ends.
void SimTransport::await_step(wire::ExchangeId id) {
  Open& open = open_.at(id);
  std::optional<base::Instant> next = open.stream->patience.next_limit();
  if (const auto step = open.stream->script.next_at()) {
    const base::Instant at = std::max(loop_->now(), open.stream->began + *step);
    next = next ? std::min(*next, at) : at;
  }
  open.timer = loop_->at(next.value_or(loop_->now() + base::from_seconds(kForeverSeconds)),
                         [this, id] { take_step(id); });
}

void SimTransport::take_step(wire::ExchangeId id) {
  Stream& stream = *open_.at(id).stream;
  const base::Instant now = loop_->now();
  if (auto failure = stream.patience.passed(now, stream.peer)) {
    open_.at(id).hangs_up = true;
    return end_stream(id, std::unexpected(std::move(*failure)));
  }
  const auto at = stream.script.next_at();
  if (!at || stream.began + *at > now) {
    return await_step(id);
  }
  BodyScript::Step step = stream.script.next();
  switch (step.kind) {
    case BodyScript::Step::Kind::piece:
      return hand_on(id, step.bytes);
    case BodyScript::Step::Kind::end:
      return end_stream(id, std::move(stream.head));
    case BodyScript::Step::Kind::broken:
      return end_stream(id,
                        std::unexpected(wire::Failure{.kind = FailureKind::broken,
                                                      .message = "the body ended early"}));
  }
}

void SimTransport::hand_on(wire::ExchangeId id, const std::string& bytes) {
  Open& open = open_.at(id);
  open.stream->patience.byte(loop_->now());
  open.stream->bytes += bytes.size();
  if (open.stream->bytes > open.stream->bytes_max) {
    open.hangs_up = true;
    return end_stream(id, std::unexpected(too_large(open.stream->bytes_max)));
  }
  // Where others may be started or this one cancelled, nothing stays where it was.
  const wire::Response head = open.stream->head;
  const wire::Piece what = open.sink->received(id, head, bytes);
  const auto found = open_.find(id);
  if (found == open_.end() || found->second.stream == nullptr) {
    return;
  }
  if (what == wire::Piece::stop) {
    cancel(id);
    return;
  }
  if (what == wire::Piece::progress) {
    found->second.stream->patience.progressed(loop_->now());
  }
  await_step(id);
}

void SimTransport::end_stream(wire::ExchangeId id,
                              std::expected<wire::Response, wire::Failure> outcome) {
  Open& open = open_.at(id);
  open.completion.outcome = std::move(outcome);
  open.stream.reset();
  open.streamed = false;  // what there was of it was handed on
  complete(id);
}

void SimTransport::cancel(wire::ExchangeId id) {
  const auto found = open_.find(id);
  if (found == open_.end()) {
    return;
  }
  Open& open = found->second;
  loop_->cancel(open.timer);
  open.hangs_up = true;
  open.stream.reset();
  open.completion.outcome = std::unexpected(
      wire::Failure{.kind = FailureKind::cancelled, .message = "cancelled by the client"});
  // The provider learns of it now; the completion is delivered from the loop, never from inside
  // cancel().
  open.timer = loop_->at(loop_->now(), [this, id] { complete(id); });
}

}  // namespace sortie::sim
