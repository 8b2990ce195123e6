#include "sortie/base/secret.h"

#include "sortie/base/error.h"
#include "sortie/spec/command.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sortie::spec {

namespace {

class SecretTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "sortie_secret_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    endpoints_ = write("endpoints.yaml", "version: 1\n", 0600);
  }

  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, std::string_view content, mode_t mode) const {
    const std::string path = folder_ + "/" + name;
    std::FILE* file = std::fopen(path.c_str(), "w");
    EXPECT_NE(file, nullptr);
    EXPECT_EQ(std::fwrite(content.data(), 1, content.size(), file), content.size());
    std::fclose(file);
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }

  [[nodiscard]] SecretRef reference(SecretRef::Kind kind,
                                    const std::string& target,
                                    const std::vector<std::string>& argv = {}) const {
    return {.kind = kind,
            .target = target,
            .argv = argv,
            .where = {.file = "e.yaml", .line = 3, .column = 9}};
  }

  /// The secret, or "error: …".
  [[nodiscard]] std::string resolved(const SecretRef& ref) const {
    const auto secret = resolve_secret(ref, endpoints_);
    return secret ? secret->reveal() : "error: " + secret.error().message;
  }

  [[nodiscard]] std::string from_file(const std::string& name) const {
    return resolved(reference(SecretRef::Kind::file, name));
  }

  [[nodiscard]] std::string from_shell(const std::string& script) const {
    return resolved(reference(SecretRef::Kind::cmd, "", {"sh", "-c", script}));
  }

  std::string folder_;
  std::string endpoints_;
};

TEST_F(SecretTest, is_empty_where_none_is_declared) {
  EXPECT_EQ(resolved(reference(SecretRef::Kind::none, "")), "");
}

TEST_F(SecretTest, comes_from_the_environment) {
  ::setenv("SORTIE_TEST_KEY", " abc-123 \n", 1);
  EXPECT_EQ(resolved(reference(SecretRef::Kind::env, "SORTIE_TEST_KEY")), "abc-123");
  ::setenv("SORTIE_TEST_KEY", " ", 1);
  EXPECT_EQ(resolved(reference(SecretRef::Kind::env, "SORTIE_TEST_KEY")),
            "error: e.yaml:3:9: the environment variable SORTIE_TEST_KEY is empty");
  ::unsetenv("SORTIE_TEST_KEY");
  EXPECT_EQ(resolved(reference(SecretRef::Kind::env, "SORTIE_TEST_KEY")),
            "error: e.yaml:3:9: the environment variable SORTIE_TEST_KEY is not set; "
            "first run: export SORTIE_TEST_KEY=…");
}

TEST_F(SecretTest, with_characters_that_no_header_may_hold_is_refused_and_not_shown) {
  const std::string expected =
      "error: e.yaml:3:9: the environment variable SORTIE_TEST_KEY does not hold a key: expected "
      "one word of visible "
      "ASCII characters, at most 4096 bytes";
  for (const std::string& value :
       {std::string("two words"), std::string("a\nb"), std::string("ä"), std::string(4097, 'a')}) {
    ::setenv("SORTIE_TEST_KEY", value.c_str(), 1);
    EXPECT_EQ(resolved(reference(SecretRef::Kind::env, "SORTIE_TEST_KEY")), expected);
  }
  ::unsetenv("SORTIE_TEST_KEY");
}

TEST_F(SecretTest, comes_from_a_file_that_only_the_user_can_read) {
  const std::string path = write("key", "abc\n", 0600);
  EXPECT_EQ(from_file("key"), "abc") << "relative to the endpoints file";
  EXPECT_EQ(from_file(path), "abc");
  write("strict", "def", 0400);
  EXPECT_EQ(from_file("strict"), "def");
}

TEST_F(SecretTest, in_a_file_under_the_home_folder_can_be_named_by_a_tilde) {
  write("key", "abc\n", 0600);
  const char* home = std::getenv("HOME");
  const std::string before = home == nullptr ? "" : home;
  ::setenv("HOME", folder_.c_str(), 1);
  EXPECT_EQ(from_file("~/key"), "abc");
  ::setenv("HOME", before.c_str(), 1);
}

TEST_F(SecretTest, in_a_file_open_to_others_is_refused) {
  const std::string path = write("key", "abc", 0640);
  EXPECT_EQ(from_file("key"),
            fmt::format("error: e.yaml:3:9: the key file {0} has mode 0640 and is open to others; "
                        "run: chmod 600 {0}",
                        path));
  ::chmod(path.c_str(), 0604);
  EXPECT_TRUE(from_file("key").contains("mode 0604"));
}

