#include "sortie/base/hash.h"

#include <gtest/gtest.h>

namespace sortie::base {
namespace {

TEST(Digest, is_sha256_cut_to_128_bits) {
  // FIPS 180-2, appendix B.1: SHA-256("abc").
  EXPECT_EQ(digest_of("abc").hex(), "ba7816bf8f01cfea414140de5dae2223");
}

TEST(Digest, round_trips_through_hex_and_rejects_anything_else) {
  const Digest digest = digest_of("x");
  EXPECT_EQ(Digest::from_hex(digest.hex()), digest);
  EXPECT_FALSE(Digest::from_hex("abc").has_value());
  EXPECT_FALSE(Digest::from_hex(std::string(32, 'g')).has_value());
  EXPECT_FALSE(Digest::from_hex(std::string(32, 'A')).has_value());
}

TEST(FieldHasher, keeps_fields_apart) {
  const Digest ab_c = FieldHasher("t").field("ab", "c").finish();
  const Digest a_bc = FieldHasher("t").field("a", "bc").finish();
  EXPECT_NE(ab_c, a_bc);
  EXPECT_NE(FieldHasher("t").finish(), FieldHasher("u").finish());
}

TEST(FieldHasher, is_stable_for_ever) {
  // Changing this value orphans every result ever paid for.
  EXPECT_EQ(FieldHasher("sortie.trial.v1").field("task", "t1").field("repeat", 0).finish().hex(),
            "e504743bac912dd067f7b1010c77585b");
}

}  // namespace
}  // namespace sortie::base
