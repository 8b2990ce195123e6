#include "sortie/wire/patience.h"

#include "sortie/base/time.h"
#include "sortie/wire/message.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::wire {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Timeouts kLimits{.connect = seconds(10),
                           .first_byte = seconds(60),
                           .liveness = seconds(30),
                           .progress = seconds(100),
                           .total = seconds(1000)};

base::Instant at(double second) {
  return base::Instant(base::from_seconds(second));
}

std::string passed(const Patience& patience, double second) {
  const auto failure = patience.passed(at(second), "http://peer");
  return failure ? std::string(to_string(failure->kind)) : "";
}

TEST(Patience, waiting_for_a_connection_is_bounded_by_the_total_alone) {
  const Patience patience(kLimits, at(5));
  EXPECT_EQ(patience.next_limit(), at(1005));
  EXPECT_EQ(passed(patience, 1004), "");
  EXPECT_EQ(passed(patience, 1005), "total_timeout");
}

TEST(Patience, each_phase_has_its_own_limit) {
  Patience patience(kLimits, at(0));
  patience.connecting(at(3));
  EXPECT_EQ(patience.next_limit(), at(13));
  EXPECT_EQ(passed(patience, 13), "connect_timeout");
  patience.sent(at(4));
  EXPECT_EQ(passed(patience, 13), "");
  EXPECT_EQ(patience.next_limit(), at(64));
  EXPECT_EQ(passed(patience, 64), "first_byte_timeout");
  patience.byte(at(10));
  EXPECT_EQ(passed(patience, 39.9), "");
  EXPECT_EQ(patience.next_limit(), at(40));
  EXPECT_EQ(passed(patience, 40), "liveness_timeout");
}

TEST(Patience, a_silent_answer_is_looked_at_in_growing_steps_and_from_the_first_after_each_byte) {
  Patience patience(kLimits, at(0));
  const auto looks = [&](double from, double to) {
    std::vector<double> seen;
    for (double second = from; second <= to; second += 0.25) {
      if (patience.wants_look(at(second), milliseconds(250), seconds(2))) {
        seen.push_back(second);
      }
    }
    return seen;
  };
  patience.sent(at(1));
  EXPECT_EQ(looks(1, 10), std::vector<double>{});
  patience.byte(at(10));
  EXPECT_EQ(looks(10, 17), (std::vector<double>{10.25, 10.5, 11, 12, 14, 16}));
  patience.byte(at(17));
  EXPECT_EQ(looks(17, 18), (std::vector<double>{17.25, 17.5, 18}));
}

TEST(Patience, life_without_progress_ends_by_the_limit_of_progress) {
  Patience patience(kLimits, at(0));
  patience.sent(at(0));
  for (int second = 10; second < 100; second += 10) {
    patience.byte(at(second));
    EXPECT_EQ(passed(patience, second), "");
  }
  EXPECT_EQ(patience.next_limit(), at(100));
  EXPECT_EQ(passed(patience, 100), "progress_timeout");
}

TEST(Patience, progress_puts_its_limit_off_for_as_long_as_it_goes_on) {
  Patience patience({.progress = seconds(100)}, at(0));
  patience.sent(at(0));
  for (int second = 20; second < 100'000; second += 20) {
    patience.byte(at(second));
    patience.progressed(at(second));
    ASSERT_EQ(passed(patience, second + 19.9), "");
  }
}

TEST(Patience, without_limits_nothing_passes) {
  Patience patience({.connect = {}, .first_byte = {}, .liveness = {}, .progress = {}, .total = {}},
                    at(0));
  for (const auto step : {&Patience::connecting, &Patience::sent, &Patience::byte}) {
    (patience.*step)(at(1));
    EXPECT_EQ(patience.next_limit(), std::nullopt);
    EXPECT_EQ(passed(patience, 1e9), "");
  }
}

TEST(Patience, its_message_names_the_limit_and_the_peer) {
  Patience patience({.connect = milliseconds(1500)}, at(0));
  patience.connecting(at(0));
  const auto failure = patience.passed(at(2), "http://peer");
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->message, "no connection to http://peer within 1.5 s");
}

}  // namespace
}  // namespace sortie::wire
