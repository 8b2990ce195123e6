#include "sortie/monitor/web_request.h"

#include <string>

#include <gtest/gtest.h>

namespace sortie::monitor {
namespace {

http::ServerRequest request(std::string host, std::string name = {}, std::string value = {}) {
  http::ServerRequest made;
  made.headers.add("Host", std::move(host));
  if (!name.empty()) {
    made.headers.add(std::move(name), std::move(value));
  }
  return made;
}

TEST(WebTarget, is_decoded_into_segments_and_a_query) {
  const auto target = parse_target("/v1/runs/a%20b/trials?model=x%2Fy&label=no+command&n=1.5&e=");
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->path, (std::vector<std::string>{"v1", "runs", "a b", "trials"}));
  EXPECT_EQ(target->text("model"), "x/y");
  EXPECT_EQ(target->text("label"), "no command");
  EXPECT_EQ(target->number("n"), 1.5);
  EXPECT_EQ(target->text("e"), std::nullopt);
  EXPECT_EQ(target->number("model"), std::nullopt);
  EXPECT_TRUE(parse_target("/")->path.empty());
}

TEST(WebTarget, refuses_what_could_lead_out_of_a_folder) {
  for (const char* text : {"/../etc/passwd",
                           "/v1/runs/..",
                           "/v1/runs/%2e%2e/x",
                           "/v1/runs/..%2f..%2fetc",
                           "/a/./b",
                           "/a%5c..%5cb",
                           "/a%00b",
                           "/a%0d%0aX:%20y",
                           "/a%2",
                           "/a%zz",
                           "",
                           "http://127.0.0.1/x"}) {
    EXPECT_FALSE(parse_target(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_target("/" + std::string(9000, 'a')).has_value());
}

TEST(WebGate, knows_the_address_that_it_was_told) {
  const Gate one(base::Secret("token"), 7373, "10.0.0.5");
  EXPECT_TRUE(one.from_here(request("10.0.0.5:7373", "Origin", "http://10.0.0.5:7373")));
  for (const char* host :
       {"127.0.0.1:7373", "localhost:7373", "10.0.0.6:7373", "10.0.0.5", "10.0.0.5:80", ":7373"}) {
    EXPECT_FALSE(one.from_here(request(host))) << host;
  }
  const Gate all(base::Secret("token"), 7373, "0.0.0.0");
  for (const char* host : {"127.0.0.1:7373", "localhost:7373", "10.0.0.5:7373"}) {
    EXPECT_TRUE(all.from_here(request(host))) << host;
  }
  // A name may be anybody's, who makes it point here.
  for (const char* host :
       {"evil.example:7373", "10.0.0.5.evil.example:7373", "10.0.0:7373", "::1:7373", ":7373"}) {
    EXPECT_FALSE(all.from_here(request(host))) << host;
  }
  EXPECT_FALSE(all.from_here(request("10.0.0.5:7373", "Origin", "http://10.0.0.6:7373")));
}

TEST(WebGate, refuses_other_hosts_and_origins) {
  const Gate gate(base::Secret("token"), 7373);
  EXPECT_TRUE(gate.from_here(request("127.0.0.1:7373")));
  EXPECT_TRUE(gate.from_here(request("localhost:7373")));
  EXPECT_TRUE(gate.from_here(request("127.0.0.1:7373", "Origin", "http://127.0.0.1:7373")));
  EXPECT_FALSE(gate.from_here(request("127.0.0.1:7374")));
  EXPECT_FALSE(gate.from_here(request("127.0.0.1")));
  EXPECT_FALSE(gate.from_here(request("evil.example:7373")));
  EXPECT_FALSE(gate.from_here(request("127.0.0.1:7373", "Origin", "http://evil.example")));
  EXPECT_FALSE(gate.from_here(request("127.0.0.1:7373", "Origin", "http://127.0.0.1:1")));
  EXPECT_FALSE(gate.from_here(request("127.0.0.1:7373", "Origin", "null")));
  EXPECT_FALSE(gate.from_here(http::ServerRequest{}));
}

TEST(WebGate, lets_read_who_has_the_token_or_the_cookie_it_was_exchanged_for) {
  const Gate gate(base::Secret("token"), 7373);
  const std::string set = gate.cookie();
  const std::string cookie = set.substr(0, set.find(';'));
  EXPECT_NE(set.find("SameSite=Strict"), std::string::npos);
  EXPECT_NE(set.find("HttpOnly"), std::string::npos);
  EXPECT_EQ(set.find("=token"), std::string::npos);
  EXPECT_TRUE(gate.may_read(request("x", "Cookie", cookie)));
  EXPECT_TRUE(gate.may_read(request("x", "Cookie", "a=b; " + cookie + "; c=d")));
  EXPECT_TRUE(gate.may_read(request("x", "Authorization", "Bearer token")));
  EXPECT_FALSE(gate.may_read(request("x")));
  EXPECT_FALSE(gate.may_read(request("x", "Cookie", cookie.substr(0, cookie.size() - 1))));
  EXPECT_FALSE(gate.may_read(request("x", "Cookie", "sortie_7373=token")));
  EXPECT_FALSE(gate.may_read(request("x", "Authorization", "Bearer ")));
  EXPECT_FALSE(gate.may_read(request("x", "Authorization", "Bearer tokem")));
  const Gate other(base::Secret("token"), 7374);
  EXPECT_FALSE(other.may_read(request("x", "Cookie", cookie)));
}

}  // namespace
}  // namespace sortie::monitor
