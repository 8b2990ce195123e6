#include "sortie/sim/fault.h"

#include "sortie/sim/audit.h"
#include "sortie/sim/dialects.h"
#include "sortie/sim/openai.h"
#include "sortie/sim/pools.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/reply.h"
#include "sortie/wire/message.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace sortie::sim {

namespace {

ApiError server_error() {
  return {.status = 500,
          .message = "The server had an error while processing your request. Sorry about that!",
          .type = "server_error",
          .param = {},
          .code = {}};
}

ApiError overloaded() {
  return {.status = 503,
          .message =
              "That model is currently overloaded with other requests. You can retry your request.",
          .type = "server_error",
          .param = {},
          .code = "server_is_overloaded"};
}

ApiError out_of_quota() {
  return {.status = 429,
          .message = "You exceeded your current quota, please check your plan and billing details.",
          .type = "insufficient_quota",
          .param = {},
          .code = "insufficient_quota"};
}

ApiError context_full() {
  return {.status = 400,
          .message =
              "This model's maximum context length is exceeded by your messages. Please "
              "reduce the length of the messages.",
          .param = "messages",
          .code = "context_length_exceeded"};
}

FaultOutcome error(const FaultVictim& victim,
                   const ApiError& what,
                   Decision decision = Decision::fault) {
  return {.decision = decision,
          .delivery = Reply::Delivery::answer,
          .response = error_in(victim.dialect, what),
          .at_once = true};
}

FaultOutcome lost(Reply::Delivery delivery) {
  return {.decision = Decision::fault, .delivery = delivery, .response = {}, .at_once = false};
}

FaultOutcome garbled(wire::Response response) {
  return {.decision = Decision::fault,
          .delivery = Reply::Delivery::answer,
          .response = std::move(response),
          .at_once = false};
}

wire::Response bad_gateway() {
  wire::Response page{.status = 502,
                      .headers = {},
                      .body = "<html><head><title>502 Bad Gateway</title></head></html>"};
  page.headers.add("content-type", "text/html");
  return page;
}

wire::Response gateway_timeout() {
  wire::Response page{.status = 504,
                      .headers = {},
                      .body = "<html><head><title>504 Gateway Time-out</title></head></html>"};
  page.headers.add("content-type", "text/html");
  return page;
}

wire::Response event_stream(std::string body) {
  wire::Response response{.status = 200, .headers = {}, .body = std::move(body)};
  response.headers.add("content-type", "text/event-stream; charset=utf-8");
  return response;
}

wire::Response error_in_200(const FaultVictim& victim) {
  if (victim.stream) {
    return event_stream(keep_alive_in(victim.dialect) +
                        error_event_in(victim.dialect, server_error()));
  }
  wire::Response response = error_in(victim.dialect, server_error());
  response.status = 200;
  return response;
}

wire::Response invalid_json(const FaultVictim& victim) {
  constexpr const char* kHalf = R"({"id": "chatcmpl-1", "choices": [)";
  return victim.stream ? event_stream(std::string("data: ") + kHalf + "\n\n")
                       : json_response(200, kHalf);
}

}  // namespace

bool comes_before_limits(FaultKind kind) {
  return kind == FaultKind::key_revoked || kind == FaultKind::insufficient_quota;
}

std::optional<FaultOutcome> outcome_of(const FaultProfile& fault, const FaultVictim& victim) {
  switch (fault.kind) {
    case FaultKind::http_500:
      return error(victim, server_error());
    case FaultKind::http_502_html:
      return garbled(bad_gateway());
    case FaultKind::http_503:
      return error(victim, overloaded());
    case FaultKind::http_504:
      return garbled(gateway_timeout());
    case FaultKind::reset:
      return lost(Reply::Delivery::reset);
    case FaultKind::stall:
      return lost(Reply::Delivery::stall);
    case FaultKind::fin:
      return lost(Reply::Delivery::fin);
    case FaultKind::half_close:
      return lost(Reply::Delivery::half_close);
    case FaultKind::head_stall:
      return lost(Reply::Delivery::head_stall);
    case FaultKind::drip:
      return lost(Reply::Delivery::drip);
    case FaultKind::comments:
      return lost(Reply::Delivery::comments);
    case FaultKind::slow_head:
      return lost(Reply::Delivery::loris);
    case FaultKind::invalid_json:
      return garbled(invalid_json(victim));
    case FaultKind::error_in_200:
      return garbled(error_in_200(victim));
    case FaultKind::insufficient_quota:
      return error(victim, out_of_quota(), Decision::rate_limited);
    case FaultKind::key_revoked:
      return error(victim, invalid_key(), Decision::unauthorized);
    case FaultKind::context_full:
      return error(victim, context_full());
    case FaultKind::rate_limited:
    case FaultKind::rate_limited_bare:
      break;
    case FaultKind::truncated_body:
    case FaultKind::wrong_model:
    case FaultKind::empty_answer:
    case FaultKind::refusal:
    case FaultKind::truncated_answer:
    case FaultKind::content_filter:
    case FaultKind::broken_chunks:
    case FaultKind::broken_gzip:
    case FaultKind::invalid_utf8:
    case FaultKind::truncated_json:
    case FaultKind::connection_refused:
    case FaultKind::black_hole:
    case FaultKind::slow_handshake:
    case FaultKind::unresolved_name:
      return std::nullopt;
  }
  const Refusal invented{.limit = {},
                         .dimension = Dimension::requests,
                         .quota = 1,
                         .used = 1,
                         .requested = 1,
                         .window = std::chrono::minutes(1),
                         .wait = fault.retry_after};
  const bool with_retry_after = fault.kind == FaultKind::rate_limited;
  return FaultOutcome{.decision = Decision::rate_limited,
                      .delivery = Reply::Delivery::answer,
                      .response = refusal_in(
                          victim.dialect, invented, victim.model, victim.account, with_retry_after),
                      .at_once = true};
}

}  // namespace sortie::sim
