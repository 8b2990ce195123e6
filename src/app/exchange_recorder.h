#pragma once

#include "sortie/base/error.h"
#include "sortie/base/log.h"
#include "sortie/base/scrubber.h"
#include "sortie/ledger/reader.h"
#include "sortie/wire/transport.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sortie::app {

enum class Capture : std::uint8_t {
  none,
  failures,  // exchanges without an answer of status 2xx, or whose answer is no turn
  all,
};

/// "none", "failures", "all".
[[nodiscard]] std::optional<Capture> capture_from(std::string_view name);

struct RecorderOptions {
  Capture capture = Capture::none;
  std::string directory;                         // RUN/capture
  std::size_t bytes_max = 256UL * 1024 * 1024;   // of all captures; then no more are written
  std::size_t pending_bytes_max = 256UL << 20U;  // of requests in flight that are held for it
};

/// A transport that writes down what passes: every exchange in the log (level debug), and those
/// that are captured as one JSON file each, RUN/capture/REQUEST.json with request, answer and the
/// trial's key, turn and attempt. A request holds its whole dialogue. Secrets are taken out:
/// headers that carry credentials entirely, all else by the scrubber, from streams also those that
/// they cut. What cannot be written is logged and loses nothing else. On the loop's thread.
class ExchangeRecorder final : public wire::Transport, private wire::CompletionSink {
 public:
  /// Everything must outlive the recorder. Errors: io.
  [[nodiscard]] static base::Result<std::unique_ptr<ExchangeRecorder>> over(
      wire::Transport& transport,
      ledger::Reader& reader,
      base::Log& log,
      const base::Scrubber& scrubber,
      const RecorderOptions& options);

  void start(wire::ExchangeId id, wire::Request request, wire::CompletionSink& sink) override;
  void cancel(wire::ExchangeId id) override;

  /// Captures what the ledger calls a failure among the answers that looked good. Those of the last
  /// moment are looked at by the destructor, when the ledger is closed.
  ~ExchangeRecorder() override;

 private:
  struct Pending {
    wire::CompletionSink* sink = nullptr;
    wire::Request request;  // empty unless it may be captured
    bool held = false;
    std::size_t held_bytes = 0;
    std::string body;          // of a streamed answer, if it may be captured
    std::size_t received = 0;  // bytes of a streamed answer
  };

  ExchangeRecorder(wire::Transport& transport,
                   ledger::Reader& reader,
                   base::Log& log,
                   const base::Scrubber& scrubber,
                   const RecorderOptions& options);

  /// Completed with what may be an answer: what its answer came to stands in the ledger soon.
  struct Unjudged {
    Pending pending;
    wire::Completion completion;
  };

  void completed(wire::Completion completion) override;
  wire::Piece received(wire::ExchangeId id,
                       const wire::Response& head,
                       std::string_view piece) override;
  void log_ended(const wire::Completion& completion, const Pending& pending);
  void judge();
  [[nodiscard]] bool may_hold(std::size_t bytes) const;
  void hold(Pending& pending, std::size_t bytes);
  void capture(const Pending& pending, const wire::Completion& completion);
  [[nodiscard]] base::Result<std::string> trial_of(std::uint64_t attempt, std::int64_t& turn);

  wire::Transport& transport_;
  ledger::Reader& reader_;
  base::Log& log_;
  const base::Scrubber& scrubber_;
  RecorderOptions options_;
  std::unordered_map<std::uint64_t, Pending> pending_;
  std::unordered_map<std::uint64_t, Unjudged> unjudged_;  // by attempt
  std::size_t pending_bytes_ = 0;
  std::size_t captured_bytes_ = 0;
  bool full_ = false;
};

}  // namespace sortie::app
