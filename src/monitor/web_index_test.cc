#include "sortie/monitor/web_index.h"

#include "sortie/analysis/test_run.h"
#include "sortie/base/json.h"
#include "sortie/monitor/web_query.h"
#include "sortie/monitor/web_request.h"

#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sortie::monitor {
namespace {

/// As a client reads it.
json::Value sent(const json::Value& value) {
  return json::parse(json::to_text(value)).value();
}

/// Two models, two prompts, three tasks; one trial lost, one request without an end.
class WebIndexTest : public testing::Test {
 protected:
  WebIndexTest()
      : a_(run_.cell("a", "optimal", "baseline", 4)), b_(run_.cell("b", "optimal", "baseline", 3)) {
    run_.scored(a_, "simple-1", true);
    run_.scored(a_, "simple-2", false);
    run_.scored(b_, "simple-1", false, 0.25);
    run_.scored(b_, "simple-2", false);
    run_.lost(b_, "simple-3", "throttled");
    refresh();
  }

  void refresh() {
    if (index_ == nullptr) {
      // The reader that flushes what was written.
      EXPECT_NE(run_.reader(), nullptr);
      index_ = TrialIndex::open(run_.directory()).value();
    } else {
      EXPECT_NE(run_.reader(), nullptr);
    }
    ASSERT_TRUE(index_->refresh().has_value());
  }

  [[nodiscard]] json::Value trials(std::string_view query) const {
    return sent(
        trials_json(*index_, parse_target("/trials?" + std::string(query)).value()).value());
  }

  [[nodiscard]] std::int64_t total(std::string_view query) const {
    return json::get_int(trials(query), "total").value_or(-1);
  }

