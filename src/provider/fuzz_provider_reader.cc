#include "sortie/base/json.h"
#include "sortie/base/scrubber.h"
#include "sortie/base/secret.h"
#include "sortie/chat/message.h"
#include "sortie/provider/answer_reader.h"
#include "sortie/provider/dialect.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

// The input is the body of a good answer, read by every dialect: whole, and in pieces. The body's
// length chooses their size and whether it is declared as a stream or as JSON. Both have to mean
// the same. Goldens are seeds as they are.

namespace {

namespace provider = sortie::provider;

std::string told(const provider::Dialect& dialect,
                 const sortie::wire::Response& head,
                 std::string_view body,
                 std::size_t piece) {
  provider::AnswerReader reader(dialect);
  for (std::size_t i = 0; i < body.size(); i += piece) {
    reader.feed(head, body.substr(i, piece));
  }
  const std::string counts = std::to_string(reader.events_with_content()) + "/" +
                             std::to_string(reader.events_with_reasoning());
  static const sortie::base::Scrubber scrubber = [] {
    sortie::base::Scrubber one;
    one.add("canary", sortie::base::Secret("sk-0123456789abcdef"));
    return one;
  }();
  const auto decoded = reader.finish({}, scrubber);
  return decoded ? counts + sortie::json::to_text(sortie::chat::to_json(decoded->answer))
                 : counts + decoded.error().code + decoded.error().message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const std::size_t piece = 1 + size % 7;
  sortie::wire::Response head;
  head.status = 200;
  head.headers.add("content-type", size % 2 == 0 ? "text/event-stream" : "application/json");
  for (const std::string& name : provider::dialect_names()) {
    const provider::Dialect& dialect = *provider::find_dialect(name);
    if (told(dialect, head, body, std::max<std::size_t>(size, 1)) !=
        told(dialect, head, body, piece)) {
      std::abort();
    }
  }
  return 0;
}
