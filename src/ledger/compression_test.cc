#include "sortie/ledger/compression.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace sortie::ledger {
namespace {

TEST(Compression, gives_back_every_byte) {
  Compressor compressor;
  std::mt19937 random(7);
  for (const std::size_t size : {128UL, 1500UL, 65536UL, 1UL << 20U}) {
    std::string content;
    while (content.size() < size) {
      content += static_cast<char>("abcde \xFF\0"[random() % 8]);
    }
    const std::string_view frame = compressor.compress(content);
    ASSERT_FALSE(frame.empty()) << size;
    EXPECT_LT(frame.size(), size * 3 / 4);
    const auto back = decompress(frame, content.size());
    ASSERT_TRUE(back.has_value()) << back.error().message;
    EXPECT_TRUE(*back == content);
  }
}

TEST(Compression, leaves_short_and_incompressible_contents_alone) {
  Compressor compressor;
  EXPECT_TRUE(compressor.compress(std::string(kCompressFromBytes - 1, 'a')).empty());
  std::string noise;
  std::mt19937 random(7);
  while (noise.size() < 4096) {
    noise += static_cast<char>(random());
  }
  EXPECT_TRUE(compressor.compress(noise).empty());
}

TEST(Compression, refuses_damaged_frames_and_wrong_sizes) {
  Compressor compressor;
  const std::string content(1000, 'a');
  const std::string frame(compressor.compress(content));
  EXPECT_FALSE(decompress(frame, 999).has_value());
  EXPECT_FALSE(decompress(frame, 1001).has_value());
  EXPECT_FALSE(decompress(frame.substr(0, frame.size() - 1), 1000).has_value());
  EXPECT_FALSE(decompress("not a frame", 1000).has_value());
  const auto huge = decompress(frame, kContentBytesMax + 1);
  ASSERT_FALSE(huge.has_value());
  EXPECT_EQ(huge.error().code, base::ErrorCode::integrity);
}

}  // namespace
}  // namespace sortie::ledger
