#pragma once

#include "sortie/base/scrubber.h"

#include <string>
#include <string_view>

namespace sortie::wire {

/// The body of an answer for people to read, without the scrubber's secrets: also those that no
/// event of a stream holds whole, since texts come in pieces, or that its JSON escapes. Pieces
/// belong together when they stand under the same names in the JSON of their events, or are data
/// without JSON. A stream that held a secret is written anew, event by event: comments and an
/// unfinished last event are gone, and of a text in which one was cut all stands in its first
/// piece.
[[nodiscard]] std::string scrubbed_stream(std::string_view body, const base::Scrubber& scrubber);

}  // namespace sortie::wire
