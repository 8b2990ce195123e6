#include "sortie/ledger/wal.h"

#include "sortie/base/error.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/test_support.h"

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace sortie::ledger {
namespace {

namespace fs = std::filesystem;

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void spill(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// What a killed run leaves: five commits of one trial each, all in the write-ahead log.
class Wal : public testing::Test {
 protected:
  Wal() {
    auto ledger = open_ledger(original_.path());
    ledger->append(cell_record());
    EXPECT_TRUE(ledger->flush().has_value());
    for (TrialId id = 1; id <= kTrials; ++id) {
      before_last_ = fs::file_size(original_.file("ledger.db-wal"));
      ledger->append(trial_record(id));
      EXPECT_TRUE(ledger->flush().has_value());
    }
    // A copy of the files of a writer at rest is what SIGKILL would leave.
    left_.emplace();
    fs::create_directories(left_->path());
    for (const std::string name : {"ledger.db", "ledger.db-wal"}) {
      fs::copy_file(original_.file(name), left_->file(name));
    }
    wal_ = slurp(left_->file("ledger.db-wal"));
    database_ = slurp(left_->file("ledger.db"));
  }

  /// Puts the files back as they were, but for the log.
  void leave(const std::string& wal) {
    fs::remove_all(left_->path());
    fs::create_directories(left_->path());
    spill(left_->file("ledger.db"), database_);
    spill(left_->file("ledger.db-wal"), wal);
  }

  [[nodiscard]] std::string flipped(std::size_t offset) const {
    std::string wal = wal_;
    wal[offset] = static_cast<char>(wal[offset] ^ 0x10);
    return wal;
  }

  /// Trials after the writer has opened the directory and verify() was content; -1 when it refused
  /// to open.
  std::int64_t recovered() {
    auto ledger = Ledger::open(left_->path(), {}, nullptr);
    if (!ledger) {
      EXPECT_EQ(ledger.error().code, base::ErrorCode::integrity) << ledger.error().message;
      return -1;
    }
    auto reader = open_reader(left_->path());
    EXPECT_EQ(failing(*reader), std::vector<std::string>());
    return count(*reader, "SELECT count(*) FROM trial");
  }

  static constexpr TrialId kTrials = 5;
  RunDirectory original_;
  std::optional<RunDirectory> left_;
  std::string wal_;
  std::string database_;
  std::size_t before_last_ = 0;
};

TEST_F(Wal, an_intact_missing_or_empty_log_is_fine) {
  EXPECT_TRUE(check_wal(left_->file("ledger.db")).has_value());
  EXPECT_TRUE(check_wal(left_->file("no-such-file")).has_value());
  spill(left_->file("empty-wal"), "");
  EXPECT_TRUE(check_wal(left_->file("empty")).has_value());
  EXPECT_EQ(recovered(), kTrials);
}

// A torn or flipped tail is cut, never read.
TEST_F(Wal, a_flipped_tail_is_cut_to_the_commit_before) {
  for (std::size_t offset = before_last_; offset < wal_.size(); offset += 211) {
    leave(flipped(offset));
    EXPECT_EQ(recovered(), kTrials - 1) << "byte " << offset;
  }
}

TEST_F(Wal, a_torn_tail_is_cut_to_the_commit_before) {
  for (std::size_t size = before_last_; size < wal_.size(); size += 307) {
    leave(wal_.substr(0, size));
    EXPECT_EQ(recovered(), kTrials - 1) << size << " bytes";
  }
}

// SQLite alone would drop the commits behind the damage without a word.
TEST_F(Wal, damage_before_the_last_commit_is_refused_and_left_as_it_is) {
  for (std::size_t offset = 0; offset < before_last_; offset += 101) {
    const std::string damaged = flipped(offset);
    leave(damaged);
    EXPECT_EQ(recovered(), -1) << "byte " << offset;
    EXPECT_FALSE(Reader::open(left_->path()).has_value());
    EXPECT_TRUE(slurp(left_->file("ledger.db-wal")) == damaged);
    EXPECT_TRUE(slurp(left_->file("ledger.db")) == database_);
  }
}

TEST_F(Wal, a_log_that_was_never_written_is_empty) {
  leave(std::string(8192, '\0'));
  EXPECT_EQ(recovered(), 0);
}

TEST_F(Wal, readers_do_not_mistake_a_log_being_written_for_a_damaged_one) {
  auto ledger = open_ledger(left_->path());
  ASSERT_NE(ledger, nullptr);
  ledger->append(trial_record(kTrials + 1));
  ASSERT_TRUE(ledger->flush().has_value());
  // As a reader may find it between two writes of a commit.
  std::string torn = slurp(left_->file("ledger.db-wal"));
  ASSERT_GT(torn.size(), 200U);
  const std::string good = torn;
  torn[60] = static_cast<char>(torn[60] ^ 1);
  spill(left_->file("ledger.db-wal"), torn);
  EXPECT_FALSE(check_wal(left_->file("ledger.db")).has_value());
  EXPECT_TRUE(Reader::open(left_->path()).has_value())
      << "the writer's index, not the log's checksums, counts";
  spill(left_->file("ledger.db-wal"), good);
}

/// Locks on a file that the kernel knows, of any process.
int locks_on(const std::string& path) {
  struct stat file{};
  EXPECT_EQ(::stat(path.c_str(), &file), 0) << path;
  const std::string name = fmt::format(":{} ", file.st_ino);
  int locks = 0;
  std::ifstream list("/proc/locks");
  for (std::string line; std::getline(list, line);) {
    locks += line.find(name) != std::string::npos ? 1 : 0;
  }
  return locks;
}

TEST_F(Wal, to_examine_it_drops_no_lock_of_a_reader) {
  leave(wal_);
  const auto reader = open_reader(left_->path());
  ASSERT_NE(reader, nullptr);
  ASSERT_TRUE(reader->begin().has_value());
  const std::string index = left_->file("ledger.db-shm");
  const int held = locks_on(index);
  ASSERT_GT(held, 0);
  EXPECT_TRUE(check_wal(left_->file("ledger.db")).has_value());
  EXPECT_EQ(locks_on(index), held) << "who comes next would cut the index under the reader";
}

}  // namespace
}  // namespace sortie::ledger
