#pragma once

#include "sortie/base/time.h"
#include "sortie/wire/message.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sortie::sim {

/// What a provider does about a request. Whoever delivers it calls SimulatedProvider::finished(id)
/// exactly once, unless id is 0.
struct Reply {
  enum class Delivery : std::uint8_t {
    answer,      // the response, complete
    truncated,   // the first half of the response's body, then the connection is lost
    reset,       // the connection is lost before a byte
    stall,       // nothing, for as long as the client waits
    fin,         // the connection is closed in order, without an answer
    half_close,  // the server's side is closed without an answer; it reads on
    head_stall,  // the head, then nothing
    drip,        // the head, then a byte of the body every `every`, for ever
    comments,    // the head of an event stream, then a comment every `every`, for ever
    loris,       // the head itself, a byte every `every`
    bad_chunks,  // the head and a part of the body, in chunks that cannot be read
    bad_gzip,    // the response, said to be compressed, which it is not
  };

  /// A part of an event stream, and when it leaves, counted from arrival.
  struct Piece {
    base::Duration at{};
    std::string bytes;
  };

  std::uint64_t id = 0;
  base::Duration delay{};  // from arrival to the last byte
  Delivery delivery = Delivery::answer;
  wire::Response response;
  base::Duration every{};  // of what goes on for ever
  // Of a streamed answer, whose `response` is the head alone; the last one leaves at `delay`.
  // `truncated` then loses the second half of them.
  std::vector<Piece> pieces{};
};

}  // namespace sortie::sim
