#include "sortie/monitor/web_server.h"

#include "sortie/analysis/phrases.h"
#include "sortie/base/json.h"
#include "sortie/monitor/web_answer.h"
#include "sortie/monitor/web_assets.h"
#include "sortie/monitor/web_metrics.h"
#include "sortie/monitor/web_query.h"
#include "sortie/monitor/web_remote.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::monitor {

namespace {

constexpr std::size_t kBodyBytesMax = 64UL * 1024;
constexpr std::size_t kHeaderBytesMax = 16UL * 1024;
constexpr std::size_t kQuestionsMax = 64;  // that wait for the worker
constexpr std::size_t kReportsWaitingMax = 8;
constexpr std::size_t kLiveRunsMax = 64;
constexpr base::Duration kIdleMax = std::chrono::seconds(30);

void respond(http::ResponseSlot slot, wire::Response answer) {
  add_protection(answer);
  slot.respond(std::move(answer));
}

wire::Response asset_response(std::string_view name) {
  const auto asset = web_asset(name);
  return asset.has_value() ? response(200, asset->type, std::string(asset->bytes)) : not_found();
}

/// The page's own files, which say nothing of any run. Its addresses are made up by its script.
wire::Response page_response(const Target& target) {
  if (target.path.size() == 2 && target.path[0] == "assets") {
    return asset_response(target.path[1]);
  }
  const bool page = target.path.empty() || target.path[0] == "runs";
  return page ? asset_response("index.html") : not_found();
}

std::optional<std::int64_t> whole(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0
             ? std::optional(value)
             : std::nullopt;
}

}  // namespace

WebServer::WebServer(aio::Loop& loop, Options options, Places places, TranscriptSource& transcripts)
    : loop_(loop),
      places_(std::move(places)),
      transcripts_(transcripts),
      token_(std::move(options.token)),
      runs_(stop_.get_token()) {}

WebServer::~WebServer() {
  stop_.request_stop();
  server_.reset();
}

base::Result<std::unique_ptr<WebServer>> WebServer::listen(aio::Loop& loop,
                                                           Options options,
                                                           Places places,
                                                           TranscriptSource& transcripts) {
  const std::string address = options.address;
  const http::ServerOptions server_options{.address = address,
                                           .port = options.port,
                                           .connections_max = options.connections_max,
                                           .displace_idle = true,
                                           .header_bytes_max = kHeaderBytesMax,
                                           .body_bytes_max = kBodyBytesMax,
                                           .idle_max = kIdleMax};
  std::unique_ptr<WebServer> server(
      new WebServer(loop, std::move(options), std::move(places), transcripts));
  TRY_ASSIGN(server->server_, http::Server::listen(loop, *server, server_options));
  server->gate_ = std::make_unique<Gate>(server->token_, server->server_->port(), address);
  server->worker_ = std::make_unique<aio::Worker>(loop, "sortie-web", kQuestionsMax);
  server->reporter_ = std::make_unique<aio::Worker>(loop, "sortie-report", kReportsWaitingMax);
  return server;
}

void WebServer::add_live(const std::string& run, LiveSource source) {
  auto feed = std::make_unique<LiveFeed>(loop_, std::move(source));
  feed->observe_always();
  own_[run] = std::move(feed);
}

std::string WebServer::link() const {
  return fmt::format("{}/#token={}", server_->url(), token_.reveal());
}

std::string WebServer::url() const {
  return server_->url();
}

void WebServer::handle(http::ServerRequest request, http::ResponseSlot slot) {
  if (!gate_->from_here(request)) {
    respond(std::move(slot),
            error_response(403,
                           base::ErrorCode::refused,
                           fmt::format("requests are taken from {} alone", server_->url())));
    return;
  }
  const std::optional<Target> target = parse_target(request.target);
  if (!target.has_value()) {
    respond(std::move(slot),
            error_response(400, base::ErrorCode::invalid, "this is no address of the page"));
    return;
  }
  answer(std::move(request), *target, std::move(slot));
}

void WebServer::answer(http::ServerRequest request, const Target& target, http::ResponseSlot slot) {
  const std::string first = target.path.empty() ? "" : target.path[0];
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (first != "v1" && first != "metrics" && first != "healthz") {
    respond(std::move(slot), reads ? page_response(target) : wrong_method("GET"));
    return;
  }
  if (target.path == std::vector<std::string>{"v1", "session"}) {
    respond(std::move(slot),
            request.method == "POST" ? open_session(request) : wrong_method("POST"));
    return;
  }
  if (!gate_->may_read(request)) {
    respond(std::move(slot),
            error_response(401,
                           base::ErrorCode::refused,
                           "open the link that sortie printed, which holds the token"));
    return;
  }
  if (first == "healthz" && target.path.size() == 1) {
    respond(std::move(slot), response(200, "text/plain; charset=utf-8", "ok\n"));
  } else if (first == "metrics" && target.path.size() == 1) {
    answer_metrics(std::move(slot));
  } else {
    answer_api(std::move(request), target, std::move(slot));
  }
}

