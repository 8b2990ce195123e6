#include "sortie/monitor/web_remote.h"

#include "sortie/http/curl_transport.h"
#include "sortie/monitor/control_server.h"
#include "sortie/wire/transport.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace sortie::monitor {

namespace {

constexpr base::Duration kAnswerTime = std::chrono::seconds(10);

/// Exchanges with one control socket.
class Client final : public wire::CompletionSink {
 public:
  using Callback = std::function<void(wire::Completion)>;

  Client(aio::Loop& loop, std::string path)
      : path_(std::move(path)), transport_(loop, {.ca_file = {}, .unix_path = path_}) {}

  void ask(wire::Method method, const std::string& target, std::string body, Callback callback) {
    wire::Request request;
    request.method = method;
    request.url = "http://localhost" + target;
    request.body = std::move(body);
    request.timeouts.total = kAnswerTime;
    const std::uint64_t id = ++last_;
    waiting_.emplace(id, std::move(callback));
    transport_.start({id}, std::move(request), *this);
  }

  void completed(wire::Completion completion) override {
    auto node = waiting_.extract(completion.id.value);
    if (!node.empty()) {
      node.mapped()(std::move(completion));
    }
  }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::map<std::uint64_t, Callback> waiting_;
  std::uint64_t last_ = 0;
  http::CurlTransport transport_;
};

std::unexpected<base::Error> silent(const Client& client) {
  return base::failure(base::Remedy::retry_later,
                       base::ErrorCode::not_found,
                       fmt::format("no run answers at {}", client.path()));
}

}  // namespace

LiveSource remote_run(aio::Loop& loop, const std::string& run_directory) {
  // Shared by the source's two functions.
  const auto client = std::make_shared<Client>(
      loop, (std::filesystem::path(run_directory) / kControlSocket).string());
  return {.status =
              [client](const LiveSource::StatusCallback& callback) {
                client->ask(
                    wire::Method::get,
                    "/v1/status",
                    {},
                    [client = client.get(), callback](wire::Completion completion) {
                      if (!completion.outcome.has_value() || completion.outcome->status != 200) {
                        callback(silent(*client));
                      } else {
                        callback(json::parse(completion.outcome->body));
                      }
                    });
              },
          .control =
              [client](std::string body, const LiveSource::ControlCallback& callback) {
                client->ask(wire::Method::post,
                            "/v1/control",
                            std::move(body),
                            [client = client.get(), callback](wire::Completion completion) {
                              wire::Response none;
                              none.status = 409;
                              none.body = silent(*client).error().message;
                              callback(completion.outcome.has_value()
                                           ? std::move(*completion.outcome)
                                           : std::move(none));
                            });
              }};
}

}  // namespace sortie::monitor
