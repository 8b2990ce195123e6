#include "sortie/app/exchange_recorder.h"

#include "sortie/analysis/cells.h"
#include "sortie/analysis/files.h"
#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/wire/stream_scrub.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace sortie::app {

namespace {

namespace fs = std::filesystem;

/// Headers whose value is a credential, whatever it looks like.
bool carries_credentials(std::string_view name) {
  constexpr std::array<std::string_view, 8> kParts = {
      "authorization", "api-key", "apikey", "token", "cookie", "secret", "signature", "credential"};
  std::string lower(name);
  std::ranges::transform(
      lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::any_of(
      kParts, [&](std::string_view part) { return lower.find(part) != std::string::npos; });
}

json::Array headers_json(const wire::Headers& headers) {
  json::Array array;
  for (const wire::Header& header : headers.fields()) {
    array.push_back(json::Object{
        {"name", header.name},
        {"value",
         carries_credentials(header.name) ? "[removed]" : base::valid_utf8(header.value)}});
  }
  return array;
}

/// A body as JSON where it is, else as text.
json::Value body_json(const std::string& body) {
  auto value = json::parse(body);
  return value.has_value() ? std::move(*value) : json::Value(base::valid_utf8(body));
}

/// Looked for in the ledger together.
constexpr std::size_t kUnjudgedMax = 64;

bool has_good_status(const wire::Completion& completion) {
  return completion.outcome.has_value() && completion.outcome->status >= 200 &&
         completion.outcome->status < 300;
}

/// The attempt's id: above it stands which of the process's engines sent it.
std::uint64_t request_of(wire::ExchangeId id) {
  return id.value & ((std::uint64_t{1} << 48U) - 1);
}

double milliseconds(base::Duration time) {
  return base::seconds(time) * 1e3;
}

std::size_t bytes_below(const std::string& directory) {
  std::size_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    const std::uintmax_t size = entry->file_size(ignored);
    bytes += ignored ? 0 : size;
  }
  return bytes;
}

}  // namespace

std::optional<Capture> capture_from(std::string_view name) {
  if (name == "none") {
    return Capture::none;
  }
  if (name == "failures") {
    return Capture::failures;
  }
  return name == "all" ? std::optional(Capture::all) : std::nullopt;
}

ExchangeRecorder::ExchangeRecorder(wire::Transport& transport,
                                   ledger::Reader& reader,
                                   base::Log& log,
                                   const base::Scrubber& scrubber,
                                   const RecorderOptions& options)
    : transport_(transport), reader_(reader), log_(log), scrubber_(scrubber), options_(options) {}

base::Result<std::unique_ptr<ExchangeRecorder>> ExchangeRecorder::over(
    wire::Transport& transport,
    ledger::Reader& reader,
    base::Log& log,
    const base::Scrubber& scrubber,
    const RecorderOptions& options) {
  std::unique_ptr<ExchangeRecorder> recorder(
      new ExchangeRecorder(transport, reader, log, scrubber, options));
  if (options.capture != Capture::none) {
    std::error_code error;
    fs::create_directories(options.directory, error);
    if (!error) {
      fs::permissions(options.directory, fs::perms::owner_all, error);
    }
    if (error) {
      return base::io_error(fmt::format("cannot create {}", options.directory), error.value());
    }
    recorder->captured_bytes_ = bytes_below(options.directory);
  }
  return recorder;
}

void ExchangeRecorder::start(wire::ExchangeId id,
                             wire::Request request,
                             wire::CompletionSink& sink) {
  Pending& pending = pending_[id.value];
  pending.sink = &sink;
  log_.debug("request_sent",
             {{"request", request_of(id)}, {"url", request.url}, {"bytes", request.body.size()}});
  pending.held = options_.capture != Capture::none && !full_ && may_hold(request.body.size());
  if (pending.held) {
    pending.request = request;
    hold(pending, request.body.size());
  }
  transport_.start(id, std::move(request), *this);
}

void ExchangeRecorder::cancel(wire::ExchangeId id) {
  transport_.cancel(id);
}

wire::Piece ExchangeRecorder::received(wire::ExchangeId id,
                                       const wire::Response& head,
                                       std::string_view piece) {
  Pending& pending = pending_.at(id.value);
  pending.received += piece.size();
  if (pending.held && may_hold(piece.size())) {
    pending.body.append(piece);
    hold(pending, piece.size());
  }
  return pending.sink->received(id, head, piece);
}

void ExchangeRecorder::completed(wire::Completion completion) {
  auto found = pending_.extract(completion.id.value);
  if (found.empty()) {
    return;
  }
  Pending& pending = found.mapped();
  log_ended(completion, pending);
  wire::CompletionSink& sink = *pending.sink;
  // A stream may have been over before its connection failed.
  const bool may_be_answer =
      has_good_status(completion) || (!completion.outcome.has_value() && !pending.body.empty());
  const std::size_t bytes = completion.outcome.has_value() ? completion.outcome->body.size() : 0;
  if (pending.held && (options_.capture == Capture::all || !may_be_answer)) {
    capture(pending, completion);
  } else if (pending.held && may_hold(bytes)) {
    hold(pending, bytes);
    unjudged_.emplace(request_of(completion.id),
                      Unjudged{.pending = std::move(pending), .completion = completion});
    if (unjudged_.size() >= kUnjudgedMax) {
      judge();
    }
    sink.completed(std::move(completion));
    return;
  }
  pending_bytes_ -= pending.held_bytes;
  sink.completed(std::move(completion));
}

