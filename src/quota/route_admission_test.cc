#include "sortie/quota/route_admission.h"

#include "sortie/base/time.h"
#include "sortie/quota/concurrency.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/signal.h"

#include <array>
#include <chrono>
#include <optional>

#include <gtest/gtest.h>

namespace sortie::quota {
namespace {

using base::Instant;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};
constexpr RequestSize kSize{.input = 100, .output = 50, .max_output = 100};

class RouteAdmission : public ::testing::Test {
 protected:
  DomainLimiter account_{
      {.name = "account", .limits = {{.kind = LimitKind::requests, .quota = 600}}}};
  DomainLimiter deployment_{
      {.name = "deployment", .limits = {{.kind = LimitKind::concurrency, .quota = 1}}}};
  std::array<DomainLimiter*, 2> route_ = {&account_, &deployment_};
};

TEST_F(RouteAdmission, takes_from_every_domain) {
  const std::optional<RouteReservation> admitted = admit(kStart, route_, kSize);
  ASSERT_TRUE(admitted);
  EXPECT_EQ(admitted->parts.size(), 2U);
  EXPECT_EQ(account_.in_flight(), 1U);
  EXPECT_EQ(deployment_.in_flight(), 1U);
  EXPECT_EQ(earliest(kStart, route_, kSize), kUntilFreed);
}

TEST_F(RouteAdmission, holds_nothing_when_one_domain_refuses) {
  const Reservation other = deployment_.reserve(kStart, kSize);
  EXPECT_FALSE(admit(kStart, route_, kSize));
  EXPECT_EQ(account_.in_flight(), 0U);
  EXPECT_EQ(account_.earliest(kStart, kSize), kStart);
}

TEST_F(RouteAdmission, settles_and_releases_every_part) {
  std::optional<RouteReservation> admitted = admit(kStart, route_, kSize);
  ASSERT_TRUE(admitted);
  settle(kStart, route_, *admitted, kSize);
  release(kStart, route_, *admitted, seconds(3));
  EXPECT_EQ(account_.in_flight(), 0U);
  EXPECT_EQ(earliest(kStart, route_, kSize), kStart + seconds(3));
}

TEST_F(RouteAdmission, cancels_every_part) {
  std::optional<RouteReservation> admitted = admit(kStart, route_, kSize);
  ASSERT_TRUE(admitted);
  cancel(kStart, route_, *admitted);
  EXPECT_LE(earliest(kStart, route_, kSize), kStart + std::chrono::microseconds(1));
}

TEST_F(RouteAdmission, a_shared_domain_slows_both_routes) {
  DomainLimiter second{{.name = "deployment-2", .limits = {}}};
  const std::array<DomainLimiter*, 2> other = {&account_, &second};
  ASSERT_TRUE(admit(kStart, route_, kSize));
  EXPECT_FALSE(admit(kStart, other, kSize));
  EXPECT_GT(earliest(kStart, other, kSize), kStart + milliseconds(90));
}

TEST_F(RouteAdmission, passes_hints_to_every_domain) {
  std::optional<RouteReservation> admitted = admit(kStart, route_, kSize);
  ASSERT_TRUE(admitted);
  LimitHints hints;
  hints.remaining_tokens = 0;
  hints.reset_tokens = seconds(5);
  observe(kStart, route_, hints, *admitted);
  EXPECT_EQ(account_.status(kStart).gate, kStart + seconds(5));
  EXPECT_EQ(deployment_.status(kStart).gate, kStart + seconds(5));
}

TEST_F(RouteAdmission, what_one_domain_declares_is_no_news_to_the_others) {
  std::optional<RouteReservation> admitted = admit(kStart, route_, kSize);
  ASSERT_TRUE(admitted);
  LimitHints hints;
  hints.limit_requests = 600;
  hints.remaining_requests = 0;
  hints.reset_requests = minutes(1);
  observe(kStart, route_, hints, *admitted);
  EXPECT_EQ(account_.status(kStart).gate, std::nullopt);
  EXPECT_EQ(deployment_.status(kStart).gate, std::nullopt);
  EXPECT_FALSE(deployment_.learner().knows_a_limit());
}

}  // namespace
}  // namespace sortie::quota
