#include "sortie/app/run_session.h"

#include "sortie/analysis/cells.h"
#include "sortie/analysis/declared.h"
#include "sortie/analysis/report_data.h"
#include "sortie/app/command.h"
#include "sortie/engine/history.h"
#include "sortie/monitor/status_json.h"
#include "sortie/monitor/web_index.h"
#include "sortie/suite/suite_text.h"

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

void append_manifest(ledger::Ledger& ledger,
                     const CampaignSetup& setup,
                     const spec::Topology& topology) {
  const std::int64_t generation = ledger.next_generation();
  std::vector<std::pair<std::string, std::string>> entries = {
      {"sortie", SORTIE_VERSION},
      {"campaign", setup.campaign.name},
      {"campaign_file_hash", setup.campaign.file_hash.hex()},
      {"campaign_text", setup.campaign.text},
      {"endpoints_file_hash", setup.topology.file_hash.hex()},
      {"endpoints_text", setup.topology.text},
      {"suite", setup.suite.name()},
      {"suite_hash", setup.suite.version().hex()},
      {"seed", fmt::to_string(setup.campaign.seed)},
      {analysis::kDeclaredEntry, analysis::declared_text(setup.campaign, topology)},
      {"world_version", setup.suite.catalog().version().hex()},
      {"dialogue_version", setup.rules->version().hex()},
  };
  if (!setup.suite.built_in()) {
    // The folder may change or go: the run keeps what it was.
    entries.emplace_back("suite_text", suite::suite_text(setup.suite));
  }
  // All or none: a hash without its text would look like damage.
  std::vector<ledger::Record> records;
  records.reserve(entries.size());
  for (const auto& [name, value] : entries) {
    records.emplace_back(
        ledger::ManifestRecord{.generation = generation, .name = name, .value = value});
  }
  ledger.append_together(std::move(records));
}

}  // namespace

RunSession::RunSession(const RunFloor& floor, std::size_t campaign, std::string directory)
    : floor_(floor), campaign_(campaign), directory_(std::move(directory)) {}

base::Status RunSession::open_ledger() {
  TRY_ASSIGN(ledger_,
             ledger::Ledger::open(directory_, {}, [this](base::Result<ledger::Sequence> outcome) {
               if (engine_ != nullptr) {
                 engine_->committed(std::move(outcome));
               }
             }));
  return {};
}

base::Status RunSession::open(const engine::EngineOptions& options) {
  const engine::RunContext context = floor_.set->context(campaign_);
  TRY_ASSIGN(reader_, ledger::Reader::open(directory_));
  TRY_ASSIGN(auto history, engine::read_history(context, *reader_, options.retry_losses));
  const std::int64_t start = ledger_->next_generation();
  // First of all: whoever is killed while trials are copied leaves a ledger that can be played
  // back.
  append_manifest(*ledger_, setup(), floor_.set->topology);
  TRY(reuse(history, options.retry_losses));
  // While there is no engine, nobody hears of a commit that failed.
  TRY(ledger_->flush());
  TRY(open_log(start));
  TRY_ASSIGN(recorder_,
             ExchangeRecorder::over(
                 *floor_.transport,
                 *reader_,
                 *log_,
                 floor_.set->scrubber,
                 {.capture = floor_.capture,
                  .directory = (std::filesystem::path(directory_) / "capture").string()}));
  engine_ = std::make_unique<engine::Engine>(context,
                                             engine::EngineParts{.loop = floor_.loop,
                                                                 .dispatcher = floor_.dispatcher,
                                                                 .transport = recorder_.get(),
                                                                 .ledger = ledger_.get(),
                                                                 .reader = reader_.get(),
                                                                 .log = log_.get(),
                                                                 .scrubber = &floor_.set->scrubber},
                                             options,
                                             std::move(history));
  listen();
  return {};
}

/// Copies what other runs have paid for and this one lacks, and reads the history again.
base::Status RunSession::reuse(engine::RunHistory& history, bool retry_losses) {
  if (floor_.reuse == nullptr || floor_.reuse->empty()) {
    return {};
  }
  const engine::RunContext context = floor_.set->context(campaign_);
  TRY_ASSIGN(const engine::ReusePlan plan, engine::plan_reuse(context, history, *floor_.reuse));
  reuse_text_ = engine::to_text(plan);
  TRY(engine::copy_reused(context, plan, *floor_.reuse, floor_.loop->clock().wall(), *ledger_));
  TRY_ASSIGN(history, engine::read_history(context, *reader_, retry_losses));
  return {};
}

base::Result<analysis::Summary> RunSession::summary() {
  const analysis::ReportOptions report{
      .scripted_agents = true,
      .cache_directory = (std::filesystem::path(directory_) / "cache").string()};
  const engine::RunEnd end = result().end;
  const bool ended = end == engine::RunEnd::complete || end == engine::RunEnd::with_losses;
  TRY_ASSIGN(const std::int64_t facts, reader_->count("SELECT facts FROM run"));
  // A small one is read in the time that its cache would take, and who stops a run wants it to end.
  if (!ended || facts < report.cached_facts_min) {
    return analysis::summarize(*reader_);
  }
  TRY_ASSIGN(analysis::ReportData data, analysis::collect_report(*reader_, report));
  TRY(monitor::TrialIndex::keep(directory_));
  return std::move(data.summary);
}

/// Every line names the run and which start of it this is.
base::Status RunSession::open_log(std::int64_t start) {
  std::string run;
  TRY(reader_->scan("SELECT key FROM run", [&](std::span<const ledger::Cell> row) {
    run = analysis::text_of(row[0]);
    return false;
  }));
  TRY_ASSIGN(
      log_,
      base::Log::open({.path = (std::filesystem::path(directory_) / "log" / "run.jsonl").string(),
                       .level = floor_.log_level,
                       .context = {{"run", run}, {"start", start}}},
                      floor_.set->scrubber));
  return {};
}

monitor::LiveSource RunSession::live_source() {
  return {
      .status =
          [this](const monitor::LiveSource::StatusCallback& callback) {
            callback(monitor::to_json(engine_->status()));
          },
      .control =
          [this](const std::string& body, const monitor::LiveSource::ControlCallback& callback) {
            callback(monitor::apply_control(body, "the web page", [this](const auto& command) {
              return engine_->control(command);
            }));
          }};
}

void RunSession::start(std::function<void()> on_end) {
  engine_->start([this, on_end = std::move(on_end)](engine::RunResult ended) {
    result_ = std::move(ended);
    on_end();
  });
}

engine::RunResult RunSession::result() const {
  return result_.value_or(
      engine::RunResult{.end = engine::RunEnd::failed, .message = "the loop ended early"});
}

/// A run without its socket cannot be steered, but it can go on.
void RunSession::listen() {
  auto control = monitor::ControlServer::listen(
      *floor_.loop,
      directory_,
      {.status = [this] { return engine_->status(); },
       .control =
           [this](const engine::ControlCommand& command) { return engine_->control(command); }});
  if (control.has_value()) {
    control_ = std::move(*control);
    return;
  }
  log_->warning("no_control_socket", {{"message", control.error().message}});
  print_aside(fmt::format("sortie: this run cannot be controlled: {}\n", control.error().message));
}

}  // namespace sortie::app
