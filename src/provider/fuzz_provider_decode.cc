#include "sortie/provider/dialect.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// The first byte chooses the status, the first line is a Retry-After field, the rest is the body.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  sortie::wire::Response response;
  response.status = input.empty() ? 0 : 100 + 2 * static_cast<unsigned char>(input.front());
  input.remove_prefix(input.empty() ? 0 : 1);
  const std::size_t line = input.find('\n');
  if (line != std::string_view::npos) {
    const std::string field(input.substr(0, line));
    response.headers.add("retry-after", field);
    response.headers.add("x-ratelimit-reset-tokens", field);
    response.headers.add("x-ratelimit-remaining-tokens", field);
    input.remove_prefix(line + 1);
  }
  response.body = std::string(input);
  (void)sortie::provider::openai().decode(response);
  return 0;
}
