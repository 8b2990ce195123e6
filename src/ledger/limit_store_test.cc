#include "sortie/ledger/limit_store.h"

#include "sortie/ledger/lock.h"
#include "sortie/ledger/test_support.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace sortie::ledger {
namespace {

RememberedLimit limit(const std::string& fingerprint, double value, int second) {
  return {.fingerprint = fingerprint,
          .domain = "alpha/key-1",
          .kind = "requests",
          .cost = "",
          .source = "learned",
          .value = value,
          .window_seconds = 60,
          .confidence = 0.8,
          .at = at(second)};
}

TEST(LimitStore, gives_back_what_was_remembered_of_a_key) {
  const RunDirectory directory;
  LimitStore store = LimitStore::open(directory.path()).value();
  RememberedLimit tokens = limit("aa", 4e5, 2);
  tokens.kind = "tokens";
  tokens.cost = "input_plus_output";
  ASSERT_TRUE(store.remember({limit("aa", 600, 1), tokens, limit("bb", 7, 3)}));
  EXPECT_EQ(store.recall({"aa"}).value(), (std::vector{tokens, limit("aa", 600, 1)}));
  EXPECT_EQ(store.recall({"bb", "cc"}).value(), std::vector{limit("bb", 7, 3)});
  EXPECT_TRUE(store.recall({}).value().empty());
}

TEST(LimitStore, keeps_the_newest_of_a_limit_over_processes) {
  const RunDirectory directory;
  ASSERT_TRUE(LimitStore::open(directory.path())->remember({limit("aa", 600, 1)}));
  ASSERT_TRUE(LimitStore::open(directory.path())->remember({limit("aa", 700, 2)}));
  EXPECT_EQ(LimitStore::open(directory.path())->recall({"aa"}).value(),
            std::vector{limit("aa", 700, 2)});
}

TEST(LimitStore, is_its_owners_alone) {
  const RunDirectory directory;
  ASSERT_TRUE(LimitStore::open(directory.path()).has_value());
  struct stat status{};
  ASSERT_EQ(::stat(directory.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST(LimitStore, refuses_files_that_are_not_its_own) {
  const RunDirectory directory;
  std::filesystem::create_directories(directory.path());
  std::ofstream(directory.path() + "/limits.db") << "no database at all, but long enough";
  EXPECT_FALSE(LimitStore::open(directory.path()).has_value());
}

TEST(KeyLock, says_who_uses_a_key_and_for_which_run) {
  const RunDirectory directory;
  auto first = lock_key(directory.path(), "aa", "alpha/key-1", "runs/a", at(0));
  ASSERT_TRUE(first.has_value()) << first.error().message;
  // flock belongs to an open file: a second one in this process is refused like another process's.
  const auto second = lock_key(directory.path(), "aa", "alpha/key-1", "runs/b", at(1));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, base::ErrorCode::locked);
  EXPECT_NE(second.error().message.find("key alpha/key-1 is being used by pid "), std::string::npos)
      << second.error().message;
  EXPECT_NE(second.error().message.find("run runs/a"), std::string::npos);
  EXPECT_TRUE(lock_key(directory.path(), "bb", "alpha/key-2", "runs/b", at(1)).has_value());
  {
    const FileLock gone = std::move(*first);
  }
  EXPECT_TRUE(lock_key(directory.path(), "aa", "alpha/key-1", "runs/b", at(2)).has_value());
}

}  // namespace
}  // namespace sortie::ledger
