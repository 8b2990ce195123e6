#include "sortie/sim/server.h"

#include "sortie/aio/loop.h"
#include "sortie/base/error.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/http/certificate.h"
#include "sortie/http/server.h"
#include "sortie/sim/garble.h"
#include "sortie/sim/outage.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/sim/reply.h"
#include "sortie/suite/suite.h"
#include "sortie/wire/message.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <ios>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::sim {

namespace {

std::optional<wire::Method> method_of(std::string_view name) {
  for (const wire::Method method :
       {wire::Method::get, wire::Method::post, wire::Method::put, wire::Method::delete_}) {
    if (base::equals_ignoring_case(wire::to_string(method), name)) {
      return method;
    }
  }
  return std::nullopt;
}

/// Whose name is not found: names are not the server's, so that nobody listens is what it can do.
http::Reception reception_of(FaultKind outage) {
  switch (outage) {
    case FaultKind::black_hole:
      return http::Reception::silent;
    case FaultKind::slow_handshake:
      return http::Reception::held;
    default:
      return http::Reception::refusing;
  }
}

base::Status write_authority(const http::Authority& authority, const std::string& path) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << authority.pem();
  file.close();
  if (!file) {
    return base::io_error(fmt::format("cannot write the authority's certificate to {}", path),
                          errno);
  }
  return {};
}

}  // namespace

ProviderServer::ProviderServer(aio::Loop& loop,
                               ProviderProfile profile,
                               std::uint64_t seed,
                               const suite::Suite& suite)
    : loop_(&loop), epoch_(loop.now()), provider_(std::move(profile), seed, suite) {}

ProviderServer::~ProviderServer() {
  stop();
}

base::Result<std::unique_ptr<ProviderServer>> ProviderServer::listen(aio::Loop& loop,
                                                                     ProviderProfile profile,
                                                                     std::uint64_t seed,
                                                                     const suite::Suite& suite) {
  const std::uint16_t port = profile.port;
  const std::string name = profile.name;
  const auto identity = profile.tls ? profile.tls->identity : nullptr;
  auto server =
      std::unique_ptr<ProviderServer>(new ProviderServer(loop, std::move(profile), seed, suite));
  auto listening = http::Server::listen(loop, *server, {.port = port, .tls = identity});
  if (!listening) {
    return std::unexpected(base::with_context(std::move(listening).error(),
                                              fmt::format("simulated provider '{}'", name)));
  }
  server->server_ = std::move(*listening);
  server->follow_outages();
  return server;
}

void ProviderServer::handle(http::ServerRequest request, http::ResponseSlot slot) {
  const auto method = method_of(request.method);
  if (!method.has_value()) {
    slot.respond({.status = 405, .headers = {}, .body = {}});
    return;
  }
  Reply reply = provider_.handle({.method = *method,
                                  .target = request.target,
                                  .headers = request.headers,
                                  .body = request.body},
                                 provider_now());
  if (reply.id == 0) {
    slot.respond(std::move(reply.response));
    return;
  }
  const std::uint64_t id = reply.id;
  const base::Duration delay = reply.delay;
  const bool stalls = reply.delivery == Reply::Delivery::stall;
  Pending& pending =
      pending_.emplace(id, Pending{.reply = std::move(reply), .slot = std::move(slot)})
          .first->second;
  const bool streams = !pending.reply.pieces.empty();
  if (delay == base::Duration::zero() && !stalls && !streams) {
    deliver(id);
    return;
  }
  pending.slot.on_disconnect([this, id] { client_left(id); });
  if (streams) {
    begin_stream(id);
  } else if (!stalls) {
    pending.timer = loop_->at(loop_->now() + delay, [this, id] { deliver(id); });
  }
}

/// The head leaves at once, as providers do.
void ProviderServer::begin_stream(std::uint64_t id) {
  Pending& pending = pending_.at(id);
  pending.began = loop_->now();
  pending.slot.begin(pending.reply.response);
  send_pieces(id);
}

/// All pieces that are due; then waits for the next, or ends.
void ProviderServer::send_pieces(std::uint64_t id) {
  Pending& pending = pending_.at(id);
  const std::vector<Reply::Piece>& pieces = pending.reply.pieces;
  const bool is_cut = pending.reply.delivery == Reply::Delivery::truncated;
  const std::size_t end = is_cut ? pieces.size() / 2 : pieces.size();
  const base::Duration passed = loop_->now() - pending.began;
  std::string due;
  while (pending.sent < end && pieces[pending.sent].at <= passed) {
    due += pieces[pending.sent++].bytes;
  }
  if (!due.empty()) {
    pending.slot.write(std::move(due));
  }
  if (pending.sent < end) {
    pending.timer =
        loop_->at(pending.began + pieces[pending.sent].at, [this, id] { send_pieces(id); });
    return;
  }
  auto node = pending_.extract(id);
  if (is_cut) {
    node.mapped().slot.close(http::Ending::close);
  } else {
    node.mapped().slot.end();
  }
  provider_.finished(id, provider_now(), false);
}

