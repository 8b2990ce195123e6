#include "sortie/ledger/page_checksum.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
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
