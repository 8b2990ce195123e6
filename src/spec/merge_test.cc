#include "sortie/spec/merge.h"

#include "sortie/spec/load.h"
#include "sortie/spec/test_samples.h"

#include <array>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sortie::spec {

namespace {

constexpr std::string_view kFirst = R"(version: 1
models:
  large: {size_b: 72, price: {input: 1, output: 2}}
  small:
endpoints:
  alpha:
    dialect: openai
    base_url: https://alpha.example/v1
    keys: {key-1: "env:ONE"}
    routes: [large, small]
    limits: [{per: [key], requests_per_minute: 600}]
)";

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

Topology parsed(std::string_view text, const std::string& file) {
  auto topology = parse_endpoints(text, file);
  EXPECT_TRUE(topology) << (topology ? "" : topology.error().message);
  return std::move(topology).value();
}

/// What merging the first file with this one says; "" if it works.
std::string merge_error(const std::string& second) {
  const Topology a = parsed(kFirst, "a.yaml");
  const Topology b = parsed(second, "b.yaml");
  const std::array both{&a, &b};
  const auto merged = merge_topologies(both);
  return merged ? "" : merged.error().message;
}

TEST(Merge, of_one_topology_is_that_topology) {
  const Topology one = parsed(kFirst, "a.yaml");
  const std::array only{&one};
  const auto merged = merge_topologies(only);
  ASSERT_TRUE(merged) << merged.error().message;
  ASSERT_EQ(merged->topology.routes.size(), one.routes.size());
  for (std::size_t i = 0; i < one.routes.size(); ++i) {
    EXPECT_EQ(merged->topology.routes[i].name, one.routes[i].name);
    EXPECT_EQ(merged->topology.routes[i].domains, one.routes[i].domains);
  }
  EXPECT_EQ(merged->topology.domains.size(), one.domains.size());
  EXPECT_EQ(merged->topology.file_hash, one.file_hash);
}

TEST(Merge, counts_what_both_files_declare_once_and_keeps_the_rest) {
  const Topology a = parsed(kFirst, "a.yaml");
  const Topology b = parsed(R"(version: 1
models:
  other:
  large: {size_b: 72, price: {input: 1, output: 2}}
endpoints:
  beta: {dialect: openai, base_url: "https://beta.example/v1", keys: {key-1: "env:TWO"}, routes: [other]}
  alpha:
    dialect: openai
    base_url: https://alpha.example/v1
    keys: {key-1: "env:ONE"}
    routes: [other, large]
    limits: [{per: [key], requests_per_minute: 600}]
)",
                            "b.yaml");
  const std::array both{&a, &b};
  const auto merged = merge_topologies(both);
  ASSERT_TRUE(merged) << merged.error().message;
  const Topology& topology = merged->topology;
  EXPECT_EQ(topology.models.size(), 3U);
  EXPECT_EQ(topology.endpoints.size(), 2U);
  EXPECT_EQ(topology.routes.size(), 4U);
  ASSERT_EQ(topology.domains.size(), 1U) << "one key, one pool";
  EXPECT_EQ(merged->places[1].models, (std::vector<std::size_t>{2, 0}));
  EXPECT_EQ(merged->places[1].endpoints, (std::vector<std::size_t>{1, 0}));
  for (const Route& route : topology.routes) {
    EXPECT_EQ(route.domains.size(), topology.endpoints[route.endpoint].name == "alpha" ? 1U : 0U);
  }
}

TEST(Merge, names_both_places_of_what_differs) {
  const std::string text(kFirst);
  EXPECT_EQ(merge_error(text), "");
  EXPECT_EQ(merge_error(replaced(text, "output: 2", "output: 3")),
            "b.yaml:3:3: model 'large' is not what a.yaml:3:3 says: price differ; campaigns that "
            "run together need one definition: write it alike, or give it a name of its own");
  EXPECT_TRUE(merge_error(replaced(text, "600", "1200"))
                  .starts_with("b.yaml:6:3: endpoint 'alpha' is not what a.yaml:6:3 says: limits"));
  EXPECT_TRUE(
      merge_error(replaced(text, "env:ONE", "env:TWO"))
          .starts_with("b.yaml:9:19: key 'alpha/key-1' is not what a.yaml:6:3 says: secret"));
}

TEST(Merge, refuses_a_route_that_only_one_of_the_files_has) {
  const std::string error = merge_error(replaced(
      std::string(kFirst), "[large, small]", "[small, {model: large, api_name: large-b}]"));
  EXPECT_TRUE(error.starts_with("b.yaml:3:3: model 'large' is not what a.yaml:3:3 says: only one"))
      << error;
}

TEST(Merge, takes_guarantees_that_leave_something) {
  Campaign half;
  half.share.guaranteed = 0.5;
  Campaign more = half;
  more.share.where = {.file = "b.yaml", .line = 7, .column = 1};
  const std::array<const Campaign*, 1> one{&half};
  EXPECT_TRUE(check_guarantees(one));
  const std::array<const Campaign*, 2> both{&half, &more};
  const auto refused = check_guarantees(both);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("b.yaml:7:1: guaranteed: 0.5 makes 1"))
      << refused.error().message;
}

TEST(CampaignFile, says_what_it_gets_beside_others) {
  const std::string head = "version: 1\nname: t\nmodels: [sim-large]\nscenarios: [baseline]\n";
  const auto campaign = parse_campaign(head + "priority: 3\nguaranteed: 0.25\n",
                                       "c.yaml",
                                       samples::suite_of_samples(),
                                       samples::topology());
  ASSERT_TRUE(campaign) << campaign.error().message;
  EXPECT_EQ(campaign->share.priority, 3);
  EXPECT_EQ(campaign->share.guaranteed, 0.25);
  EXPECT_EQ(campaign->share.where.line, 6);
  EXPECT_TRUE(samples::campaign_error(head + "priority: 0\n").starts_with("c.yaml:5:11: priority"));
  EXPECT_TRUE(
      samples::campaign_error(head + "guaranteed: 1\n").starts_with("c.yaml:5:13: guaranteed"));
}

}  // namespace

}  // namespace sortie::spec
