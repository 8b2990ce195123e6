#include "sortie/provider/limit_headers.h"

#include "sortie/base/time.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <chrono>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::provider {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

wire::Headers headers_of(std::initializer_list<std::pair<std::string, std::string>> fields) {
  wire::Headers headers;
  for (const auto& [name, value] : fields) {
    headers.add(name, value);
  }
  return headers;
}

std::optional<base::Duration> hinted(std::string_view message) {
  return wait_hint({}, message);
}

TEST(ParseWait, reads_durations_as_go_writes_them) {
  EXPECT_EQ(parse_wait("6m0s"), minutes(6));
  EXPECT_EQ(parse_wait("1s"), seconds(1));
  EXPECT_EQ(parse_wait("250ms"), milliseconds(250));
  EXPECT_EQ(parse_wait("1h2m3.5s"), std::chrono::hours(1) + minutes(2) + milliseconds(3500));
  EXPECT_EQ(parse_wait(" 0s "), seconds(0));
  EXPECT_NEAR(base::seconds(parse_wait("12µs").value()), 12e-6, 2e-9);
  EXPECT_NEAR(base::seconds(parse_wait("20ns").value()), 20e-9, 2e-9);
}

TEST(ParseWait, reads_plain_seconds) {
  EXPECT_EQ(parse_wait("60"), seconds(60));
  EXPECT_NEAR(base::seconds(parse_wait("7.66s").value()), 7.66, 1e-8);
  EXPECT_NEAR(base::seconds(parse_wait("7.66").value()), 7.66, 1e-8);
}

TEST(ParseWait, refuses_what_is_no_duration) {
  for (const std::string_view text : {"",
                                      "-1",
                                      "-5s",
                                      "soon",
                                      "1x",
                                      "1s!",
                                      "5m3",
                                      "s",
                                      "1.2.3s",
                                      "2026-01-01T00:00:00Z",
                                      "1767225600000",
                                      "nan",
                                      "inf",
                                      "1e9999"}) {
    EXPECT_EQ(parse_wait(text), std::nullopt) << text;
  }
}

TEST(WaitHint, prefers_the_header_in_milliseconds) {
  const auto headers = headers_of({{"Retry-After", "2"}, {"retry-after-ms", "1500"}});
  EXPECT_EQ(wait_hint(headers, "Please retry after 40 seconds"), milliseconds(1500));
}

TEST(WaitHint, reads_seconds) {
  EXPECT_EQ(wait_hint(headers_of({{"Retry-After", "41"}}), ""), seconds(41));
  EXPECT_EQ(wait_hint(headers_of({{"retry-after", " 0.5 "}}), ""), milliseconds(500));
  EXPECT_EQ(wait_hint(headers_of({{"retry-after", "0"}}), ""), seconds(0));
}

