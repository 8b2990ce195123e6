#include "sortie/sim/torment.h"

#include "sortie/base/time.h"
#include "sortie/sim/reply.h"
#include "sortie/wire/message.h"
#include "sortie/wire/patience.h"

#include <optional>
#include <string>
#include <utility>

namespace sortie::sim {
namespace {

using base::Duration;
using base::Instant;

/// When the next byte of the answer arrives that a client can make something of.
std::optional<Instant> next_byte(const Reply& reply, std::optional<Instant> last) {
  switch (reply.delivery) {
    case Reply::Delivery::head_stall:
      return last ? std::nullopt : std::optional(Instant(reply.delay));
    case Reply::Delivery::drip:
    case Reply::Delivery::comments:
      return last ? *last + reply.every : Instant(reply.delay);
    default:
      // Of a head that is not complete nothing is known but that it is not.
      return std::nullopt;
  }
}

bool ends_connection(Reply::Delivery delivery) {
  return delivery == Reply::Delivery::fin || delivery == Reply::Delivery::half_close;
}

}  // namespace

bool is_bounded(const Reply& reply, const wire::Timeouts& timeouts) {
  return timeouts.total > Duration::zero() || timeouts.progress > Duration::zero() ||
         (timeouts.liveness > Duration::zero() && timeouts.liveness <= reply.every);
}

bool is_torment(Reply::Delivery delivery) {
  switch (delivery) {
    case Reply::Delivery::answer:
    case Reply::Delivery::truncated:
    case Reply::Delivery::reset:
    case Reply::Delivery::stall:
    case Reply::Delivery::bad_chunks:
    case Reply::Delivery::bad_gzip:
      return false;
    case Reply::Delivery::fin:
    case Reply::Delivery::half_close:
    case Reply::Delivery::head_stall:
    case Reply::Delivery::drip:
    case Reply::Delivery::comments:
    case Reply::Delivery::loris:
      return true;
  }
  return false;
}

std::optional<Release> release_from(const Reply& reply,
                                    const wire::Timeouts& timeouts,
                                    const std::string& peer) {
  wire::Patience patience(timeouts, Instant());
  patience.sent(Instant());
  if (ends_connection(reply.delivery)) {
    const auto limit = patience.next_limit();
    if (!limit || Instant(reply.delay) < *limit) {
      return Release{.after = reply.delay,
                     .failure = {wire::FailureKind::reset, "closed without an answer"}};
    }
  }
  std::optional<Instant> last;
  while (true) {
    const auto byte = next_byte(reply, last);
    const auto limit = patience.next_limit();
    if (limit && (!byte || *limit <= *byte)) {
      auto failure = patience.passed(*limit, peer);
      return failure ? std::optional(Release{.after = limit->time_since_epoch(),
                                             .failure = std::move(*failure)})
                     : std::nullopt;
    }
    if (!byte || (last && !is_bounded(reply, timeouts))) {
      return std::nullopt;
    }
    patience.byte(*byte);
    last = byte;
  }
}

}  // namespace sortie::sim
