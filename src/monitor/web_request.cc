#include "sortie/monitor/web_request.h"

#include "sortie/base/hash.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>

namespace sortie::monitor {

namespace {

constexpr std::size_t kTargetMax = 8UL * 1024;

int digit_of(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::optional<std::string> decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (i + 2 >= text.size() || digit_of(text[i + 1]) < 0 || digit_of(text[i + 2]) < 0) {
      return std::nullopt;
    }
    out += static_cast<char>(digit_of(text[i + 1]) * 16 + digit_of(text[i + 2]));
    i += 2;
  }
  return out;
}

bool leads_out(std::string_view segment) {
  return segment == "." || segment == ".." || segment.find_first_of("/\\") != segment.npos ||
         std::ranges::any_of(segment, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

bool read_path(std::string_view path, Target& target) {
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::size_t end = std::min(path.find('/'), path.size());
    auto segment = decoded(path.substr(0, end), false);
    if (!segment.has_value() || leads_out(*segment)) {
      return false;
    }
    if (end != 0) {
      target.path.push_back(std::move(*segment));
    }
    path.remove_prefix(end);
  }
  return true;
}

bool read_query(std::string_view query, Target& target) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view field = query.substr(0, end);
    const std::size_t equals = std::min(field.find('='), field.size());
    auto name = decoded(field.substr(0, equals), true);
    auto value = decoded(field.substr(std::min(equals + 1, field.size())), true);
    if (!name.has_value() || !value.has_value()) {
      return false;
    }
    target.query[std::move(*name)] = std::move(*value);
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return true;
}

/// In a time that does not tell where two texts differ.
bool same(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0U : 1U;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

/// Whether `name` is a name of a server that listens at `address`.
bool is_here(std::string_view name, const std::string& address) {
  constexpr std::string_view kAll = "0.0.0.0";
  if (name == address) {
    return true;
  }
  if (name == "127.0.0.1" || name == "localhost") {
    return address == "127.0.0.1" || address == kAll;
  }
  in_addr number{};
  return address == kAll && ::inet_pton(AF_INET, std::string(name).c_str(), &number) == 1;
}

std::string cookie_name(std::uint16_t port) {
  return fmt::format("sortie_{}", port);
}

}  // namespace

std::optional<std::string> Target::text(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() || found->second.empty() ? std::nullopt
                                                       : std::optional(found->second);
}

std::optional<double> Target::number(const std::string& name) const {
  const auto value = text(name);
  double number = 0;
  if (!value.has_value() ||
      std::from_chars(value->data(), value->data() + value->size(), number).ptr !=
          value->data() + value->size() ||
      !std::isfinite(number)) {
    return std::nullopt;
  }
  return number;
}

std::optional<Target> parse_target(std::string_view text) {
  if (text.empty() || text.front() != '/' || text.size() > kTargetMax) {
    return std::nullopt;
  }
  const std::size_t question = std::min(text.find('?'), text.size());
  Target target;
  if (!read_path(text.substr(0, question), target) ||
      !read_query(text.substr(std::min(question + 1, text.size())), target)) {
    return std::nullopt;
  }
  return target;
}

Gate::Gate(base::Secret token, std::uint16_t port, std::string address)
    : token_(std::move(token)),
      session_(base::FieldHasher("sortie.web.session.v1")
                   .field("token", std::string_view(token_.reveal()))
                   .finish()
                   .hex()),
      port_(port),
      address_(std::move(address)) {}

bool Gate::from_here(const http::ServerRequest& request) const {
  const auto host = request.headers.find("Host");
  if (!host.has_value()) {
    return false;
  }
  const std::string port = fmt::format(":{}", port_);
  if (!host->ends_with(port) || !is_here(host->substr(0, host->size() - port.size()), address_)) {
    return false;
  }
  const auto origin = request.headers.find("Origin");
  return !origin.has_value() || *origin == fmt::format("http://{}", *host);
}

bool Gate::may_read(const http::ServerRequest& request) const {
  constexpr std::string_view kBearer = "Bearer ";
  const auto authorization = request.headers.find("Authorization");
  if (authorization.has_value() && authorization->starts_with(kBearer)) {
    return is_token(authorization->substr(kBearer.size()));
  }
  const std::string wanted = fmt::format("{}={}", cookie_name(port_), session_.reveal());
  std::string_view cookies = request.headers.find("Cookie").value_or("");
  while (!cookies.empty()) {
    const std::size_t end = std::min(cookies.find(';'), cookies.size());
    if (same(base::trim(cookies.substr(0, end)), wanted)) {
      return true;
    }
    cookies.remove_prefix(std::min(end + 1, cookies.size()));
  }
  return false;
}

bool Gate::is_token(std::string_view text) const {
  return same(text, token_.reveal());
}

std::string Gate::cookie() const {
  return fmt::format(
      "{}={}; Path=/; HttpOnly; SameSite=Strict", cookie_name(port_), session_.reveal());
}

}  // namespace sortie::monitor
