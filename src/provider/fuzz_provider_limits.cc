#include "sortie/base/check.h"
#include "sortie/base/time.h"
#include "sortie/provider/limit_headers.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// The input is a head: "name: value" lines, and after an empty one the message of an error. A wait
// is never negative.

namespace provider = sortie::provider;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  sortie::wire::Headers headers;
  while (!rest.empty() && rest.front() != '\n') {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : rest.size());
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos) {
      headers.add(std::string(line.substr(0, colon)), std::string(line.substr(colon + 2)));
    }
    const auto wait = provider::parse_wait(line);
    CHECK(!wait || *wait >= sortie::base::Duration::zero());
    static_cast<void>(provider::parse_http_date(line));
  }
  const auto hint = provider::wait_hint(headers, rest);
  CHECK(!hint || *hint >= sortie::base::Duration::zero());
  auto hints = provider::limit_hints(headers);
  for (const provider::LimitHeaders& fields : provider::limit_headers()) {
    provider::take_limit(headers, fields, hints);
  }
  CHECK(!hints.limit_tokens || *hints.limit_tokens > 0);
  return 0;
}
