#include "sortie/base/scrubber.h"

#include "sortie/base/json.h"

#include <algorithm>
#include <cctype>
#include <cstddef>

#include <fmt/format.h>
#include <openssl/evp.h>

namespace sortie::base {

namespace {

constexpr std::size_t kShortestSecret = 4;

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("-_.~").contains(c)) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string json_escaped(std::string_view text) {
  std::string quoted;
  json::append_quoted(quoted, text);
  return quoted.substr(1, quoted.size() - 2);
}

/// As JSON of servers whose encoder escapes slashes (PHP's does).
std::string with_escaped_slashes(std::string_view json) {
  std::string out;
  for (const char c : json) {
    out += c == '/' ? "\\/" : std::string(1, c);
  }
  return out;
}

std::string base64(std::string_view text) {
  std::string out((text.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

}  // namespace

void Scrubber::add(std::string_view label, const Secret& secret) {
  const std::string& value = secret.reveal();
  if (value.size() < kShortestSecret) {
    return;
  }
  const std::string replacement = fmt::format("[secret:{}]", label);
  const std::string escaped = json_escaped(value);
  for (std::string form :
       {value, percent_encoded(value), escaped, with_escaped_slashes(escaped), base64(value)}) {
    const bool known =
        std::ranges::any_of(needles_, [&](const Needle& n) { return n.form.reveal() == form; });
    if (!known) {
      needles_.push_back({.form = Secret(std::move(form)), .replacement = replacement});
    }
  }
  // Longest first: a secret that contains another one is replaced whole.
  std::ranges::stable_sort(
      needles_, std::ranges::greater{}, [](const Needle& n) { return n.form.reveal().size(); });
}

std::string Scrubber::scrub(std::string_view text, std::size_t shortest) const {
  std::string out(text);
  for (const Needle& needle : needles_) {
    if (needle.form.reveal().size() < shortest) {
      continue;
    }
    std::size_t at = 0;
    while ((at = out.find(needle.form.reveal(), at)) != std::string::npos) {
      out.replace(at, needle.form.reveal().size(), needle.replacement);
      at += needle.replacement.size();
    }
  }
  return out;
}

}  // namespace sortie::base
