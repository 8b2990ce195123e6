#include "sortie/monitor/status_levels.h"

#include <string>

#include <gtest/gtest.h>

namespace sortie::monitor {
namespace {

engine::RouteProgress route(const std::string& name, std::uint64_t in_flight) {
  return {.route = name,
          .model = "m",
          .domains = {name.substr(0, name.rfind('/')), "alpha"},
          .reason = {},
          .in_flight = in_flight,
          .answered = 10,
          .throttled = 1,
          .closed_for = {}};
}

json::Value levels() {
  engine::RunStatus status;
  status.in_flight = 7;
  status.in_flight_max = 14;
  status.open = 20;
  status.open_max = 100;
  status.routes = {route("alpha/key-1/m", 4), route("alpha/key-2/m", 2), route("beta/key-1/m", 1)};
  status.limits = {{.domain = "alpha",
                    .limit = {.kind = quota::LimitKind::concurrency, .quota = 10},
                    .used = 6,
                    .allowed = 8,
                    .closed_for = {}},
                   {.domain = "alpha/key-1",
                    .limit = {.kind = quota::LimitKind::requests, .quota = 600},
                    .used = 300,
                    .allowed = 600,
                    .closed_for = {}}};
  status.scenarios = {{.model = "m",
                       .scenario = "baseline",
                       .cells = 2,
                       .trials = {.planned = 40, .scored = 10, .running = 20, .in_flight = 7}}};
  return levels_json(status);
}

TEST(Levels, sum_up_a_provider_over_its_instances) {
  const json::Value all = levels();
  const json::Array& providers = *json::get_array(all, "providers");
  ASSERT_EQ(providers.size(), 2U);
  EXPECT_EQ(json::get_string(providers[0], "provider"), "alpha");
  EXPECT_EQ(json::as_number(providers[0].at("in_flight")), 6);
  EXPECT_EQ(json::as_number(providers[0].at("answered")), 20);
  EXPECT_EQ(json::get_array(providers[0], "instances")->size(), 2U);
}

TEST(Levels, give_each_instance_its_limits_with_their_use_and_who_else_drains_them) {
  const json::Value all = levels();
  const json::Value& instance =
      json::get_array((*json::get_array(all, "providers"))[0], "instances")->at(0);
  EXPECT_EQ(json::get_string(instance, "instance"), "alpha/key-1/m");
  EXPECT_EQ(json::as_number(instance.at("in_flight_limit")), 8);
  EXPECT_EQ(json::as_number(instance.at("in_flight_use")), 0.5);
  const json::Array& limits = *json::get_array(instance, "limits");
  ASSERT_EQ(limits.size(), 2U);
  EXPECT_EQ(json::as_number(limits[0].at("use")), 0.75);
  EXPECT_EQ(json::to_text(limits[0].at("shared_by")), R"(["alpha/key-2/m","beta/key-1/m"])");
  EXPECT_EQ(json::to_text(limits[1].at("shared_by")), "[]");
}

TEST(Levels, end_with_cell_ranges_and_what_is_in_flight) {
  const json::Value all = levels();
  const json::Value& range = json::get_array(all, "cell_ranges")->at(0);
  EXPECT_EQ(json::get_string(range, "scenario"), "baseline");
  EXPECT_EQ(json::as_number(range.at("in_flight")), 7);
  const json::Value& in_flight = all.at("in_flight");
  EXPECT_EQ(json::as_number(in_flight.at("requests_use")), 0.5);
  EXPECT_EQ(json::as_number(in_flight.at("dialogues_use")), 0.2);
}

}  // namespace
}  // namespace sortie::monitor
