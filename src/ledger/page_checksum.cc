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

/// The two words of https://www.sqlite.org/cksumvfs.html. Every step is a bijection of them.
struct Sums {
  std::uint32_t first = 0;
  std::uint32_t second = 0;

  void add(const std::uint8_t* eight_bytes) {
    std::array<std::uint32_t, 2> words{};
    std::memcpy(words.data(), eight_bytes, sizeof words);
    first += words[0] + second;
    second += words[1] + first;
  }
};

/// What steps over zeros make of the two words, in which every step is linear: a symmetric matrix.
struct ZeroSteps {
  std::uint32_t a = 1;
  std::uint32_t b = 0;
  std::uint32_t c = 1;

  [[nodiscard]] Sums of(Sums sums) const {
    return {.first = a * sums.first + b * sums.second, .second = b * sums.first + c * sums.second};
  }

  [[nodiscard]] ZeroSteps and_then(ZeroSteps more) const {
    return {
        .a = a * more.a + b * more.b, .b = a * more.b + b * more.c, .c = b * more.b + c * more.c};
  }
};

ZeroSteps zero_steps(std::size_t count) {
  ZeroSteps all;
  for (ZeroSteps power{.a = 1, .b = 1, .c = 2}; count > 0; count /= 2) {
    all = count % 2 == 1 ? all.and_then(power) : all;
    power = power.and_then(power);
  }
  return all;
}

/// Each step waits for the one before it: four parts at once take a third of the time.
Sums sums_of(Page content) {
  constexpr std::size_t kWords = 8;  // bytes of a step
  constexpr std::size_t kParts = 4;
  const std::size_t steps = content.size() / kWords;
  const std::size_t part_bytes = steps / kParts * kWords;
  std::array<Sums, kParts> parts{};
  for (std::size_t at = 0; at < part_bytes; at += kWords) {
    for (std::size_t part = 0; part < kParts; ++part) {
      parts[part].add(content.data() + part * part_bytes + at);
    }
  }
  const ZeroSteps behind = zero_steps(steps / kParts);
  Sums sums;
  for (const Sums& part : parts) {
    sums = behind.of(sums);
    sums.first += part.first;
    sums.second += part.second;
  }
  for (std::size_t at = kParts * part_bytes; at < steps * kWords; at += kWords) {
    sums.add(content.data() + at);
  }
  return sums;
}

Stored checksum_of(Page content) {
  const Sums sums = sums_of(content);
  Stored stored{};
  std::memcpy(stored.data(), &sums.first, sizeof sums.first);
  std::memcpy(stored.data() + sizeof sums.first, &sums.second, sizeof sums.second);
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
