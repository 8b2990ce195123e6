#pragma once

#include "sortie/sim/profile.h"
#include "sortie/sim/reply.h"
#include "sortie/wire/message.h"

#include <string>
#include <string_view>

namespace sortie::sim {

/// What a text holds where invalid_utf8 is to break it: U+FFFD, since what writes JSON lets nothing
/// through that is no UTF-8.
constexpr std::string_view kBreakingPoint = "\xef\xbf\xbd";

/// What a fault of transmission (is_transmission_fault) makes of a good answer. Without effect for
/// other kinds.
void garble(Reply& reply, FaultKind kind);

/// True for deliveries whose client is sent the response's head.
[[nodiscard]] bool sends_head(Reply::Delivery delivery);

/// The bytes of a connection that brings this response in chunks, the second of which is none.
[[nodiscard]] std::string with_bad_chunks(const wire::Response& response);

/// The response said to be compressed: what begins like it and cannot be decompressed.
[[nodiscard]] wire::Response with_bad_gzip(wire::Response response);

}  // namespace sortie::sim
