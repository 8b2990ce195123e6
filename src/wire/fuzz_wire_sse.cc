#include "sortie/base/check.h"
#include "sortie/base/scrubber.h"
#include "sortie/base/secret.h"
#include "sortie/wire/sse.h"
#include "sortie/wire/stream_scrub.h"
#include "sortie/wire/url.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

// The first byte chooses the size of the pieces in which the rest is fed; the events must be those
// of one piece. No secret is left in what people are shown.

namespace {

constexpr std::size_t kEventBytesMax = 512;

const sortie::base::Scrubber& scrubber() {
  static const sortie::base::Scrubber made = [] {
    sortie::base::Scrubber one;
    one.add("k", sortie::base::Secret("aaab"));
    return one;
  }();
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static_cast<void>(sortie::wire::parse_url(input));
  if (input.empty()) {
    return 0;
  }
  const std::size_t piece = std::max<std::size_t>(1, static_cast<unsigned char>(input.front()));
  std::string_view rest = input.substr(1);
  CHECK(!sortie::wire::scrubbed_stream(rest, scrubber()).contains("aaab"));
  // A bound that inputs reach.
  sortie::wire::SseDecoder whole(kEventBytesMax);
  const sortie::wire::SseBatch expected = whole.feed(rest);
  sortie::wire::SseDecoder pieces(kEventBytesMax);
  std::size_t events = 0;
  while (!rest.empty()) {
    const sortie::wire::SseBatch batch = pieces.feed(rest.substr(0, piece));
    for (const sortie::wire::SseEvent& event : batch.events) {
      CHECK(event == expected.events[events]);
      ++events;
    }
    rest.remove_prefix(std::min(piece, rest.size()));
  }
  CHECK(events == expected.events.size());
  CHECK(pieces.feed({}).error.has_value() == expected.error.has_value());
  return 0;
}
