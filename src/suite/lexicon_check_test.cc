#include "sortie/suite/lexicon_check.h"

#include "sortie/suite/catalog.h"
#include "sortie/suite/lexicon.h"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::suite {

namespace {

class LexiconCheck : public ::testing::Test {
 protected:
  void SetUp() override { level_.assign(medium_wordings().begin(), medium_wordings().end()); }

  [[nodiscard]] std::vector<std::string> problems() const {
    return phrase_problems(catalog_, level_, true);
  }

  std::string_view& wording(std::string_view tool, std::size_t position) {
    return std::ranges::find(level_, tool, &OperationWordings::tool)->wordings[position];
  }

  ToolCatalog catalog_ = ToolCatalog::pilot();
  std::vector<OperationWordings> level_;
};

}  // namespace

TEST_F(LexiconCheck, the_published_lexicon_has_no_problem) {
  EXPECT_EQ(phrase_problems(catalog_, easy_wordings(), false), std::vector<std::string>{});
  EXPECT_EQ(problems(), std::vector<std::string>{});
  EXPECT_EQ(phrase_problems(catalog_, hard_wordings(), true), std::vector<std::string>{});
}

TEST_F(LexiconCheck, a_tool_without_wordings_is_named) {
  level_.pop_back();
  EXPECT_EQ(problems(), std::vector<std::string>{"utility_notifier has no wordings"});
}

TEST_F(LexiconCheck, fewer_than_six_different_wordings_are_too_few) {
  wording("network_router", 1) = "";
  wording("network_poster", 2) = wording("network_poster", 3);
  EXPECT_EQ(problems().size(), 3U);
}

TEST_F(LexiconCheck, a_missing_doubled_or_unknown_slot_is_found) {
  wording("network_router", 0) = "steer it";
  wording("network_poster", 0) = "send {url} to {url}";
  wording("utility_notifier", 0) = "whisper to {channels}";
  const auto found = problems();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0],
            "network_poster: 'send {url} to {url}' has to hold each of these slots once: url");
}

TEST_F(LexiconCheck, the_stem_of_an_operation_is_found) {
  wording("network_router", 0) = "send the readings to {region}";
  const auto found = problems();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].find("'readings'"), std::string::npos);
  EXPECT_TRUE(phrase_problems(catalog_, level_, false).empty());
}

TEST_F(LexiconCheck, two_operations_whose_phrases_some_text_fits_are_found) {
  // A path may look like an address: "send it to https://…".
  wording("file_operations_writer", 0) = "send it to {path}";
  auto found = problems();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].find("file_operations_writer"), std::string::npos);
  EXPECT_NE(found[0].find("network_poster"), std::string::npos);
  // A region is no address, so these two cannot be mistaken for each other.
  wording("file_operations_writer", 0) = "store it under {path}";
  wording("network_router", 0) = "send it to {region}";
  EXPECT_TRUE(problems().empty());
  // A literal word that the other's slot could hold.
  wording("network_router", 0) = "put a {region} stamp on it";
  wording("utility_tracker", 0) = "put a {prefix} stamp on it";
  EXPECT_TRUE(problems().empty());
  wording("utility_cache", 0) = "set it aside as {key} for 30 minutes {minutes}";
  EXPECT_TRUE(problems().empty());
}

TEST_F(LexiconCheck, two_wordings_of_one_operation_that_swap_its_values_are_found) {
  wording("data_processing_aggregator", 0) = "take {field} and {group_by} as {function}";
  wording("data_processing_aggregator", 1) = "take {group_by} and {field} as {function}";
  EXPECT_EQ(problems().size(), 1U);
}

TEST_F(LexiconCheck, slots_are_listed_in_order) {
  EXPECT_EQ(slots_of_wording("a {b} {c}, {b}"), (std::vector<std::string_view>{"b", "c", "b"}));
  EXPECT_TRUE(slots_of_wording("none {").empty());
}

}  // namespace sortie::suite
