#include "sortie/wire/scrub.h"

#include "sortie/base/json.h"
#include "sortie/base/scrubber.h"
#include "sortie/base/secret.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::wire {
namespace {

constexpr std::string_view kKey = "sk-canary/0123+4567==";

const base::Scrubber& scrubber() {
  static const base::Scrubber made = [] {
    base::Scrubber one;
    one.add("key-1", base::Secret(std::string(kKey)));
    return one;
  }();
  return made;
}

std::string scrubbed_body(std::string body) {
  return scrubbed({.status = 200, .headers = {}, .body = std::move(body)}, scrubber()).body;
}

/// The key with one character written as JSON may write any.
std::string escaped(std::size_t place) {
  return fmt::format("{}\\u{:04x}{}", kKey.substr(0, place), kKey[place], kKey.substr(place + 1));
}

TEST(Scrubbed, finds_a_secret_whatever_of_it_is_escaped) {
  for (std::size_t place = 0; place < kKey.size(); ++place) {
    for (const std::string& body : {R"({"error":{"message":"bad key )" + escaped(place) + "\"}}",
                                    R"([{"content":["a\n","bad key )" + escaped(place) + "\"]}]",
                                    R"({"bad key )" + escaped(place) + R"(":1})"}) {
      const std::string clean = scrubbed_body(body);
      ASSERT_TRUE(clean.contains("bad key [secret:key-1]")) << clean;
      ASSERT_TRUE(json::parse(clean).has_value()) << clean;
    }
  }
}

TEST(Scrubbed, leaves_all_else_as_it_was_written) {
  for (const std::string body : {R"({ "a" : "\u00fc\/\n", "b": 1.50 })",
                                 "\n\n{\"a\": \"no secret\\n\"}",
                                 R"({"cut": "\n)",
                                 R"(<p>\)",
                                 ""}) {
    EXPECT_EQ(scrubbed_body(body), body);
  }
}

TEST(Scrubbed, takes_secrets_out_of_header_fields) {
  Response response;
  response.status = 401;
  response.headers.add("X-Echo", "of " + std::string(kKey));
  const Response clean = scrubbed(response, scrubber());
  EXPECT_EQ(clean.status, 401);
  EXPECT_EQ(clean.headers.find("x-echo"), "of [secret:key-1]");
}

}  // namespace
}  // namespace sortie::wire
