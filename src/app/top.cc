#include "sortie/aio/loop.h"
#include "sortie/aio/signals.h"
#include "sortie/app/command.h"
#include "sortie/app/live_run.h"
#include "sortie/monitor/status_read.h"
#include "sortie/monitor/terminal.h"
#include "sortie/monitor/text_view.h"
#include "sortie/monitor/web_live.h"
#include "sortie/monitor/web_remote.h"
#include "sortie/monitor/web_runs.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

constexpr base::Duration kPoll = std::chrono::seconds(1);

struct TopOptions {
  std::vector<std::string> runs;
  bool once = false;
};

/// What the runs say of themselves, asked for once a second until each has ended.
class Watch {
 public:
  Watch(aio::Loop& loop, std::vector<std::string> directories)
      : loop_(loop), directories_(std::move(directories)) {
    for (const std::string& directory : directories_) {
      sources_.push_back(monitor::remote_run(loop_, directory));
    }
    going_.resize(directories_.size(), true);
  }

  /// The first answers. Error: one of the runs does not go on.
  [[nodiscard]] base::Status begin() {
    for (const std::string& directory : directories_) {
      TRY_ASSIGN(const wire::Response response,
                 ask_run(directory, wire::Method::get, "/v1/status"));
      if (response.status != 200) {
        return std::unexpected(error_of(response));
      }
      TRY_ASSIGN(const json::Value document, json::parse(response.body));
      TRY_ASSIGN(engine::RunStatus status, monitor::status_from_json(document));
      statuses_.push_back(std::move(status));
    }
    return {};
  }

  void start() {
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      poll(i);
    }
  }

  [[nodiscard]] const std::vector<engine::RunStatus>& statuses() const { return statuses_; }

  [[nodiscard]] bool goes_on(std::size_t run) const { return going_[run]; }

 private:
  void poll(std::size_t run) {
    loop_.at(loop_.now() + kPoll, [this, run] {
      sources_[run].status([this, run](const base::Result<json::Value>& told) { take(run, told); });
    });
  }

  void take(std::size_t run, const base::Result<json::Value>& told) {
    auto status = told.has_value() ? monitor::status_from_json(*told)
                                   : base::Result<engine::RunStatus>(std::unexpected(told.error()));
    if (status.has_value()) {
      statuses_[run] = std::move(*status);
      poll(run);
      return;
    }
    going_[run] = false;
    if (std::ranges::find(going_, true) == going_.end()) {
      loop_.stop();
    }
  }

  aio::Loop& loop_;
  std::vector<std::string> directories_;
  std::vector<monitor::LiveSource> sources_;
  std::vector<engine::RunStatus> statuses_;
  std::vector<bool> going_;
};

base::Result<std::vector<std::string>> directories_of(const std::vector<std::string>& runs) {
  std::vector<std::string> directories;
  for (const std::string& run : runs) {
    TRY_ASSIGN(std::string directory, run_directory(run));
    directories.push_back(std::move(directory));
  }
  if (runs.empty()) {
    for (const monitor::RunPlace& place : monitor::find_runs("runs")) {
      if (monitor::seems_live(place)) {
        directories.push_back(place.directory);
      }
    }
  }
  if (directories.empty()) {
    return base::failure(base::Remedy::bad_input,
                         base::ErrorCode::refused,
                         "no run is going on under runs/: name one, or start one with sortie run");
  }
  return directories;
}

void print_once(const std::vector<engine::RunStatus>& statuses) {
  // One answer tells no pace of late: that since the start.
  std::vector<monitor::Rates> rates(statuses.size());
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    rates[i].observe({});
    rates[i].observe(statuses[i]);
  }
  for (const std::string& line : monitor::render(statuses, rates, {})) {
    print_text(line + "\n");
  }
}

int top(const TopOptions& options) {
  auto directories = directories_of(options.runs);
  if (!directories.has_value()) {
    return fail(directories.error(), false);
  }
  const auto loop = aio::Loop::real();
  Watch watch(*loop, std::move(*directories));
  if (const base::Status begun = watch.begin(); !begun.has_value()) {
    return fail(begun.error(), false);
  }
  if (options.once) {
    print_once(watch.statuses());
    return kDone;
  }
  const aio::Loop::Work work(*loop);
  const aio::SignalWatch signals(*loop, [&loop](int) { loop->stop(); });
  monitor::Terminal terminal(*loop, stdout, [&loop, &watch] {
    if (std::ferror(stdout) != 0) {
      loop->stop();  // nobody reads any more
    }
    return watch.statuses();
  });
  terminal.start();
  watch.start();
  loop->run();
  terminal.stop();
  for (std::size_t i = 0; i < watch.statuses().size(); ++i) {
    if (!watch.goes_on(i)) {
      print_text(fmt::format("{0} has ended: sortie status {0}\n", watch.statuses()[i].run));
    }
  }
  return kDone;
}

}  // namespace

void add_top(CLI::App& root, Action& action) {
  const auto options = std::make_shared<TopOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand(
      "top", "The live view of runs that go on in other processes, as `run` shows its own");
  command->add_option(
      "RUN", options->runs, "Run directories, or names under runs/; none: all that go on there");
  command->add_flag("--once", options->once, "Print it once and end");
  command->footer(
      "Example:  sortie top quickstart\n"
      "Ctrl-C ends the view, not the runs. In a pipe it prints a line of each run every 30 s.");
  command->callback([&action, options] { action = [options] { return top(*options); }; });
}

}  // namespace sortie::app
