#include "sortie/app/live_run.h"

#include "sortie/aio/loop.h"
#include "sortie/base/json.h"
#include "sortie/http/curl_transport.h"
#include "sortie/monitor/control_server.h"
#include "sortie/wire/transport.h"

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace sortie::app {

namespace {

constexpr base::Duration kAnswerTime = std::chrono::seconds(10);

class OneAnswer final : public wire::CompletionSink {
 public:
  explicit OneAnswer(aio::Loop& loop) : loop_(loop) {}

  void completed(wire::Completion completion) override {
    completion_ = std::move(completion);
    loop_.stop();
  }

  [[nodiscard]] const std::optional<wire::Completion>& completion() const { return completion_; }

 private:
  aio::Loop& loop_;
  std::optional<wire::Completion> completion_;
};

std::unexpected<base::Error> no_run(const std::string& directory, std::string_view why) {
  return base::failure(base::Remedy::bad_input,
                       base::ErrorCode::refused,
                       fmt::format("no run is going on in {}: {}", directory, why));
}

}  // namespace

base::Result<wire::Response> ask_run(const std::string& directory,
                                     wire::Method method,
                                     const std::string& target,
                                     const std::string& body,
                                     const std::string& accept) {
  const std::string path = (std::filesystem::path(directory) / monitor::kControlSocket).string();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return no_run(directory, fmt::format("{} does not exist", path));
  }
  if (::access(path.c_str(), R_OK | W_OK) != 0) {
    return base::failure(base::Remedy::bad_input,
                         base::ErrorCode::refused,
                         fmt::format("{} belongs to another user: only the one who started the run "
                                     "may ask it",
                                     path));
  }
  const auto loop = aio::Loop::real();
  http::CurlTransport::Options options;
  options.unix_path = path;
  http::CurlTransport transport(*loop, options);
  OneAnswer answer(*loop);
  wire::Request request;
  request.method = method;
  request.url = "http://localhost" + target;
  request.body = body;
  if (!accept.empty()) {
    request.headers.add("Accept", accept);
  }
  request.timeouts.total = kAnswerTime;
  transport.start({1}, std::move(request), answer);
  while (!answer.completion().has_value() && loop->run_one()) {
  }
  if (!answer.completion().has_value() || !answer.completion()->outcome.has_value()) {
    const bool silent = answer.completion().has_value() &&
                        answer.completion()->outcome.error().kind != wire::FailureKind::connect;
    return no_run(directory,
                  silent
                      ? fmt::format("{} does not answer", path)
                      : fmt::format("nobody listens on {}, the last run there was killed", path));
  }
  return *answer.completion()->outcome;
}

base::Error error_of(const wire::Response& response) {
  std::string message = fmt::format("the run answered with HTTP {}", response.status);
  if (const auto document = json::parse(response.body)) {
    if (const json::Value* error = json::find(*document, "error")) {
      message = json::get_string(*error, "message").value_or(message);
    }
  }
  const bool bad = response.status == 400;
  return {.remedy = base::Remedy::bad_input,
          .code = bad ? base::ErrorCode::invalid : base::ErrorCode::refused,
          .message = std::move(message)};
}

}  // namespace sortie::app
