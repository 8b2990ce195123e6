#include "sortie/wire/url.h"

#include "sortie/base/error.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

namespace sortie::wire {
namespace {

constexpr std::size_t kUrlBytesMax = 8UL * 1024;
constexpr std::size_t kQuotedBytesMax = 120;

struct HostPort {
  std::string_view host;
  std::string_view port;
  bool has_port = false;
};

/// What can be quoted. Whatever stands before an '@' may be a password, one with any signs in it.
std::string_view without_secrets(std::string_view text) {
  const std::size_t query = std::min(text.find_first_of("?#"), text.size());
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) {
    return text.substr(0, query);
  }
  // A query before it is perhaps the end of the password, one that holds it may be a key.
  return at < query ? text.substr(at + 1, query - at - 1) : std::string_view("…");
}

std::unexpected<base::Error> bad_url(std::string_view text, std::string_view problem) {
  const std::string_view shown = without_secrets(text);
  return base::bad_input(fmt::format(
      "URL '{}': {}", base::shortened(base::valid_utf8(shown), kQuotedBytesMax), problem));
}

bool has_forbidden_byte(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7F || c == '"' || c == '<' || c == '>' || c == '\\';
  });
}

bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_';
  });
}

bool is_ipv6(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

/// Splits "host:port" or "[v6]:port"; false when brackets do not match up.
bool split_authority(std::string_view authority, HostPort& out) {
  std::string_view rest;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) {
      return false;
    }
    out.host = authority.substr(1, close - 1);
    rest = authority.substr(close + 1);
    if (!rest.empty() && !rest.starts_with(':')) {
      return false;
    }
  } else {
    const std::size_t colon = authority.find(':');
    out.host = authority.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
  }
  out.has_port = !rest.empty();
  out.port = out.has_port ? rest.substr(1) : rest;
  return true;
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

std::uint16_t default_port(std::string_view scheme) {
  return scheme == "https" ? 443 : 80;
}

}  // namespace

std::string Url::authority() const {
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::string Url::to_string() const {
  if (port != default_port(scheme)) {
    return fmt::format("{}://{}{}", scheme, authority(), target);
  }
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? fmt::format("{}://[{}]{}", scheme, host, target)
            : fmt::format("{}://{}{}", scheme, host, target);
}

base::Result<Url> parse_url(std::string_view text) {
  if (text.size() > kUrlBytesMax) {
    return bad_url(text, fmt::format("longer than {} bytes", kUrlBytesMax));
  }
  if (has_forbidden_byte(text)) {
    return bad_url(text, "contains a space, a control character or one of \"<>\\");
  }
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) {
    return bad_url(text, "expected http://… or https://…");
  }
  Url url;
  url.scheme = base::to_lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") {
    return bad_url(text, fmt::format("scheme '{}' is not http or https", url.scheme));
  }
  const std::string_view rest = text.substr(colon + 3);
  const std::size_t authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority = rest.substr(0, authority_end);
  if (authority.find('@') != std::string_view::npos) {
    return bad_url(text, "user names and passwords do not belong into a URL");
  }
  HostPort parts;
  if (!split_authority(authority, parts)) {
    return bad_url(text, "brackets around the host do not match");
  }
  url.host = base::to_lower(parts.host);
  if (authority.starts_with('[') ? !is_ipv6(url.host) : !is_host_name(url.host)) {
    return bad_url(text, "no valid host");
  }
  url.port = default_port(url.scheme);
  if (parts.has_port && !parse_port(parts.port, url.port)) {
    return bad_url(text, "the port is not a number from 1 to 65535");
  }
  std::string_view target = rest.substr(authority_end);
  target = target.substr(0, target.find('#'));
  url.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  return url;
}

bool is_loopback(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  std::string name = base::to_lower(host);
  if (name.ends_with('.')) {
    name.pop_back();
  }
  if (name == "localhost" || name.ends_with(".localhost")) {
    return true;
  }
  in_addr v4{};
  if (inet_pton(AF_INET, name.c_str(), &v4) == 1) {
    return (ntohl(v4.s_addr) >> 24U) == 127;
  }
  in6_addr v6{};
  if (inet_pton(AF_INET6, name.c_str(), &v6) != 1) {
    return false;
  }
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6) != 0;
  return IN6_IS_ADDR_LOOPBACK(&v6) != 0 || (mapped && v6.s6_addr[12] == 127);
}

}  // namespace sortie::wire
