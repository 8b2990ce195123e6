#pragma once

#include "sortie/aio/loop.h"
#include "sortie/analysis/reused.h"
#include "sortie/analysis/summary.h"
#include "sortie/app/campaign_setup.h"
#include "sortie/app/exchange_recorder.h"
#include "sortie/base/error.h"
#include "sortie/base/log.h"
#include "sortie/base/time.h"
#include "sortie/engine/dispatcher.h"
#include "sortie/engine/engine.h"
#include "sortie/engine/reuse.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/monitor/control_server.h"
#include "sortie/monitor/web_live.h"
#include "sortie/wire/transport.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sortie::app {

/// What the campaigns of a process have in common. Everything outlives the sessions.
struct RunFloor {
  const CampaignSet* set = nullptr;
  aio::Loop* loop = nullptr;
  wire::Transport* transport = nullptr;
  engine::Dispatcher* dispatcher = nullptr;
  base::LogLevel log_level = base::LogLevel::info;
  Capture capture = Capture::none;
  const std::vector<engine::ReuseSource>* reuse = nullptr;  // runs whose results count here too
};

/// One campaign's run in this process: owns its ledger, log, engine and control socket.
class RunSession {
 public:
  /// `campaign`: in the set.
  RunSession(const RunFloor& floor, std::size_t campaign, std::string directory);

  /// Takes the run's lock. The rest comes after the locks of the keys: who starts a run twice is
  /// told so.
  [[nodiscard]] base::Status open_ledger();

  /// `options` without what the dispatcher decides.
  [[nodiscard]] base::Status open(const engine::EngineOptions& options);

  /// `on_end` is called once, on the loop.
  void start(std::function<void()> on_end);

  void request_stop() { engine_->request_stop(); }

  /// What has arrived is committed; nothing else is waited for.
  void save() { static_cast<void>(ledger_->flush()); }

  /// After the loop: nobody can ask any more.
  void stop_listening() { control_.reset(); }

  /// For the web page, as long as the session lives.
  [[nodiscard]] monitor::LiveSource live_source();

  [[nodiscard]] engine::RunResult result() const;

  [[nodiscard]] engine::RunStatus status() const { return engine_->status(); }

  /// After the run's end. Of a large run that came to its end, what `sortie report` and the page
  /// need is made and kept in RUN/cache.
  [[nodiscard]] base::Result<analysis::Summary> summary();

  [[nodiscard]] base::Result<std::vector<analysis::ReusedLine>> reused() {
    return analysis::read_reused(*reader_);
  }

  /// What was taken from other runs at this start, a line per run; empty if nothing was asked for.
  [[nodiscard]] const std::string& reuse_text() const { return reuse_text_; }

  [[nodiscard]] const std::string& directory() const { return directory_; }

  [[nodiscard]] const std::string& name() const { return setup().campaign.name; }

  [[nodiscard]] base::Log& log() { return *log_; }

 private:
  [[nodiscard]] const CampaignSetup& setup() const { return *floor_.set->campaigns[campaign_]; }

  [[nodiscard]] base::Status open_log(std::int64_t start);
  [[nodiscard]] base::Status reuse(engine::RunHistory& history, bool retry_losses);
  void listen();

  RunFloor floor_;
  std::size_t campaign_ = 0;
  std::string directory_;
  std::string reuse_text_;
  std::optional<engine::RunResult> result_;
  std::unique_ptr<ledger::Reader> reader_;
  std::unique_ptr<base::Log> log_;
  std::unique_ptr<ExchangeRecorder> recorder_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<monitor::ControlServer> control_;
  // Declared last: its writer thread, which calls the engine, ends first.
  std::unique_ptr<ledger::Ledger> ledger_;
};

}  // namespace sortie::app
