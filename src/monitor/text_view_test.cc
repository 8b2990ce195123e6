#include "sortie/monitor/text_view.h"

#include "sortie/base/json.h"
#include "sortie/base/width.h"
#include "sortie/monitor/details.h"
#include "sortie/monitor/status_json.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::monitor {
namespace {

engine::RunStatus busy() {
  engine::RunStatus status;
  status.run = "quickstart";
  status.elapsed = std::chrono::seconds(12);
  engine::ModelProgress model;
  model.model = "sim-large";
  model.simulated = true;
  model.planned = 100;
  model.scored = 50;
  model.lost = 2;
  model.running = 20;
  status.models.push_back(model);
  engine::RouteProgress route;
  route.route = "alpha/key-2/sim-large";
  route.usable = false;
  route.reason =
      "key rejected, which is a rather long reason that does not fit into the line any more";
  status.routes.push_back(route);
  status.problems.push_back(
      {.at = {},
       .text = "route alpha/key-2/sim-large taken out: 测试 the key was rejected by the server"});
  return status;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) {
    all += line + "\n";
  }
  return all;
}

TEST(TextView, shows_progress_routes_and_problems_within_eighty_columns) {
  const auto lines = render(busy(), Rates(), {.columns = 80});
  for (const std::string& line : lines) {
    EXPECT_LE(base::display_width(line), 80U) << line;
  }
  const std::string all = joined(lines);
  EXPECT_NE(all.find("[############x-----......]"), std::string::npos) << all;
  EXPECT_NE(all.find("OUT: key rejected"), std::string::npos) << all;
  EXPECT_NE(all.find("! route alpha/key-2"), std::string::npos) << all;
  EXPECT_NE(all.find("simulated"), std::string::npos) << all;
  EXPECT_EQ(all.find('\x1b'), std::string::npos);
}

