#pragma once

#include "sortie/aio/loop.h"
#include "sortie/aio/worker.h"
#include "sortie/base/error.h"
#include "sortie/base/secret.h"
#include "sortie/http/server.h"
#include "sortie/ledger/records.h"
#include "sortie/monitor/web_live.h"
#include "sortie/monitor/web_reports.h"
#include "sortie/monitor/web_request.h"
#include "sortie/monitor/web_runs.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace sortie::monitor {

/// Makes what a transcript page shows. Called on the server's worker thread alone.
class TranscriptSource {
 public:
  virtual ~TranscriptSource() = default;

  /// Long texts are cut; "size" beside them is their whole length in bytes.
  [[nodiscard]] virtual base::Result<json::Value> transcript(const RunPlace& place,
                                                             ledger::TrialId trial) = 0;

  /// The whole text of a message of the transcript, by its position.
  [[nodiscard]] virtual base::Result<std::string> message(const RunPlace& place,
                                                          ledger::TrialId trial,
                                                          std::size_t position) = 0;
};

/// The web page and its JSON API over HTTP, on loopback unless told otherwise, versioned:
///   GET  /                                      the page; every path of it gives the same document
///   POST /v1/session                            {"token"} for the session's cookie
///   GET  /v1/runs                               the runs
///   GET  /v1/runs/RUN                           overview of one
///   GET  /v1/runs/RUN/cells | trials | compare | timeline
///   GET  /v1/runs/RUN/trials/N                  a transcript; …/messages/I: one text of it in full
///   GET  /v1/runs/RUN/report                    the report, as HTML; lang=zh: in Chinese
///   GET  /v1/runs/RUN/figures                   its figures; …/N: one of them, as SVG
///   GET  /v1/runs/RUN/events                    server-sent events of a run that goes on, else 204
///   GET  /v1/runs/RUN/status                    its status now
///   POST /v1/runs/RUN/control                   a change, as over the control socket
///   GET  /metrics, /healthz                     for programs
/// Everything but the page's own files needs the token or its cookie (401), and every request has
/// to come from here (403; Gate). Lives on the loop's thread; what reads a ledger runs on a worker,
/// what makes a report on another.
class WebServer final : public http::Handler {
 public:
  struct Options {
    std::string address = "127.0.0.1";  // http::ServerOptions::address
    std::uint16_t port = 0;             // 0: the system chooses
    base::Secret token;
    std::size_t connections_max = 512;
  };

  /// Which runs there are, asked at every request; must be cheap.
  using Places = std::function<std::vector<RunPlace>()>;

  /// `transcripts` must outlive the server.
  [[nodiscard]] static base::Result<std::unique_ptr<WebServer>> listen(
      aio::Loop& loop, Options options, Places places, TranscriptSource& transcripts);
  ~WebServer() override;

  /// A run of this process. It is observed from now on.
  void add_live(const std::string& run, LiveSource source);

  /// "http://127.0.0.1:PORT/#token=TOKEN", for the user alone.
  [[nodiscard]] std::string link() const;

  /// Without the token.
  [[nodiscard]] std::string url() const;

  void handle(http::ServerRequest request, http::ResponseSlot slot) override;

 private:
  using Answer = std::function<wire::Response()>;  // on the worker

  WebServer(aio::Loop& loop, Options options, Places places, TranscriptSource& transcripts);

  void answer(http::ServerRequest request, const Target& target, http::ResponseSlot slot);
  void answer_api(http::ServerRequest request, const Target& target, http::ResponseSlot slot);
  void answer_run(http::ServerRequest request,
                  const Target& target,
                  const RunPlace& place,
                  http::ResponseSlot slot);
  void answer_live(const std::string& what,
                   http::ServerRequest request,
                   const RunPlace& place,
                   http::ResponseSlot slot);
  void answer_metrics(http::ResponseSlot slot);
  void on_worker(aio::Worker& worker, http::ResponseSlot slot, Answer answer);
  [[nodiscard]] wire::Response open_session(const http::ServerRequest& request) const;
  [[nodiscard]] wire::Response read_run(const Target& target, const RunPlace& place);
  [[nodiscard]] wire::Response read_report(const Target& target, const RunPlace& place);
  [[nodiscard]] base::Result<json::Value> read_trial(const Target& target, const RunPlace& place);
  [[nodiscard]] LiveFeed* feed_of(const RunPlace& place);

  aio::Loop& loop_;
  Places places_;
  TranscriptSource& transcripts_;
  base::Secret token_;
  std::unique_ptr<Gate> gate_;                               // made once the port is known
  std::map<std::string, std::unique_ptr<LiveFeed>> own_;     // by run
  std::map<std::string, std::unique_ptr<LiveFeed>> others_;  // by directory
  std::stop_source stop_;
  WebRuns runs_;        // the worker's alone
  WebReports reports_;  // the reporter's alone
  std::unique_ptr<http::Server> server_;
  // Declared last: their threads end first.
  std::unique_ptr<aio::Worker> worker_;
  std::unique_ptr<aio::Worker> reporter_;
};

}  // namespace sortie::monitor
