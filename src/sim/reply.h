#pragma once

#include "sortie/base/time.h"
#include "sortie/wire/message.h"

#include <cstdint>

namespace sortie::sim {

/// What a provider does about a request. Whoever delivers it calls SimulatedProvider::finished(id)
/// exactly once, unless id is 0.
struct Reply {
  enum class Delivery : std::uint8_t {
    answer,     // the response, complete
    truncated,  // the first half of the response's body, then the connection is lost
    reset,      // the connection is lost before a byte
    stall,      // nothing, for as long as the client waits
  };

  std::uint64_t id = 0;
  base::Duration delay{};  // from arrival to the last byte
  Delivery delivery = Delivery::answer;
  wire::Response response;
};

}  // namespace sortie::sim
