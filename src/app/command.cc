#include "sortie/app/command.h"

#include "sortie/base/printable.h"

#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

#include <fmt/format.h>

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
    fmt::print(stderr, "sortie: {}\n", base::printable(error.message));
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
