#include "sortie/quota/limit.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"
#include "sortie/spec/test_samples.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::spec {

namespace {

using samples::endpoints_error;

/// Two models, three keys of two accounts: routes 0–2 serve m with k1, k2, k3, routes 3–5 serve n.
/// Limits from line 12.
std::string file_with(std::string_view limits) {
  return fmt::format(R"(version: 1
models: {{m: , n: }}
endpoints:
  e:
    dialect: openai
    base_url: https://h/v1
    keys: 
      k1: {{secret: env:A, account: acc}}
      k2: {{secret: env:B, account: acc}}
      k3: env:C
    routes: [m, n]
    limits: [{}]
)",
                     limits);
}

Topology topology_with(std::string_view limits) {
  auto topology = parse_endpoints(file_with(limits), "e.yaml");
  EXPECT_TRUE(topology) << topology.error().message;
  return topology ? *topology : Topology{};
}

std::vector<std::string> domain_names(const Topology& topology) {
  std::vector<std::string> names;
  for (const quota::LimitDomain& domain : topology.domains) {
    names.push_back(domain.name);
  }
  return names;
}

using Names = std::vector<std::string>;
using Positions = std::vector<std::size_t>;

TEST(Limits, are_counted_per_each_combination_of_what_per_names) {
  EXPECT_EQ(domain_names(topology_with("{per: [key, model], concurrency: 1}")),
            (Names{"e/k1×m", "e/k2×m", "e/k3×m", "e/k1×n", "e/k2×n", "e/k3×n"}));
  EXPECT_EQ(domain_names(topology_with("{per: [model, key], concurrency: 1}")).front(), "e/k1×m")
      << "the order does not matter";
  EXPECT_EQ(domain_names(topology_with("{per: model, concurrency: 1}")), (Names{"e/m", "e/n"}));
  EXPECT_EQ(domain_names(topology_with("{per: [endpoint], concurrency: 1}")), (Names{"e"}));
  EXPECT_EQ(domain_names(topology_with("{per: [route], concurrency: 1}")),
            (Names{"e/k1/m", "e/k2/m", "e/k3/m", "e/k1/n", "e/k2/n", "e/k3/n"}));
}

TEST(Limits, of_an_account_are_shared_by_its_keys_and_a_key_without_one_is_alone) {
  const Topology topology = topology_with("{per: [account], requests_per_minute: 10}");
  EXPECT_EQ(domain_names(topology), (Names{"e/acc", "e/k3"}));
  EXPECT_EQ(topology.routes[0].domains, (Positions{0}));
  EXPECT_EQ(topology.routes[1].domains, (Positions{0}));
  EXPECT_EQ(topology.routes[2].domains, (Positions{1}));
  EXPECT_EQ(topology.routes[4].domains, (Positions{0})) << "of all models";
}

TEST(Limits, restricted_to_models_or_keys_leave_other_routes_alone) {
  const Topology topology = topology_with(
      "{per: [account], models: [n], requests_per_minute: 10}, {per: [endpoint], keys: [k1, k3], "
      "concurrency: 2}");
  EXPECT_EQ(domain_names(topology), (Names{"e/acc [n]", "e/k3 [n]", "e [k1+k3]"}));
  EXPECT_EQ(topology.routes[0].domains, (Positions{2}));
  EXPECT_EQ(topology.routes[1].domains, Positions{});
  EXPECT_EQ(topology.routes[3].domains, (Positions{0, 2}));
}