ExchangeRecorder::~ExchangeRecorder() {
  judge();
}

void ExchangeRecorder::judge() {
  if (unjudged_.empty()) {
    return;
  }
  std::vector<std::uint64_t> ids;
  for (const auto& [id, exchange] : unjudged_) {
    ids.push_back(id);
  }
  std::vector<std::pair<std::uint64_t, bool>> judged;
  const base::Status status = reader_.scan(
      fmt::format("SELECT attempt, cause = 'answered' FROM attempt_end WHERE attempt IN ({})",
                  fmt::join(ids, ",")),
      [&](std::span<const ledger::Cell> row) {
        judged.emplace_back(static_cast<std::uint64_t>(analysis::int_of(row[0])),
                            analysis::int_of(row[1]) != 0);
        return true;
      });
  if (!status.has_value()) {
    log_.warning("not_captured", {{"message", status.error().message}});
  }
  for (const auto& [id, is_answer] : judged) {
    const auto found = unjudged_.extract(id);
    if (!is_answer) {
      capture(found.mapped().pending, found.mapped().completion);
    }
    pending_bytes_ -= found.mapped().pending.held_bytes;
  }
}

bool ExchangeRecorder::may_hold(std::size_t bytes) const {
  return pending_bytes_ + bytes <= options_.pending_bytes_max;
}

void ExchangeRecorder::hold(Pending& pending, std::size_t bytes) {
  pending.held_bytes += bytes;
  pending_bytes_ += bytes;
}

void ExchangeRecorder::log_ended(const wire::Completion& completion, const Pending& pending) {
  json::Object fields{{"request", request_of(completion.id)},
                      {"ms", milliseconds(completion.ended_at - completion.sent_at)}};
  if (completion.outcome.has_value()) {
    fields["status"] = completion.outcome->status;
    fields["bytes"] = completion.outcome->body.size() + pending.received;
  } else {
    fields["failure"] = to_string(completion.outcome.error().kind);
    fields["message"] = completion.outcome.error().message;
  }
  log_.debug("request_ended", fields);
}

/// The trial's key and turn: the attempt is in the ledger before its request leaves.
base::Result<std::string> ExchangeRecorder::trial_of(std::uint64_t attempt, std::int64_t& turn) {
  std::string key;
  TRY(reader_.scan(fmt::format("SELECT t.key, a.turn FROM attempt AS a JOIN trial AS t ON t.id = "
                               "a.trial WHERE a.id = {}",
                               attempt),
                   [&](std::span<const ledger::Cell> row) {
                     key = analysis::text_of(row[0]);
                     turn = analysis::int_of(row[1]);
                     return false;
                   }));
  return key;
}

void ExchangeRecorder::capture(const Pending& pending, const wire::Completion& completion) {
  if (captured_bytes_ >= options_.bytes_max) {
    if (!full_) {
      log_.warning("captures_full",
                   {{"directory", options_.directory}, {"bytes", captured_bytes_}});
    }
    full_ = true;
    return;
  }
  const wire::Request& request = pending.request;
  const auto answer = [&](const std::string& body) {
    return body_json(wire::scrubbed_stream(body, scrubber_));
  };
  std::int64_t turn = 0;
  const auto trial = trial_of(request_of(completion.id), turn);
  json::Object out{{"request_id", request_of(completion.id)},
                   {"trial", trial.value_or("")},
                   {"turn", turn},
                   {"ms", milliseconds(completion.ended_at - completion.sent_at)},
                   {"request",
                    json::Object{{"method", to_string(request.method)},
                                 {"url", request.url},
                                 {"headers", headers_json(request.headers)},
                                 {"body", body_json(request.body)}}}};
  if (completion.outcome.has_value()) {
    out["answer"] = json::Object{
        {"status", completion.outcome->status},
        {"headers", headers_json(completion.outcome->headers)},
        {"body", answer(pending.body.empty() ? completion.outcome->body : pending.body)}};
  } else {
    out["failure"] = json::Object{{"kind", to_string(completion.outcome.error().kind)},
                                  {"message", completion.outcome.error().message}};
    if (!pending.body.empty()) {
      out["received"] = answer(pending.body);  // until it failed
    }
  }
  const std::string text = scrubber_.scrub(json::to_pretty_text(out));
  const std::string path =
      (fs::path(options_.directory) / fmt::format("{}.json", request_of(completion.id))).string();
  const base::Status written = analysis::write_atomically(path, text);
  captured_bytes_ += text.size();
  if (!written.has_value()) {
    full_ = true;  // a full disk is not filled further
    log_.warning("not_captured", {{"message", written.error().message}});
  }
}

}  // namespace sortie::app
