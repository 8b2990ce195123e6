#include "sortie/base/log.h"

#include "sortie/base/time.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>

namespace sortie::base {

namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

void append_fields(std::string& line, const json::Object& fields) {
  for (const auto& field : fields) {
    line.push_back(',');
    json::append_quoted(line, field.key());
    line.push_back(':');
    line += json::to_text(field.value());
  }
}

}  // namespace

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "info";
}

std::optional<LogLevel> log_level_from(std::string_view name) {
  for (const LogLevel level :
       {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error}) {
    if (to_string(level) == name) {
      return level;
    }
  }
  return std::nullopt;
}

struct Log::State {
  std::unique_ptr<spdlog::logger> logger;
  Scrubber scrubber;
  json::Object context;
  LogLevel level = LogLevel::info;
  SystemClock clock;
};

Log::Log() : state_(std::make_unique<State>()) {}

Log::~Log() = default;

Result<std::unique_ptr<Log>> Log::open(const LogOptions& options, const Scrubber& scrubber) {
  std::unique_ptr<Log> log(new Log());
  log->state_->scrubber = scrubber;
  log->state_->level = options.level;
  log->state_->context = options.context;
  if (options.path.empty()) {
    return log;
  }
  try {
    // spdlog's sinks are shared by design; this logger is the only owner.
    auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
        options.path, options.file_bytes_max, options.files_max);
    sink->set_pattern("%v");
    log->state_->logger = std::make_unique<spdlog::logger>("sortie", std::move(sink));
  } catch (const spdlog::spdlog_ex& error) {
    return failure(Remedy::fail_campaign,
                   ErrorCode::io,
                   fmt::format("cannot write the log {}: {}", options.path, error.what()));
  }
  log->state_->logger->set_level(to_spdlog(options.level));
  log->state_->logger->flush_on(to_spdlog(options.level));
  return log;
}

std::unique_ptr<Log> Log::discard() {
  return std::unique_ptr<Log>(new Log());
}

void Log::write(LogLevel level, std::string_view event, const json::Object& fields) {
  if (state_->logger == nullptr || level < state_->level) {
    return;
  }
  std::string line = "{\"time\":";
  json::append_quoted(line, to_iso8601(state_->clock.wall()));
  line += ",\"level\":";
  json::append_quoted(line, to_string(level));
  line += ",\"event\":";
  json::append_quoted(line, event);
  append_fields(line, state_->context);
  append_fields(line, fields);
  line.push_back('}');
  const std::string clean = state_->scrubber.scrub(line);
  state_->logger->log(to_spdlog(level), spdlog::string_view_t(clean.data(), clean.size()));
}

}  // namespace sortie::base
