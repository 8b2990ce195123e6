#include "sortie/monitor/terminal.h"

#include "sortie/monitor/text_view.h"

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
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
constexpr std::size_t kColumnsDefault = 80;

std::size_t columns_of(std::FILE* out) {
  winsize size{};
  if (::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return size.ws_col;
  }
  return kColumnsDefault;
}

/// NO_COLOR (no-color.org) and TERM=dumb are honoured.
bool wants_colour() {
  const char* term = std::getenv("TERM");
  return std::getenv("NO_COLOR") == nullptr && term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

Terminal::Terminal(aio::Loop& loop, std::FILE* out, Source source)
    : loop_(loop),
      out_(out),
      source_(std::move(source)),
      in_place_(::isatty(::fileno(out)) == 1),
      colour_(in_place_ && wants_colour()) {}

Terminal::~Terminal() {
  if (running_) {
    loop_.cancel(timer_);
  }
}

void Terminal::start() {
  running_ = true;
  observe();
  timer_ = loop_.at(loop_.now() + (in_place_ ? kRedraw : kPlainLine), [this] { tick(); });
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
  draw();
  timer_ = loop_.at(loop_.now() + (in_place_ ? kRedraw : kPlainLine), [this] { tick(); });
}

void Terminal::erase() {
  if (lines_drawn_ > 0) {
    fmt::print(out_, "\x1b[{}A\x1b[J", lines_drawn_);
  }
  lines_drawn_ = 0;
}

void Terminal::draw() {
  const std::vector<engine::RunStatus> statuses = observe();
  if (!in_place_) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      fmt::print(out_,
                 "{}{}\n",
                 statuses.size() > 1 ? statuses[i].run + ": " : std::string(),
                 one_line(statuses[i], rates_[i]));
    }
    std::fflush(out_);
    return;
  }
  erase();
  const auto lines = render(statuses, rates_, {.columns = columns_of(out_), .colour = colour_});
  for (const std::string& line : lines) {
    fmt::print(out_, "{}\n", line);
  }
  lines_drawn_ = lines.size();
  std::fflush(out_);
}

}  // namespace sortie::monitor