  analysis::TestRun run_;
  base::Digest a_;
  base::Digest b_;
  std::unique_ptr<TrialIndex> index_;
};

TEST_F(WebIndexTest, counts_cells_models_and_reasons) {
  const json::Value overview = sent(overview_json(*index_, "night").value());
  EXPECT_EQ(json::get_int(overview, "planned"), 7);
  EXPECT_EQ(json::get_int(overview, "scored"), 4);
  EXPECT_EQ(json::get_int(overview, "succeeded"), 1);
  EXPECT_EQ(json::get_int(overview, "lost"), 1);
  EXPECT_EQ(json::get_int(overview, "open"), 2);
  EXPECT_EQ(json::get_int(overview.at("labels"), "early_finish"), 3);
  EXPECT_EQ(json::get_int(overview.at("outcomes"), "throttled"), 1);
  EXPECT_EQ(json::get_string(overview.at("manifest"), "suite"), "pilot/1");
  const json::Value cells = sent(cells_json(*index_));
  ASSERT_EQ(cells.at("cells").as_array().size(), 2U);
  EXPECT_EQ(json::get_int(cells.at("cells").at(0), "succeeded"), 1);
  EXPECT_EQ(json::get_double(cells.at("cells").at(0), "progress"), 0.75);
}

TEST_F(WebIndexTest, sees_only_what_is_new_and_ends_that_come_late) {
  run_.scored(a_, "simple-3", true);
  run_.unknown_attempt("e/k/m", 700);
  refresh();
  const json::Value overview = sent(overview_json(*index_, "night").value());
  EXPECT_EQ(json::get_int(overview, "scored"), 5);
  EXPECT_EQ(json::get_int(overview.at("routes").at(0), "unfinished"), 1);
  // Five answers at 4 micro-dollars, and what the request under way has set aside.
  EXPECT_EQ(json::get_int(overview, "cost_micro_usd"), 5 * 4 + 700);
  refresh();
  EXPECT_EQ(json::get_int(sent(overview_json(*index_, "night").value()), "cost_micro_usd"), 720);
}

TEST_F(WebIndexTest, marks_a_route_with_empty_answers_as_suspect) {
  const auto route = [&] {
    return sent(overview_json(*index_, "night").value()).at("routes").at(0);
  };
  EXPECT_EQ(json::get_bool(route(), "suspect"), false);
  EXPECT_EQ(json::get_int(route(), "empty_answers"), 0);
  run_.usage = {.input = 7, .output = 0};
  run_.scored(a_, "simple-3", true);
  refresh();
  EXPECT_EQ(json::get_bool(route(), "suspect"), true);
  EXPECT_EQ(json::get_int(route(), "empty_answers"), 1);
}

TEST_F(WebIndexTest, filters_and_pages) {
  EXPECT_EQ(total(""), 5);
  EXPECT_EQ(total("model=a"), 2);
  EXPECT_EQ(total("model=nobody"), 0);
  EXPECT_EQ(total("cell=" + b_.hex()), 3);
  EXPECT_EQ(total("model=b&success=0"), 2);
  EXPECT_EQ(total("outcome=throttled"), 1);
  EXPECT_EQ(total("outcome=open"), 0);
  EXPECT_EQ(total("label=early_finish"), 3);
  EXPECT_EQ(total("level=full&task_type=simple"), 1);
  EXPECT_EQ(total("task=simple-1"), 2);
  EXPECT_EQ(total("repairs_min=1"), 0);
  EXPECT_EQ(total("injected_min=0&prompt=optimal"), 5);
  EXPECT_EQ(total("cost_min=1"), 0);
  EXPECT_EQ(total("latency_min=0.002"), 4);
  const json::Value page = trials("offset=1&limit=2");
  ASSERT_EQ(page.at("trials").as_array().size(), 2U);
  EXPECT_EQ(json::get_int(page.at("trials").at(0), "trial"), 2);
  EXPECT_EQ(json::get_int(page, "total"), 5);
  EXPECT_TRUE(trials("offset=99").at("trials").as_array().empty());
  const json::Value sorted = trials("sort=progress&order=desc");
  EXPECT_EQ(json::get_int(sorted.at("trials").at(0), "trial"), 1);
  const auto wrong = trials_json(*index_, parse_target("/trials?sort=colour").value());
  ASSERT_FALSE(wrong.has_value());
  EXPECT_NE(wrong.error().message.find("latency"), std::string::npos);
}

TEST_F(WebIndexTest, pairs_two_models_by_task_factors_and_repeat) {
  const auto compare = [&](std::string_view query) {
    return compare_json(*index_, parse_target("/compare?" + std::string(query)).value());
  };
  const json::Value page = sent(compare("a=a&b=b").value());
  EXPECT_EQ(json::get_int(page, "total"), 2);
  EXPECT_EQ(json::get_int(page, "only_a"), 1);
  EXPECT_EQ(json::get_int(page, "neither"), 1);
  EXPECT_EQ(json::get_string(page.at("pairs").at(0).at("b"), "task"), "simple-1");
  EXPECT_EQ(json::get_int(sent(compare("a=a&b=b&differ=1").value()), "total"), 1);
  // The same task with fewer turns is another pair.
  run_.max_turns = 5;
  const base::Digest short_a = run_.cell("a", "optimal", "baseline", 1);
  const base::Digest short_b = run_.cell("b", "optimal", "baseline", 1);
  run_.scored(short_a, "simple-1", true);
  run_.scored(short_b, "simple-1", true);
  refresh();
  const json::Value more = sent(compare("a=a&b=b").value());
  EXPECT_EQ(json::get_int(more, "total"), 3);
  EXPECT_EQ(json::get_int(more, "only_a"), 1);
  EXPECT_EQ(json::get_int(more, "both"), 1);
  ASSERT_FALSE(compare("a=a&b=bb").has_value());
  EXPECT_NE(compare("a=a&b=bb").error().message.find("'bb'"), std::string::npos);
}

TEST_F(WebIndexTest, an_end_that_was_asked_for_ends_the_reading) {
  std::stop_source stop;
  const auto index = TrialIndex::open(run_.directory(), stop.get_token()).value();
  stop.request_stop();
  const base::Status status = index->refresh();
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, base::ErrorCode::cancelled);
}

}  // namespace
}  // namespace sortie::monitor
