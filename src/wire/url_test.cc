#include "sortie/wire/url.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sortie::wire {
namespace {

Url parsed(std::string_view text) {
  auto url = parse_url(text);
  EXPECT_TRUE(url.has_value()) << text << ": " << (url ? "" : url.error().message);
  return url.value_or(Url());
}

TEST(Url, has_a_scheme_a_host_a_port_and_a_target) {
  EXPECT_EQ(parsed("https://api.example.com/v1/chat?x=1"),
            (Url{"https", "api.example.com", 443, "/v1/chat?x=1"}));
  EXPECT_EQ(parsed("HTTP://LocalHost:8080"), (Url{"http", "localhost", 8080, "/"}));
  EXPECT_EQ(parsed("http://h?q"), (Url{"http", "h", 80, "/?q"}));
  EXPECT_EQ(parsed("http://[::1]:99/a#b"), (Url{"http", "::1", 99, "/a"}));
}

TEST(Url, is_written_back_in_its_shortest_form) {
  for (const std::string_view text : {"https://api.example.com/v1",
                                      "http://[::1]:99/a",
                                      "http://[fe80::1]/",
                                      "http://127.0.0.1:8080/x?y=z"}) {
    EXPECT_EQ(parsed(text).to_string(), text);
  }
  EXPECT_EQ(parsed("http://h:80/a").to_string(), "http://h/a");
  EXPECT_EQ(parsed("https://h/a").authority(), "h:443");
  EXPECT_EQ(parsed("http://[::1]/a").authority(), "[::1]:80");
}

TEST(Url, malformed_ones_are_refused) {
  for (const std::string_view text : {"",
                                      "api.example.com",
                                      "ftp://h/",
                                      "http://",
                                      "http:///x",
                                      "http://h:0/",
                                      "http://h:65536/",
                                      "http://h:/",
                                      "http://h:8x/",
                                      "http://[::1/",
                                      "http://[::1]x/",
                                      "http://[zz]/",
                                      "http://a b/",
                                      "http://h/\r\nX: y",
                                      "http://h\\/",
                                      "http://a:b:c/",
                                      "file:///etc/passwd"}) {
    EXPECT_FALSE(parse_url(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_url("http://h/" + std::string(9000, 'a')).has_value());
}

TEST(Url, errors_never_quote_passwords_or_queries) {
  const auto error = parse_url("http://user:hunter2@h/").error();
  EXPECT_EQ(error.message.find("hunter2"), std::string::npos);
  for (const std::string_view text : {"http://user:hun?ter2@h/",
                                      "http://user:hun#ter2@h/",
                                      "http://user:hun@ter2@h/",
                                      "http://user:hun@?ter2@h/",
                                      "http://user:hun/ter2@h:x/",
                                      "ftp://h/x?key=hun@ter2"}) {
    const std::string message = parse_url(text).error().message;
    EXPECT_EQ(message.find("hun"), std::string::npos) << message;
    EXPECT_EQ(message.find("ter2"), std::string::npos) << message;
  }
  const auto query = parse_url("ftp://h/x?key=hunter2").error();
  EXPECT_EQ(query.message.find("hunter2"), std::string::npos);
  EXPECT_NE(query.message.find("ftp"), std::string::npos);
}

TEST(Url, loopback_hosts_are_known_in_all_spellings) {
  for (const std::string_view host : {"localhost",
                                      "LOCALHOST",
                                      "localhost.",
                                      "a.localhost",
                                      "127.0.0.1",
                                      "127.8.9.1",
                                      "::1",
                                      "[::1]",
                                      "0:0:0:0:0:0:0:1",
                                      "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(is_loopback(host)) << host;
  }
  for (const std::string_view host : {"",
                                      "notlocalhost",
                                      "localhost.example.com",
                                      "128.0.0.1",
                                      "127.0.0.1.example.com",
                                      "::2",
                                      "::ffff:1.2.3.4",
                                      "0.0.0.0"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

}  // namespace
}  // namespace sortie::wire