TEST_F(SecretTest, in_a_file_that_is_none_is_refused) {
  EXPECT_EQ(
      from_file("absent"),
      fmt::format(
          "error: e.yaml:3:9: the key file {}/absent cannot be read: No such file or directory",
          folder_));
  write("empty", "\n", 0600);
  EXPECT_EQ(from_file("empty"),
            fmt::format("error: e.yaml:3:9: the key file {}/empty is empty", folder_));
  ::mkdir((folder_ + "/folder").c_str(), 0700);
  EXPECT_EQ(from_file("folder"),
            fmt::format("error: e.yaml:3:9: the key file {}/folder: is a folder, expected a file",
                        folder_));
  write("large", std::string(5'000, 'a'), 0600);
  EXPECT_EQ(
      from_file("large"),
      fmt::format("error: e.yaml:3:9: the key file {}/large: larger than 4,096 bytes", folder_));
}

TEST_F(SecretTest, in_a_file_of_another_user_is_refused) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can give files away";
  }
  const std::string path = write("key", "abc", 0600);
  ASSERT_EQ(::chown(path.c_str(), 12'345, 12'345), 0);
  EXPECT_EQ(from_file("key"),
            fmt::format("error: e.yaml:3:9: the key file {} belongs to another user", path));
}

TEST_F(SecretTest, is_the_first_line_that_a_command_prints) {
  EXPECT_EQ(resolved(reference(SecretRef::Kind::cmd, "", {"printf", "abc\\nmore\\n"})), "abc");
  EXPECT_EQ(resolved(reference(SecretRef::Kind::cmd, "", {"echo", "$HOME"})), "$HOME")
      << "no shell expands it";
  EXPECT_EQ(from_shell("echo noise >&2; echo abc"), "abc");
  EXPECT_EQ(from_shell("cat; echo abc"), "abc") << "its input is empty";
}

TEST_F(SecretTest, of_a_command_that_fails_is_refused_without_its_output) {
  EXPECT_EQ(from_shell("echo secret; exit 3"),
            "error: e.yaml:3:9: the command 'sh' ended with exit code 3");
  EXPECT_EQ(from_shell("echo secret; kill -9 $$"),
            "error: e.yaml:3:9: the command 'sh' was ended by a signal or did not end");
  EXPECT_EQ(from_shell("true"), "error: e.yaml:3:9: the output of the command 'sh' is empty");
  EXPECT_EQ(from_shell("head -c 5000 /dev/zero"),
            "error: e.yaml:3:9: the command 'sh' printed more than 4096 bytes");
  EXPECT_EQ(resolved(reference(SecretRef::Kind::cmd, "", {"/nonexistent/program"})),
            "error: e.yaml:3:9: the command '/nonexistent/program' cannot be run: No such file or "
            "directory");
}

TEST_F(SecretTest, of_a_command_in_a_file_that_others_can_write_is_refused) {
  ::chmod(endpoints_.c_str(), 0620);
  EXPECT_EQ(from_shell("echo abc"),
            fmt::format("error: e.yaml:3:9: cmd: is not run, since {0} can be written by others; "
                        "run: chmod go-w {0}",
                        endpoints_));
  ::chmod(endpoints_.c_str(), 0644);
  EXPECT_EQ(from_shell("echo abc"), "abc") << "that others can read it does no harm";
  std::filesystem::remove(endpoints_);
  EXPECT_EQ(from_shell("echo abc"),
            fmt::format("error: e.yaml:3:9: cmd: {} cannot be examined: No such file or directory",
                        endpoints_));
}

TEST(Command, that_does_not_end_is_killed_with_all_it_started) {
  const auto line = first_line_of({"sh", "-c", "sleep 1000 & echo abc; wait"},
                                  {.bytes_max = 100, .time_max = std::chrono::milliseconds(50)});
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().message, "did not end within 50 ms");
  EXPECT_EQ(line.error().code, base::ErrorCode::timeout);
}

TEST(Command, that_closes_its_output_and_stays_is_killed_too) {
  const auto line = first_line_of({"sh", "-c", "echo abc; exec >/dev/null; exec sleep 1000"},
                                  {.bytes_max = 100, .time_max = std::chrono::milliseconds(50)});
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().message, "was ended by a signal or did not end");
}

}  // namespace

}  // namespace sortie::spec
