#include "sortie/ledger/repair.h"

#include "sortie/base/error.h"
#include "sortie/ledger/file.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/schema.h"
#include "sortie/ledger/test_support.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

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

/// A killed run with three commits of one trial each in its log.
class Repairs : public testing::Test {
 protected:
  Repairs() {
    const RunDirectory original;
    auto ledger = open_ledger(original.path());
    ledger->append(cell_record());
    for (TrialId id = 1; id <= 3; ++id) {
      before_last_ = fs::file_size(original.file("ledger.db-wal"));
      ledger->append(trial_record(id));
      EXPECT_TRUE(ledger->flush().has_value());
    }
    fs::create_directories(run_.path());
    for (const std::string name : {"ledger.db", "ledger.db-wal"}) {
      fs::copy_file(original.file(name), run_.file(name));
    }
    fs::copy_file(original.file("ledger.db-shm"), run_.file("index"));
  }

  void flip(const std::string& name, std::size_t offset) {
    std::string bytes = slurp(run_.file(name));
    bytes[offset] = static_cast<char>(bytes[offset] ^ 4);
    spill(run_.file(name), bytes);
  }

  /// An offset in the file, in the page that the log's first frame holds.
  [[nodiscard]] std::size_t in_a_page_of_the_log() const {
    const std::string log = slurp(run_.file("ledger.db-wal"));
    std::size_t page = 0;
    for (const char byte : log.substr(32, 4)) {
      page = page * 256 + static_cast<std::uint8_t>(byte);
    }
    return (page - 1) * kPageBytes + 300;
  }

  std::string files() { return slurp(run_.file("ledger.db")) + slurp(run_.file("ledger.db-wal")); }

  const RunDirectory run_;
  const RunDirectory out_;
  std::size_t before_last_ = 0;
};

TEST_F(Repairs, a_torn_tail_is_cut_in_a_copy_and_the_run_stays_as_it_is) {
  flip("ledger.db-wal", before_last_ + 700);
  const std::string before = files();
  ASSERT_EQ(failing(*open_reader(run_.path())).size(), 1U);
  const auto repair = repair_to(run_.path(), out_.path());
  ASSERT_TRUE(repair.has_value()) << repair.error().message;
  EXPECT_NE(repair->damage.find("not whole from frame"), std::string::npos) << repair->damage;
  EXPECT_GT(repair->frames_kept, 0U);
  EXPECT_TRUE(files() == before);
  const auto reader = open_reader(out_.path());
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM trial"), 2);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
}

TEST_F(Repairs, a_log_that_was_cut_off_is_found_by_its_index_however_often_one_looks) {
  fs::rename(run_.file("index"), run_.file("ledger.db-shm"));  // as a kill leaves it
  fs::resize_file(run_.file("ledger.db-wal"), before_last_);
  for (int look = 0; look < 2; ++look) {
    const auto reader = Reader::open(run_.path(), {.leaves_index = true});
    ASSERT_TRUE(reader.has_value()) << reader.error().message;
    EXPECT_EQ(count(**reader, "SELECT count(*) FROM trial"), 2);
    const auto findings = failing(**reader);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_NE(findings[0].find("the write-ahead log is cut off"), std::string::npos) << findings[0];
  }
  const auto repair = repair_to(run_.path(), out_.path());
  ASSERT_TRUE(repair.has_value()) << repair.error().message;
  EXPECT_NE(repair->damage.find("cut off"), std::string::npos) << repair->damage;
  EXPECT_EQ(failing(*open_reader(out_.path())), std::vector<std::string>());
}

TEST_F(Repairs, a_page_that_the_log_holds_anew_is_written_anew) {
  flip("ledger.db", in_a_page_of_the_log());
  const auto findings = failing(*open_reader(run_.path()));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_NE(findings[0].find("the next run writes it anew"), std::string::npos) << findings[0];
  ASSERT_TRUE(repair_to(run_.path(), out_.path()).has_value());
  const auto reader = open_reader(out_.path());
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM trial"), 3);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
}

TEST_F(Repairs, nothing_is_copied_where_nothing_is_torn) {
  const auto repair = repair_to(run_.path(), out_.path());
  ASSERT_TRUE(repair.has_value()) << repair.error().message;
  EXPECT_EQ(repair->damage, "");
  EXPECT_FALSE(fs::exists(out_.path()));
}

TEST_F(Repairs, damage_before_the_last_commit_is_refused) {
  flip("ledger.db-wal", 100);
  const auto repair = repair_to(run_.path(), out_.path());
  ASSERT_FALSE(repair.has_value());
  EXPECT_EQ(repair.error().code, base::ErrorCode::integrity);
  EXPECT_NE(repair.error().message.find("no repair"), std::string::npos) << repair.error().message;
  EXPECT_FALSE(fs::exists(out_.path()));
}

TEST_F(Repairs, a_damaged_page_that_no_log_covers_is_refused) {
  open_ledger(run_.path());
  flip("ledger.db", fs::file_size(run_.file("ledger.db")) - 100);
  const auto repair = repair_to(run_.path(), out_.path());
  ASSERT_FALSE(repair.has_value());
  EXPECT_EQ(repair.error().code, base::ErrorCode::integrity);
  EXPECT_FALSE(fs::exists(out_.path()));
}

TEST_F(Repairs, a_run_that_is_being_written_and_a_directory_that_is_there_are_refused) {
  flip("ledger.db-wal", before_last_ + 700);
  EXPECT_FALSE(repair_to(run_.path(), run_.path()).has_value());
  const auto ledger = open_ledger(run_.path());
  const auto repair = repair_to(run_.path(), out_.path());
  ASSERT_FALSE(repair.has_value());
  EXPECT_EQ(repair.error().code, base::ErrorCode::locked);
}

}  // namespace
}  // namespace sortie::ledger
