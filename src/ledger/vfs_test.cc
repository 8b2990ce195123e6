#include "sortie/ledger/vfs.h"

#include "sortie/base/error.h"
#include "sortie/ledger/file.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/pages.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/schema.h"
#include "sortie/ledger/test_support.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

// Page checksums as they are in files: written by us, read by others, missing and wrong.

namespace sortie::ledger {
namespace {

namespace fs = std::filesystem;

void fill(const std::string& path) {
  auto ledger = open_ledger(path);
  ASSERT_NE(ledger, nullptr);
  ledger->append(cell_record());
  for (TrialId id = 1; id <= 40; ++id) {
    for (Record& record : whole_trial(id)) {
      ledger->append(std::move(record));
    }
  }
}

PageReport pages_of(const RunDirectory& directory) {
  auto report = examine_pages(ledger_path(directory.path()));
  EXPECT_TRUE(report.has_value()) << (report ? "" : report.error().message);
  return report.value_or(PageReport{});
}

void flip(const std::string& path, std::streamoff offset) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(offset);
  const char byte = static_cast<char>(file.get() ^ 0x20);
  file.seekp(offset);
  file.put(byte);
}

/// Another program: SQLite without our layer.
class Other {
 public:
  explicit Other(const std::string& run_directory) {
    EXPECT_EQ(sqlite3_open(ledger_path(run_directory).c_str(), &handle_), SQLITE_OK);
  }

  ~Other() { sqlite3_close(handle_); }

  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;

  void run(const std::string& sql) {
    EXPECT_EQ(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle_);
  }

  std::int64_t integer(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr), SQLITE_OK);
    EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
    const std::int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
  }

 private:
  sqlite3* handle_ = nullptr;
};

TEST(PageVfs, every_page_of_a_ledger_is_signed) {
  const RunDirectory directory;
  fill(directory.path());
  const PageReport report = pages_of(directory);
  EXPECT_TRUE(report.has_checksums);
  EXPECT_GT(report.pages, 20U);
  EXPECT_EQ(report.left_bytes, 0U);
  EXPECT_EQ(report.unsigned_pages, 0U);
  EXPECT_EQ(report.damaged, std::vector<std::uint32_t>());
}

TEST(PageVfs, other_programs_read_the_file) {
  const RunDirectory directory;
  fill(directory.path());
  Other other(directory.path());
  EXPECT_EQ(other.integer("SELECT count(*) FROM turn"), 80);
  EXPECT_EQ(
      other.integer("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

TEST(PageVfs, a_damaged_page_is_found_and_not_read) {
  const RunDirectory directory;
  fill(directory.path());
  const std::string path = ledger_path(directory.path());
  const PageReport whole = pages_of(directory);
  auto reader = open_reader(directory.path());
  const std::int64_t page =
      count(*reader, "SELECT rootpage FROM sqlite_schema WHERE name = 'event'");
  reader.reset();
  flip(path, (page - 1) * kPageBytes + 2000);
  EXPECT_EQ(pages_of(directory).damaged,
            std::vector<std::uint32_t>{static_cast<std::uint32_t>(page)});
  reader = open_reader(directory.path());
  const auto read = reader->count("SELECT count(*) FROM event NOT INDEXED WHERE detail <> ''");
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, base::ErrorCode::integrity);
  EXPECT_NE(read.error().message.find("checksum"), std::string::npos) << read.error().message;
  EXPECT_EQ(whole.pages, pages_of(directory).pages);
}

TEST(PageVfs, a_header_that_denies_checksums_is_damage) {
  const RunDirectory directory;
  fill(directory.path());
  const std::string path = ledger_path(directory.path());
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(20);
  file.put(0);
  file.close();
  EXPECT_EQ(pages_of(directory).damaged, std::vector<std::uint32_t>{1});
}

/// What a killed run leaves: all its facts still in the log.
void leave_with_log(const RunDirectory& left) {
  const RunDirectory original;
  auto ledger = open_ledger(original.path());
  ledger->append(cell_record());
  for (Record& record : whole_trial(1)) {
    ledger->append(std::move(record));
  }
  ASSERT_TRUE(ledger->flush().has_value());
  fs::create_directories(left.path());
  for (const std::string name : {"ledger.db", "ledger.db-wal"}) {
    fs::copy_file(original.file(name), left.file(name));
  }
}

TEST(PageVfs, pages_that_another_program_copies_out_of_the_log_are_unsigned_and_no_damage) {
  const RunDirectory directory;
  leave_with_log(directory);
  Other(directory.path()).run("PRAGMA wal_checkpoint(TRUNCATE)");
  const PageReport report = pages_of(directory);
  EXPECT_GT(report.unsigned_pages, 0U);
  EXPECT_EQ(report.damaged, std::vector<std::uint32_t>());
  EXPECT_EQ(failing(*open_reader(directory.path())), std::vector<std::string>());
}

TEST(PageVfs, pages_that_another_program_changes_are_damage) {
  const RunDirectory directory;
  fill(directory.path());
  Other(directory.path())
      .run(
          "DROP TRIGGER event_keeps_rows; CREATE TRIGGER event_keeps_rows BEFORE DELETE ON event "
          "BEGIN\n"
          "  SELECT RAISE(ABORT, 'event is append-only: nothing is deleted');\nEND");
  EXPECT_NE(pages_of(directory).damaged, std::vector<std::uint32_t>());
}

TEST(PageVfs, pages_of_the_log_are_signed_when_we_copy_them) {
  const RunDirectory directory;
  leave_with_log(directory);
  open_ledger(directory.path());
  const PageReport report = pages_of(directory);
  EXPECT_TRUE(report.has_checksums);
  EXPECT_EQ(report.unsigned_pages, 0U);
  EXPECT_EQ(report.damaged, std::vector<std::uint32_t>());
  EXPECT_EQ(count(*open_reader(directory.path()), "SELECT count(*) FROM turn"), 2);
}

}  // namespace
}  // namespace sortie::ledger
