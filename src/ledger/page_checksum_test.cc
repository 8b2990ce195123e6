#include "sortie/ledger/page_checksum.h"

#include "sortie/base/hash.h"
#include "sortie/base/random.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::ledger {
namespace {

std::vector<std::uint8_t> some_page(std::size_t bytes) {
  std::vector<std::uint8_t> page(bytes);
  for (std::size_t i = 0; i < bytes; ++i) {
    page[i] = static_cast<std::uint8_t>(i * 7 + 3);
  }
  return page;
}

TEST(PageChecksum, is_that_of_cksumvfs) {
  std::vector<std::uint8_t> page = some_page(512);
  sign_page(page);
  // Computed by another program from the description at https://www.sqlite.org/cksumvfs.html.
  constexpr std::array<std::uint8_t, 8> kExpected = {
      0xFC, 0xCE, 0x0C, 0x20, 0x04, 0xC7, 0xD0, 0x10};
  EXPECT_TRUE(std::ranges::equal(MutablePage(page).last(8), kExpected));
}

/// As https://www.sqlite.org/cksumvfs.html describes it, one step after the other.
std::array<std::uint8_t, 8> described(Page content) {
  std::array<std::uint32_t, 2> sums{};
  for (std::size_t at = 0; at < content.size(); at += 8) {
    std::array<std::uint32_t, 2> words{};
    std::memcpy(words.data(), content.data() + at, sizeof words);
    sums[0] += words[0] + sums[1];
    sums[1] += words[1] + sums[0];
  }
  return std::bit_cast<std::array<std::uint8_t, 8>>(sums);
}

TEST(PageChecksum, is_the_described_one_for_pages_of_every_size) {
  for (std::size_t bytes = 512; bytes <= 65536; bytes *= 2) {
    std::vector<std::uint8_t> page = some_page(bytes);
    base::RandomStream random(base::digest_of("pages"));
    for (std::size_t i = 0; i < bytes; ++i) {
      page[i] = static_cast<std::uint8_t>(random.below(256));
    }
    sign_page(page);
    EXPECT_TRUE(std::ranges::equal(Page(page).last(8), described(Page(page).first(bytes - 8))))
        << bytes;
  }
}

TEST(PageChecksum, changes_with_every_flipped_bit) {
  std::vector<std::uint8_t> page = some_page(512);
  sign_page(page);
  ASSERT_EQ(examine_page(page), PageState::good);
  for (std::size_t bit = 0; bit < page.size() * 8; ++bit) {
    const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
    page[bit / 8] ^= mask;
    EXPECT_EQ(examine_page(page), PageState::damaged) << "bit " << bit;
    page[bit / 8] ^= mask;
  }
}

TEST(PageChecksum, tells_pages_that_nobody_signed_from_damaged_ones) {
  std::vector<std::uint8_t> page = some_page(4096);
  EXPECT_EQ(examine_page(page), PageState::damaged);
  unsign_page(page);
  EXPECT_EQ(examine_page(page), PageState::bare);
  EXPECT_EQ(examine_page(std::vector<std::uint8_t>(4096)), PageState::bare);
}

TEST(PageChecksum, reads_the_header_of_a_database) {
  std::array<std::uint8_t, 100> header{};
  const std::string_view magic = "SQLite format 3";
  std::ranges::copy(magic, header.begin());
  header[16] = 0x10;
  EXPECT_EQ(page_bytes_of(header), 4096U);
  EXPECT_FALSE(has_page_checksums(header));
  header[20] = 8;
  EXPECT_TRUE(has_page_checksums(header));
  header[16] = 0;
  header[17] = 1;
  EXPECT_EQ(page_bytes_of(header), 65536U);
  header[17] = 3;
  EXPECT_EQ(page_bytes_of(header), 0U);
  EXPECT_FALSE(has_page_checksums(header));
}

}  // namespace
}  // namespace sortie::ledger
