#include "sortie/testbed/shared_server.h"

#include "sortie/base/time.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace sortie::testbed {
namespace {

base::Instant at(double seconds) {
  return base::Instant() + base::from_seconds(seconds);
}

double ends_at(const SharedServer& server) {
  return base::seconds(server.next_end().value_or(base::Instant::max()) - base::Instant());
}

TEST(SharedServer, runs_at_full_speed_up_to_its_knee) {
  SharedServer server(2);
  EXPECT_FALSE(server.next_end().has_value());
  server.start(7, 4, at(0));
  server.start(8, 2, at(1));
  EXPECT_DOUBLE_EQ(ends_at(server), 3);
  EXPECT_EQ(server.end(at(3)), 8U);
  EXPECT_DOUBLE_EQ(ends_at(server), 4);
  EXPECT_EQ(server.end(at(4)), 7U);
}

TEST(SharedServer, collapses_beyond_it) {
  SharedServer server(2);
  for (std::uint32_t request = 0; request < 4; ++request) {
    server.start(request, 1, at(0));
  }
  // Twice the knee: an eighth of the speed.
  EXPECT_DOUBLE_EQ(ends_at(server), 8);
  for (int i = 0; i < 4; ++i) {
    (void)server.end(at(8));
  }
  EXPECT_FALSE(server.next_end().has_value());
}

}  // namespace
}  // namespace sortie::testbed
