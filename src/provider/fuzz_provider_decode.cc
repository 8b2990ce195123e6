#include "sortie/provider/dialect.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The first byte chooses the status, the second the dialect, the first line is a Retry-After field,
// the rest is the body, plain or an event stream by its own look.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace provider = sortie::provider;
  static const std::vector<std::string> names = provider::dialect_names();
  if (size < 2) {
    return 0;
  }
  std::string_view input(reinterpret_cast<const char*>(data), size);
  sortie::wire::Response response;
  response.status = 100 + 2 * data[0];
  const provider::Dialect& dialect = *provider::find_dialect(names[data[1] % names.size()]);
  input.remove_prefix(2);
  const std::size_t line = input.find('\n');
  if (line != std::string_view::npos) {
    const std::string field(input.substr(0, line));
    response.headers.add("retry-after", field);
    response.headers.add("x-ratelimit-reset-tokens", field);
    response.headers.add("x-ratelimit-remaining-tokens", field);
    response.headers.add("anthropic-ratelimit-requests-reset", field);
    response.headers.add("date", field);
    input.remove_prefix(line + 1);
  }
  response.body = std::string(input);
  (void)dialect.decode(response, {});
  return 0;
}
