#include "sortie/sched/opening_bounds.h"

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/test_support.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using test::at;

constexpr std::size_t kRoutes = 20;
constexpr base::Instant kUnknown = base::Instant::min();

quota::RequestSize size(double input, double max_output = 0) {
  return {.input = input, .output = 300, .max_output = max_output};
}

TEST(OpeningBounds, what_was_found_for_a_smaller_request_bounds_a_larger_one) {
  OpeningBounds bounds(kRoutes);
  bounds.ask(size(1000));
  bounds.found(3, at(7), false);
  bounds.ask(size(2000));
  EXPECT_EQ(bounds.at(3), at(7));
  EXPECT_EQ(bounds.at(4), kUnknown);
  bounds.found(3, at(9), false);
  bounds.ask(size(3000));
  EXPECT_EQ(bounds.at(3), at(9)) << "the best of all that is known";
  bounds.ask(size(1500));
  EXPECT_EQ(bounds.at(3), at(7));
  bounds.ask(size(500));
  EXPECT_EQ(bounds.at(3), kUnknown);
}

TEST(OpeningBounds, a_change_of_a_route_forgets_it_for_all_sizes) {
  OpeningBounds bounds(kRoutes);
  for (int i = 1; i <= 4; ++i) {
    bounds.ask(size(1000 * i));
    bounds.found(3, at(7), false);
    bounds.found(4, at(8), false);
  }
  bounds.forget(3);
  bounds.ask(size(9000));
  EXPECT_EQ(bounds.at(3), kUnknown);
  EXPECT_EQ(bounds.at(4), at(8));
}

TEST(OpeningBounds, what_no_size_matters_to_is_known_for_all) {
  OpeningBounds bounds(kRoutes);
  bounds.ask(size(1000));
  bounds.found(3, at(7), true);
  bounds.ask(size(10));
  EXPECT_EQ(bounds.at(3), at(7));
}

TEST(OpeningBounds, a_request_without_a_maximum_is_as_large_as_its_expected_output) {
  OpeningBounds bounds(kRoutes);
  bounds.ask(size(1000));
  bounds.found(3, at(7), false);
  bounds.ask(size(1000, 100));  // counts less where a limit counts the maximum
  EXPECT_EQ(bounds.at(3), kUnknown);
}

TEST(OpeningBounds, knows_nothing_where_routes_are_few) {
  OpeningBounds bounds(2);
  EXPECT_FALSE(bounds.is_in_use());
  bounds.ask(size(1000));
  bounds.found(1, at(7), false);
  bounds.forget(1);
  EXPECT_EQ(bounds.size(), size(1000));
}

/// A scheduler with many routes, and beside it the limiter of each, which is asked for everything.
class ManyRoutes {
 public:
  ManyRoutes() : world_(many()), scheduler_(world_.topology(), {}) {
    for (const quota::LimitDomain& domain : world_.topology().domains) {
      limiters_.emplace_back(domain);
    }
  }

  /// The instants that the scheduler and the limiters name for a request of random size, which is
  /// sent then.
  void send() {
    const quota::RequestSize size{.input = 200 + 4000 * random_.uniform(),
                                  .output = 100 + 400 * random_.uniform(),
                                  .max_output = 1000};
    scheduler_.add({.ticket = {next_++},
                    .model = 0,
                    .remaining_turns = 1,
                    .input_tokens = size.input,
                    .output_tokens = size.output,
                    .max_output_tokens = size.max_output},
                   now_);
    base::Instant expected = base::Instant::max();
    for (const quota::DomainLimiter& limiter : limiters_) {
      expected = std::min(expected, limiter.earliest(now_, size));
    }
    ASSERT_EQ(scheduler_.next_decision(now_), expected);
    now_ = expected;
    std::vector<Assignment> bound;
    scheduler_.decide(now_, bound);
    ASSERT_EQ(bound.size(), 1U);
    open_.push_back({bound[0], limiters_[bound[0].route].reserve(now_, size), size});
  }

  /// What was sent so long ago is answered, with other tokens than were expected.
  void answer_older_than(double seconds) {
    for (; !open_.empty() && open_.front().part.at + base::from_seconds(seconds) <= now_;
         open_.pop_front()) {
      Open& one = open_.front();
      const quota::RequestSize used{.input = one.size.input,
                                    .output = one.size.output * (0.5 + random_.uniform())};
      scheduler_.answered(one.assignment, used.input, used.output, {}, now_);
      limiters_[one.assignment.route].settle(now_, one.part, used);
      limiters_[one.assignment.route].release(now_, one.part);
    }
  }

  void wait(double seconds) { now_ += base::from_seconds(seconds); }

 private:
  static test::World many() {
    test::World world;
    const std::size_t model = world.model("m");
    const std::size_t endpoint = world.endpoint("e");
    for (std::size_t i = 0; i < kRoutes; ++i) {
      const auto quota = static_cast<double>(20'000 + 1000 * i);
      world.route(model, endpoint, {world.domain("d" + std::to_string(i), {test::tpm(quota)})});
    }
    return world;
  }

  struct Open {
    Assignment assignment;
    quota::Reservation part;
    quota::RequestSize size;
  };

  test::World world_;
  std::vector<quota::DomainLimiter> limiters_;
  Scheduler scheduler_;
  std::deque<Open> open_;
  base::RandomStream random_{base::digest_of("many routes")};
  base::Instant now_ = at(100);
  std::uint32_t next_ = 0;
};

TEST(OpeningBounds, of_many_routes_the_one_that_opens_first_is_found) {
  ManyRoutes routes;
  for (std::size_t i = 0; i < kRoutes; ++i) {
    routes.send();  // a new route takes one
  }
  routes.wait(5);
  for (int i = 0; i < 1000; ++i) {
    routes.answer_older_than(4);
    ASSERT_NO_FATAL_FAILURE(routes.send()) << i;
  }
}

}  // namespace
}  // namespace sortie::sched
