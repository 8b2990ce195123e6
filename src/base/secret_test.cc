#include "sortie/base/secret.h"

#include "sortie/base/scrubber.h"

#include <type_traits>

#include <gtest/gtest.h>

namespace sortie::base {
namespace {

static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);

TEST(Secret, has_a_fingerprint_that_names_it_without_telling_it) {
  const Secret secret("sk-canary-123456");
  EXPECT_EQ(secret.fingerprint().size(), 12U);
  EXPECT_EQ(secret.fingerprint(), Secret("sk-canary-123456").fingerprint());
  EXPECT_NE(secret.fingerprint(), Secret("sk-canary-123457").fingerprint());
}

TEST(Secret, leaves_nothing_behind_when_moved) {
  Secret a("sk-canary-123456");
  const Secret b(std::move(a));
  EXPECT_EQ(b.reveal(), "sk-canary-123456");
  EXPECT_TRUE(
      a.empty());  // NOLINT(bugprone-use-after-move): the moved-from state is what is tested
}

TEST(Scrubber, finds_a_secret_in_every_form_a_server_may_echo) {
  Scrubber scrubber;
  scrubber.add("key-1", Secret("sk/ca\"nary+1"));
  EXPECT_EQ(scrubber.scrub("bad key sk/ca\"nary+1!"), "bad key [secret:key-1]!");
  EXPECT_EQ(scrubber.scrub("?k=sk%2Fca%22nary%2B1"), "?k=[secret:key-1]");
  EXPECT_EQ(scrubber.scrub(R"({"k":"sk/ca\"nary+1"})"), R"({"k":"[secret:key-1]"})");
  EXPECT_EQ(scrubber.scrub(R"({"k":"sk\/ca\"nary+1"})"), R"({"k":"[secret:key-1]"})");
  EXPECT_EQ(scrubber.scrub("c2svY2EibmFyeSsx"), "[secret:key-1]");
  EXPECT_EQ(scrubber.scrub("nothing here"), "nothing here");
}

TEST(Scrubber, replaces_the_longer_of_two_nested_secrets) {
  Scrubber scrubber;
  scrubber.add("short", Secret("abcd"));
  scrubber.add("long", Secret("abcdefgh"));
  EXPECT_EQ(scrubber.scrub("abcdefgh abcd"), "[secret:long] [secret:short]");
}

}  // namespace
}  // namespace sortie::base
