#include "sortie/base/check.h"
#include "sortie/wire/sse.h"
#include "sortie/wire/url.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

// The first byte chooses the size of the pieces in which the rest is fed; the events must be those
// of one piece.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static_cast<void>(sortie::wire::parse_url(input));
  if (input.empty()) {
    return 0;
  }
  const std::size_t piece = std::max<std::size_t>(1, static_cast<unsigned char>(input.front()));
  std::string_view rest = input.substr(1);
  sortie::wire::SseDecoder whole;
  const auto expected = whole.feed(rest);
  CHECK(expected.has_value());
  sortie::wire::SseDecoder pieces;
  std::size_t events = 0;
  while (!rest.empty()) {
    const auto batch = pieces.feed(rest.substr(0, piece));
    CHECK(batch.has_value());
    for (const sortie::wire::SseEvent& event : batch->events) {
      CHECK(event == expected->events[events]);
      ++events;
    }
    rest.remove_prefix(std::min(piece, rest.size()));
  }
  CHECK(events == expected->events.size());
  return 0;
}
