#pragma once

#include "sortie/aio/loop.h"
#include "sortie/base/time.h"
#include "sortie/engine/status.h"
#include "sortie/monitor/rates.h"

#include <cstddef>
#include <cstdio>
#include <functional>
#include <string_view>
#include <vector>

namespace sortie::monitor {

/// Shows the status of a process's campaigns while the loop runs: redraws in place on a terminal
/// five times a second, or as often as half a percent of a core allows; prints a plain line every
/// 30 s into a pipe, a terminal without a cursor (TERM=dumb) or that of a CI, of each campaign
/// where there are several. NO_COLOR (no-color.org) is honoured. Lives on the loop's thread; stop()
/// before the loop or the source goes away.
class Terminal {
 public:
  /// One status per campaign of the process, always as many.
  using Source = std::function<std::vector<engine::RunStatus>()>;

  /// `out` is usually stderr, so that stdout stays free for results.
  Terminal(aio::Loop& loop, std::FILE* out, Source source);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void start();

  /// Draws the last state and leaves it on the screen.
  void stop();

 private:
  std::vector<engine::RunStatus> observe();
  void tick();
  void schedule(base::Duration cost);
  void draw();
  void show(std::string_view text) noexcept;

  aio::Loop& loop_;
  std::FILE* out_;
  Source source_;
  std::vector<Rates> rates_;  // by campaign
  bool in_place_;
  bool colour_;
  bool running_ = false;
  std::size_t lines_drawn_ = 0;
  aio::TimerId timer_;
};

}  // namespace sortie::monitor
