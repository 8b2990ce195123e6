#include "sortie/spec/budget.h"

#include "sortie/spec/load.h"
#include "sortie/spec/test_samples.h"

#include <chrono>
#include <string>
#include <string_view>
#include <variant>

#include <gtest/gtest.h>

namespace sortie::spec {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

std::string file_with(std::string_view budget) {
  return "version: 1\nname: test\nmodels: [sim-large]\nscenarios: [baseline]\n" +
         std::string(budget);
}

TEST(Budget, takes_dollars_and_tokens_as_people_write_them) {
  EXPECT_EQ(parse_cost("25").value(), 25.0);
  EXPECT_EQ(parse_cost("0.5").value(), 0.5);
  EXPECT_EQ(parse_tokens("2M").value(), 2'000'000);
  EXPECT_EQ(parse_tokens("1.5k").value(), 1'500);
  EXPECT_EQ(parse_tokens("500000").value(), 500'000);
  for (const std::string_view wrong : {"", "0", "-1", "25 dollars", "$25", "nan", "1e99", "inf"}) {
    EXPECT_FALSE(parse_cost(wrong)) << wrong;
    EXPECT_FALSE(parse_tokens(wrong)) << wrong;
  }
  EXPECT_EQ(parse_tokens("2m").error().message,
            "expected a number of tokens such as 500000, 500k or 2M, found \"2m\"");
}

TEST(Budget, takes_a_time_from_now_or_a_date) {
  EXPECT_EQ(std::get<base::Duration>(parse_deadline("6h").value()), hours(6));
  EXPECT_EQ(std::get<base::Duration>(parse_deadline("1d12h").value()), hours(36));
  EXPECT_EQ(std::get<base::Duration>(parse_deadline("1 h 30 min").value()), minutes(90));
  const auto date = parse_deadline("2026-11-27T18:00Z");
  ASSERT_TRUE(date) << date.error().message;
  EXPECT_EQ(base::to_iso8601(std::get<base::WallTime>(*date)), "2026-11-27T18:00:00.000000Z");
  EXPECT_TRUE(parse_deadline("2026-11-27 18:00:30"));
  for (const std::string_view wrong : {"",
                                       "6",
                                       "0h",
                                       "-6h",
                                       "6 weeks",
                                       "2026-02-30T18:00",
                                       "2026-11-27",
                                       "2026-11-27T25:00",
                                       "2026-11-27T18:00+01",
                                       "500d"}) {
    EXPECT_FALSE(parse_deadline(wrong)) << wrong;
  }
}

TEST(Budget, of_a_command_line_wins_over_that_of_the_file) {
  const Budget flags{.max_cost_usd = 5, .max_tokens = {}, .deadline = {}};
  const Budget file{.max_cost_usd = 9, .max_tokens = 100, .deadline = {}};
  const Budget both = merged(flags, file);
  EXPECT_EQ(both.max_cost_usd, 5.0);
  EXPECT_EQ(both.max_tokens, 100);
  EXPECT_FALSE(both.deadline);
}

TEST(Budget, stands_in_the_campaign_file) {
  const auto campaign =
      parse_campaign(file_with("budget: {max_cost: 25, max_tokens: 2M, deadline: 6h}\n"),
                     "c.yaml",
                     samples::suite_of_samples(),
                     samples::topology());
  ASSERT_TRUE(campaign) << campaign.error().message;
  EXPECT_EQ(campaign->budget.max_cost_usd, 25.0);
  EXPECT_EQ(campaign->budget.max_tokens, 2'000'000);
  ASSERT_TRUE(campaign->budget.deadline.has_value());
  EXPECT_EQ(samples::campaign_error(file_with("budget: {max_cost: lots, time: 1h}\n")),
            "c.yaml:5:20: max_cost: expected US dollars above zero such as 25 or 0.5, found "
            "\"lots\"\nc.yaml:5:26: budget: unknown key 'time'; expected one of: max_cost, "
            "max_tokens, deadline");
}

TEST(Budget, in_dollars_needs_the_price_of_every_model_that_is_used) {
  Topology topology = samples::topology();
  const auto campaign =
      parse_campaign(file_with(""), "c.yaml", samples::suite_of_samples(), topology);
  ASSERT_TRUE(campaign) << campaign.error().message;
  Model& model = topology.models[campaign->cells.front().model];
  model.priced = false;
  const auto status = check_prices(topology, *campaign);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "e.yaml:3:3: model 'sim-large' has no price, which a budget in dollars needs: write  "
            "price: {input: …, output: …}  in its row (US dollars per million tokens; zeros if it "
            "is free)");
  model.priced = true;
  EXPECT_TRUE(check_prices(topology, *campaign));
}

}  // namespace
}  // namespace sortie::spec
