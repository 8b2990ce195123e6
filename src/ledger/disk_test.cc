#include "sortie/base/error.h"
#include "sortie/ledger/faulty_disk.h"
#include "sortie/ledger/file.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/test_support.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// Faults of the disk, injected below SQLite.

namespace sortie::ledger {
namespace {

namespace fs = std::filesystem;

bool full_counts() {
  return std::getenv("SORTIE_FULL") != nullptr;
}

constexpr TrialId kTrials = 40;

/// Small, so that a session copies the log and begins it anew several times.
constexpr LedgerOptions kOptions = {.mode = CommitMode::inline_, .log_pages = 30};

/// What is left when a session ends: the trials that were acknowledged, and why it ended.
struct Session {
  TrialId acknowledged = 0;
  base::Status status;
};

/// Appends all trials, those that are there already too, and commits after some of them.
Session write_trials(const std::string& path, std::uint32_t seed) {
  Session session;
  std::mt19937 random(seed);
  auto ledger = Ledger::open(path, kOptions, nullptr);
  if (!ledger) {
    session.status = std::unexpected(ledger.error());
    return session;
  }
  (*ledger)->append(cell_record());
  for (TrialId id = 1; id <= kTrials; ++id) {
    for (Record& record : whole_trial(id)) {
      (*ledger)->append(std::move(record));
    }
    if (random() % 3 == 0 || id == kTrials) {
      const auto flushed = (*ledger)->flush();
      if (!flushed) {
        session.status = std::unexpected(flushed.error());
        return session;
      }
      session.acknowledged = id;
    }
  }
  return session;
}

class Disk : public testing::Test {
 protected:
  Disk() {
    // A ledger to begin with; making one is another matter (a name that is not its own until then).
    open_ledger(begun_.path());
    const RunDirectory calm;
    start(calm);
    write_trials(calm.path(), 1);
    undisturbed_ = open_reader(calm.path())->high_water_mark().value();
  }

  void start(const RunDirectory& directory) const {
    fs::create_directories(directory.path());
    fs::copy_file(begun_.file("ledger.db"), directory.file("ledger.db"));
  }

  /// Operations of an undisturbed session that a fault can happen to.
  std::uint64_t operations(FaultyDisk& disk, Fault fault) const {
    const RunDirectory directory;
    start(directory);
    disk.arm(fault, UINT64_MAX);
    write_trials(directory.path(), 1);
    return disk.operations();
  }

  /// Everything acknowledged is there, the ledger is sound, and the same session ends it.
  void expect_continues(const std::string& path, TrialId acknowledged, const std::string& where) {
    auto reader = open_reader(path);
    ASSERT_NE(reader, nullptr) << where;
    ASSERT_EQ(count(*reader,
                    "SELECT count(*) FROM turn WHERE message_text(answer) LIKE 'answer%' AND trial "
                    "<= " +
                        std::to_string(acknowledged)),
              2 * acknowledged)
        << where;
    reader.reset();
    const Session again = write_trials(path, 2);
    ASSERT_TRUE(again.status.has_value()) << where << ": " << again.status.error().message;
    reader = open_reader(path);
    EXPECT_EQ(reader->high_water_mark().value(), undisturbed_) << where;
    EXPECT_EQ(failing(*reader), std::vector<std::string>()) << where;
  }

  /// A fault at `points` of a session: it ends cleanly and says why; when the disk is mended the
  /// same session goes on.
  void expect_clean_stops(Fault fault, std::uint64_t points, const std::string& reason) {
    FaultyDisk disk;
    const std::uint64_t all = operations(disk, fault);
    ASSERT_GT(all, 5U);
    std::mt19937 random(31);
    std::uint64_t stops = 0;
    for (std::uint64_t point = 0; point < points; ++point) {
      const std::uint64_t at = 1 + random() % all;
      const std::string where = "operation " + std::to_string(at) + " of " + std::to_string(all);
      const RunDirectory directory;
      start(directory);
      disk.arm(fault, at, static_cast<std::uint32_t>(point));
      const Session session = write_trials(directory.path(), 1);
      EXPECT_TRUE(disk.happened()) << where;
      if (!session.status) {
        ++stops;
        const base::Error& error = session.status.error();
        EXPECT_EQ(error.code, base::ErrorCode::io) << error.message;
        EXPECT_NE(error.message.find(reason), std::string::npos) << error.message;
        EXPECT_NE(error.message.find("ledger.db"), std::string::npos) << error.message;
      }
      disk.disarm();
      expect_continues(directory.path(), session.acknowledged, where);
    }
    // The rest met the copying of the log, which the next session does again.
    EXPECT_GT(stops, fault == Fault::read_error ? 0 : points / 2);
  }

