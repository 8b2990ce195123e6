#include "sortie/sched/shares.h"

#include "sortie/base/time.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/test_support.h"

#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using test::rpm;
using test::World;

/// Models that share one domain.
World sharing(std::size_t models) {
  World world;
  const std::size_t endpoint = world.endpoint("alpha");
  const std::size_t shared = world.domain("shared", {rpm(600)});
  for (std::size_t i = 0; i < models; ++i) {
    world.route(world.model("m"), endpoint, {shared});
  }
  return world;
}

/// Serves `turns` turns, always of the model that is due, whose work shrinks by what it gets.
std::vector<double> serve(Shares& shares, std::vector<double> left, int turns) {
  std::vector<double> served(left.size(), 0);
  for (std::size_t model = 0; model < left.size(); ++model) {
    shares.set_backlog(model, 0, {.dialogues = left[model], .turns_each = 1});
  }
  for (int i = 0; i < turns; ++i) {
    std::size_t due = left.size();
    for (std::size_t model = 0; model < left.size(); ++model) {
      if (left[model] > 0 && (due == left.size() || shares.tag(model) < shares.tag(due))) {
        due = model;
      }
    }
    shares.serve(due, 0, false);
    served[due] += 1;
    left[due] -= 1;
    shares.set_backlog(due, 0, {.dialogues = left[due], .turns_each = 1});
  }
  return served;
}

TEST(Shares, serves_in_proportion_to_the_work_that_is_left) {
  const World world = sharing(2);
  Shares shares(world.topology());
  const std::vector<double> served = serve(shares, {1000, 100}, 550);
  EXPECT_NEAR(served[0], 500, 3);
  EXPECT_NEAR(served[1], 50, 3);
}

TEST(Shares, all_end_together) {
  const World world = sharing(3);
  Shares shares(world.topology());
  const std::vector<double> served = serve(shares, {3000, 300, 30}, 3300);
  EXPECT_GE(served[0], 2965);
  EXPECT_GE(served[1], 295);
  EXPECT_GE(served[2], 28);
}

TEST(Shares, a_weight_multiplies) {
  const World world = sharing(2);
  Shares shares(world.topology());
  shares.set_weight(1, 4);
  const std::vector<double> served = serve(shares, {10000, 10000}, 500);
  EXPECT_NEAR(served[1], 400, 5);
}

TEST(Shares, a_guaranteed_fraction_is_reached_however_small_the_work) {
  const World world = sharing(2);
  Shares shares(world.topology());
  shares.set_share(1, 0, {.guaranteed = 0.25});
  const std::vector<double> served = serve(shares, {100000, 1000}, 2000);
  EXPECT_NEAR(served[1], 500, 5);
}

/// Serves groups of model 0, always the one that is due; what each got of it.
std::vector<double> serve_groups(Shares& shares, std::vector<double> left, int turns) {
  std::vector<double> served(left.size(), 0);
  const auto tell = [&](std::size_t group) {
    shares.set_backlog(0, shares.place_of(0, group), {.dialogues = left[group], .turns_each = 1});
  };
  for (std::size_t group = 0; group < left.size(); ++group) {
    tell(group);
  }
  for (int i = 0; i < turns; ++i) {
    std::size_t due = left.size();
    for (std::size_t group = 0; group < left.size(); ++group) {
      const auto tag = [&](std::size_t one) { return shares.tags(0)[shares.place_of(0, one)]; };
      if (left[group] > 0 && (due == left.size() || tag(group) < tag(due))) {
        due = group;
      }
    }
    shares.serve(0, shares.place_of(0, due), false);
    served[due] += 1;
    left[due] -= 1;
    tell(due);
  }
  return served;
}

