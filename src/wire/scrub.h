#pragma once

#include "sortie/base/scrubber.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <utility>

namespace sortie::wire {

/// Secrets below this length are taken for placeholders, which an answer may hold as words.
inline constexpr std::size_t kSecretBytesMin = 16;

/// What a peer answered, without the secrets that it was sent: nothing behind the transport sees
/// them again, wherever in the answer they were echoed.
[[nodiscard]] inline Response scrubbed(const Response& response, const base::Scrubber& scrubber) {
  Response out;
  out.status = response.status;
  out.body = scrubber.scrub(response.body, kSecretBytesMin);
  for (const Header& field : response.headers.fields()) {
    out.headers.add(scrubber.scrub(field.name, kSecretBytesMin),
                    scrubber.scrub(field.value, kSecretBytesMin));
  }
  return out;
}

}  // namespace sortie::wire