void ProviderServer::deliver(std::uint64_t id) {
  auto node = pending_.extract(id);
  Pending& pending = node.mapped();
  switch (pending.reply.delivery) {
    case Reply::Delivery::answer:
      pending.slot.respond(std::move(pending.reply.response));
      break;
    case Reply::Delivery::truncated: {
      const std::size_t half = pending.reply.response.body.size() / 2;
      pending.slot.send_truncated(std::move(pending.reply.response), half);
      break;
    }
    case Reply::Delivery::reset:
    case Reply::Delivery::stall:
      pending.slot.close(http::Ending::reset);
      break;
    case Reply::Delivery::fin:
      pending.slot.close(http::Ending::close);
      break;
    case Reply::Delivery::half_close:
      pending.slot.half_close();
      break;
    case Reply::Delivery::bad_chunks:
      pending.slot.begin_without_head();
      pending.slot.write(with_bad_chunks(pending.reply.response));
      pending.slot.end();
      break;
    case Reply::Delivery::bad_gzip:
      pending.slot.respond(with_bad_gzip(std::move(pending.reply.response)));
      break;
    case Reply::Delivery::head_stall:
    case Reply::Delivery::drip:
    case Reply::Delivery::comments:
    case Reply::Delivery::loris:
      torment(id, std::move(pending));
      return;
  }
  provider_.finished(id, provider_now(), false);
}

/// Begins what only the client ends.
void ProviderServer::torment(std::uint64_t id, Pending pending) {
  wire::Response head{.status = 200, .headers = {}, .body = {}};
  head.headers.add("content-type",
                   pending.reply.delivery == Reply::Delivery::comments ? "text/event-stream"
                                                                       : "application/json");
  if (pending.reply.delivery == Reply::Delivery::loris) {
    pending.slot.begin_without_head();
  } else {
    pending.slot.begin(std::move(head));
  }
  pending.slot.on_disconnect([this, id] { client_left(id); });
  const bool goes_on = pending.reply.delivery != Reply::Delivery::head_stall;
  pending_.insert_or_assign(id, std::move(pending));
  if (goes_on) {
    go_on(id, 0);
  }
}

void ProviderServer::go_on(std::uint64_t id, std::size_t said) {
  constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\nX-Slow: ";
  Pending& pending = pending_.at(id);
  const auto wait = pending.reply.every;
  pending.timer = loop_->at(loop_->now() + wait, [this, id, said, kHead] {
    Pending& due = pending_.at(id);
    if (!due.slot.connected()) {
      client_left(id);
      return;
    }
    if (due.reply.delivery == Reply::Delivery::comments) {
      due.slot.write(": keep-alive\n\n");
    } else if (due.reply.delivery == Reply::Delivery::loris && said < kHead.size()) {
      due.slot.write(std::string(1, kHead[said]));
    } else {
      due.slot.write("x");
    }
    if (pending_.contains(id)) {
      go_on(id, said + 1);
    }
  });
}

void ProviderServer::client_left(std::uint64_t id) {
  const auto node = pending_.extract(id);
  if (node.empty()) {
    return;
  }
  loop_->cancel(node.mapped().timer);
  provider_.finished(id, provider_now(), true);
}

/// Faults of connections begin and end at their times, whoever asks meanwhile.
void ProviderServer::follow_outages() {
  const base::Instant now = provider_now();
  const auto outage = outage_at(provider_.profile(), now);
  server_->receive(outage ? reception_of(outage->kind) : http::Reception::accepting);
  outage_timer_.reset();
  if (const auto next = next_outage_change(provider_.profile(), now)) {
    outage_timer_ = loop_->at(loop_->now() + (*next - now), [this] { follow_outages(); });
  }
}

void ProviderServer::stop() {
  if (const auto timer = std::exchange(outage_timer_, std::nullopt); timer.has_value()) {
    loop_->cancel(*timer);
  }
  if (server_ != nullptr) {
    server_->stop();
  }
  // Clients that are told by the server's stop have left; the timers of the others go here.
  for (const auto& [id, pending] : pending_) {
    loop_->cancel(pending.timer);
  }
  pending_.clear();
}

base::Result<std::unique_ptr<SimServer>> SimServer::start(aio::Loop& loop,
                                                          const Profile& profile,
                                                          const suite::Suite& suite,
                                                          const SimServerOptions& options) {
  auto out = std::make_unique<SimServer>();
  std::optional<http::Authority> authority;
  for (ProviderProfile provider : profile.providers) {
    if (provider.tls && provider.tls->identity == nullptr) {
      if (!authority) {
        authority.emplace("sortie simulate");
      }
      TRY(write_authority(*authority, provider.tls->authority_file));
      provider.tls->identity =
          std::make_shared<const http::TlsIdentity>(authority->issue({"127.0.0.1", "localhost"}));
    }
    TRY_ASSIGN(auto server, ProviderServer::listen(loop, provider, profile.seed, suite));
    if (!options.audit_path.empty()) {
      TRY(server->provider().audit().append_to(options.audit_path));
    }
    out->providers_.push_back(std::move(server));
  }
  return out;
}

std::vector<std::string> SimServer::base_urls() const {
  std::vector<std::string> urls;
  urls.reserve(providers_.size());
  for (const auto& server : providers_) {
    urls.push_back(server->base_url());
  }
  return urls;
}

void SimServer::stop() {
  for (const auto& server : providers_) {
    server->stop();
  }
}

}  // namespace sortie::sim