TEST(Shares, a_tenants_groups_have_their_guarantee_together) {
  const World world = sharing(1);
  Shares shares(world.topology());
  for (const std::size_t group : {std::size_t{1}, std::size_t{2}}) {
    shares.set_share(0, shares.place_of(0, group), {.guaranteed = 0.4, .tenant = 5});
  }
  const std::vector<double> served = serve_groups(shares, {100'000, 600, 300}, 1000);
  EXPECT_NEAR(served[1] + served[2], 400, 8);
  EXPECT_NEAR(served[1], 2 * served[2], 10) << "among themselves by their work";
}

TEST(Shares, several_guarantees_hold_beside_each_other) {
  const World world = sharing(1);
  Shares shares(world.topology());
  shares.set_share(0, shares.place_of(0, 1), {.guaranteed = 0.3, .tenant = 1});
  shares.set_share(0, shares.place_of(0, 2), {.guaranteed = 0.5, .tenant = 2});
  const std::vector<double> served = serve_groups(shares, {100'000, 10'000, 10'000}, 2000);
  EXPECT_NEAR(served[1], 600, 10);
  EXPECT_NEAR(served[2], 1000, 10);
}

TEST(Shares, a_guarantee_takes_nothing_from_a_tenant_with_more_work_than_it) {
  const World world = sharing(1);
  Shares shares(world.topology());
  shares.set_share(0, shares.place_of(0, 1), {.guaranteed = 0.2, .tenant = 1});
  const std::vector<double> served = serve_groups(shares, {100'000, 300'000}, 2000);
  EXPECT_NEAR(served[1], 1500, 10);
}

TEST(Shares, a_guarantee_holds_against_a_tenant_that_needs_its_own_less) {
  const World world = sharing(1);
  for (const std::size_t small : {std::size_t{0}, std::size_t{1}}) {
    Shares shares(world.topology());
    shares.set_share(0, shares.place_of(0, 0), {.guaranteed = 0.3, .tenant = 1});
    shares.set_share(0, shares.place_of(0, 1), {.guaranteed = 0.3, .tenant = 2});
    std::vector<double> left(2, 90'000);
    left[small] = 10'000;
    EXPECT_NEAR(serve_groups(shares, left, 1000)[small], 300, 5);
  }
}

TEST(Shares, keeps_guarantees_of_models_that_turn_out_to_compete) {
  World world;
  const std::size_t endpoint = world.endpoint("alpha");
  world.route(world.model("a"), endpoint, {world.domain("one", {rpm(600)})});
  world.route(world.model("b"), endpoint, {world.domain("two", {rpm(600)})});
  Shares shares(world.topology());
  shares.set_share(0, 0, {.guaranteed = 0.1, .tenant = 1});
  shares.set_share(1, 0, {.guaranteed = 0.25, .tenant = 2});
  shares.unite(0, 1);
  const std::vector<double> served = serve(shares, {100000, 1000}, 2000);
  EXPECT_NEAR(served[1], 500, 8);
  shares.set_share(1, 0, {.guaranteed = 0.5, .tenant = 2});
  EXPECT_NEAR(serve(shares, {100000, 1000}, 2000)[1], 1000, 10);
}

TEST(Shares, opens_only_what_may_be_opened) {
  const World world = sharing(1);
  Shares shares(world.topology());
  shares.set_backlog(0, shares.place_of(0, 7), {.dialogues = 10, .turns_each = 5});
  shares.set_backlog(0, shares.place_of(0, 9), {.dialogues = 1, .turns_each = 5});
  EXPECT_EQ(shares.opens_next(0, [](std::size_t group) { return group == 9; }), 9U);
  EXPECT_FALSE(shares.opens_next(0, [](std::size_t) { return false; }).has_value());
}

TEST(Shares, an_absence_is_no_claim) {
  const World world = sharing(2);
  Shares shares(world.topology());
  shares.add_open(0, 0, 100);
  shares.add_open(1, 0, 100);
  for (int i = 0; i < 50; ++i) {
    shares.serve(0, 0, false);
  }
  shares.joins(1);
  EXPECT_GE(shares.tag(1) + 0.011, shares.tag(0));
}

TEST(Shares, models_without_a_common_limit_do_not_meet) {
  World world;
  const std::size_t endpoint = world.endpoint("alpha");
  world.route(world.model("a"), endpoint, {world.domain("one", {rpm(600)})});
  world.route(world.model("b"), endpoint, {world.domain("two", {rpm(600)})});
  Shares shares(world.topology());
  shares.add_open(0, 0, 10);
  shares.add_open(1, 0, 10);
  shares.serve(0, 0, false);
  shares.serve(0, 0, false);
  shares.joins(1);
  EXPECT_EQ(shares.tag(1), 0);
}

TEST(Shares, a_dialogue_as_long_as_everything_is_critical) {
  const World world = sharing(2);
  Shares shares(world.topology());
  shares.add_open(0, 0, 100);
  shares.set_backlog(1, 0, {.dialogues = 20, .turns_each = 15});
  for (int i = 0; i < 10; ++i) {
    shares.serve(0, 0, false);
  }
  // 400 turns by 10 at a time: 40 rounds, of which 90 %.
  EXPECT_DOUBLE_EQ(shares.critical_turns(0), 36);
  shares.landed(0, base::from_seconds(2));
  // Nine in flight, and those of model 0 take two seconds: 100·2 + 300·1 seconds of service.
  EXPECT_DOUBLE_EQ(shares.critical_turns(0), 0.9 * (500.0 / 9) / 2);
  EXPECT_DOUBLE_EQ(shares.critical_turns(1), 0.9 * (500.0 / 9) / 1);
}

TEST(Shares, requests_on_a_slow_route_count_as_what_they_bring) {
  const World world = sharing(1);
  Shares shares(world.topology());
  shares.add_open(0, 0, 120);
  for (int i = 0; i < 8; ++i) {
    shares.serve(0, 0, false);
  }
  for (int i = 0; i < 20; ++i) {
    shares.serve(0, 0, false, 10);  // as much as two on the best
  }
  EXPECT_NEAR(shares.critical_turns(0), 0.9 * 120 / 10, 1e-9);
  // The slow route ends its twenty; the eight others do the rest.
  EXPECT_NEAR(shares.turns_left_without(0, 20, 10), 100.0 / 8, 1e-9);
  shares.slowed(0, 20, 10, 5);
  EXPECT_NEAR(shares.critical_turns(0), 0.9 * 120 / 12, 1e-9);
  // An answer after ten seconds on a route five times as slow is one of two seconds.
  shares.landed(0, base::from_seconds(10), 5);
  EXPECT_NEAR(shares.seconds_per_turn(0), 2, 1e-9);
}

TEST(Shares, opens_where_least_is_open_for_the_work_that_is_left) {
  const World world = sharing(1);
  Shares shares(world.topology());
  EXPECT_FALSE(shares.opens_next(0).has_value());
  const std::size_t a = shares.place_of(0, 7);
  const std::size_t b = shares.place_of(0, 9);
  shares.set_backlog(0, a, {.dialogues = 100, .turns_each = 5});
  shares.set_backlog(0, b, {.dialogues = 100, .turns_each = 10});
  EXPECT_EQ(shares.opens_next(0), 9U);  // nothing is open: the longer first
  shares.add_open(0, b, 10);
  EXPECT_EQ(shares.opens_next(0), 7U);
  shares.add_open(0, a, 5);
  shares.add_open(0, a, 5);
  EXPECT_EQ(shares.opens_next(0), 9U);
  shares.set_backlog(0, b, {.dialogues = 0, .turns_each = 10});
  EXPECT_EQ(shares.opens_next(0), 7U);
}

TEST(Shares, opens_first_what_lasts_as_long_as_everything) {
  const World world = sharing(1);
  Shares shares(world.topology());
  const std::size_t small = shares.place_of(0, 0);
  const std::size_t grand = shares.place_of(0, 1);
  shares.set_backlog(0, small, {.dialogues = 100, .turns_each = 5});
  shares.set_backlog(0, grand, {.dialogues = 2, .turns_each = 60});
  shares.add_open(0, grand, 60);
  for (int i = 0; i < 12; ++i) {
    shares.serve(0, grand, false);
  }
  EXPECT_EQ(shares.opens_next(0), 1U);
}

}  // namespace
}  // namespace sortie::sched
