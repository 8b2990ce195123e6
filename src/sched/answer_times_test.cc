#include "sortie/sched/answer_times.h"

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"

#include <chrono>
#include <cmath>
#include <optional>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using std::chrono::seconds;

base::Duration of(double value) {
  return base::from_seconds(value);
}

TEST(Percentile99, is_known_once_there_are_enough_values) {
  Percentile99 p99;
  for (int i = 1; i <= 199; ++i) {
    p99.add(i);
  }
  EXPECT_FALSE(p99.value(200).has_value());
  p99.add(200);
  EXPECT_EQ(p99.value(200), 199);
}

TEST(Percentile99, forgets_what_is_old) {
  Percentile99 p99;
  for (int i = 0; i < 600; ++i) {
    p99.add(1000);
  }
  for (int i = 0; i < 600; ++i) {
    p99.add(1);
  }
  EXPECT_EQ(p99.value(200), 1);
}

TEST(AnswerTimes, a_first_token_may_take_four_times_the_slowest_in_a_hundred) {
  AnswerTimes times;
  EXPECT_EQ(times.first_token_limit(1000), seconds(60));
  for (int i = 0; i < 400; ++i) {
    times.answered(0, 200, of(20), of(i % 50 == 0 ? 12 : 2));
  }
  EXPECT_EQ(times.first_token_limit(0), seconds(48));
  EXPECT_EQ(times.first_token_limit(5000), seconds(96));  // for twice as much to read
}

TEST(AnswerTimes, a_first_token_may_always_take_half_a_minute) {
  AnswerTimes times;
  for (int i = 0; i < 400; ++i) {
    times.answered(100, 200, of(2), of(0.3));
  }
  EXPECT_EQ(times.first_token_limit(100), seconds(30));
}

TEST(AnswerTimes, a_silent_answer_may_take_what_its_length_may_take) {
  AnswerTimes times;
  EXPECT_EQ(times.whole_limit(1024), seconds(600));
  EXPECT_EQ(times.whole_limit(20'000), seconds(2000));
  for (int i = 0; i < 400; ++i) {
    times.answered(1000, 200, of(4), std::nullopt);  // 0.02 s a token
  }
  EXPECT_NEAR(base::seconds(times.whole_limit(1024)), 60 + 2 * 0.02 * 1024, 1e-6);
  EXPECT_EQ(times.whole_limit(0), seconds(600));  // any length may come
  EXPECT_EQ(times.whole_limit(4096 * 16), of(60 + 2 * 0.02 * 4096 * 16));
}

/// The rule must not prefer short answers: whatever the length, the share that is cut off is the
/// same, namely none. Speeds vary by a factor of five here, independent of the length.
TEST(AnswerTimes, what_a_silent_limit_cuts_off_does_not_depend_on_the_length) {
  base::RandomStream random(base::digest_of("times"));
  AnswerTimes times;
  constexpr double kMax = 2000;
  const auto took = [&](double tokens) {
    return of(0.5 + tokens * 0.02 * std::exp(0.4 * random.normal()));
  };
  for (int i = 0; i < 2000; ++i) {
    const double tokens = 1 + random.uniform() * random.uniform() * kMax;
    times.answered(1000, tokens, took(tokens), std::nullopt);
  }
  const base::Duration limit = times.whole_limit(kMax);
  EXPECT_LT(limit, seconds(600));
  for (const double tokens : {1.0, 500.0, 1000.0, kMax}) {
    int cut_off = 0;
    for (int i = 0; i < 20'000; ++i) {
      cut_off += took(tokens) > limit ? 1 : 0;
    }
    EXPECT_EQ(cut_off, 0) << tokens;
  }
}

/// In seconds.
StreamTiming stream(double first_token, double longest_silence, bool reasoned_openly = false) {
  return {.first_token = of(first_token),
          .longest_silence = of(longest_silence),
          .reasoned_openly = reasoned_openly};
}

TEST(AnswerTimes, a_route_is_silent_until_an_answer_showed_otherwise) {
  AnswerTimes times;
  EXPECT_FALSE(times.shows_life());
  times.streamed(stream(2, 2));  // it may think silently the next time
  EXPECT_FALSE(times.shows_life());
  times.streamed(stream(200, 10));
  EXPECT_TRUE(times.shows_life());
}

TEST(AnswerTimes, thoughts_that_are_sent_are_life) {
  AnswerTimes times;
  times.streamed(stream(1, 1, true));
  EXPECT_TRUE(times.shows_life());
}

TEST(AnswerTimes, a_route_that_thought_silently_once_is_silent) {
  AnswerTimes times;
  times.streamed(stream(200, 10));
  times.streamed(stream(200, 180));
  EXPECT_FALSE(times.shows_life());
  times.streamed(stream(200, 10, true));
  EXPECT_FALSE(times.shows_life());
}

TEST(AnswerTimes, progress_is_waited_for_as_long_as_any_answer_may_think) {
  EXPECT_EQ(AnswerTimes::progress_limit(1024), seconds(600));
  EXPECT_EQ(AnswerTimes::progress_limit(16'384), of(1638.4));
  EXPECT_EQ(AnswerTimes::progress_limit(0), seconds(600));
}

}  // namespace
}  // namespace sortie::sched
