#include "sortie/wire/stream_scrub.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/wire/sse.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::wire {

namespace {

/// A stream's events with their data as JSON: a string where they are none.
class Stream {
 public:
  explicit Stream(std::vector<SseEvent> events) : events_(std::move(events)) {
    for (const SseEvent& event : events_) {
      auto value = json::parse(event.data);
      is_json_.push_back(value.has_value());
      data_.push_back(value.has_value() ? std::move(*value) : json::Value(event.data));
    }
  }

  /// True if it held a secret. Lists may mix pieces of several texts, so places count, and then do
  /// not.
  bool scrub(const base::Scrubber& scrubber) {
    const bool by_place = scrub_joined(scrubber, true);
    return scrub_joined(scrubber, false) || by_place;
  }

  [[nodiscard]] std::string text() const {
    std::string out;
    for (std::size_t i = 0; i < events_.size(); ++i) {
      if (events_[i].event != SseEvent().event) {
        out += "event: " + events_[i].event + "\n";
      }
      const std::string data = is_json_[i] ? json::to_text(data_[i]) : text_of(data_[i]);
      for (const std::string_view line : base::split(data, '\n')) {
        out.append("data: ").append(line).append("\n");
      }
      out += "\n";
    }
    return out;
  }

 private:
  using Pieces = std::vector<json::Value*>;
  using Texts = std::map<std::string, Pieces>;  // by the names that lead to them

  static void collect(json::Value& value, const std::string& path, bool places, Texts& texts) {
    if (value.is_string()) {
      texts[path].push_back(&value);
    } else if (value.is_object()) {
      for (auto& member : value.as_object()) {
        collect(member.value(), path + '/' + std::string(member.key()), places, texts);
      }
    } else if (value.is_array()) {
      std::size_t place = 0;
      for (json::Value& item : value.as_array()) {
        collect(item, places ? path + '/' + std::to_string(place) : path, places, texts);
        ++place;
      }
    }
  }

  static std::string text_of(const json::Value& piece) {
    return std::string(json::view(piece.as_string()));
  }

  /// True if they held a secret. Where they hold more together than each of them, the first one
  /// gets what is left of all.
  static bool scrub_pieces(const base::Scrubber& scrubber, const Pieces& pieces) {
    std::string joined;
    std::string one_by_one;
    for (const json::Value* piece : pieces) {
      joined += text_of(*piece);
      one_by_one += scrubber.scrub(text_of(*piece));
    }
    const std::string clean = scrubber.scrub(joined);
    if (clean == joined) {
      return false;
    }
    const bool is_cut = clean != one_by_one;
    for (json::Value* piece : pieces) {
      const std::string cut = piece == pieces.front() ? clean : std::string();
      *piece = json::Value(is_cut ? cut : scrubber.scrub(text_of(*piece)));
    }
    return true;
  }

  bool scrub_joined(const base::Scrubber& scrubber, bool places) {
    Texts texts;
    for (json::Value& value : data_) {
      collect(value, "", places, texts);
    }
    bool held_any = false;
    for (const auto& [path, pieces] : texts) {
      held_any = scrub_pieces(scrubber, pieces) || held_any;
    }
    return held_any;
  }

  std::vector<SseEvent> events_;
  std::vector<bool> is_json_;
  std::vector<json::Value> data_;
};

}  // namespace

std::string scrubbed_stream(std::string_view body, const base::Scrubber& scrubber) {
  SseDecoder decoder;
  SseBatch batch = decoder.feed(body);
  if (!batch.error.has_value() && !batch.events.empty()) {
    Stream stream(std::move(batch.events));
    if (stream.scrub(scrubber)) {
      return scrubber.scrub(stream.text());
    }
  }
  return scrubber.scrub(body);
}

}  // namespace sortie::wire
