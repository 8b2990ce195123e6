#include "sortie/analysis/identity.h"

#include "sortie/analysis/test_run.h"

#include <algorithm>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

class IdentityTest : public testing::Test {
 protected:
  IdentityTest() : cell_(run_.cell("m", "optimal", "baseline", 200)) {}

  Identity identity() {
    auto read = read_identity(*run_.reader());
    EXPECT_TRUE(read.has_value()) << read.error().message;
    return std::move(read).value();
  }

  static bool hinted(const Identity& identity, std::string_view text) {
    return std::ranges::any_of(identity.hints, [&](const std::string& hint) {
      return hint.find(text) != std::string::npos;
    });
  }

  /// `n` tasks, answered over one route.
  void answered(const std::string& route, std::int64_t input, std::int64_t output, int n = 40) {
    run_.route = route;
    for (int i = 0; i < n; ++i) {
      run_.usage = {.input = input + i, .output = output + i % 3};
      run_.scored(cell_, "simple-" + std::to_string(i), true);
    }
  }

  TestRun run_;
  base::Digest cell_;
};

TEST_F(IdentityTest, says_what_was_asked_sent_and_served) {
  run_.api_name = "vendor/m";
  run_.served_model = "vendor/m-2026";
  answered("e/a/m", 100, 50, 3);
  run_.served_model = "vendor/m-2027";
  answered("e/a/m", 100, 50, 2);
  const Identity found = identity();
  ASSERT_EQ(found.routes.size(), 1U);
  EXPECT_EQ(found.routes[0].requested, "m");
  EXPECT_EQ(found.routes[0].sent, "vendor/m");
  EXPECT_EQ(found.routes[0].served.at("vendor/m-2026"), 3U);
  EXPECT_EQ(found.routes[0].served.at("vendor/m-2027"), 2U);
  EXPECT_TRUE(hinted(found, "several names: vendor/m-2026 (3), vendor/m-2027 (2)"));
  EXPECT_NE(to_text(found).find("asked m, sent vendor/m, served"), std::string::npos);
}

TEST_F(IdentityTest, routes_that_behave_alike_give_no_hint) {
  answered("e/a/m", 100, 50);
  answered("e/b/m", 100, 50);
  const Identity found = identity();
  EXPECT_EQ(found.routes.size(), 2U);
  ASSERT_EQ(found.tokenizers.size(), 1U);
  EXPECT_EQ(found.tokenizers[0].prompts, 40U);
  EXPECT_EQ(found.tokenizers[0].equal, 40U);
  EXPECT_TRUE(found.hints.empty()) << found.hints.front();
}

TEST_F(IdentityTest, longer_answers_and_another_tokenizer_are_hints) {
  answered("e/a/m", 100, 50);
  answered("e/b/m", 110, 80);
  const Identity found = identity();
  EXPECT_TRUE(hinted(found, "first answers of e/a/m have 51 tokens, those of e/b/m 81"));
  EXPECT_TRUE(hinted(found, "e/a/m and e/b/m count 40 of 40 equal prompts differently"));
}

TEST_F(IdentityTest, few_answers_are_not_compared) {
  answered("e/a/m", 100, 50, 5);
  answered("e/b/m", 100, 500, 5);
  EXPECT_TRUE(identity().hints.empty());
}

TEST_F(IdentityTest, a_route_with_empty_answers_is_a_hint) {
  answered("e/a/m", 100, 50, 98);
  run_.usage = {.input = 100, .output = 0};
  run_.scored(cell_, "basic-1", false);
  run_.scored(cell_, "basic-2", false);
  EXPECT_FALSE(hinted(identity(), "hold no token"));
  run_.scored(cell_, "basic-3", false);
  const Identity found = identity();
  EXPECT_TRUE(hinted(found, "e/a/m: 3 of 101 answers hold no token, more than 2 %"));
  EXPECT_EQ(found.routes[0].counted, (AnswerCount{.all = 101, .empty = 3}));
  EXPECT_EQ(json::get_bool(to_json(found).at("routes").at(0), "suspect"), true);
}

TEST_F(IdentityTest, fingerprints_that_change_or_mix_are_told_apart) {
  run_.fingerprint = "fp_1";
  answered("e/a/m", 100, 50, 3);
  run_.at = 1'000'000;
  run_.fingerprint = "fp_2";
  answered("e/a/m", 100, 50, 4);
  Identity found = identity();
  ASSERT_EQ(found.routes[0].fingerprints.size(), 2U);
  EXPECT_EQ(found.routes[0].fingerprints[1].turns, 4U);
  EXPECT_TRUE(hinted(found, "the backend changed during the run"));
  run_.at = 2'000'000;
  run_.fingerprint = "fp_1";
  answered("e/a/m", 100, 50, 1);
  EXPECT_TRUE(hinted(identity(), "several backends answer"));
}

}  // namespace
}  // namespace sortie::analysis
