#pragma once

#include "sortie/base/json.h"
#include "sortie/base/scrubber.h"
#include "sortie/wire/message.h"

#include <cstddef>

namespace sortie::wire {

/// Secrets below this length are taken for placeholders, which an answer may hold as words.
inline constexpr std::size_t kSecretBytesMin = 16;

/// Takes the secrets out of every text in a document, names of members included. True if it held
/// one.
bool scrub_texts(json::Value& value, const base::Scrubber& scrubber);
bool scrub_texts(json::Object& object, const base::Scrubber& scrubber);

/// What a peer answered, without the secrets that it was sent: nothing behind the transport sees
/// them again, wherever in the answer they were echoed, and whatever of them its JSON escapes.
[[nodiscard]] Response scrubbed(const Response& response, const base::Scrubber& scrubber);

}  // namespace sortie::wire