/// Many models in three scenarios each, over many routes with names in Chinese.
engine::RunStatus large() {
  engine::RunStatus status = busy();
  status.models.clear();
  status.routes.clear();
  status.elapsed = std::chrono::hours(2);
  status.time_left = {.earliest = std::chrono::minutes(50),
                      .likely = std::chrono::minutes(60),
                      .latest = std::chrono::minutes(75)};
  status.bound_left = std::chrono::minutes(45);
  for (int i = 0; i < 10; ++i) {
    const std::string model = "通义千问-大模型-" + std::to_string(i);
    status.models.push_back(
        {.model = model, .planned = 1000, .scored = 250, .lost = 3, .running = 40});
    for (const char* scenario : {"baseline", "flawed", "reliability"}) {
      status.scenarios.push_back({.model = model,
                                  .scenario = scenario,
                                  .cells = 4,
                                  .trials = {.planned = 400, .scored = 100, .running = 10}});
    }
    status.routes.push_back({.route = "阿里云百炼/key-1/" + model,
                             .model = model,
                             .domains = {"阿里云百炼/key-1"},
                             .reason = {},
                             .in_flight = 12,
                             .answered = 997,
                             .throttled = 3,
                             .closed_for = {},
                             .latency_p50 = std::chrono::milliseconds(840),
                             .latency_p95 = std::chrono::milliseconds(12'400)});
  }
  status.limits = {{.domain = "阿里云百炼/key-1",
                    .limit = {.kind = quota::LimitKind::requests, .quota = 600},
                    .used = 300,
                    .allowed = 590,
                    .closed_for = {}},
                   {.domain = "阿里云百炼/key-1",
                    .limit = {.kind = quota::LimitKind::tokens, .quota = 400'000},
                    .used = 398'000,
                    .allowed = 400'000,
                    .closed_for = {},
                    .learned = true}};
  return status;
}

TEST(TextView, shows_each_scenario_and_the_limit_latency_and_refusals_of_each_route) {
  const auto lines = render(large(), Rates(), {.columns = 80});
  for (const std::string& line : lines) {
    EXPECT_LE(base::display_width(line), 80U) << line;
  }
  const std::string all = joined(lines);
  EXPECT_NE(all.find("left about 1 h 00 min (50 min 00 s to 1 h 15 min), at least 45 min 00 s"),
            std::string::npos)
      << all;
  EXPECT_NE(all.find("  通义千问-大模型-9    [######x-................]    250/1,000  3 lost"),
            std::string::npos)
      << all;
  EXPECT_NE(all.find("    reliability        [######-.................]    100/400"),
            std::string::npos)
      << all;
  EXPECT_NE(all.find("  12  398k/~400k tok/min     0.3 %  840 ms    12 s"), std::string::npos)
      << all;
}

TEST(TextView, leaves_out_scenarios_then_routes_where_rows_are_few) {
  const engine::RunStatus status = large();
  const std::size_t whole = render(status, Rates(), {.columns = 80}).size();
  EXPECT_EQ(whole, 3U + 40 + 1 + 10 + 1);
  const auto some = render(status, Rates(), {.columns = 80, .rows = 40});
  EXPECT_EQ(some.size(), 40U);
  EXPECT_NE(joined(some).find("… and 16 scenarios"), std::string::npos) << joined(some);
  const auto few = render(status, Rates(), {.columns = 80, .rows = 20});
  EXPECT_EQ(few.size(), 20U);
  EXPECT_EQ(joined(few).find("baseline"), std::string::npos);
  EXPECT_NE(joined(few).find("lines of routes"), std::string::npos) << joined(few);
  EXPECT_NE(joined(few).find("! route alpha"), std::string::npos) << "problems stay";
  EXPECT_EQ(render(status, Rates(), {.columns = 80, .rows = 5}).size(), 5U);
}

TEST(TextView, says_when_a_breaker_or_a_gate_holds_a_route_up) {
  engine::RunStatus status = large();
  status.routes[0].closed_for = std::chrono::seconds(12);
  status.routes[1].closed_for = std::chrono::seconds(5);
  status.routes[1].breaker_open = true;
  status.routes[1].failed = 9;
  const std::string all = joined(render(status, Rates(), {.columns = 80}));
  EXPECT_NE(all.find("closed by the server for 12.0 s"), std::string::npos) << all;
  EXPECT_NE(all.find("breaker open for 5.0 s; 9 failed"), std::string::npos) << all;
}

TEST(TextView, writes_out_what_could_steer_the_terminal) {
  engine::RunStatus status = large();
  const std::string evil = "\x1b[2J\x1b]0;owned\x07<script>\u202E\r\n";
  status.run = evil;
  status.models[0].model = evil;
  status.scenarios[0].scenario = evil;
  status.scenarios[0].model = evil;
  status.scenarios[1].model = evil;
  status.routes[0].route = evil;
  status.routes[1].usable = false;
  status.routes[1].reason = evil + std::string(1'000'000, 'x');
  status.problems.push_back({.at = {}, .text = evil + std::string(1'000'000, 'x')});
  for (const std::string& line : render(status, Rates(), {.columns = 80})) {
    EXPECT_LE(base::display_width(line), 80U);
    EXPECT_TRUE(std::ranges::none_of(line, [](char c) {
      return (static_cast<unsigned char>(c) < 0x20) || c == 0x7F;
    })) << line;
    EXPECT_EQ(line.find("\u202E"), std::string::npos);
  }
  EXPECT_NE(joined(render(status, Rates(), {.columns = 80})).find("\\u001b[2J"), std::string::npos);
}

TEST(TextView, colours_only_when_asked) {
  const auto lines = render(busy(), Rates(), {.columns = 80, .colour = true});
  EXPECT_TRUE(
      std::ranges::any_of(lines, [](const std::string& line) { return line.contains('\x1b'); }));
}

TEST(TextView, one_line_says_what_matters_in_a_pipe) {
  const std::string line = one_line(busy(), Rates());
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_NE(line.find("50/100 trials, 2 lost"), std::string::npos) << line;
}

TEST(Details, of_a_shared_limit_say_what_to_declare) {
  engine::RunStatus status = busy();
  engine::SharedLimit found;
  found.name = "a + b";
  found.members = {"a", "b"};
  found.subject = "key-1 and key-2 of alpha";
  found.declaration = {"keys:", "  key-1: {secret: …, account: alpha-shared}"};
  engine::SharedLimit over;
  over.name = "c + d";
  over.members = {"c", "d"};
  over.is_over = true;
  status.shared_limits = {found, over};
  const auto lines = details(status);
  const auto line = std::ranges::find_if(
      lines, [](const std::string& one) { return one.starts_with("key-1 and key-2 of alpha"); });
  ASSERT_LT(line, lines.end() - 2);
  EXPECT_EQ(line[1], "    keys:");
  EXPECT_EQ(line[2], "      key-1: {secret: …, account: alpha-shared}");
  EXPECT_EQ(shared_text({status.shared_limits[1]}), "");
  const json::Value document = to_json(status);
  const json::Array* shared = json::get_array(document, "shared_limits");
  ASSERT_NE(shared, nullptr);
  ASSERT_EQ(shared->size(), 2U);
  EXPECT_EQ(json::get_bool((*shared)[1], "over"), true);
}

}  // namespace
}  // namespace sortie::monitor
