#include "sortie/base/log.h"

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace sortie::base {
namespace {

std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Log, writes_one_json_object_a_line_without_secrets) {
  const std::filesystem::path path =
      std::filesystem::path(testing::TempDir()) / "sortie_log_test.jsonl";
  std::filesystem::remove(path);
  Scrubber scrubber;
  scrubber.add("key-1", Secret("sk-canary-123456"));
  {
    auto log = Log::open({.path = path.string()}, scrubber);
    ASSERT_TRUE(log.has_value()) << log.error().message;
    (*log)->info("request_failed", {{"status", 401}, {"body", "no such key sk-canary-123456"}});
    (*log)->debug("below_the_level");
  }
  const std::string text = slurp(path);
  const auto line = json::parse(text.substr(0, text.find('\n')));
  ASSERT_TRUE(line.has_value()) << text;
  EXPECT_EQ(json::get_string(*line, "event"), "request_failed");
  EXPECT_EQ(json::get_int(*line, "status"), 401);
  EXPECT_EQ(text.find("canary"), std::string::npos);
  EXPECT_EQ(text.find("below_the_level"), std::string::npos);
}

TEST(Log, every_line_carries_the_context_and_old_lines_go) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / "sortie_log_rotation";
  std::filesystem::remove_all(folder);
  {
    auto log = Log::open({.path = (folder / "run.jsonl").string(),
                          .level = LogLevel::debug,
                          .context = {{"run", "r1"}},
                          .file_bytes_max = 2000,
                          .files_max = 2},
                         {});
    ASSERT_TRUE(log.has_value()) << log.error().message;
    for (int i = 0; i < 200; ++i) {
      (*log)->debug("line", {{"n", i}});
    }
  }
  std::size_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    bytes += entry.file_size();
  }
  EXPECT_LE(bytes, 3U * 2000U);
  std::ifstream in(folder / "run.jsonl");
  std::string text;
  std::string last;
  while (std::getline(in, text)) {
    const auto line = json::parse(text);
    ASSERT_TRUE(line.has_value()) << text;
    EXPECT_EQ(json::get_string(*line, "run"), "r1");
    last = text;
  }
  EXPECT_NE(last.find("\"n\":199"), std::string::npos);
}

TEST(Log, levels_have_names) {
  EXPECT_EQ(log_level_from("warning"), LogLevel::warning);
  EXPECT_EQ(log_level_from("loud"), std::nullopt);
  EXPECT_EQ(to_string(LogLevel::debug), "debug");
}

TEST(Log, says_which_file_cannot_be_written) {
  const auto log = Log::open({.path = "/proc/none/x.jsonl"}, {});
  ASSERT_FALSE(log.has_value());
  EXPECT_NE(log.error().message.find("/proc/none/x.jsonl"), std::string::npos);
}

}  // namespace
}  // namespace sortie::base
