#include "sortie/base/log.h"

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

TEST(Log, says_which_file_cannot_be_written) {
  const auto log = Log::open({.path = "/proc/none/x.jsonl"}, {});
  ASSERT_FALSE(log.has_value());
  EXPECT_NE(log.error().message.find("/proc/none/x.jsonl"), std::string::npos);
}

}  // namespace
}  // namespace sortie::base
