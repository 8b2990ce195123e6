#include "sortie/analysis/columns_cache.h"

#include "sortie/analysis/report.h"
#include "sortie/analysis/report_data.h"
#include "sortie/analysis/run_columns.h"
#include "sortie/analysis/test_run.h"
#include "sortie/base/json.h"
#include "sortie/ledger/ledger.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

namespace fs = std::filesystem;

class ColumnsCache : public testing::Test {
 protected:
  ColumnsCache() {
    for (const std::string model : {"m", "n"}) {
      const auto cell = run_.cell(model, "optimal", "baseline", 20);
      for (int i = 0; i < 5; ++i) {
        run_.scored(cell, fmt::format("simple-{}", i), i % 2 == 0, 1.0 / 3.0);
      }
      run_.lost(cell, "simple-8", "timeout");
    }
  }

  /// Everything that a report shows. The finished report is never kept.
  std::string report(bool cached) {
    fs::remove(fs::path(directory()) / "report.cache");
    ReportOptions options;
    options.cached_facts_min = 1;
    if (cached) {
      options.cache_directory = directory();
    }
    const auto data = collect_report(*run_.reader(), options);
    EXPECT_TRUE(data.has_value()) << data.error().message;
    return to_html(*data) + json::to_text(tables_json(*data)) + to_text(*data);
  }

  [[nodiscard]] std::string directory() const {
    return (fs::path(run_.directory()) / "cache").string();
  }

  [[nodiscard]] fs::path file() const { return fs::path(directory()) / "columns.cache"; }

  TestRun run_;
};

TEST_F(ColumnsCache, whatever_is_added_a_report_says_what_one_read_anew_does) {
  const auto cell = run_.cell("m", "optimal", "baseline", 20);
  std::int64_t late = 0;
  const std::vector<std::function<void()>> steps = {
      [] {},
      [&] { run_.scored(cell, "simple-9", true); },
      [&] {
        run_.lost(cell, "basic-1", "throttled");
        run_.unknown_attempt("e/k2/m", 700);
        late = run_.last_attempt();
      },
      [&] { run_.answered_late(late, true); },
      [&] { run_.event("control", "t", R"({"changes":["paused"],"author":"me"})"); },
      [&] { run_.cell("m", "optimal", "baseline,own", 30); },
      [&] { run_.scored(run_.cell("o", "cot", "prompts", 3), "zzz-1", false, 0.1); },
      [&] { run_.manifest("late", "entry"); },
      [&] {
        run_.scorer = "s/2";
        run_.scored(cell, "basic-2", true);
      }};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    steps[i]();
    const std::string anew = report(false);
    EXPECT_EQ(report(true), anew) << "step " << i;
    EXPECT_EQ(report(true), anew) << "step " << i << " again";
  }
}

TEST_F(ColumnsCache, only_what_is_new_is_read) {
  auto columns = read_columns(*run_.reader());
  ASSERT_TRUE(columns.has_value()) << columns.error().message;
  ASSERT_EQ(columns->trials.rows.size(), 12U);
  columns->trials.rows[0].turns = 77;  // what was read once is not read again
  run_.scored(run_.cell("m", "optimal", "baseline", 20), "simple-9", true);
  const auto goes_on = read_on(*run_.reader(), *columns);
  ASSERT_TRUE(goes_on.has_value()) << goes_on.error().message;
  EXPECT_TRUE(*goes_on);
  EXPECT_EQ(columns->trials.rows.size(), 13U);
  EXPECT_EQ(columns->trials.rows[0].turns, 77);
}

TEST_F(ColumnsCache, a_ledger_that_took_another_way_is_read_anew) {
  run_.reader();  // all is durable
  const std::string copy = run_.directory() + "-copy";
  fs::copy(run_.directory(), copy, fs::copy_options::recursive);
  run_.scored(run_.cell("m", "optimal", "baseline", 20), "simple-9", true);
  auto columns = read_columns(*run_.reader());
  ASSERT_TRUE(columns.has_value()) << columns.error().message;
  {
    auto other = ledger::Ledger::open(copy, {.mode = ledger::CommitMode::inline_}, nullptr);
    ASSERT_TRUE(other.has_value()) << other.error().message;
    for (int i = 0; i < 30; ++i) {
      (*other)->append(
          ledger::EventRecord{.at = {}, .kind = "e", .subject = fmt::to_string(i), .detail = "{}"});
    }
    ASSERT_TRUE((*other)->flush().has_value());
    const auto reader = ledger::Reader::open(copy);
    ASSERT_TRUE(reader.has_value()) << reader.error().message;
    const auto goes_on = read_on(**reader, *columns);
    ASSERT_TRUE(goes_on.has_value()) << goes_on.error().message;
    EXPECT_FALSE(*goes_on);
  }
  fs::remove_all(copy);
}

TEST_F(ColumnsCache, few_new_facts_do_not_rewrite_the_file) {
  for (int i = 10; i < 60; ++i) {
    run_.scored(run_.cell("m", "optimal", "baseline", 90), fmt::format("simple-{}", i), true);
  }
  report(true);
  ASSERT_TRUE(fs::exists(file()));
  const auto written = fs::last_write_time(file());
  run_.scored(run_.cell("m", "optimal", "baseline", 90), "simple-9", true);
  EXPECT_EQ(report(true), report(false));
  EXPECT_EQ(fs::last_write_time(file()), written);
}

TEST_F(ColumnsCache, damage_is_as_if_there_were_none) {
  const std::string anew = report(false);
  report(true);
  const auto size = fs::file_size(file());
  const std::uintmax_t places = std::getenv("SORTIE_FULL") == nullptr ? 8 : 80;
  for (std::uintmax_t at = 0; at < size; at += size / places + 1) {
    report(true);
    {
      std::fstream bytes(file(), std::ios::in | std::ios::out | std::ios::binary);
      bytes.seekp(static_cast<std::streamoff>(at));
      bytes.put('\x7f');
    }
    EXPECT_EQ(report(true), anew) << at;
    fs::resize_file(file(), at);
    EXPECT_EQ(report(true), anew) << at;
  }
}

TEST_F(ColumnsCache, keeps_what_was_played) {
  PlayBook book{.tasks = {"a", "b"}, .plays = {}};
  Plays& plays = book.plays[{.agent = score::Agent::plan_copier, .prompt = "optimal"}];
  for (std::uint32_t task = 0; task < 2; ++task) {
    for (std::int64_t repeat = 0; repeat < 300; ++repeat) {
      plays.places.push_back({.task = task, .repeat = repeat * 1000});
      Play& play = plays.plays.emplace_back();
      play.possible = true;
      play.success = repeat % 3 == 0;
      play.followed = static_cast<std::int32_t>(repeat % 2);
      play.retry.other_tool = static_cast<std::int32_t>(task);
    }
  }
  store_plays(directory(), "seed 1", book);
  const PlayBook loaded = load_plays(directory(), "seed 1");
  ASSERT_EQ(loaded.tasks, book.tasks);
  ASSERT_EQ(loaded.plays.size(), 1U);
  const Plays& same = loaded.plays.begin()->second;
  EXPECT_EQ(same.places, plays.places);
  for (std::size_t i = 0; i < plays.plays.size(); ++i) {
    EXPECT_EQ(same.plays[i].success, plays.plays[i].success) << i;
    EXPECT_EQ(same.plays[i].retry.other_tool, plays.plays[i].retry.other_tool) << i;
  }
  EXPECT_TRUE(load_plays(directory(), "seed 2").plays.empty());
}

}  // namespace
}  // namespace sortie::analysis
