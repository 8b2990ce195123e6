#include "sortie/base/check.h"
#include "sortie/base/time.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/signals.h"
#include "sortie/spec/signals_file.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// The input is the body of an error, read with the shipped rows: under the statuses that carry
// limits and refusals, and inside a good answer. Its length chooses the provider. A wait is never
// negative.

namespace provider = sortie::provider;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const provider::SignalTable& table = sortie::spec::shipped_signals();
  sortie::wire::Response response;
  response.body.assign(reinterpret_cast<const char*>(data), size);
  // A line of the body stands in for header fields.
  const std::string field = response.body.substr(0, response.body.find('\n'));
  response.headers.add("retry-after", field);
  response.headers.add("x-should-retry", field);
  for (const int status : {200, 400, 403, 429, 503}) {
    response.status = status;
    const provider::ProviderRow& row = table.providers[size % table.providers.size()];
    const auto decoded =
        provider::openai().decode(response, {.table = &table, .provider = row.name});
    if (!decoded) {
      const auto wait = decoded.error().wait;
      CHECK(!wait.has_value() || *wait >= sortie::base::Duration::zero());
    }
  }
  return 0;
}
