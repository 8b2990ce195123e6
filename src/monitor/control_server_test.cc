#include "sortie/monitor/control_server.h"

#include "sortie/base/json.h"
#include "sortie/http/curl_transport.h"
#include "sortie/monitor/control_json.h"
#include "sortie/monitor/details.h"
#include "sortie/monitor/status_json.h"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

namespace sortie::monitor {
namespace {

namespace fs = std::filesystem;

/// A run that remembers what it was told, behind a socket of its own.
class Fixture : public testing::Test, public wire::CompletionSink {
 protected:
  void SetUp() override {
    std::string pattern = (fs::path(testing::TempDir()) / "sortie-control-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    status_.run = "night";
    status_.limits.push_back({.domain = "alpha/key-1",
                              .limit = {.kind = quota::LimitKind::requests, .quota = 600},
                              .used = 12,
                              .allowed = 590,
                              .closed_for = std::nullopt});
    server_ = ControlServer::listen(*loop_,
                                    directory_.string(),
                                    {.status = [this] { return status_; },
                                     .control = [this](const engine::ControlCommand& command)
                                         -> base::Result<std::vector<std::string>> {
                                       commands_.push_back(command);
                                       if (command.target == "nobody") {
                                         return base::bad_input("this run has no model 'nobody'");
                                       }
                                       return std::vector<std::string>{"run paused"};
                                     }})
                  .value();
    client_ = std::make_unique<http::CurlTransport>(
        *loop_,
        http::CurlTransport::Options{.ca_file = {},
                                     .unix_path = (directory_ / kControlSocket).string()});
  }

  void TearDown() override {
    client_.reset();
    server_.reset();
    fs::remove_all(directory_);
  }

  void completed(wire::Completion completion) override {
    completion_ = std::move(completion);
    loop_->stop();
  }

  wire::Response ask(wire::Method method,
                     const std::string& target,
                     const std::string& body = {},
                     const std::string& accept = {}) {
    wire::Request request;
    request.method = method;
    request.url = "http://localhost" + target;
    request.body = body;
    if (!accept.empty()) {
      request.headers.add("Accept", accept);
    }
    client_->start({++exchange_}, std::move(request), *this);
    loop_->run();
    EXPECT_TRUE(completion_->outcome.has_value());
    return *completion_->outcome;
  }

  fs::path directory_;
  std::unique_ptr<aio::Loop> loop_ = aio::Loop::real();
  engine::RunStatus status_;
  std::vector<engine::ControlCommand> commands_;
  std::unique_ptr<ControlServer> server_;
  std::unique_ptr<http::CurlTransport> client_;
  std::optional<wire::Completion> completion_;
  std::uint64_t exchange_ = 0;
};

using ControlServerTest = Fixture;

TEST_F(ControlServerTest, shows_the_status_as_json_and_as_text) {
  const wire::Response answer = ask(wire::Method::get, "/v1/status");
  EXPECT_EQ(answer.status, 200);
  const json::Value document = json::parse(answer.body).value();
  EXPECT_EQ(json::get_int(document, "version"), 1);
  EXPECT_EQ(json::get_string(document, "run"), "night");
  const json::Value& limit = document.at("limits").at(0);
  EXPECT_EQ(json::get_string(limit, "domain"), "alpha/key-1");
  EXPECT_EQ(json::get_double(limit, "quota"), 600.0);
  const wire::Response text = ask(wire::Method::get, "/v1/status", {}, "text/plain");
  EXPECT_NE(text.body.find("alpha/key-1"), std::string::npos) << text.body;
  EXPECT_NE(text.body.find("600 requests/min"), std::string::npos) << text.body;
}

TEST_F(ControlServerTest, hands_a_command_on_with_its_author) {
  const wire::Response answer =
      ask(wire::Method::post, "/v1/control", R"({"action": "pause", "reason": "quiet hours"})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_NE(answer.body.find("run paused"), std::string::npos);
  ASSERT_EQ(commands_.size(), 1U);
  EXPECT_EQ(commands_[0].action, engine::ControlAction::pause);
  EXPECT_EQ(commands_[0].reason, "quiet hours");
  EXPECT_NE(commands_[0].author.find("uid " + std::to_string(::geteuid())), std::string::npos);
}

TEST_F(ControlServerTest, says_what_is_wrong_with_a_request) {
  const auto error_of = [this](const std::string& body) {
    const wire::Response answer = ask(wire::Method::post, "/v1/control", body);
    EXPECT_EQ(answer.status, 400);
    return std::string(
        json::get_string(json::parse(answer.body).value().at("error"), "message").value_or(""));
  };
  EXPECT_EQ(error_of(R"({"action": "pasue"})"), "unknown action 'pasue'; did you mean 'pause'?");
  EXPECT_EQ(error_of(R"({"action": "pause", "traget": "x"})"),
            "unknown member 'traget'; did you mean 'target'?");
  EXPECT_EQ(error_of(R"([1])"), "expected an object with the member \"action\"");
  EXPECT_EQ(error_of(R"({"action": "limit", "limits": [{"kind": "request", "quota": 1}]})"),
            "unknown kind of limit 'request'; did you mean 'requests'?");
  EXPECT_EQ(error_of(R"({"action": "limit", "limits": [{"kind": "tokens", "quota": 0}]})"),
            "tokens: expected a quota above zero");
  EXPECT_EQ(error_of(R"({"action": "pause", "target": "nobody"})"),
            "this run has no model 'nobody'");
  EXPECT_FALSE(error_of("{").empty());
  EXPECT_EQ(ask(wire::Method::get, "/v1/control").status, 405);
  EXPECT_EQ(ask(wire::Method::get, "/").status, 404);
}

TEST(ControlJson, carries_every_command_unchanged) {
  engine::ControlCommand command;
  command.action = engine::ControlAction::limit;
  command.target = "alpha/key-1";
  command.reason = "slower";
  command.dry_run = true;
  command.weight = 2.5;
  command.limits = {{.kind = quota::LimitKind::tokens, .quota = 4e5},
                    {.kind = quota::LimitKind::concurrency, .quota = 20}};
  command.kinds = {quota::LimitKind::requests};
  const auto read = control_from_json(to_json(command));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(json::canonical(to_json(*read)), json::canonical(to_json(command)));
  EXPECT_EQ(read->limits, command.limits);
}

TEST(Details, tell_the_budget_and_what_was_changed_by_whom) {
  engine::RunStatus status;
  status.budget.limits.cost = 25'000'000;
  status.budget.spent.cost = 12'300'000;
  status.paused = true;
  status.changes.push_back(
      {.at = {}, .author = "ada (uid 1000)", .reason = "quiet", .text = "run paused"});
  std::string all;
  for (const std::string& line : details(status)) {
    all += line + "\n";
  }
  EXPECT_NE(all.find("$12.3000 of $25.0000 spent"), std::string::npos) << all;
  EXPECT_NE(all.find("run paused by ada (uid 1000): quiet"), std::string::npos) << all;
}

}  // namespace
}  // namespace sortie::monitor
