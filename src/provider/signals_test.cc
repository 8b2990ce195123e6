#include "sortie/provider/signals.h"

#include "sortie/base/time.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <chrono>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace sortie::provider {
namespace {

using quota::SignalClass;

SignalTable table_of(SignalRow row) {
  SignalTable table;
  table.rows = {std::move(row), {.status_min = 400, .status_max = 499, .kind = SignalClass::auth}};
  return table;
}

TEST(Classify, takes_the_first_row_that_matches) {
  const SignalTable table = table_of({.status_min = 400,
                                      .status_max = 400,
                                      .code = "HOUSE-7*",
                                      .text = "busy|late",
                                      .kind = SignalClass::overload,
                                      .code_as = "house"});
  ErrorFacts facts{.status = 400, .code = "house-77", .message = "too LATE today"};
  EXPECT_EQ(classify({.table = &table}, facts).kind, SignalClass::overload);
  EXPECT_EQ(classify({.table = &table}, facts).code, "house");
  facts.message = "no";
  EXPECT_EQ(classify({.table = &table}, facts).kind, SignalClass::auth);
}

TEST(Classify, a_row_may_be_of_one_provider) {
  const SignalTable table = table_of({.provider = "acme|umbrella", .kind = SignalClass::ramp});
  const ErrorFacts facts{.status = 400};
  EXPECT_EQ(classify({.table = &table, .provider = "umbrella"}, facts).kind, SignalClass::ramp);
  EXPECT_EQ(classify({.table = &table, .provider = "other"}, facts).kind, SignalClass::auth);
  EXPECT_EQ(classify({.table = &table}, facts).kind, SignalClass::auth);
}

TEST(Classify, a_row_may_ask_for_a_header_or_its_absence) {
  wire::Headers headers;
  headers.add("Retry-After", "3");
  const ErrorFacts with{.status = 400, .headers = &headers};
  const ErrorFacts without{.status = 400};
  const SignalTable there = table_of({.header = "retry-after", .kind = SignalClass::ramp});
  EXPECT_EQ(classify({.table = &there}, with).kind, SignalClass::ramp);
  EXPECT_EQ(classify({.table = &there}, without).kind, SignalClass::auth);
  const SignalTable absent = table_of({.header = "!retry-after", .kind = SignalClass::ramp});
  EXPECT_EQ(classify({.table = &absent}, with).kind, SignalClass::auth);
  EXPECT_EQ(classify({.table = &absent}, without).kind, SignalClass::ramp);
  const SignalTable of_value = table_of({.header = "retry-after: 3*", .kind = SignalClass::ramp});
  EXPECT_EQ(classify({.table = &of_value}, with).kind, SignalClass::ramp);
}

TEST(Classify, a_row_may_ask_for_a_long_wait) {
  const SignalTable table =
      table_of({.wait_over = std::chrono::minutes(10), .kind = SignalClass::daily_cap});
  ErrorFacts facts{.status = 429, .wait = std::chrono::minutes(10)};
  EXPECT_EQ(classify({.table = &table}, facts).kind, SignalClass::auth);
  facts.wait = std::chrono::minutes(11);
  EXPECT_EQ(classify({.table = &table}, facts).kind, SignalClass::daily_cap);
  EXPECT_EQ(classify({.table = &table}, facts).wait, std::chrono::minutes(11));
}

TEST(Classify, says_when_it_guessed) {
  const SignalTable table = table_of({.status_min = 418, .status_max = 418, .guess = true});
  EXPECT_FALSE(classify({.table = &table}, {.status = 418}).known);
  EXPECT_TRUE(classify({.table = &table}, {.status = 400}).known);
  const quota::Signal nothing = classify({.table = &table}, {.status = 700});
  EXPECT_FALSE(nothing.known);
  EXPECT_EQ(nothing.kind, SignalClass::transient);
}

std::optional<base::Duration> wait_from(Until until, const char* date) {
  wire::Headers headers;
  headers.add("Date", date);
  return wait_until(until, &headers);
}

TEST(WaitUntil, counts_from_the_answers_own_date) {
  using std::chrono::hours;
  EXPECT_EQ(wait_from(Until::midnight_utc, "Tue, 10 Feb 2026 21:00:00 GMT"), hours(3));
  EXPECT_EQ(wait_from(Until::month_utc, "Sat, 28 Feb 2026 00:00:00 GMT"), hours(24));
  EXPECT_EQ(wait_from(Until::month_utc, "Thu, 31 Dec 2026 23:00:00 GMT"), hours(1));
  EXPECT_EQ(wait_until(Until::month_utc, nullptr), std::nullopt);
}

TEST(WaitUntil, an_instant_that_the_message_states_is_read_where_its_clock_stands) {
  wire::Headers headers;
  headers.add("Date", "Sat, 28 Feb 2026 00:00:00 GMT");
  const auto left = [&](std::string_view message) {
    return wait_until(Until::stated_beijing, &headers, message);
  };
  EXPECT_EQ(left("Your limit will reset at 2026-02-28 13:30:05"),
            std::chrono::hours(5) + std::chrono::minutes(30) + std::chrono::seconds(5));
  EXPECT_EQ(left("已达到 5 小时的使用上限。您的限额将在 2026-03-01 08:00:00 重置。"),
            std::chrono::hours(24));
  EXPECT_EQ(left("Your limit will reset at 2026-02-28 07:59:59"), std::nullopt);
  EXPECT_EQ(left("Your limit will reset at 2026-13-28 09:00:00"), std::nullopt);
  EXPECT_EQ(left("Your limit will reset soon"), std::nullopt);
  EXPECT_EQ(wait_until(Until::stated_beijing, nullptr, "2026-02-28 13:30:05"), std::nullopt);
  EXPECT_EQ(wait_from(Until::hint, "Tue, 10 Feb 2026 21:00:00 GMT"), std::nullopt);
}

TEST(WaitUntil, knows_when_the_day_begins_in_california) {
  using std::chrono::hours;
  // UTC-8 in winter, UTC-7 in summer.
  EXPECT_EQ(wait_from(Until::midnight_pacific, "Tue, 10 Feb 2026 07:00:00 GMT"), hours(1));
  EXPECT_EQ(wait_from(Until::midnight_pacific, "Tue, 10 Feb 2026 08:00:00 GMT"), hours(24));
  EXPECT_EQ(wait_from(Until::midnight_pacific, "Fri, 10 Jul 2026 06:00:00 GMT"), hours(1));
  EXPECT_EQ(wait_from(Until::midnight_pacific, "Fri, 10 Jul 2026 08:00:00 GMT"), hours(23));
  // The changes of 2026: 8 March and 1 November.
  EXPECT_EQ(wait_from(Until::midnight_pacific, "Sun, 08 Mar 2026 07:00:00 GMT"), hours(1));
  EXPECT_EQ(wait_from(Until::midnight_pacific, "Sun, 08 Mar 2026 10:00:00 GMT"), hours(21));
  EXPECT_EQ(wait_from(Until::midnight_pacific, "Sun, 01 Nov 2026 10:00:00 GMT"), hours(22));
}

TEST(SignalTable, knows_providers_by_their_hosts) {
  SignalTable table;
  table.providers = {{.name = "azure", .hosts = {"*.openai.azure.com"}}};
  ASSERT_NE(table.provider_at("team.openai.azure.com"), nullptr);
  EXPECT_EQ(table.provider_at("team.openai.azure.com")->name, "azure");
  EXPECT_EQ(table.provider_at("openai.azure.com.evil.example"), nullptr);
  EXPECT_NE(table.find_provider("azure"), nullptr);
  EXPECT_EQ(table.find_provider("azur"), nullptr);
}

TEST(MatchesPattern, a_star_stands_for_anything) {
  EXPECT_TRUE(matches_pattern("gpt-4o*", "gpt-4o-2024-08-06"));
  EXPECT_TRUE(matches_pattern("*_limit_*", "Project_Limit_exceeded"));
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("a*b*c", "aXbYbZc"));
  EXPECT_FALSE(matches_pattern("a*b*c", "aXbYbZ"));
  EXPECT_FALSE(matches_pattern("", "x"));
  EXPECT_FALSE(matches_pattern("abc", "abcd"));
  EXPECT_FALSE(matches_pattern(std::string("*a*a*a*a*a*a*b"), std::string(2'000, 'a')));
}

}  // namespace
}  // namespace sortie::provider
