#include "sortie/monitor/terminal.h"

#include "sortie/base/printable.h"
#include "sortie/monitor/text_view.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace sortie::monitor {

namespace {

constexpr base::Duration kRedraw = std::chrono::milliseconds(200);
constexpr base::Duration kPlainLine = std::chrono::seconds(30);
constexpr int kCpuShare = 200;  // drawing takes at most one part in so many of a core
constexpr std::size_t kColumnsDefault = 80;

ViewOptions size_of(std::FILE* out) {
  winsize size{};
  if (::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    // The last row stays free for the cursor.
    return {.columns = size.ws_col, .rows = std::max<std::size_t>(size.ws_row, 2) - 1};
  }
  return {.columns = kColumnsDefault};
}

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

/// A terminal that can move its cursor, in front of somebody: not TERM=dumb, not a CI's.
bool draws_in_place(std::FILE* out) {
  const char* term = std::getenv("TERM");
  return ::isatty(::fileno(out)) == 1 && term != nullptr && std::string_view(term) != "dumb" &&
         !is_set("CI");
}

/// Of this thread.
base::Duration cpu_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

Terminal::Terminal(aio::Loop& loop, std::FILE* out, Source source)
    : loop_(loop),
      out_(out),
      source_(std::move(source)),
      in_place_(draws_in_place(out)),
      colour_(in_place_ && !is_set("NO_COLOR")) {}

Terminal::~Terminal() {
  if (running_) {
    loop_.cancel(timer_);
  }
}

void Terminal::start() {
  running_ = true;
  observe();
  schedule({});
}

void Terminal::stop() {
  if (!running_) {
    return;
  }
  running_ = false;
  loop_.cancel(timer_);
  draw();
}

std::vector<engine::RunStatus> Terminal::observe() {
  std::vector<engine::RunStatus> statuses = source_();
  rates_.resize(statuses.size());
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    rates_[i].observe(statuses[i]);
  }
  return statuses;
}

void Terminal::tick() {
  const base::Duration before = cpu_time();
  draw();
  schedule(cpu_time() - before);
}

/// A page that takes long to draw is drawn less often.
void Terminal::schedule(base::Duration cost) {
  const base::Duration pause = in_place_ ? std::max(kRedraw, cost * kCpuShare) : kPlainLine;
  timer_ = loop_.at(loop_.now() + pause, [this] { tick(); });
}

/// Unlike fmt::print it throws nothing where the terminal has gone or the disk is full: the run
/// goes on without its view.
void Terminal::show(std::string_view text) noexcept {
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

void Terminal::draw() {
  const std::vector<engine::RunStatus> statuses = observe();
  std::string text;
  if (!in_place_) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      text += fmt::format(
          "{}{}\n",
          statuses.size() > 1 ? base::printable_line(statuses[i].run) + ": " : std::string(),
          one_line(statuses[i], rates_[i]));
    }
    show(text);
    return;
  }
  if (lines_drawn_ > 0) {
    text += fmt::format("\x1b[{}A\x1b[J", lines_drawn_);
  }
  ViewOptions options = size_of(out_);
  options.colour = colour_;
  const auto lines = render(statuses, rates_, options);
  for (const std::string& line : lines) {
    text += line + '\n';
  }
  lines_drawn_ = lines.size();
  show(text);
}

}  // namespace sortie::monitor
