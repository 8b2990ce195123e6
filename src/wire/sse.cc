#include "sortie/wire/sse.h"

#include "sortie/base/error.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace sortie::wire {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

SseDecoder::SseDecoder(std::size_t event_bytes_max) : event_bytes_max_(event_bytes_max) {}

SseBatch SseDecoder::feed(std::string_view bytes) {
  while (!bytes.empty() && state_ != State::failed) {
    if (state_ == State::text) {
      // The run up to the next line end is taken at once; the byte-wise path is for what is
      // special.
      const std::size_t run = std::min(bytes.find_first_of("\r\n"), bytes.size());
      line_.append(bytes.substr(0, run));
      bytes.remove_prefix(run);
      if (line_.size() + data_.size() > event_bytes_max_) {
        state_ = State::failed;
      } else if (!bytes.empty()) {
        take_byte(bytes.front());
        bytes.remove_prefix(1);
      }
      continue;
    }
    take_byte(bytes.front());
    bytes.remove_prefix(1);
  }
  if (state_ == State::failed) {
    batch_.error = base::Error{
        .remedy = base::Remedy::use_other_endpoint,
        .code = base::ErrorCode::refused,
        .message = fmt::format("event stream: an event exceeds {} bytes", event_bytes_max_)};
  }
  return std::exchange(batch_, SseBatch());
}

bool SseDecoder::at_boundary() const {
  const bool between = state_ != State::failed && !has_data_ && event_.empty();
  return between && (line_.empty() || state_ == State::start);
}

void SseDecoder::begin_stream(char byte) {
  line_.push_back(byte);
  if (line_ == kByteOrderMark) {
    line_.clear();
    state_ = State::text;
    return;
  }
  if (kByteOrderMark.starts_with(line_)) {
    return;
  }
  // Not a mark after all: what was held back is ordinary text.
  const std::string held = std::exchange(line_, std::string());
  state_ = State::text;
  for (const char c : held) {
    take_byte(c);
  }
}

void SseDecoder::take_byte(char byte) {
  if (state_ == State::start) {
    begin_stream(byte);
    return;
  }
  if (state_ == State::after_cr) {
    state_ = State::text;
    if (byte == '\n') {
      return;
    }
  }
  if (byte == '\r') {
    state_ = State::after_cr;
    finish_line();
  } else if (byte == '\n') {
    finish_line();
  } else {
    line_.push_back(byte);
  }
}

void SseDecoder::finish_line() {
  if (line_.empty()) {
    dispatch();
    return;
  }
  const std::string_view line = line_;
  if (line.starts_with(':')) {
    ++batch_.comments;
  } else {
    const std::size_t colon = line.find(':');
    std::string_view value =
        colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' ')) {
      value.remove_prefix(1);
    }
    take_field(line.substr(0, colon), value);
  }
  line_.clear();
}

void SseDecoder::take_field(std::string_view name, std::string_view value) {
  if (name == "data") {
    if (has_data_) {
      data_.push_back('\n');
    }
    data_.append(value);
    has_data_ = true;
  } else if (name == "event") {
    event_ = value;
  } else if (name == "id" && value.find('\0') == std::string_view::npos) {
    last_id_ = value;
  }
}

void SseDecoder::dispatch() {
  if (has_data_) {
    SseEvent event;
    if (!event_.empty()) {
      event.event = event_;
    }
    event.data = std::exchange(data_, std::string());
    event.id = last_id_;
    batch_.events.push_back(std::move(event));
  }
  event_.clear();
  data_.clear();
  has_data_ = false;
}

}  // namespace sortie::wire
