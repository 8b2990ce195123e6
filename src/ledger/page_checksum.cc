#include "sortie/ledger/page_checksum.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sortie::ledger {

namespace {

static_assert(std::endian::native == std::endian::little, "words are read as little-endian");

using Stored = std::array<std::uint8_t, kPageChecksumBytes>;

// https://www.sqlite.org/cksumvfs.html. Every step is a bijection of the two words.
Stored checksum_of(Page content) {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  for (std::size_t i = 0; i + 8 <= content.size(); i += 8) {
    std::array<std::uint32_t, 2> words{};
    std::memcpy(words.data(), content.data() + i, sizeof words);
    first += words[0] + second;
    second += words[1] + first;
  }
  Stored stored{};
  std::memcpy(stored.data(), &first, sizeof first);
  std::memcpy(stored.data() + sizeof first, &second, sizeof second);
  return stored;
}

// https://www.sqlite.org/fileformat2.html#the_database_header
constexpr std::string_view kMagic = "SQLite format 3";
constexpr std::size_t kPageBytesOffset = 16;
constexpr std::size_t kReservedOffset = 20;

}  // namespace

PageState examine_page(Page page) {
  const Page stored = page.last(kPageChecksumBytes);
  if (std::ranges::all_of(stored, [](std::uint8_t byte) { return byte == 0; })) {
    return PageState::bare;
  }
  const Stored expected = checksum_of(page.first(page.size() - kPageChecksumBytes));
  return std::ranges::equal(stored, expected) ? PageState::good : PageState::damaged;
}

void sign_page(MutablePage page) {
  const Stored stored = checksum_of(page.first(page.size() - kPageChecksumBytes));
  std::ranges::copy(stored, page.last(kPageChecksumBytes).begin());
}

void unsign_page(MutablePage page) {
  std::ranges::fill(page.last(kPageChecksumBytes), std::uint8_t{0});
}

std::size_t page_bytes_of(Page header) {
  const std::size_t stored =
      (std::size_t{header[kPageBytesOffset]} << 8U) | std::size_t{header[kPageBytesOffset + 1]};
  const std::size_t bytes = stored == 1 ? 65536 : stored;
  return bytes >= 512 && std::has_single_bit(bytes) ? bytes : 0;
}

bool has_page_checksums(Page header) {
  return std::memcmp(header.data(), kMagic.data(), kMagic.size() + 1) == 0 &&
         page_bytes_of(header) > 0 && header[kReservedOffset] == kPageChecksumBytes;
}

}  // namespace sortie::ledger
