#include "sortie/ledger/checksum.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sortie::ledger {

static_assert(std::endian::native == std::endian::little, "words are read as little-endian");

void Checksum::real(double value) {
  begin(2);
  // SQLite keeps -0.0 as 0.0.
  word(std::bit_cast<std::uint64_t>(value == 0.0 ? 0.0 : value));
}

void Checksum::bytes(std::uint64_t tag, std::string_view value) {
  begin(tag);
  word(value.size());
  std::size_t offset = 0;
  for (; offset + 8 <= value.size(); offset += 8) {
    std::uint64_t next = 0;
    std::memcpy(&next, value.data() + offset, 8);
    word(next);
  }
  if (offset < value.size()) {
    std::uint64_t last = 0;
    std::memcpy(&last, value.data() + offset, value.size() - offset);
    word(last);
  }
}

}  // namespace sortie::ledger