TEST(WaitHint, reads_a_date_relative_to_the_servers_clock) {
  const auto headers = headers_of({{"Retry-After", "Sun, 06 Nov 1994 08:50:07 GMT"},
                                   {"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}});
  EXPECT_EQ(wait_hint(headers, ""), seconds(30));
  EXPECT_EQ(wait_hint(headers_of({{"Retry-After", "Sun, 06 Nov 1994 08:50:07 GMT"}}), ""),
            std::nullopt)
      << "without the server's clock it says nothing";
  EXPECT_EQ(wait_hint(headers_of({{"Retry-After", "Sun, 06 Nov 1994 08:49:00 GMT"},
                                  {"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}}),
                      ""),
            seconds(0));
}

TEST(WaitHint, finds_the_wait_in_the_words) {
  EXPECT_EQ(hinted("Please retry after 41 seconds. To increase your limit"), seconds(41));
  EXPECT_EQ(hinted("exceeded. Please wait 12 seconds before retrying"), seconds(12));
  EXPECT_EQ(hinted("Please try again in 6m0s. Visit https://x.test/limits"), minutes(6));
  EXPECT_EQ(hinted("Please try again in 250ms."), milliseconds(250));
  EXPECT_EQ(hinted("PLEASE TRY AGAIN IN 1.5s."), milliseconds(1500));
  EXPECT_EQ(hinted("please try again after 1 minute"), minutes(1));
  EXPECT_EQ(hinted("wait for 3s"), seconds(3));
  EXPECT_EQ(hinted("retry after 5"), seconds(5));
  EXPECT_EQ(hinted("do not wait around; retry after 9 seconds"), seconds(9));
}

TEST(WaitHint, is_absent_where_nothing_is_said) {
  EXPECT_EQ(hinted(""), std::nullopt);
  EXPECT_EQ(hinted("please wait"), std::nullopt);
  EXPECT_EQ(hinted("try again in a while"), std::nullopt);
  EXPECT_EQ(wait_hint(headers_of({{"Retry-After", "-1"}}), ""), std::nullopt);
  EXPECT_EQ(wait_hint(headers_of({{"Retry-After", "99999999999"}}), ""), std::nullopt);
}

TEST(ParseHttpDate, reads_the_one_form_servers_must_send) {
  const auto time = parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
  ASSERT_TRUE(time);
  EXPECT_EQ(base::to_iso8601(*time).substr(0, 19), "1994-11-06T08:49:37");
}

TEST(ParseHttpDate, refuses_everything_else) {
  for (const std::string_view text : {"",
                                      "Sunday, 06-Nov-94 08:49:37 GMT",
                                      "Sun, 31 Feb 2026 08:49:37 GMT",
                                      "Sun, 06 Nox 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 24:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:37 CET",
                                      "Sun, -6 Nov 1994 08:49:37 GMT"}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
}

TEST(LimitHints, reads_all_six_fields) {
  const quota::LimitHints hints =
      limit_hints(headers_of({{"x-ratelimit-limit-requests", "10000"},
                              {"X-RateLimit-Remaining-Requests", "9999"},
                              {"x-ratelimit-reset-requests", "6ms"},
                              {"x-ratelimit-limit-tokens", "30000000"},
                              {"x-ratelimit-remaining-tokens", "150"},
                              {"x-ratelimit-reset-tokens", "6m0s"}}));
  EXPECT_EQ(hints.limit_requests, 10000);
  EXPECT_EQ(hints.remaining_requests, 9999);
  EXPECT_EQ(hints.reset_requests, milliseconds(6));
  EXPECT_EQ(hints.limit_tokens, 30'000'000);
  EXPECT_EQ(hints.remaining_tokens, 150);
  EXPECT_EQ(hints.reset_tokens, minutes(6));
}

TEST(LimitHints, reads_anthropics_form_whose_resets_are_instants) {
  const quota::LimitHints hints =
      limit_hints(headers_of({{"Date", "Wed, 11 Feb 2026 17:03:20 GMT"},
                              {"anthropic-ratelimit-requests-limit", "4000"},
                              {"anthropic-ratelimit-requests-remaining", "3999"},
                              {"anthropic-ratelimit-requests-reset", "2026-02-11T17:03:22Z"},
                              {"anthropic-ratelimit-tokens-limit", "400000"},
                              {"anthropic-ratelimit-tokens-remaining", "398000"},
                              {"anthropic-ratelimit-tokens-reset", "2026-02-11T17:03:20+00:00"},
                              {"anthropic-ratelimit-input-tokens-limit", "1"}}));
  EXPECT_EQ(hints.limit_requests, 4'000);
  EXPECT_EQ(hints.remaining_requests, 3'999);
  EXPECT_EQ(hints.reset_requests, seconds(2));
  EXPECT_EQ(hints.limit_tokens, 400'000);
  EXPECT_EQ(hints.remaining_tokens, 398'000);
  EXPECT_EQ(hints.reset_tokens, seconds(0));
}

TEST(LimitHints, ignores_what_a_gateway_does_not_know) {
  const quota::LimitHints hints = limit_hints(headers_of({{"x-ratelimit-limit-requests", "-1"},
                                                          {"x-ratelimit-remaining-requests", "0"},
                                                          {"x-ratelimit-remaining-tokens", "-1"},
                                                          {"x-ratelimit-reset-tokens", "later"}}));
  EXPECT_EQ(hints.limit_requests, std::nullopt);
  EXPECT_EQ(hints.remaining_requests, std::nullopt);
  EXPECT_EQ(hints.remaining_tokens, std::nullopt);
  EXPECT_EQ(hints.reset_tokens, std::nullopt);
}

TEST(WaitHint, is_never_negative_whatever_is_sent) {
  EXPECT_TRUE(rc::check([](const std::string& field, const std::string& words) {
    const auto headers = headers_of({{"retry-after", field}, {"date", words}});
    for (const auto& wait :
         {wait_hint(headers, "retry after " + words), parse_wait(field), parse_wait("1" + words)}) {
      RC_ASSERT(!wait || *wait >= base::Duration::zero());
    }
  }));
}

TEST(ParseWait, reads_back_what_go_would_write) {
  EXPECT_TRUE(rc::check([] {
    const int hours = *rc::gen::inRange(0, 30);
    const int mins = *rc::gen::inRange(0, 60);
    const int secs = *rc::gen::inRange(0, 60);
    const std::string text =
        std::to_string(hours) + "h" + std::to_string(mins) + "m" + std::to_string(secs) + "s";
    RC_ASSERT(parse_wait(text) == std::optional<base::Duration>(std::chrono::hours(hours) +
                                                                minutes(mins) + seconds(secs)));
  }));
}

}  // namespace
}  // namespace sortie::provider
