#include "sortie/aio/deadline.h"

#include <chrono>

#include <gtest/gtest.h>

namespace sortie::aio {
namespace {

using std::chrono::seconds;

constexpr base::Instant kNow{seconds(100)};

TEST(Deadline, says_what_is_left) {
  const Deadline deadline = Deadline::after(kNow, seconds(5));
  EXPECT_EQ(deadline.remaining(kNow), seconds(5));
  EXPECT_EQ(deadline.remaining(kNow + seconds(4)), seconds(1));
  EXPECT_FALSE(deadline.passed(kNow + seconds(4)));
  EXPECT_TRUE(deadline.passed(kNow + seconds(5)));
}

TEST(Deadline, never_has_a_negative_rest) {
  EXPECT_EQ(Deadline(kNow).remaining(kNow + seconds(7)), base::Duration::zero());
}

TEST(Deadline, the_default_never_passes) {
  EXPECT_TRUE(Deadline().is_never());
  EXPECT_FALSE(Deadline().passed(base::Instant::max()));
  EXPECT_EQ(Deadline().remaining(kNow), base::Duration::max());
}

TEST(Deadline, an_endless_limit_does_not_overflow) {
  EXPECT_TRUE(Deadline::after(kNow, base::Duration::max()).is_never());
  EXPECT_EQ(Deadline::after(base::Instant(seconds(-9)), seconds(10)).at(),
            base::Instant(seconds(1)));
}

TEST(Deadline, the_earlier_of_two_holds) {
  const Deadline soon(kNow);
  const Deadline late(kNow + seconds(1));
  EXPECT_EQ(soon.earlier(late), soon);
  EXPECT_EQ(late.earlier(soon), soon);
  EXPECT_EQ(late.earlier(Deadline()), late);
}

}  // namespace
}  // namespace sortie::aio