TEST(Limits, of_one_pool_come_together_in_one_domain) {
  const Topology topology = topology_with(
      "{per: [key, model], requests_per_second: 2, requests_per_day: 1000}, "
      "{per: [model, key], models: [m], tokens_per_minute: 5000, token_cost: input_plus_max}");
  EXPECT_EQ(topology.domains.size(), 6U)
      << "a restriction of what is counted per anyway makes no new pool";
  const quota::Limit per_second = {
      .kind = quota::LimitKind::requests, .quota = 2, .window = std::chrono::seconds(1)};
  const quota::Limit per_day = {
      .kind = quota::LimitKind::requests, .quota = 1000, .window = std::chrono::hours(24)};
  const quota::Limit tokens = {.kind = quota::LimitKind::tokens,
                               .quota = 5000,
                               .window = std::chrono::minutes(1),
                               .cost = quota::TokenCost::input_plus_max};
  EXPECT_EQ(topology.domains[0].limits, (std::vector<quota::Limit>{per_second, per_day, tokens}));
  EXPECT_EQ(topology.domains[3].limits, (std::vector<quota::Limit>{per_second, per_day}));
}

TEST(Limits, with_equal_names_stay_apart) {
  const auto topology = parse_endpoints(R"(version: 1
models: {x: }
endpoints:
  e:
    dialect: openai
    base_url: https://h
    keys: {x: env:A}
    routes: [x]
    limits: [{per: key, concurrency: 1}, {per: model, concurrency: 2}, {per: account, concurrency: 3}]
)",
                                        "e.yaml");
  ASSERT_TRUE(topology) << topology.error().message;
  EXPECT_EQ(domain_names(*topology), (Names{"e/x", "e/x (per model)", "e/x (per account)"}));
}

TEST(Limits, keep_the_time_over_which_they_are_enforced) {
  const Topology topology = topology_with(
      "{per: endpoint, requests_per_minute: 600, tokens_per_hour: 1e6, concurrency: 7, "
      "enforced_over: 1s}");
  ASSERT_EQ(topology.domains.size(), 1U);
  const std::vector<quota::Limit>& limits = topology.domains[0].limits;
  ASSERT_EQ(limits.size(), 3U);
  EXPECT_EQ(limits[0].enforced_over, std::chrono::seconds(1));
  EXPECT_EQ(limits[1].enforced_over, std::chrono::seconds(1));
  EXPECT_EQ(limits[1].quota, 1e6);
  EXPECT_EQ(limits[1].window, std::chrono::hours(1));
  EXPECT_EQ(limits[2].kind, quota::LimitKind::concurrency);
  EXPECT_EQ(limits[2].enforced_over, base::Duration::zero());
}

TEST(Limits, say_what_the_bucket_of_their_provider_holds) {
  const Topology plain = topology_with("{per: endpoint, requests_per_minute: 600}");
  EXPECT_EQ(plain.domains.at(0).limits.at(0).bucket, 0);
  const Topology bucket =
      topology_with("{per: endpoint, tokens_per_minute: 60000, bucket: 8000, concurrency: 5}");
  EXPECT_EQ(bucket.domains.at(0).limits.at(0).bucket, 8000);
  EXPECT_EQ(bucket.domains.at(0).limits.at(1).bucket, 0);
}

TEST(Limits, may_be_only_where_learning_starts) {
  const Topology firm = topology_with("{per: endpoint, requests_per_minute: 600}");
  EXPECT_FALSE(firm.domains.at(0).limits.at(0).learn);
  const Topology loose = topology_with("{per: endpoint, requests_per_minute: 600, learn: true}");
  EXPECT_TRUE(loose.domains.at(0).limits.at(0).learn);
}

TEST(Limits, of_different_endpoints_are_different_pools) {
  const auto topology = parse_endpoints(R"(version: 1
models: {m: }
endpoints:
  a: &e {dialect: openai, base_url: "https://h", routes: [m], limits: [{per: [model], concurrency: 1}]}
  b: *e
)",
                                        "e.yaml");
  ASSERT_TRUE(topology) << topology.error().message;
  EXPECT_EQ(domain_names(*topology), (Names{"a/m", "b/m"}));
}

