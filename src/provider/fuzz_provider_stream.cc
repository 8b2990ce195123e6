#include "sortie/base/json.h"
#include "sortie/chat/message.h"
#include "sortie/provider/answer_stream.h"
#include "sortie/provider/dialect.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

// An event stream, whole and cut once: the first byte chooses the dialect, the next two where it is
// cut. Both have to mean the same.

namespace {

namespace provider = sortie::provider;

std::string told(const provider::AnswerStream& stream, const sortie::wire::Response& head) {
  const auto decoded = stream.finish(head, {});
  return decoded ? sortie::json::to_text(sortie::chat::to_json(decoded->answer))
                 : decoded.error().code + decoded.error().message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::string> names = provider::dialect_names();
  if (size < 3) {
    return 0;
  }
  const provider::Dialect& dialect = *provider::find_dialect(names[data[0] % names.size()]);
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  bytes.remove_prefix(3);
  const std::size_t cut = std::min<std::size_t>(data[1] * 256U + data[2], bytes.size());
  sortie::wire::Response head;
  head.status = 200;
  provider::AnswerStream whole(dialect);
  whole.feed(bytes);
  provider::AnswerStream pieces(dialect);
  pieces.feed(bytes.substr(0, cut));
  pieces.feed(bytes.substr(cut));
  if (told(whole, head) != told(pieces, head)) {
    std::abort();
  }
  return 0;
}
