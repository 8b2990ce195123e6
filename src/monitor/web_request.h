#pragma once

#include "sortie/base/secret.h"
#include "sortie/http/server.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Requests to the web page's server as values, and who may make them. Pure.

namespace sortie::monitor {

/// The path and query of a request's target, decoded once.
struct Target {
  std::vector<std::string> path;             // segments: "/v1/runs/a%20b" is v1, runs, "a b"
  std::map<std::string, std::string> query;  // of equal names the last

  /// nullopt if absent or empty.
  [[nodiscard]] std::optional<std::string> text(const std::string& name) const;
  /// nullopt also where it is no number.
  [[nodiscard]] std::optional<double> number(const std::string& name) const;
};

/// nullopt for what no page or program of ours asks for: a target that does not begin with "/", an
/// escape that is none, control characters, or a segment that could lead out of a folder ("..",
/// ".", one with a slash, a backslash or a NUL in it).
[[nodiscard]] std::optional<Target> parse_target(std::string_view text);

/// Who may ask. A page of another site can make a browser send requests here: its Origin gives it
/// away, or, where it has made its own name point to this machine, the Host.
class Gate {
 public:
  /// `token` is what the user was given. Cookies are shared by all ports of a machine, so the
  /// port is part of the cookie's name. `address` is where the server listens: IPv4, of which
  /// 0.0.0.0 are all that the machine has.
  Gate(base::Secret token, std::uint16_t port, std::string address = "127.0.0.1");

  /// Host is the address at this port (of loopback also localhost), and Origin, if any, the same.
  /// Where the server listens on all addresses any IPv4 address will do: a number in a browser's
  /// address is nobody's to point elsewhere, as a name is.
  [[nodiscard]] bool from_here(const http::ServerRequest& request) const;

  /// It carries the session's cookie, or "Authorization: Bearer TOKEN" (for programs).
  [[nodiscard]] bool may_read(const http::ServerRequest& request) const;

  [[nodiscard]] bool is_token(std::string_view text) const;

  /// The value of Set-Cookie that a browser gets for the token. It does not hold the token itself.
  [[nodiscard]] std::string cookie() const;

 private:
  base::Secret token_;
  base::Secret session_;
  std::uint16_t port_;
  std::string address_;
};

}  // namespace sortie::monitor
