#include "sortie/ledger/reader.h"

#include "sortie/base/error.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/test_support.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sortie::ledger {
namespace {

void fill(const std::string& path, TrialId trials = 5) {
  auto ledger = open_ledger(path);
  ASSERT_NE(ledger, nullptr);
  ledger->append(ManifestRecord{.generation = 1, .name = "spec", .value = "old"});
  ledger->append(ManifestRecord{.generation = 1, .name = "seed", .value = "42"});
  ledger->append(ManifestRecord{.generation = 2, .name = "spec", .value = "new"});
  ledger->append(cell_record());
  for (TrialId id = 1; id <= trials; ++id) {
    for (Record& record : whole_trial(id)) {
      ledger->append(std::move(record));
    }
  }
}

std::string first_text(Reader& reader, const std::string& sql) {
  std::string text;
  const auto status = reader.scan(sql, [&](std::span<const Cell> row) {
    if (const auto* cell = std::get_if<std::string_view>(&row[0])) {
      text = *cell;
    }
    return false;
  });
  return status ? text : "error: " + status.error().message;
}

TEST(Reader, tells_when_another_ledger_has_taken_the_place_of_its_own) {
  const RunDirectory directory;
  fill(directory.path());
  auto reader = open_reader(directory.path());
  EXPECT_FALSE(reader->has_moved());
  std::filesystem::remove_all(directory.path());
  EXPECT_TRUE(reader->has_moved());
  fill(directory.path(), 2);
  EXPECT_TRUE(reader->has_moved());
  EXPECT_FALSE(open_reader(directory.path())->has_moved());
}

TEST(Reader, shows_digests_as_hexadecimal_text_and_values_by_type) {
  const RunDirectory directory;
  fill(directory.path());
  auto reader = open_reader(directory.path());
  EXPECT_EQ(first_text(*reader, "SELECT key FROM trial WHERE id = 2"),
            base::digest_of("trial 2").hex());
  std::vector<std::string> seen;
  ASSERT_TRUE(reader
                  ->scan("SELECT NULL, 7, 0.5, 'x'",
                         [&](std::span<const Cell> row) {
                           EXPECT_TRUE(std::holds_alternative<std::monostate>(row[0]));
                           EXPECT_EQ(std::get<std::int64_t>(row[1]), 7);
                           EXPECT_EQ(std::get<double>(row[2]), 0.5);
                           EXPECT_EQ(std::get<std::string_view>(row[3]), "x");
                           return true;
                         })
                  .has_value());
}

TEST(Reader, binds_text_parameters_and_stops_when_told) {
  const RunDirectory directory;
  fill(directory.path());
  auto reader = open_reader(directory.path());
  const std::array<std::string, 1> parameters = {"pilot-small"};
  int rows = 0;
  ASSERT_TRUE(reader
                  ->scan("SELECT t.id FROM trial t JOIN cell c ON c.id = t.cell WHERE c.model = ?1",
                         parameters,
                         [&](std::span<const Cell>) { return ++rows < 3; })
                  .has_value());
  EXPECT_EQ(rows, 3);
}

TEST(Reader, only_reads) {
  const RunDirectory directory;
  fill(directory.path());
  auto reader = open_reader(directory.path());
  const auto ignore = [](std::span<const Cell>) { return true; };
  for (const std::string& sql : {"DELETE FROM turn",
                                 "DELETE FROM turn RETURNING trial",
                                 "UPDATE cell SET planned = 0",
                                 "DROP TABLE turn",
                                 "CREATE TEMP TABLE t (x)",
                                 "ATTACH ':memory:' AS m",
                                 "PRAGMA writable_schema = ON",
                                 "PRAGMA journal_mode = DELETE",
                                 "COMMIT",
                                 "VACUUM",
                                 "SELECT 1; DELETE FROM turn"}) {
    EXPECT_FALSE(reader->scan(sql, ignore).has_value()) << sql;
  }
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM turn"), 10);
}

TEST(Reader, reads_answers_in_sql_by_id_and_by_digest) {
  const RunDirectory directory;
  fill(directory.path());
  auto reader = open_reader(directory.path());
  const std::string answer = "answer 3" + std::string(300, '.');
  EXPECT_EQ(first_text(*reader, "SELECT message_text(answer) FROM turn WHERE attempt = 3"), answer);
  EXPECT_EQ(first_text(*reader, "SELECT message_text('" + base::digest_of(answer).hex() + "')"),
            answer);
  EXPECT_EQ(first_text(*reader, "SELECT message_text(x'" + base::digest_of(answer).hex() + "')"),
            answer);
  EXPECT_EQ(count(*reader, "SELECT message_text(999) IS NULL AND message_text(NULL) IS NULL"), 1);
}

TEST(Reader, gives_back_turns_as_they_were_recorded) {
  const RunDirectory directory;
  fill(directory.path());
  auto reader = open_reader(directory.path());
  const auto turns = reader->turns(2);
  ASSERT_TRUE(turns.has_value());
  ASSERT_EQ(turns->size(), 2U);
  const TurnRecord& turn = (*turns)[0].record;
  const TurnRecord expected = turn_record(3, 2, 0, "answer 3" + std::string(300, '.'));
  EXPECT_EQ(turn.trial, expected.trial);
  EXPECT_EQ(turn.turn, expected.turn);
  EXPECT_EQ(turn.attempt, expected.attempt);
  EXPECT_EQ(turn.answer, expected.answer);
  EXPECT_EQ(turn.usage, expected.usage);
  EXPECT_EQ(turn.route, expected.route);
  EXPECT_EQ(turn.served_model, expected.served_model);
  EXPECT_EQ(turn.finish, expected.finish);
  EXPECT_EQ(turn.fingerprint, expected.fingerprint);
  EXPECT_TRUE(reader->turns(99)->empty());
}

TEST(Reader, the_first_scored_outcome_counts_and_else_the_latest) {
  const RunDirectory directory;
  {
    auto ledger = open_ledger(directory.path());
    ledger->append(cell_record());
    for (TrialId id = 1; id <= 4; ++id) {
      ledger->append(trial_record(id));
    }
    ledger->append(attempt_record(1, 1, 0));
    ledger->append(turn_record(1, 1, 0, "a"));
    ledger->append(outcome_record(2, "throttled"));
    OutcomeRecord later = outcome_record(2, "timeout");
    later.at = at(1'000'000);
    ledger->append(later);
    ledger->append(outcome_record(3, "throttled"));
    ledger->append(outcome_record(3, "scored"));
    ledger->append(outcome_record(4, "scored"));
  }
  auto reader = open_reader(directory.path());
  std::map<TrialId, std::string> outcomes;
  ASSERT_TRUE(reader
                  ->for_each_trial([&](const TrialState& trial) {
                    outcomes[trial.id] = trial.outcome;
                    EXPECT_EQ(trial.key, trial_record(trial.id).key);
                    EXPECT_EQ(trial.cell, cell_record().id);
                    EXPECT_EQ(trial.task, trial_record(trial.id).task);
                    EXPECT_EQ(trial.repeat, trial.id);
                  })
                  .has_value());
  EXPECT_EQ(
      outcomes,
      (std::map<TrialId, std::string>{{1, ""}, {2, "timeout"}, {3, "scored"}, {4, "scored"}}));
}

TEST(Reader, a_trial_counts_once_however_often_it_was_scored) {
  const RunDirectory directory;
  fill(directory.path());
  {
    auto ledger = open_ledger(directory.path());
    for (TrialId id = 1; id <= 5; ++id) {
      ledger->append(score_record(id, "pilot-scorer/2"));
    }
  }
  auto reader = open_reader(directory.path());
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM score"), 10);
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM trial_result"), 5);
  EXPECT_EQ(first_text(*reader, "SELECT DISTINCT scorer FROM trial_result"), "pilot-scorer/2");
}

TEST(Reader, attempts_cost_what_was_billed_or_else_reserved) {
  const RunDirectory directory;
  {
    auto ledger = open_ledger(directory.path());
    ledger->append(cell_record());
    ledger->append(trial_record(1));
    ledger->append(attempt_record(1, 1, 0));
    ledger->append(attempt_record(2, 1, 0));
    ledger->append(end_record(1));
  }
  auto reader = open_reader(directory.path());
  EXPECT_EQ(count(*reader, "SELECT cost FROM attempt_full WHERE attempt = 1"), 55);
  EXPECT_EQ(count(*reader, "SELECT cost FROM attempt_full WHERE cause = 'unknown'"), 77);
}

TEST(Reader, the_newest_generation_of_a_manifest_entry_counts) {
  const RunDirectory directory;
  fill(directory.path());
  auto reader = open_reader(directory.path());
  EXPECT_EQ(reader->manifest("spec").value().value_or(""), "new");
  EXPECT_EQ(reader->manifest("seed").value().value_or(""), "42");
  EXPECT_FALSE(reader->manifest("none").value().has_value());
}

TEST(Reader, sees_one_snapshot_between_begin_and_end) {
  const RunDirectory directory;
  auto ledger = open_ledger(directory.path());
  ledger->append(cell_record());
  ASSERT_TRUE(ledger->flush().has_value());
  auto first = open_reader(directory.path());
  auto second = open_reader(directory.path());
  ASSERT_TRUE(first->begin().has_value());
  const std::string mark = first->high_water_mark().value_or("");
  ledger->append(trial_record(1));
  ASSERT_TRUE(ledger->flush().has_value()) << "readers never hold up the writer";
  EXPECT_EQ(count(*first, "SELECT count(*) FROM trial"), 0);
  EXPECT_EQ(count(*second, "SELECT count(*) FROM trial"), 1);
  EXPECT_EQ(first->high_water_mark().value_or(""), mark);
  EXPECT_NE(second->high_water_mark().value_or(""), mark);
  first->end();
  EXPECT_EQ(count(*first, "SELECT count(*) FROM trial"), 1);
  EXPECT_EQ(first->high_water_mark().value_or("1"), second->high_water_mark().value_or("2"));
}

TEST(Reader, two_readers_follow_a_writer_without_ever_seeing_a_part) {
  const RunDirectory directory;
  auto ledger = open_ledger(directory.path());
  ledger->append(cell_record());
  ASSERT_TRUE(ledger->flush().has_value());
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      auto reader = open_reader(directory.path());
      std::int64_t trials = 0;
      while (trials < 300) {
        ASSERT_TRUE(reader->begin().has_value());
        trials = count(*reader, "SELECT count(*) FROM trial");
        // Each trial is appended together with its attempt: never one without the other.
        EXPECT_EQ(count(*reader, "SELECT count(*) FROM attempt"), trials);
        reader->end();
      }
    });
  }
  for (TrialId id = 1; id <= 300; ++id) {
    ledger->append_together({trial_record(id), attempt_record(id, id, 0)});
  }
  EXPECT_TRUE(ledger->flush().has_value());
  for (std::thread& reader : readers) {
    reader.join();
  }
}