TEST(Limits, that_say_nothing_or_too_much_are_refused) {
  EXPECT_EQ(endpoints_error(file_with("{requests_per_minute: 5}")),
            "e.yaml:12:14: limit: 'per' is missing");
  EXPECT_EQ(endpoints_error(file_with("{per: [], concurrency: 1}")),
            "e.yaml:12:20: per: the list is empty");
  EXPECT_EQ(endpoints_error(file_with("{per: [kay], concurrency: 1}")),
            "e.yaml:12:21: unknown per 'kay'; did you mean 'key'?");
  EXPECT_EQ(endpoints_error(file_with("{per: [key]}")),
            "e.yaml:12:14: limit: says no limit; expected requests_per_minute, tokens_per_minute, "
            "concurrency, …");
  EXPECT_EQ(
      endpoints_error(file_with("{per: [key], request_per_minute: 5, concurrency: 1}")),
      "e.yaml:12:27: limit: unknown key 'request_per_minute'; did you mean 'requests_per_minute'?");
  EXPECT_EQ(endpoints_error(file_with("{per: [key], requests_per_minute: 0}")),
            "e.yaml:12:48: requests_per_minute: must be greater than 0 and at most "
            "1000000000000000, found 0");
  EXPECT_EQ(endpoints_error(file_with("{per: [key], concurrency: 2.5}")),
            "e.yaml:12:40: concurrency: expected a whole number, found \"2.5\"");
  EXPECT_EQ(endpoints_error(file_with("{per: [key], requests_per_second: 5, enforced_over: 1m}")),
            "e.yaml:12:51: enforced_over: 60.0 s is longer than the limit's own time of 1.0 s");
  EXPECT_EQ(endpoints_error(file_with("{per: [key], concurrency: 5, enforced_over: 1m}")),
            "e.yaml:12:43: enforced_over: needs a limit of requests or tokens beside it");
  EXPECT_EQ(endpoints_error(file_with("{per: [key], concurrency: 5, bucket: 10}")),
            "e.yaml:12:43: bucket: needs exactly one limit of requests or tokens beside it");
  EXPECT_EQ(endpoints_error(file_with("{per: [key], requests_per_minute: 5, tokens_per_minute: 9, "
                                      "bucket: 10}")),
            "e.yaml:12:73: bucket: needs exactly one limit of requests or tokens beside it");
  EXPECT_EQ(endpoints_error(file_with("{per: [key], requests_per_minute: 60, bucket: 10, "
                                      "enforced_over: 1s}")),
            "e.yaml:12:52: bucket: what a token bucket lets through in a shorter time is what it "
            "holds; leave out either bucket or enforced_over");
  EXPECT_EQ(endpoints_error(file_with("{per: [key], requests_per_minute: 5, bucket: 0}")),
            "e.yaml:12:59: bucket: must be at least 1 and at most 1000000000000000, found 0");
  EXPECT_EQ(endpoints_error(file_with("{per: [key], concurrency: 5, token_cost: input}")),
            "e.yaml:12:43: token_cost: needs a limit of tokens beside it");
  EXPECT_EQ(endpoints_error(file_with("{per: [key], tokens_per_minute: 5, token_cost: inputs}")),
            "e.yaml:12:61: unknown token_cost 'inputs'; did you mean 'input'?");
  EXPECT_EQ(endpoints_error(file_with("{per: [key], concurrency: 5, models: [o]}")),
            "e.yaml:12:52: unknown model 'o'; did you mean 'm'?");
  EXPECT_EQ(endpoints_error(file_with("{per: [key], concurrency: 5, keys: [k4]}")),
            "e.yaml:12:50: unknown key 'k4'; did you mean 'k1'?");
  EXPECT_EQ(endpoints_error(file_with("5")),
            "e.yaml:12:14: limit: expected a mapping, found a text");
}

TEST(Limits, that_limit_no_route_are_refused) {
  EXPECT_EQ(endpoints_error(R"(version: 1
models: {m: , n: }
endpoints:
  e:
    dialect: openai
    base_url: https://h
    routes: [m]
    limits: [{per: [model], concurrency: 1, models: [n]}]
)"),
            "e.yaml:8:14: limit: endpoint 'e' has no route that this limits");
}

}  // namespace

}  // namespace sortie::spec
