#include "sortie/monitor/control_server.h"

#include "sortie/base/json.h"
#include "sortie/monitor/control_json.h"
#include "sortie/monitor/details.h"
#include "sortie/monitor/status_json.h"
#include "sortie/wire/message.h"

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

namespace sortie::monitor {

namespace {

constexpr std::size_t kBodyBytesMax = 64UL * 1024;
constexpr std::size_t kConnectionsMax = 16;

/// "name (uid 1000)".
std::string name_of(uid_t user) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return fmt::format("uid {}", user);
  }
  return fmt::format("{} (uid {})", entry.pw_name, user);
}

wire::Response json_response(int status, const json::Value& value) {
  wire::Response response;
  response.status = status;
  response.headers.add("Content-Type", "application/json");
  response.body = json::to_text(value) + "\n";
  return response;
}

wire::Response error_response(int status, base::ErrorCode code, std::string_view message) {
  return json_response(
      status,
      json::Object{{"error", json::Object{{"code", base::to_string(code)}, {"message", message}}}});
}

wire::Response error_response(const base::Error& error) {
  return error_response(
      error.code == base::ErrorCode::refused ? 409 : 400, error.code, error.message);
}

}  // namespace

ControlServer::ControlServer(Source source)
    : source_(std::move(source)), author_(name_of(::geteuid())) {}

base::Result<std::unique_ptr<ControlServer>> ControlServer::listen(aio::Loop& loop,
                                                                   const std::string& run_directory,
                                                                   Source source) {
  std::unique_ptr<ControlServer> server(new ControlServer(std::move(source)));
  TRY_ASSIGN(server->server_,
             http::Server::listen(
                 loop,
                 *server,
                 {.unix_path = (std::filesystem::path(run_directory) / kControlSocket).string(),
                  .connections_max = kConnectionsMax,
                  .body_bytes_max = kBodyBytesMax}));
  return server;
}

void ControlServer::handle(http::ServerRequest request, http::ResponseSlot slot) {
  slot.respond(answer(request));
}

wire::Response ControlServer::answer(const http::ServerRequest& request) const {
  if (request.peer != ::geteuid()) {
    return error_response(403,
                          base::ErrorCode::refused,
                          fmt::format("this run belongs to {}: only that user may look at it or "
                                      "change it here",
                                      author_));
  }
  const std::string_view target = request.target;
  const std::string_view path = target.substr(0, target.find('?'));
  if (path == "/v1/status") {
    return request.method == "GET"
               ? status(request)
               : error_response(405, base::ErrorCode::unsupported, "/v1/status takes GET");
  }
  if (path == "/v1/control") {
    return request.method == "POST"
               ? control(request)
               : error_response(405, base::ErrorCode::unsupported, "/v1/control takes POST");
  }
  return error_response(
      404, base::ErrorCode::not_found, "nothing is here; expected one of: /v1/status, /v1/control");
}

wire::Response ControlServer::status(const http::ServerRequest& request) const {
  const engine::RunStatus status = source_.status();
  if (request.headers.find("Accept") != "text/plain") {
    return json_response(200, to_json(status));
  }
  wire::Response response;
  response.status = 200;
  response.headers.add("Content-Type", "text/plain; charset=utf-8");
  for (const std::string& line : details(status)) {
    response.body += line + "\n";
  }
  return response;
}

wire::Response ControlServer::control(const http::ServerRequest& request) const {
  return apply_control(request.body, author_, source_.control);
}

wire::Response apply_control(
    std::string_view body,
    const std::string& author,
    const std::function<base::Result<std::vector<std::string>>(const engine::ControlCommand&)>&
        control) {
  const auto value = json::parse(body, {.bytes_max = kBodyBytesMax, .depth_max = 8});
  if (!value.has_value()) {
    return error_response(value.error());
  }
  auto command = control_from_json(*value);
  if (!command.has_value()) {
    return error_response(command.error());
  }
  command->author = author;
  const auto changes = control(*command);
  if (!changes.has_value()) {
    return error_response(changes.error());
  }
  json::Array texts;
  for (const std::string& text : *changes) {
    texts.emplace_back(text);
  }
  return json_response(200,
                       json::Object{{"version", 1},
                                    {"author", author},
                                    {"changes", std::move(texts)},
                                    {"dry_run", command->dry_run}});
}

}  // namespace sortie::monitor
