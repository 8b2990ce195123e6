#include "sortie/wire/message.h"

#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sortie::wire {
namespace {

constexpr int kFailureKinds = static_cast<int>(FailureKind::invalid_request) + 1;

TEST(Headers, are_found_without_regard_to_case) {
  Headers headers;
  headers.add("Retry-After", "7");
  headers.add("retry-after", "9");
  headers.add("X-Empty", "");
  EXPECT_EQ(headers.find("RETRY-AFTER"), "7");
  EXPECT_EQ(headers.find("x-empty"), "");
  EXPECT_EQ(headers.find("retry"), std::nullopt);
  EXPECT_EQ(headers.fields().size(), 3U);
}

TEST(Headers, keep_their_order_and_spelling) {
  Headers headers;
  EXPECT_TRUE(headers.empty());
  headers.add("B", "1");
  headers.add("a", "2");
  EXPECT_EQ(headers.fields()[0].name, "B");
  EXPECT_EQ(headers.fields()[1].value, "2");
}

TEST(Method, has_the_name_that_goes_on_the_wire) {
  EXPECT_EQ(to_string(Method::get), "GET");
  EXPECT_EQ(to_string(Method::post), "POST");
  EXPECT_EQ(to_string(Method::put), "PUT");
  EXPECT_EQ(to_string(Method::delete_), "DELETE");
}

TEST(FailureKind, every_kind_has_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (int i = 0; i < kFailureKinds; ++i) {
    names.insert(to_string(static_cast<FailureKind>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kFailureKinds));
  EXPECT_FALSE(names.contains("?"));
}

TEST(FailureKind, only_what_never_left_or_was_refused_unread_is_certainly_unprocessed) {
  std::set<std::string_view> safe;
  for (int i = 0; i < kFailureKinds; ++i) {
    const auto kind = static_cast<FailureKind>(i);
    if (certainly_not_processed(kind)) {
      safe.insert(to_string(kind));
    }
  }
  EXPECT_EQ(safe,
            (std::set<std::string_view>{
                "connect", "tls", "certificate", "connect_timeout", "refused", "invalid_request"}));
}

}  // namespace
}  // namespace sortie::wire