  const RunDirectory begun_;
  std::string undisturbed_;
};

TEST_F(Disk, a_power_cut_loses_nothing_that_was_acknowledged) {
  FaultyDisk disk;
  const std::uint64_t all = operations(disk, Fault::power_cut);
  const int cuts = full_counts() ? 500 : 50;
  std::mt19937 random(29);
  int acknowledged = 0;
  for (int cut = 0; cut < cuts; ++cut) {
    const std::uint64_t at = 1 + random() % all;
    const RunDirectory directory;
    start(directory);
    disk.arm(Fault::power_cut, at, static_cast<std::uint32_t>(cut));
    const Session session = write_trials(directory.path(), 1);
    ASSERT_TRUE(disk.happened());
    acknowledged += session.acknowledged > 0 ? 1 : 0;
    const RunDirectory left;
    disk.leave(directory.path(), left.path());
    disk.disarm();
    expect_continues(left.path(),
                     session.acknowledged,
                     "cut " + std::to_string(cut) + ", operation " + std::to_string(at) + " of " +
                         std::to_string(all));
    if (HasFatalFailure()) {
      return;
    }
  }
  EXPECT_GT(acknowledged, cuts / 2);
}

TEST_F(Disk, what_a_power_cut_leaves_is_read_before_anybody_writes_it) {
  FaultyDisk disk;
  const std::uint64_t all = operations(disk, Fault::power_cut);
  std::mt19937 random(37);
  for (int cut = 0; cut < (full_counts() ? 20 : 5); ++cut) {
    const RunDirectory directory;
    start(directory);
    disk.arm(Fault::power_cut, 1 + random() % all, static_cast<std::uint32_t>(cut));
    const Session session = write_trials(directory.path(), 1);
    const RunDirectory left;
    disk.leave(directory.path(), left.path());
    disk.disarm();
    const auto reader = open_reader(left.path());
    ASSERT_NE(reader, nullptr);
    EXPECT_GE(count(*reader, "SELECT count(*) FROM turn"), 2 * session.acknowledged);
    for (const std::string& finding : failing(*reader)) {
      // Torn ends and pages that the log holds anew are what verify() is to show, nothing else.
      EXPECT_TRUE(finding.starts_with("log_is_whole") ||
                  finding.find("the next run writes it anew") != std::string::npos)
          << finding;
    }
  }
}

TEST_F(Disk, a_full_disk_stops_cleanly_at_any_point_and_the_run_goes_on_when_there_is_room) {
  expect_clean_stops(Fault::full, full_counts() ? 50 : 8, "disk is full");
}

TEST_F(Disk, a_write_that_fails_stops_cleanly) {
  expect_clean_stops(Fault::write_error, full_counts() ? 50 : 8, "disk I/O error");
}

TEST_F(Disk, a_sync_that_fails_stops_cleanly) {
  expect_clean_stops(Fault::sync_error, full_counts() ? 50 : 8, "disk I/O error");
}

TEST_F(Disk, a_read_that_fails_stops_cleanly) {
  expect_clean_stops(Fault::read_error, full_counts() ? 50 : 12, "disk I/O error");
}

TEST_F(Disk, a_file_that_cannot_be_opened_stops_cleanly) {
  FaultyDisk disk;
  const RunDirectory directory;
  start(directory);
  for (const std::uint64_t at : {1U, 2U}) {
    disk.arm(Fault::open_error, at);
    const Session session = write_trials(directory.path(), 1);
    ASSERT_FALSE(session.status.has_value());
    EXPECT_EQ(session.status.error().code, base::ErrorCode::io);
    EXPECT_NE(session.status.error().message.find("unable to open"), std::string::npos)
        << session.status.error().message;
    disk.disarm();
  }
  expect_continues(directory.path(), 0, "after open errors");
}

/// The status of a session without privileges.
base::ErrorCode code_without_privileges(const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool dropped = ::geteuid() != 0 || ::setuid(65534) == 0;
    const Session session = write_trials(path, 1);
    ::_exit(!dropped || session.status ? 255 : static_cast<int>(session.status.error().code));
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return static_cast<base::ErrorCode>(WEXITSTATUS(status));
}

TEST_F(Disk, without_permission_nothing_is_begun_and_nothing_changes) {
  const RunDirectory directory;
  start(directory);
  fs::permissions(fs::path(directory.path()).parent_path(), static_cast<fs::perms>(0755));
  // The file belongs to somebody else, then the directory too.
  for (const fs::perms mode : {static_cast<fs::perms>(0777), static_cast<fs::perms>(0555)}) {
    fs::permissions(directory.file("ledger.db"), static_cast<fs::perms>(0444));
    fs::permissions(directory.path(), mode);
    EXPECT_EQ(code_without_privileges(directory.path()), base::ErrorCode::io);
    fs::permissions(directory.path(), static_cast<fs::perms>(0700));
    fs::remove(directory.file("lock"));
  }
  fs::permissions(directory.file("ledger.db"), static_cast<fs::perms>(0600));
  expect_continues(directory.path(), 0, "after a refusal");
}

}  // namespace
}  // namespace sortie::ledger
