#include "sortie/monitor/web_metrics.h"

#include "sortie/monitor/status_json.h"

#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace sortie::monitor {
namespace {

std::string text() {
  engine::RunStatus status;
  status.run = "night";
  status.models.push_back({.model = "m \"1\"", .planned = 10, .scored = 4});
  status.routes.push_back({.route = "e/k/m",
                           .model = "m",
                           .reason = {},
                           .in_flight = 3,
                           .answered = 20,
                           .throttled = 2,
                           .closed_for = std::chrono::milliseconds(1500),
                           .breaker_open = true,
                           .latency_p50 = std::chrono::milliseconds(250),
                           .latency_p95 = std::chrono::seconds(2)});
  status.limits.push_back({.domain = "e/k",
                           .limit = {.kind = quota::LimitKind::requests, .quota = 600},
                           .used = 12.5,
                           .closed_for = std::nullopt});
  status.cost_micro_usd = 2'500'000;
  return prometheus_text({{"night\n1", to_json(status)}, {"day", to_json(status)}});
}

TEST(PrometheusText, holds_routes_models_and_limits_with_their_labels) {
  const std::string all = text();
  for (const char* line : {
           R"(sortie_requests_total{run="day",route="e/k/m",model="m",result="throttled"} 2)",
           R"(sortie_requests_in_flight{run="day",route="e/k/m",model="m"} 3)",
           R"(sortie_route_closed_seconds{run="day",route="e/k/m",model="m"} 1.5)",
           R"(sortie_route_breaker_open{run="day",route="e/k/m",model="m"} 1)",
           R"(sortie_route_latency_seconds{run="day",route="e/k/m",model="m",quantile="0.5"} 0.25)",
           R"(sortie_route_latency_seconds{run="day",route="e/k/m",model="m",quantile="0.95"} 2)",
           R"(sortie_trials{run="day",model="m \"1\"",state="scored"} 4)",
           R"(sortie_limit_used{run="day",domain="e/k",kind="requests",window_seconds="60"} 12.5)",
           R"(sortie_cost_dollars_total{run="night\n1"} 2.5)",
       }) {
    EXPECT_NE(all.find(std::string(line) + "\n"), std::string::npos) << line << "\n" << all;
  }
}

TEST(PrometheusText, keeps_each_family_together_under_one_head) {
  std::istringstream lines(text());
  std::set<std::string> families;
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(family).second) << family;
    } else if (!line.starts_with("#")) {
      EXPECT_TRUE(line.starts_with(family + "{")) << line;
    }
  }
  EXPECT_GT(families.size(), 15U);
}

}  // namespace
}  // namespace sortie::monitor