wire::Response WebServer::open_session(const http::ServerRequest& request) const {
  const auto body = json::parse(request.body, {.bytes_max = kBodyBytesMax, .depth_max = 4});
  if (!body.has_value()) {
    return error_response(body.error());
  }
  if (!gate_->is_token(json::get_string(*body, "token").value_or(""))) {
    return error_response(401, base::ErrorCode::refused, "this is not the token");
  }
  wire::Response opened = json_response(200, json::Object{{"version", 1}});
  opened.headers.add("Set-Cookie", gate_->cookie());
  return opened;
}

void WebServer::answer_api(http::ServerRequest request,
                           const Target& target,
                           http::ResponseSlot slot) {
  if (target.path.size() < 2 || target.path[0] != "v1" || target.path[1] != "runs") {
    respond(std::move(slot), not_found());
    return;
  }
  const std::vector<RunPlace> places = places_();
  if (target.path.size() == 2) {
    on_worker(
        *worker_, std::move(slot), [places] { return json_response(200, WebRuns::list(places)); });
    return;
  }
  const auto place = std::ranges::find(places, target.path[2], &RunPlace::name);
  if (place == places.end()) {
    respond(std::move(slot),
            error_response(404,
                           base::ErrorCode::not_found,
                           fmt::format("there is no run '{}' here", target.path[2])));
    return;
  }
  answer_run(std::move(request), target, *place, std::move(slot));
}

void WebServer::answer_run(http::ServerRequest request,
                           const Target& target,
                           const RunPlace& place,
                           http::ResponseSlot slot) {
  const std::string what = target.path.size() > 3 ? target.path[3] : "";
  if (target.path.size() == 4 && (what == "events" || what == "status" || what == "control")) {
    answer_live(what, std::move(request), place, std::move(slot));
    return;
  }
  if (request.method != "GET" && request.method != "HEAD") {
    respond(std::move(slot), wrong_method("GET"));
    return;
  }
  if (what == "report" || what == "figures") {
    on_worker(
        *reporter_, std::move(slot), [this, target, place] { return read_report(target, place); });
    return;
  }
  on_worker(*worker_, std::move(slot), [this, target, place] { return read_run(target, place); });
}

wire::Response WebServer::read_run(const Target& target, const RunPlace& place) {
  const std::string what = target.path.size() > 3 ? target.path[3] : "";
  if (what == "trials" && target.path.size() == 7 && target.path[5] == "messages") {
    const auto trial = whole(target.path[4]);
    const auto position = whole(target.path[6]);
    if (!trial.has_value() || !position.has_value()) {
      return not_found();
    }
    const auto text = transcripts_.message(place, *trial, static_cast<std::size_t>(*position));
    return text.has_value() ? response(200, "text/plain; charset=utf-8", *text)
                            : error_response(text.error());
  }
  if (what == "trials" && target.path.size() == 5) {
    return answer_of(read_trial(target, place));
  }
  if (target.path.size() > 4) {
    return not_found();
  }
  const auto index = runs_.index(place);
  if (!index.has_value()) {
    return error_response(index.error());
  }
  if (what.empty()) {
    return answer_of(overview_json(**index, place.name));
  }
  if (what == "cells") {
    return json_response(200, cells_json(**index));
  }
  if (what == "trials") {
    return answer_of(trials_json(**index, target));
  }
  if (what == "compare") {
    return answer_of(compare_json(**index, target));
  }
  return what == "timeline" ? json_response(200, timeline_json(**index)) : not_found();
}

wire::Response WebServer::read_report(const Target& target, const RunPlace& place) {
  const auto language = analysis::language_of_code(target.text("lang").value_or("en"));
  if (!language.has_value()) {
    return error_response(language.error());
  }
  const bool is_report = target.path[3] == "report";
  if (target.path.size() > (is_report ? 4U : 5U)) {
    return not_found();
  }
  const auto report = reports_.of(place, *language);
  if (!report.has_value()) {
    return error_response(report.error());
  }
  if (is_report) {
    return document_response("text/html; charset=utf-8", (*report)->html);
  }
  if (target.path.size() == 4) {
    return json_response(200, json::Object{{"figures", (*report)->figures}});
  }
  const auto number = whole(target.path[4]);
  const std::vector<std::string>& svgs = (*report)->svgs;
  return number.has_value() && static_cast<std::size_t>(*number) < svgs.size()
             ? document_response("image/svg+xml", svgs[static_cast<std::size_t>(*number)])
             : not_found();
}

