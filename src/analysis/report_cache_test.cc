#include "sortie/analysis/report_cache.h"

#include "sortie/analysis/report.h"
#include "sortie/analysis/test_run.h"
#include "sortie/base/json.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

namespace fs = std::filesystem;

class ReportCache : public testing::Test {
 protected:
  ReportCache() {
    for (const std::string model : {"m", "n"}) {
      const auto cell = run_.cell(model, "optimal", "baseline", 4);
      run_.scored(cell, "simple-1", true);
      run_.scored(cell, "simple-1", false, 1.0 / 3.0);
      run_.scored(cell, "basic-2", model == "m");
      run_.lost(cell, "simple-3", "timeout");
      run_.unknown_attempt("e/k/m", 700);
    }
    run_.event("run_speed", "t", R"({"seconds":3.5,"lost_seconds":{"ramp":0.1}})");
    run_.event("control", "t", R"({"changes":["paused"],"author":"me"})");
  }

  /// Everything that a report shows.
  std::string report(bool cached, Language language = Language::english) {
    ReportOptions options;
    options.language = language;
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

  [[nodiscard]] fs::path file() const { return fs::path(directory()) / "report.cache"; }

  std::string slurp() {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  base::Digest stamp() {
    const auto reader = run_.reader();
    std::string key;
    EXPECT_TRUE(reader
                    ->scan("SELECT key FROM run",
                           [&](std::span<const ledger::Cell> row) {
                             key = std::get<std::string_view>(row[0]);
                             return false;
                           })
                    .has_value());
    return report_stamp("tables true, agents false, baseline , language en",
                        key,
                        reader->high_water_mark().value_or(""));
  }

  TestRun run_;
};

TEST_F(ReportCache, a_report_from_it_is_the_same_to_the_byte) {
  const std::string slow = report(false);
  EXPECT_EQ(report(true), slow);
  ASSERT_TRUE(fs::exists(file()));
  const auto written = fs::last_write_time(file());
  EXPECT_EQ(report(true), slow);
  EXPECT_EQ(fs::last_write_time(file()), written);
}

TEST_F(ReportCache, is_of_one_language) {
  const std::string slow = report(false, Language::chinese);
  report(true);
  EXPECT_EQ(report(true, Language::chinese), slow);
  EXPECT_EQ(report(true, Language::chinese), slow);
}

TEST_F(ReportCache, more_facts_make_it_stale) {
  report(true);
  run_.scored(run_.cell("m", "optimal", "baseline", 4), "basic-9", true);
  const std::string slow = report(false);
  EXPECT_EQ(report(true), slow);
  EXPECT_EQ(report(true), slow);
}

TEST_F(ReportCache, it_is_really_read) {
  report(true);
  auto data = load_report(directory(), stamp());
  ASSERT_TRUE(data.has_value());
  data->started = "another start";
  store_report(directory(), stamp(), *data);
  EXPECT_NE(report(true).find("another start"), std::string::npos);
  EXPECT_FALSE(load_report(directory(), report_stamp("x", "key", "0-0")).has_value());
}

TEST_F(ReportCache, damage_and_foreign_files_are_as_if_there_were_none) {
  const std::string slow = report(false);
  report(true);
  const std::string whole = slurp();
  const base::Digest own = stamp();
  ASSERT_TRUE(load_report(directory(), own).has_value());
  for (std::size_t at = 0; at < whole.size(); at += whole.size() / 100 + 1) {
    std::string bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    std::ofstream(file(), std::ios::binary) << bad;
    EXPECT_FALSE(load_report(directory(), own).has_value()) << at;
    std::ofstream(file(), std::ios::binary) << whole.substr(0, at);
    EXPECT_FALSE(load_report(directory(), own).has_value()) << at;
  }
  EXPECT_EQ(report(true), slow);
}

TEST_F(ReportCache, a_small_ledger_has_none) {
  const auto data = collect_report(*run_.reader(), {.cache_directory = directory()});
  ASSERT_TRUE(data.has_value());
  EXPECT_FALSE(fs::exists(file()));
}

}  // namespace
}  // namespace sortie::analysis
