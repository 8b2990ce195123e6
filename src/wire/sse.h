#pragma once

#include "sortie/base/error.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::wire {

/// One dispatched event of a text/event-stream.
struct SseEvent {
  std::string event = "message";  // the event's type
  std::string data;               // data lines joined by \n
  std::string id;                 // the last id the stream set, also by an earlier event

  bool operator==(const SseEvent&) const = default;
};

/// What a piece of the stream held. Comments and empty lines are life without content: a watchdog
/// for silence resets on any of them, a watchdog for progress only on events.
struct SseBatch {
  std::vector<SseEvent> events;
  std::size_t comments = 0;
  std::optional<base::Error> error;  // the event after these exceeds the bound: nothing follows
};

/// Decodes text/event-stream incrementally (HTML Living Standard §9.2.6). The events do not depend
/// on how the bytes are cut into pieces. Lines end with LF, CR or CRLF; one leading byte order mark
/// is skipped; an unfinished event at the end of the stream is not dispatched. `retry` is ignored:
/// this client never reconnects a stream.
class SseDecoder {
 public:
  static constexpr std::size_t kEventBytesMax = 4UL * 1024 * 1024;

  /// `event_bytes_max` bounds what one event (and one line) may hold.
  explicit SseDecoder(std::size_t event_bytes_max = kEventBytesMax);

  /// The events that these bytes complete. An event that exceeds the bound ends the stream: this
  /// batch and every later one has the error, and no later one has events.
  [[nodiscard]] SseBatch feed(std::string_view bytes);

  /// True between events: nothing of an unfinished event is held. False at the end of a stream
  /// means it was cut.
  [[nodiscard]] bool at_boundary() const;

 private:
  enum class State : std::uint8_t {
    start,     // no byte of the stream yet that could not be a byte order mark
    text,      // inside the stream
    after_cr,  // the last byte was CR: a LF that follows belongs to it
    failed,
  };

  void begin_stream(char byte);
  void take_byte(char byte);
  void finish_line();
  void take_field(std::string_view name, std::string_view value);
  void dispatch();

  std::size_t event_bytes_max_;
  State state_ = State::start;
  std::string line_;
  std::string event_;
  std::string data_;
  bool has_data_ = false;
  std::string last_id_;
  SseBatch batch_;
};

}  // namespace sortie::wire
