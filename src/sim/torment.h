#pragma once

#include "sortie/base/time.h"
#include "sortie/sim/reply.h"
#include "sortie/wire/message.h"

#include <optional>
#include <string>

namespace sortie::sim {

/// Deliveries that never bring an answer: the connection ends too early, or not at all.
[[nodiscard]] bool is_torment(Reply::Delivery delivery);

/// How an exchange ends that meets one.
struct Release {
  base::Duration after{};
  wire::Failure failure;
};

/// What a client with these limits makes of it, counted from arrival; `peer` names the provider in
/// messages. nullopt: none of its limits ever passes. One that connects at once is assumed.
[[nodiscard]] std::optional<Release> release_from(const Reply& reply,
                                                  const wire::Timeouts& timeouts,
                                                  const std::string& peer);

/// Something ends an endless answer of it, however many bytes come.
[[nodiscard]] bool is_bounded(const Reply& reply, const wire::Timeouts& timeouts);

}  // namespace sortie::sim