TEST(Reader, says_when_there_is_no_ledger) {
  const RunDirectory directory;
  const auto opened = Reader::open(directory.path());
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, base::ErrorCode::not_found);
  EXPECT_FALSE(std::filesystem::exists(directory.path())) << "reading creates nothing";
}

/// What an unprivileged process counts in a directory that nobody can write; -1 when it cannot
/// read.
int turns_seen_without_privileges(const RunDirectory& directory) {
  namespace fs = std::filesystem;
  // The directory must be enterable for the unprivileged process below.
  fs::permissions(fs::path(directory.path()).parent_path(), static_cast<fs::perms>(0755));
  for (const auto& entry : fs::directory_iterator(directory.path())) {
    fs::permissions(entry.path(), static_cast<fs::perms>(0444));
  }
  fs::permissions(directory.path(), static_cast<fs::perms>(0555));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool dropped = ::geteuid() != 0 || ::setuid(65534) == 0;
    auto reader = Reader::open(directory.path());
    const auto turns = reader ? (*reader)->count("SELECT count(*) FROM turn") : std::int64_t{-1};
    ::_exit(dropped && turns && *turns >= 0 && failing(**reader).empty() ? static_cast<int>(*turns)
                                                                         : 255);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  fs::permissions(directory.path(), static_cast<fs::perms>(0700));
  return WEXITSTATUS(status) == 255 ? -1 : WEXITSTATUS(status);
}