base::Result<json::Value> WebServer::read_trial(const Target& target, const RunPlace& place) {
  const auto trial = whole(target.path[4]);
  TRY_ASSIGN(const TrialIndex* index, runs_.index(place));
  if (!trial.has_value() || static_cast<std::size_t>(*trial) >= index->trials().size() ||
      !index->trials()[static_cast<std::size_t>(*trial)].exists) {
    return base::failure(base::Remedy::bad_input,
                         base::ErrorCode::not_found,
                         fmt::format("this run has no trial '{}'", target.path[4]));
  }
  TRY_ASSIGN(json::Value made, transcripts_.transcript(place, *trial));
  made.as_object()["summary"] = trial_json(*index, static_cast<std::size_t>(*trial));
  return made;
}

LiveFeed* WebServer::feed_of(const RunPlace& place) {
  if (const auto own = own_.find(place.name); own != own_.end()) {
    return own->second.get();
  }
  const auto other = others_.find(place.directory);
  if (other != others_.end()) {
    return other->second.get();
  }
  if (!seems_live(place) || others_.size() >= kLiveRunsMax) {
    return nullptr;
  }
  return others_
      .emplace(place.directory,
               std::make_unique<LiveFeed>(loop_, remote_run(loop_, place.directory)))
      .first->second.get();
}

void WebServer::answer_live(const std::string& what,
                            http::ServerRequest request,
                            const RunPlace& place,
                            http::ResponseSlot slot) {
  const std::string_view method = what == "control" ? "POST" : "GET";
  if (request.method != method) {
    respond(std::move(slot), wrong_method(method));
    return;
  }
  LiveFeed* feed = seems_live(place) || own_.contains(place.name) ? feed_of(place) : nullptr;
  if (feed == nullptr) {
    // Tells an EventSource not to ask again.
    respond(std::move(slot),
            what == "events" ? response(204, "text/plain", "")
                             : error_response(404,
                                              base::ErrorCode::not_found,
                                              fmt::format("run '{}' does not go on", place.name)));
    return;
  }
  if (what == "events") {
    feed->listen(std::move(slot));
    return;
  }
  // Shared with the source's callback, which has to be copyable.
  const auto held = std::make_shared<http::ResponseSlot>(std::move(slot));
  if (what == "status") {
    feed->source().status(
        [held](base::Result<json::Value> status) { respond(std::move(*held), answer_of(status)); });
  } else {
    feed->source().control(std::move(request.body), [held](wire::Response changed) {
      respond(std::move(*held), std::move(changed));
    });
  }
}

void WebServer::answer_metrics(http::ResponseSlot slot) {
  struct Gathering {
    http::ResponseSlot slot;
    std::vector<std::pair<std::string, json::Value>> runs;

    // When the last run has answered, or has been given up on.
    ~Gathering() {
      respond(std::move(slot),
              response(200, "text/plain; version=0.0.4; charset=utf-8", prometheus_text(runs)));
    }
  };

  // Shared by the callbacks; the last one that goes answers.
  const auto gathering = std::make_shared<Gathering>();
  gathering->slot = std::move(slot);
  for (const RunPlace& place : places_()) {
    LiveFeed* feed = own_.contains(place.name) || seems_live(place) ? feed_of(place) : nullptr;
    if (feed != nullptr) {
      feed->source().status([gathering, name = place.name](base::Result<json::Value> status) {
        if (status.has_value()) {
          gathering->runs.emplace_back(name, std::move(*status));
        }
      });
    }
  }
}

void WebServer::on_worker(aio::Worker& worker, http::ResponseSlot slot, Answer answer) {
  // Written by the worker, read by the loop after it; the slot stays with the loop.
  const auto result = std::make_shared<wire::Response>();
  const auto held = std::make_shared<http::ResponseSlot>(std::move(slot));
  const bool taken =
      worker.submit([result, answer = std::move(answer)] { *result = answer(); },
                    [result, held] { respond(std::move(*held), std::move(*result)); });
  if (!taken) {
    respond(
        std::move(*held),
        error_response(
            503, base::ErrorCode::refused, "too many questions at once; ask again in a moment"));
  }
}

}  // namespace sortie::monitor
