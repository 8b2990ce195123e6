#include "sortie/ledger/compression.h"
#include "sortie/ledger/file.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/pages.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/records.h"
#include "sortie/ledger/schema.h"
#include "sortie/ledger/sqlite.h"
#include "sortie/ledger/tamper.h"
#include "sortie/ledger/test_support.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::ledger {
namespace {

/// A file of test_data/.
std::string test_data(const std::string& name) {
  std::ifstream file(SORTIE_TEST_DATA "/" + name, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_FALSE(bytes.empty()) << name;
  return bytes;
}

std::int64_t version_of(const std::string& path) {
  auto connection = Connection::open(ledger_path(path), OpenMode::read_only);
  EXPECT_TRUE(connection.has_value());
  return connection->integer("PRAGMA user_version").value_or(-1);
}

/// A run whose ledger was written by the program of version 1 (test_data/version_1.sql): three
/// trials scored by "pilot-scorer/1", the third by "pilot-scorer/0" as well, and a lost one.
class OldLedger : public ::testing::Test {
 protected:
  explicit OldLedger(const std::string& dump = "version_1.sql") {
    std::filesystem::create_directories(directory_.path());
    const std::string sql = test_data(dump);
    auto connection = Connection::open(ledger_path(directory_.path()), OpenMode::create);
    EXPECT_TRUE(connection.has_value());
    const auto filled = connection->execute(sql);
    EXPECT_TRUE(filled.has_value()) << (filled ? "" : filled.error().message);
    EXPECT_TRUE(connection->execute("PRAGMA journal_mode = WAL").has_value());
  }

  [[nodiscard]] std::string path() const { return directory_.path(); }

  [[nodiscard]] std::int64_t version() const { return version_of(path()); }

  const RunDirectory directory_;
};

/// Every value of a query as text.
std::vector<std::string> rows(Reader& reader, const std::string& sql) {
  std::vector<std::string> out;
  const auto status = reader.scan(sql, [&](std::span<const Cell> row) {
    std::string line;
    for (const Cell& cell : row) {
      if (const auto* number = std::get_if<std::int64_t>(&cell)) {
        line += std::to_string(*number);
      } else if (const auto* real = std::get_if<double>(&cell)) {
        line += std::to_string(*real);
      } else if (const auto* text = std::get_if<std::string_view>(&cell)) {
        line += *text;
      } else {
        line += "NULL";
      }
      line += "|";
    }
    out.push_back(std::move(line));
    return true;
  });
  EXPECT_TRUE(status.has_value()) << (status ? "" : status.error().message);
  return out;
}

constexpr const char* kOldColumns =
    "SELECT id, trial, scorer, success, clean, progress, level, order_score, tool_coverage, "
    "efficiency, calls, calls_ok, calls_rejected, calls_injected, turns, turns_repaired, "
    "turns_not_understood, label, label_turn, empty, truncated, filtered, refused, context_full, "
    "checksum FROM score ORDER BY id";

/// Version 2 as its program wrote it: the same trials with the columns of today.
class Version2 : public OldLedger {
 protected:
  Version2() : OldLedger("version_2.sql") {}
};

TEST_F(Version2, is_read_as_it_is) {
  const auto reader = open_reader(path());
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(count(*reader, "SELECT sum(retry_same) FROM trial_result"), 6);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
  EXPECT_EQ(version(), 2);
}

TEST_F(Version2, goes_on_as_it_is_without_page_checksums) {
  const std::vector<std::string> before = rows(*open_reader(path()), kOldColumns);
  const std::string mark = open_reader(path())->high_water_mark().value();
  open_ledger(path());
  EXPECT_EQ(version(), kSchemaVersion);
  {
    const auto reader = open_reader(path());
    EXPECT_EQ(rows(*reader, kOldColumns), before);
    EXPECT_EQ(reader->high_water_mark().value(), mark);
  }
  open_ledger(path())->append(trial_record(5));
  const auto reader = open_reader(path());
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM trial"), 5);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
  EXPECT_FALSE(examine_pages(ledger_path(path()))->has_checksums);
}

/// A ledger file as the program of version 3 closed it (test_data/version_3.db.zst): the same
/// trials, on pages that carry checksums.
class Version3 : public ::testing::Test {
 protected:
  Version3() {
    constexpr std::int64_t kBytes = 114'688;
    std::filesystem::create_directories(directory_.path());
    const auto file = decoded("zstd", kBytes, test_data("version_3.db.zst"));
    EXPECT_TRUE(file.has_value());
    std::ofstream(file_path(), std::ios::binary) << *file;
  }

  [[nodiscard]] std::string path() const { return directory_.path(); }

  [[nodiscard]] std::string file_path() const { return ledger_path(path()); }

  const RunDirectory directory_;
};

TEST_F(Version3, is_read_as_one_that_reused_nothing) {
  const auto reader = open_reader(path());
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM reuse"), 0);
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM trial_result"), 3);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
  EXPECT_EQ(version_of(path()), 3);
  EXPECT_TRUE(examine_pages(file_path())->has_checksums);
}

TEST_F(Version3, keeps_every_row_and_signs_the_pages_that_it_migrates) {
  const std::vector<std::string> before = rows(*open_reader(path()), kOldColumns);
  const std::string mark = open_reader(path())->high_water_mark().value();
  open_ledger(path());
  EXPECT_EQ(version_of(path()), kSchemaVersion);
  {
    auto connection = Connection::open(file_path(), OpenMode::read_write);
    EXPECT_EQ(schema_difference(*connection).value(), "");
  }
  const auto reader = open_reader(path());
  EXPECT_EQ(rows(*reader, kOldColumns), before);
  EXPECT_EQ(reader->high_water_mark().value(), mark);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
  const auto pages = examine_pages(file_path());
  EXPECT_TRUE(pages->has_checksums);
  EXPECT_EQ(pages->unsigned_pages, 0U);
  EXPECT_TRUE(pages->damaged.empty());
}

TEST_F(Version3, damage_on_a_page_is_found_before_the_migration) {
  {
    std::fstream file(file_path(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(10 * kPageBytes + 2000);
    file.put('!');
  }
  EXPECT_FALSE(Ledger::open(path(), {}, nullptr).has_value());
  const auto pages = examine_pages(file_path());
  EXPECT_EQ(pages->damaged, std::vector<std::uint32_t>{11});
}

TEST_F(Version3, takes_reused_trials_when_it_goes_on) {
  open_ledger(path())->append(ReuseRecord{.trial = 1,
                                          .run = base::digest_of("other"),
                                          .directory = "runs/other",
                                          .source_trial = 9,
                                          .source_mark = "1-2",
                                          .attempts = 2});
  const auto reader = open_reader(path());
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM reuse"), 1);
  // Its answers are not those of this origin, and it was billed.
  EXPECT_EQ(failing(*reader).size(), 1U);
}

TEST_F(OldLedger, is_read_as_it_is_and_shows_null_for_what_it_does_not_have) {
  const auto reader = open_reader(path());
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM score"), 4);
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM score WHERE flawed_places IS NULL"), 4);
  EXPECT_EQ(count(*reader, "SELECT count(calls_per_answer) FROM trial_result"), 0);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
  EXPECT_EQ(version(), 1);
}

TEST_F(OldLedger, damage_is_found_before_the_migration_and_after_it) {
  Tamper(path()).against_triggers("UPDATE score SET progress = 0.5 WHERE id = 1");
  EXPECT_EQ(failing(*open_reader(path())).size(), 1U);
  open_ledger(path());
  EXPECT_EQ(version(), kSchemaVersion);
  EXPECT_EQ(failing(*open_reader(path())).size(), 1U);
}

TEST_F(OldLedger, a_run_that_goes_on_migrates_it_and_every_old_row_stays_good) {
  const std::vector<std::string> before = rows(*open_reader(path()), kOldColumns);
  const std::string mark = open_reader(path())->high_water_mark().value();
  open_ledger(path());
  EXPECT_EQ(version(), kSchemaVersion);
  const auto reader = open_reader(path());
  EXPECT_EQ(rows(*reader, kOldColumns), before);
  EXPECT_EQ(reader->high_water_mark().value(), mark);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
}

TEST_F(OldLedger, has_the_schema_of_a_new_one_after_the_migration) {
  open_ledger(path());
  auto connection = Connection::open(ledger_path(path()), OpenMode::read_write);
  ASSERT_TRUE(connection.has_value());
  EXPECT_EQ(schema_difference(*connection).value(), "");
  EXPECT_FALSE(connection->execute("DELETE FROM score").has_value());
  EXPECT_FALSE(connection->execute("UPDATE score SET retry_same = 1").has_value());
}

TEST_F(OldLedger, takes_new_scores_beside_the_old_ones) {
  {
    auto ledger = open_ledger(path());
    for (TrialId trial = 1; trial <= 3; ++trial) {
      ScoreRecord score = score_record(trial, "pilot-scorer/2");
      score.retry_same = trial;
      score.retry_arguments = score.retry_tool = score.retry_none = 0;
      if (trial == 1) {
        score.flawed_places = 3;
        score.followed_places = 2;
        score.calls_per_answer = 1.25;
      }
      ledger->append(score);
    }
    // A fact from before that comes again is the same fact.
    ledger->append(score_record(1));
    ASSERT_TRUE(ledger->flush().has_value());
  }
  const auto reader = open_reader(path());
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM score"), 7);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
  EXPECT_EQ(rows(*reader,
                 "SELECT trial, scorer, flawed_places, followed_places, retry_same, "
                 "calls_per_answer FROM trial_result ORDER BY trial"),
            (std::vector<std::string>{"1|pilot-scorer/2|3|2|1|1.250000|",
                                      "2|pilot-scorer/2|NULL|NULL|2|NULL|",
                                      "3|pilot-scorer/2|NULL|NULL|3|NULL|"}));
  // Lost by the infrastructure: in no result, whatever the scorer.
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM trial_result WHERE trial = 4"), 0);
}

TEST_F(OldLedger, changed_values_of_the_new_columns_are_found) {
  {
    auto ledger = open_ledger(path());
    ScoreRecord score = score_record(1, "pilot-scorer/2");
    score.flawed_places = 3;
    score.followed_places = 2;
    ledger->append(score);
    ASSERT_TRUE(ledger->flush().has_value());
  }
  for (const std::string& change : {"followed_places = 1 WHERE scorer = 'pilot-scorer/2'",
                                    "flawed_places = NULL WHERE scorer = 'pilot-scorer/2'",
                                    "calls_per_answer = 1.0 WHERE scorer = 'pilot-scorer/1'"}) {
    Tamper tamper(path());
    tamper.run("CREATE TEMP TABLE kept AS SELECT * FROM score");
    tamper.against_triggers("UPDATE score SET " + change);
    EXPECT_EQ(failing(*open_reader(path())).size(), 1U) << change;
    tamper.against_triggers("DELETE FROM score; INSERT INTO score SELECT * FROM kept");
    tamper.run("DROP TABLE kept");
    EXPECT_EQ(failing(*open_reader(path())), std::vector<std::string>()) << change;
  }
}

TEST_F(OldLedger, a_changed_schema_is_refused_and_left_alone) {
  Tamper(path()).run("CREATE TABLE extra (x)");
  EXPECT_FALSE(Ledger::open(path(), {}, nullptr).has_value());
  EXPECT_EQ(version(), 1);
}

TEST_F(OldLedger, a_migration_that_fails_leaves_the_old_version) {
  auto connection = Connection::open(ledger_path(path()), OpenMode::read_write);
  ASSERT_TRUE(connection.has_value());
  // Something stands where the old table is to be moved to.
  ASSERT_TRUE(connection->execute("CREATE TABLE score_of_version_1 (x)").has_value());
  EXPECT_FALSE(migrate(*connection, 1).has_value());
  ASSERT_TRUE(connection->execute("DROP TABLE score_of_version_1").has_value());
  EXPECT_EQ(version(), 1);
  EXPECT_EQ(schema_difference(*connection, 1).value(), "");
  EXPECT_EQ(failing(*open_reader(path())), std::vector<std::string>());
}

}  // namespace
}  // namespace sortie::ledger