/// Copies some files of a run that is being written, with ten turns, seven of them in its log.
void copy_of_a_live_run(const RunDirectory& copy, const std::vector<std::string>& names) {
  namespace fs = std::filesystem;
  const RunDirectory original;
  fill(original.path());
  auto ledger = open_ledger(original.path());
  for (TrialId id = 50; id < 57; ++id) {
    ledger->append(trial_record(id));
    ledger->append(attempt_record(id, id, 0));
    ledger->append_together({end_record(id), turn_record(id, id, 0, "answer")});
  }
  ASSERT_TRUE(ledger->flush().has_value());
  fs::create_directories(copy.path());
  for (const std::string& name : names) {
    fs::copy_file(original.file(name), copy.file(name));
  }
}

TEST(Reader, reads_a_copy_with_its_log_in_a_directory_that_it_cannot_write) {
  const RunDirectory copy;
  copy_of_a_live_run(copy, {"ledger.db", "ledger.db-wal"});
  EXPECT_EQ(turns_seen_without_privileges(copy), 17);
}

TEST(Reader, reads_a_copy_with_all_files_in_a_directory_that_it_cannot_write) {
  const RunDirectory copy;
  copy_of_a_live_run(copy, {"ledger.db", "ledger.db-wal", "ledger.db-shm", "lock"});
  EXPECT_EQ(turns_seen_without_privileges(copy), 17);
}

TEST(Reader, reads_a_copy_of_the_file_alone_up_to_where_its_log_began) {
  const RunDirectory copy;
  copy_of_a_live_run(copy, {"ledger.db"});
  EXPECT_EQ(count(*open_reader(copy.path()), "SELECT count(*) FROM turn"), 10);
  EXPECT_EQ(turns_seen_without_privileges(copy), 10);
}

TEST(Reader, reads_an_archive_that_it_cannot_write) {
  const RunDirectory directory;
  fill(directory.path());
  namespace fs = std::filesystem;
  // The directory must be enterable for the unprivileged process below.
  fs::permissions(fs::path(directory.path()).parent_path(), static_cast<fs::perms>(0755));
  fs::permissions(directory.path(), static_cast<fs::perms>(0555));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool dropped = ::geteuid() != 0 || ::setuid(65534) == 0;
    auto reader = Reader::open(directory.path());
    const bool good = dropped && reader && (*reader)->count("SELECT count(*) FROM turn") == 10;
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  fs::permissions(directory.path(), static_cast<fs::perms>(0700));
}

}  // namespace
}  // namespace sortie::ledger
