#include "sortie/app/command.h"

#include "sortie/base/printable.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

namespace sortie::app {

int exit_code_of(const base::Error& error) {
  switch (error.code) {
    case base::ErrorCode::locked:
    case base::ErrorCode::refused:
    case base::ErrorCode::integrity:
    case base::ErrorCode::io:
      return kRefused;
    case base::ErrorCode::cancelled:
      return kInterrupted;
    case base::ErrorCode::invalid:
    case base::ErrorCode::not_found:
    case base::ErrorCode::timeout:
    case base::ErrorCode::unsupported:
      return kBadInput;
  }
  return kBadInput;
}

int fail(const base::Error& error, bool json) {
  if (json) {
    print_json(json::Object{
        {"error",
         json::Object{{"code", base::to_string(error.code)}, {"message", error.message}}}});
  } else {
    print_aside(fmt::format("sortie: {}\n", base::printable(error.message)));
  }
  return exit_code_of(error);
}

void print_json(const json::Value& value) {
  print_text(json::to_pretty_text(value));
}

void print_text(std::string_view text) {
  const std::string printed = base::printable(text);
  std::fwrite(printed.data(), 1, printed.size(), stdout);
  std::fflush(stdout);
}

void print_aside(std::string_view text) noexcept {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

int after_output(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) {
    return code;
  }
  pollfd reader{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  if (::poll(&reader, 1, 0) == 1 && (reader.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
    return code;
  }
  print_aside("sortie: what was printed is incomplete: standard output cannot be written\n");
  return code == kInterrupted ? code : kRefused;
}

std::string problem_of_count(const std::string& word) {
  std::uint64_t value = 0;
  const char* end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, value);
  return error == std::errc() && rest == end && value > 0
             ? ""
             : fmt::format("expected a whole number from 1, found \"{}\"", word);
}

std::string problem_of_amount(const std::string& word) {
  double value = 0;
  const char* end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, value);
  return error == std::errc() && rest == end && std::isfinite(value) && value > 0
             ? ""
             : fmt::format("expected a number above 0, found \"{}\"", word);
}

base::Result<std::string> run_directory(const std::string& run) {
  namespace fs = std::filesystem;
  std::error_code error;
  for (const fs::path& candidate : {fs::path(run), fs::path("runs") / run}) {
    if (fs::exists(candidate / "ledger.db", error)) {
      return candidate.string();
    }
  }
  return base::failure(
      base::Remedy::bad_input,
      base::ErrorCode::not_found,
      fmt::format("no run '{}': neither {}/ledger.db nor runs/{}/ledger.db exists", run, run, run));
}

}  // namespace sortie::app
