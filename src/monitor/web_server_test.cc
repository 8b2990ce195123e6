#include "sortie/monitor/web_server.h"

#include "sortie/analysis/test_run.h"
#include "sortie/http/curl_transport.h"
#include "sortie/monitor/status_json.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::monitor {
namespace {

class NoTranscripts final : public TranscriptSource {
 public:
  base::Result<json::Value> transcript(const RunPlace&, ledger::TrialId trial) override {
    return json::Value(json::Object{{"trial", trial}});
  }

  base::Result<std::string> message(const RunPlace&, ledger::TrialId, std::size_t) override {
    return std::string("<script>alert(1)</script>");
  }
};

/// One finished run, and one of "this process".
class WebServerTest : public testing::Test, public wire::CompletionSink {
 protected:
  void SetUp() override {
    const base::Digest cell = run_.cell("a", "optimal", "baseline", 2);
    run_.scored(cell, "simple-1", true);
    ASSERT_NE(run_.reader(), nullptr);
    status_.run = "live";
    WebServer::Options options;
    options.token = base::Secret("0123456789abcdef");
    server_ = WebServer::listen(
                  *loop_,
                  std::move(options),
                  [this] {
                    return std::vector<RunPlace>{{.name = "done", .directory = run_.directory()},
                                                 {.name = "live", .directory = run_.directory()}};
                  },
                  transcripts_)
                  .value();
    server_->add_live(
        "live",
        {.status =
             [this](const LiveSource::StatusCallback& callback) { callback(to_json(status_)); },
         .control =
             [this](std::string body, const LiveSource::ControlCallback& callback) {
               controlled_ = std::move(body);
               wire::Response done;
               done.status = 200;
               callback(std::move(done));
             }});
    client_ = std::make_unique<http::CurlTransport>(*loop_, http::CurlTransport::Options{});
  }

  void TearDown() override {
    client_.reset();
    server_.reset();
  }

  void completed(wire::Completion completion) override {
    completion_ = std::move(completion);
    loop_->stop();
  }

  wire::Response ask(const std::string& target,
                     wire::Method method = wire::Method::get,
                     const std::string& body = {}) {
    wire::Request request;
    request.method = method;
    request.url = server_->url() + target;
    request.body = body;
    for (const auto& [name, value] : headers_) {
      request.headers.add(name, value);
    }
    client_->start({++exchange_}, std::move(request), *this);
    loop_->run();
    EXPECT_TRUE(completion_->outcome.has_value());
    return *completion_->outcome;
  }

  void use_token() { headers_ = {{"Authorization", "Bearer 0123456789abcdef"}}; }

