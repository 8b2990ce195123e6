#include "sortie/provider/dialect.h"

#include <string_view>

#include <gtest/gtest.h>

namespace sortie::provider {
namespace {

TEST(AcceptsServedModel, takes_the_name_that_was_sent) {
  EXPECT_TRUE(accepts_served_model("sim-large", {}, "sim-large"));
  EXPECT_TRUE(accepts_served_model("sim-large", {}, "Sim-Large"));
  EXPECT_FALSE(accepts_served_model("sim-large", {}, "sim-small"));
  EXPECT_FALSE(accepts_served_model("sim-large", {}, ""));
  EXPECT_FALSE(accepts_served_model("", {}, "anything"));
}

TEST(AcceptsServedModel, takes_a_date_or_version_after_it) {
  for (const std::string_view served : {"gpt-4o-2024-08-06",
                                        "gpt-4o-20240806",
                                        "gpt-4o-0613",
                                        "gpt-4o@20250514",
                                        "gpt-4o-v2",
                                        "gpt-4o:v1.5",
                                        "gpt-4o-001"}) {
    EXPECT_TRUE(accepts_served_model("gpt-4o", {}, served)) << served;
  }
}

TEST(AcceptsServedModel, refuses_another_model_of_the_family) {
  for (const std::string_view served : {"gpt-4o-mini",
                                        "gpt-4o-mini-2024-07-18",
                                        "gpt-4o-2",
                                        "gpt-4o2024",
                                        "gpt-4o-",
                                        "gpt-4",
                                        "gpt-4o-2024-08-06-preview",
                                        "gpt-4o-70b",
                                        "gpt-4o-1-2-3-4",
                                        "x/gpt-4o"}) {
    EXPECT_FALSE(accepts_served_model("gpt-4o", {}, served)) << served;
  }
}

TEST(AcceptsServedModel, a_declaration_replaces_the_rule) {
  EXPECT_TRUE(accepts_served_model("deploy-7", {"gpt-4o-2024-08-06"}, "gpt-4o-2024-08-06"));
  EXPECT_FALSE(accepts_served_model("deploy-7", {"gpt-4o-2024-08-06"}, "deploy-7"));
  EXPECT_FALSE(accepts_served_model("m", {"Sim"}, "sim")) << "exact names are exact";
}

TEST(AcceptsServedModel, a_declared_pattern_may_hold_stars) {
  EXPECT_TRUE(accepts_served_model("m", {"other", "gpt-4o-*"}, "gpt-4o-2024-08-06"));
  EXPECT_TRUE(accepts_served_model("m", {"*"}, ""));
  EXPECT_FALSE(accepts_served_model("m", {"gpt-4o-*"}, "gpt-4.1"));
}

}  // namespace
}  // namespace sortie::provider
