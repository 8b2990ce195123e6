#pragma once

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/base/scrubber.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sortie::base {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

struct LogOptions {
  std::string path;  // JSON lines; empty: nothing is written
  LogLevel level = LogLevel::info;
  json::Object context{};                           // fields of every line, such as the run's id
  std::size_t file_bytes_max = 64UL * 1024 * 1024;  // then the file is rotated
  std::size_t files_max = 4;  // older ones beside the one that is written; the oldest goes
};

/// "debug", "info", "warning", "error".
[[nodiscard]] std::string_view to_string(LogLevel level);
[[nodiscard]] std::optional<LogLevel> log_level_from(std::string_view name);

/// Structured log: one JSON object a line with time, level, event and the given fields. Every line
/// passes the scrubber. Bounded in size by rotation. Safe to use from several threads.
class Log {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Log>> open(const LogOptions& options,
                                                         const Scrubber& scrubber);

  /// A log that drops everything, for tests and for commands that write none.
  [[nodiscard]] static std::unique_ptr<Log> discard();

  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void write(LogLevel level, std::string_view event, const json::Object& fields = {});

  void debug(std::string_view event, const json::Object& fields = {}) {
    write(LogLevel::debug, event, fields);
  }

  void info(std::string_view event, const json::Object& fields = {}) {
    write(LogLevel::info, event, fields);
  }

  void warning(std::string_view event, const json::Object& fields = {}) {
    write(LogLevel::warning, event, fields);
  }

  void error(std::string_view event, const json::Object& fields = {}) {
    write(LogLevel::error, event, fields);
  }

 private:
  Log();

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sortie::base