  analysis::TestRun run_;
  std::unique_ptr<aio::Loop> loop_ = aio::Loop::real();
  NoTranscripts transcripts_;
  engine::RunStatus status_;
  std::string controlled_;
  std::unique_ptr<WebServer> server_;
  std::unique_ptr<http::CurlTransport> client_;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::optional<wire::Completion> completion_;
  std::uint64_t exchange_ = 0;
};

TEST_F(WebServerTest, tells_nothing_without_the_token) {
  for (const char* target : {"/v1/runs",
                             "/v1/runs/done",
                             "/v1/runs/done/cells",
                             "/v1/runs/done/trials/1",
                             "/v1/runs/done/report",
                             "/v1/runs/done/figures/0",
                             "/v1/runs/live/events",
                             "/v1/runs/live/status",
                             "/v1/nothing",
                             "/metrics",
                             "/healthz"}) {
    EXPECT_EQ(ask(target).status, 401) << target;
  }
  EXPECT_EQ(ask("/v1/runs/live/control", wire::Method::post, "{}").status, 401);
  EXPECT_EQ(controlled_, "");
  const wire::Response page = ask("/runs/done/trials/1");
  EXPECT_EQ(page.status, 200);
  EXPECT_NE(page.body.find("/assets/app.js"), std::string::npos);
  EXPECT_EQ(ask("/assets/app.js").headers.find("Content-Type"), "text/javascript; charset=utf-8");
}

TEST_F(WebServerTest, exchanges_the_token_for_a_cookie) {
  EXPECT_EQ(ask("/v1/session", wire::Method::post, R"({"token": "0123456789abcdeF"})").status, 401);
  const wire::Response opened =
      ask("/v1/session", wire::Method::post, R"({"token": "0123456789abcdef"})");
  EXPECT_EQ(opened.status, 200);
  const std::string cookie(opened.headers.find("Set-Cookie").value_or(""));
  EXPECT_NE(cookie.find("; HttpOnly; SameSite=Strict"), std::string::npos);
  headers_ = {{"Cookie", cookie.substr(0, cookie.find(';'))}};
  EXPECT_EQ(ask("/v1/runs").status, 200);
}

TEST_F(WebServerTest, refuses_other_origins_and_hosts_even_with_the_token) {
  use_token();
  headers_.emplace_back("Origin", "http://evil.example");
  EXPECT_EQ(ask("/v1/runs").status, 403);
  EXPECT_EQ(ask("/").status, 403);
  use_token();
  headers_.emplace_back("Host", "evil.example");
  EXPECT_EQ(ask("/v1/runs").status, 403);
  EXPECT_EQ(ask("/v1/runs/live/control", wire::Method::post, "{}").status, 403);
  EXPECT_EQ(controlled_, "");
}

TEST_F(WebServerTest, every_answer_forbids_what_a_page_could_be_abused_for) {
  use_token();
  for (const char* target :
       {"/", "/v1/runs", "/v1/nothing", "/metrics", "/v1/runs/done/trials/1"}) {
    const wire::Response answer = ask(target);
    const auto policy = answer.headers.find("Content-Security-Policy").value_or("");
    EXPECT_NE(policy.find("default-src 'none'; script-src 'self'"), std::string::npos) << target;
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    EXPECT_EQ(answer.headers.find("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(answer.headers.find("Cache-Control"), "no-store");
  }
  const wire::Response text = ask("/v1/runs/done/trials/1/messages/0");
  EXPECT_EQ(text.headers.find("Content-Type"), "text/plain; charset=utf-8");
}

TEST_F(WebServerTest, answers_for_finished_runs_from_the_ledger) {
  use_token();
  const json::Value overview = json::parse(ask("/v1/runs/done").body).value();
  EXPECT_EQ(json::get_int(overview, "scored"), 1);
  EXPECT_EQ(ask("/v1/runs/done/cells").status, 200);
  EXPECT_EQ(ask("/v1/runs/done/timeline").status, 200);
  const json::Value trial = json::parse(ask("/v1/runs/done/trials/1").body).value();
  EXPECT_EQ(json::get_string(trial.at("summary"), "task"), "simple-1");
  EXPECT_EQ(ask("/v1/runs/done/trials/2").status, 404);
  EXPECT_EQ(ask("/v1/runs/done/trials/x").status, 404);
  EXPECT_EQ(ask("/v1/runs/done/trials?sort=x").status, 400);
  EXPECT_EQ(ask("/v1/runs/..%2fdone").status, 400);
  EXPECT_EQ(ask("/v1/runs/nobody").status, 404);
  EXPECT_EQ(ask("/assets/passwd").status, 404);
  EXPECT_EQ(ask("/v1/runs/done", wire::Method::post, "{}").status, 405);
  EXPECT_EQ(ask("/v1/runs/done/events").status, 204);
  EXPECT_EQ(ask("/v1/runs/done/control", wire::Method::post, "{}").status, 404);
}

TEST_F(WebServerTest, steers_and_shows_a_run_of_its_own_process) {
  use_token();
  EXPECT_EQ(json::get_string(json::parse(ask("/v1/runs/live/status").body).value(), "run"), "live");
  EXPECT_EQ(ask("/v1/runs/live/control", wire::Method::post, R"({"action": "pause"})").status, 200);
  EXPECT_EQ(controlled_, R"({"action": "pause"})");
  EXPECT_EQ(ask("/v1/runs/live/control").status, 405);
  const wire::Response metrics = ask("/metrics");
  EXPECT_NE(metrics.body.find("sortie_turns_waiting{run=\"live\"} 0"), std::string::npos);
  EXPECT_EQ(ask("/healthz").body, "ok\n");
}

TEST_F(WebServerTest, gives_the_report_in_both_languages_and_its_figures) {
  use_token();
  const wire::Response english = ask("/v1/runs/done/report");
  EXPECT_EQ(english.status, 200);
  EXPECT_EQ(english.headers.find("Content-Type"), "text/html; charset=utf-8");
  EXPECT_NE(english.body.find("<html lang=\"en\">"), std::string::npos);
  const std::string policy(english.headers.find("Content-Security-Policy").value_or(""));
  EXPECT_NE(policy.find("default-src 'none'"), std::string::npos) << policy;
  EXPECT_NE(policy.find("sandbox"), std::string::npos) << policy;
  EXPECT_EQ(policy.find("script-src"), std::string::npos) << policy;
  EXPECT_NE(ask("/v1/runs/done/report?lang=zh").body.find("<html lang=\"zh-CN\">"),
            std::string::npos);
  EXPECT_EQ(ask("/v1/runs/done/report?lang=zn").status, 400);
  EXPECT_EQ(ask("/v1/runs/done/report/more").status, 404);
  EXPECT_EQ(ask("/v1/runs/done/report", wire::Method::post, "{}").status, 405);

  const json::Value told = json::parse(ask("/v1/runs/done/figures?lang=zh").body).value();
  const json::Array& figures = told.at("figures").as_array();
  ASSERT_FALSE(figures.empty());
  for (std::size_t i = 0; i < figures.size(); ++i) {
    const wire::Response figure = ask("/v1/runs/done/figures/" + std::to_string(i) + "?lang=zh");
    EXPECT_EQ(figure.headers.find("Content-Type"), "image/svg+xml");
    EXPECT_EQ(figure.body.rfind("<svg", 0), 0U) << figure.body.substr(0, 80);
  }
  EXPECT_EQ(ask("/v1/runs/done/figures/" + std::to_string(figures.size())).status, 404);
  EXPECT_EQ(ask("/v1/runs/done/figures/x").status, 404);
}

TEST_F(WebServerTest, makes_a_report_anew_once_the_ledger_has_grown) {
  use_token();
  const std::string before = ask("/v1/runs/done/report").body;
  EXPECT_EQ(ask("/v1/runs/done/report").body, before);
  run_.scored(run_.cell("newcomer", "optimal", "baseline", 1), "simple-2", true);
  ASSERT_NE(run_.reader(), nullptr);
  const std::string after = ask("/v1/runs/done/report").body;
  EXPECT_EQ(before.find("newcomer"), std::string::npos);
  EXPECT_NE(after.find("newcomer"), std::string::npos);
}

}  // namespace
}  // namespace sortie::monitor
