#pragma once

#include "sortie/base/error.h"

#include <cstdint>
#include <string>
#include <string_view>

// The subset of URLs that providers and our own servers have: http or https, a host, a port, a
// request target.

namespace sortie::wire {

struct Url {
  std::string scheme;      // "http" or "https", lower case
  std::string host;        // lower case; an IPv6 address without its brackets
  std::uint16_t port = 0;  // never 0 after parse_url: 80 or 443 if not given
  std::string target;      // path and query, begins with '/'; a fragment is dropped

  bool operator==(const Url&) const = default;

  /// "https://host:port/target", with the port only if it is not the scheme's default.
  [[nodiscard]] std::string to_string() const;

  /// "host:port", IPv6 in brackets: who is connected to.
  [[nodiscard]] std::string authority() const;
};

/// Rejects what would be ambiguous or leak: other schemes, user:password@, control characters and
/// spaces, port 0, more than 8 KiB. The message quotes the text without its query, which may hold a
/// key.
[[nodiscard]] base::Result<Url> parse_url(std::string_view text);

/// True for localhost, *.localhost, 127.0.0.0/8 and ::1 (in all their spellings that inet_pton
/// accepts).
[[nodiscard]] bool is_loopback(std::string_view host);

}  // namespace sortie::wire
