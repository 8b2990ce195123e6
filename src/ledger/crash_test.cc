#include "sortie/base/error.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/tamper.h"
#include "sortie/ledger/test_support.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// What survives when the process, the disk or the file does not.

namespace sortie::ledger {
namespace {

namespace fs = std::filesystem;

/// A child process that reports numbers through a pipe.
class Child {
 public:
  using Report = std::function<void(std::uint64_t)>;

  explicit Child(const std::function<void(const Report&)>& body) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      body([out = ends[1]](std::uint64_t number) {
        static_cast<void>(::write(out, &number, sizeof number) == sizeof number);
      });
      ::_exit(0);
    }
    ::close(ends[1]);
    in_ = ends[0];
  }

  ~Child() {
    kill_it();
    ::close(in_);
  }

  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool next(std::uint64_t& number) {
    return ::read(in_, &number, sizeof number) == static_cast<ssize_t>(sizeof number);
  }

  void kill_it() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, &status_, 0);
      pid_ = -1;
    }
  }

  int wait() {
    ::waitpid(pid_, &status_, 0);
    pid_ = -1;
    return status_;
  }

 private:
  pid_t pid_ = -1;
  int in_ = -1;
  int status_ = 0;
};

constexpr std::uint64_t kRecordsPerTrial = 4;

CellRecord large_cell() {
  CellRecord cell = cell_record();
  cell.planned = 1'000'000;
  return cell;
}

/// Appends trials of one turn, forever or until an error; `report` hears of every durable sequence.
void append_trials(const std::string& path, const Child::Report& report) {
  bool failed = false;
  auto opened = Ledger::open(path, {.queue_records_max = 200}, [&](base::Result<Sequence> durable) {
    failed = !durable.has_value();
    if (durable) {
      report(*durable);
    }
  });
  if (!opened) {
    return;
  }
  Ledger& ledger = **opened;
  report(static_cast<std::uint64_t>(ledger.next_trial_id()));
  ledger.append(large_cell());
  // The same number of attempts as of trials: both go on from the same id after a kill between the
  // two.
  for (TrialId id = ledger.next_trial_id(); ledger.stats().records < 20'000; ++id) {
    const AttemptId attempt = id;
    ledger.append(trial_record(id));
    ledger.append(attempt_record(attempt, id, 0));
    ledger.append_together(
        {end_record(attempt),
         turn_record(attempt, id, 0, "answer " + std::to_string(id) + std::string(200, 'x'))});
    if (id % 50 == 0 && !ledger.flush()) {
      return;
    }
  }
}

// Acknowledged ⊆ recovered, whenever the process is killed.
TEST(Crash, sigkill_loses_nothing_that_was_acknowledged) {
  const RunDirectory directory;
  std::mt19937 random(17);
  for (int round = 0; round < 30; ++round) {
    Child child([&](const Child::Report& report) { append_trials(directory.path(), report); });
    std::uint64_t first_id = 0;
    ASSERT_TRUE(child.next(first_id));
    std::uint64_t acknowledged = 0;
    for (std::uint64_t left = random() % 25; left > 0 && child.next(acknowledged); --left) {
    }
    child.kill_it();
    while (child.next(acknowledged)) {
    }
    // The first record of a session is the cell.
    const std::uint64_t records = acknowledged > 0 ? acknowledged - 1 : 0;
    const std::uint64_t last_whole = first_id - 1 + records / kRecordsPerTrial;
    auto reader = open_reader(directory.path());
    ASSERT_NE(reader, nullptr);
    for (std::uint64_t id = first_id; id <= last_whole; ++id) {
      const auto turns = reader->turns(static_cast<TrialId>(id));
      ASSERT_TRUE(turns.has_value()) << turns.error().message;
      ASSERT_EQ(turns->size(), 1U) << "round " << round << ", trial " << id << " of " << last_whole;
      EXPECT_EQ((*turns)[0].record.answer, "answer " + std::to_string(id) + std::string(200, 'x'));
    }
  }
  auto reader = open_reader(directory.path());
  EXPECT_GT(count(*reader, "SELECT count(*) FROM turn"), 0);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
}

TEST(Crash, a_start_killed_while_it_made_the_ledger_is_no_damage) {
  const RunDirectory directory;
  fs::create_directories(directory.path());
  std::ofstream(directory.file("ledger.db.new")) << "half a page";
  std::ofstream(directory.file("ledger.db.new-journal")) << "half a journal";
  auto ledger = open_ledger(directory.path());
  ASSERT_NE(ledger, nullptr);
  EXPECT_FALSE(fs::exists(directory.file("ledger.db.new")));
  EXPECT_FALSE(fs::exists(directory.file("ledger.db.new-journal")));
}

TEST(Crash, a_full_disk_ends_the_ledger_and_keeps_what_was_acknowledged) {
  const RunDirectory directory;
  ASSERT_NE(open_ledger(directory.path()), nullptr);
  Child child([&](const Child::Report& report) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 600'000, .rlim_max = 600'000};
    static_cast<void>(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
    bool told = false;
    auto opened = Ledger::open(directory.path(), {}, [&](base::Result<Sequence> durable) {
      if (durable) {
        report(*durable);
      } else {
        told = durable.error().code == base::ErrorCode::io &&
               durable.error().remedy == base::Remedy::fail_campaign;
      }
    });
    (*opened)->append(large_cell());
    base::Result<Sequence> flushed = Sequence{0};
    for (TrialId id = 1; flushed && id <= 100'000; ++id) {
      (*opened)->append(trial_record(id));
      if (id % 50 == 0) {
        flushed = (*opened)->flush();
      }
    }
    const Sequence after = (*opened)->append(trial_record(200'000));
    const bool stays_ended = !(*opened)->flush().has_value() && after > 0;
    opened->reset();
    ::_exit(told && stays_ended && !flushed ? 0 : 1);
  });
  std::uint64_t acknowledged = 0;
  while (child.next(acknowledged)) {
  }
  EXPECT_EQ(child.wait(), 0);
  EXPECT_GT(acknowledged, 50U);

  auto ledger = open_ledger(directory.path());
  ASSERT_NE(ledger, nullptr) << "the same directory opens again when there is room";
  EXPECT_GE(static_cast<std::uint64_t>(ledger->next_trial_id()), acknowledged);
  ledger->append(trial_record(ledger->next_trial_id()));
  EXPECT_TRUE(ledger->flush().has_value());
  auto reader = open_reader(directory.path());
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
}

// --- A damaged or foreign file never becomes an empty ledger

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void spill(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

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

/// Neither side opens it, both say why, and not a byte is changed.
void expect_refused(const RunDirectory& directory, const std::string& reason) {
  const std::string path = directory.file("ledger.db");
  const std::string before = slurp(path);
  const auto writer = Ledger::open(directory.path(), {}, nullptr);
  ASSERT_FALSE(writer.has_value()) << reason;
  EXPECT_EQ(writer.error().code, base::ErrorCode::integrity) << writer.error().message;
  EXPECT_NE(writer.error().message.find(reason), std::string::npos) << writer.error().message;
  EXPECT_NE(writer.error().message.find("ledger.db"), std::string::npos) << writer.error().message;
  const auto reader = Reader::open(directory.path());
  if (fs::exists(path)) {
    ASSERT_FALSE(reader.has_value()) << reason;
    EXPECT_EQ(reader.error().code, base::ErrorCode::integrity) << reader.error().message;
  }
  EXPECT_TRUE(slurp(path) == before) << "the evidence was touched";
}

TEST(Damage, an_empty_file_is_refused) {
  const RunDirectory directory;
  fill(directory.path());
  spill(directory.file("ledger.db"), "");
  expect_refused(directory, "empty");
}

TEST(Damage, a_foreign_file_is_refused) {
  const RunDirectory directory;
  fs::create_directories(directory.path());
  spill(directory.file("ledger.db"), std::string(10'000, 'x'));
  expect_refused(directory, "not a database");
}

TEST(Damage, another_programs_database_is_refused) {
  const RunDirectory directory;
  fs::create_directories(directory.path());
  {
    auto foreign = Connection::open(directory.file("ledger.db"), OpenMode::create);
    ASSERT_TRUE(foreign.has_value());
    ASSERT_TRUE(foreign->execute("CREATE TABLE bookmarks (url)").has_value());
  }
  expect_refused(directory, "not a ledger of Sortie");
}

TEST(Damage, a_directory_in_its_place_is_refused) {
  const RunDirectory directory;
  fs::create_directories(directory.file("ledger.db"));
  const auto writer = Ledger::open(directory.path(), {}, nullptr);
  ASSERT_FALSE(writer.has_value());
  EXPECT_EQ(writer.error().code, base::ErrorCode::integrity);
}

TEST(Damage, a_log_without_its_file_is_refused) {
  const RunDirectory directory;
  fs::create_directories(directory.path());
  spill(directory.file("ledger.db-wal"), std::string(5000, 'w'));
  const auto writer = Ledger::open(directory.path(), {}, nullptr);
  ASSERT_FALSE(writer.has_value());
  EXPECT_EQ(writer.error().code, base::ErrorCode::integrity);
  EXPECT_FALSE(fs::exists(directory.file("ledger.db")));
}

TEST(Damage, a_newer_schema_is_refused) {
  const RunDirectory directory;
  fill(directory.path());
  Tamper(directory.path()).run("PRAGMA user_version = 99");
  expect_refused(directory, "newer Sortie");
}

TEST(Damage, a_changed_schema_is_refused) {
  const RunDirectory directory;
  fill(directory.path());
  Tamper(directory.path()).run("DROP TRIGGER turn_keeps_rows");
  expect_refused(directory, "trigger turn_keeps_rows is missing");
}

TEST(Damage, a_cut_off_file_is_refused) {
  const RunDirectory directory;
  fill(directory.path());
  const std::string whole = slurp(directory.file("ledger.db"));
  for (const std::size_t size : {whole.size() - 1, whole.size() / 2, std::size_t{5000}}) {
    spill(directory.file("ledger.db"), whole.substr(0, size));
    const auto writer = Ledger::open(directory.path(), {}, nullptr);
    ASSERT_FALSE(writer.has_value()) << size;
    EXPECT_EQ(writer.error().code, base::ErrorCode::integrity) << writer.error().message;
    EXPECT_EQ(fs::file_size(directory.file("ledger.db")), size);
  }
}

/// Every fact, as text.
std::string facts_of(Reader& reader) {
  std::string text;
  for (const FactTable& table : kFactTables) {
    auto status =
        reader.scan("SELECT * FROM " + std::string(table.name), [&](std::span<const Cell> row) {
          for (const Cell& cell : row) {
            if (const auto* bytes = std::get_if<std::string_view>(&cell)) {
              text.append(*bytes);
            } else if (const auto* number = std::get_if<std::int64_t>(&cell)) {
              text += std::to_string(*number);
            } else if (const auto* real = std::get_if<double>(&cell)) {
              text += std::to_string(*real);
            }
            text += '|';
          }
          return true;
        });
    if (!status) {
      return "error";
    }
  }
  return text;
}

// One damaged byte anywhere is refused, found by verify(), or in space that holds nothing.
TEST(Damage, a_damaged_byte_is_never_read_as_a_fact) {
  const RunDirectory directory;
  fill(directory.path());
  const std::string whole = slurp(directory.file("ledger.db"));
  const std::string facts = facts_of(*open_reader(directory.path()));
  std::mt19937 random(23);
  int noticed = 0;
  for (int round = 0; round < 60; ++round) {
    std::string damaged = whole;
    const std::size_t offset = random() % whole.size();
    damaged[offset] = static_cast<char>(damaged[offset] ^ (1 << (random() % 8)));
    spill(directory.file("ledger.db"), damaged);
    const auto opened = Ledger::open(directory.path(), {}, nullptr);
    if (!opened) {
      EXPECT_EQ(opened.error().code, base::ErrorCode::integrity) << opened.error().message;
      ++noticed;
      continue;
    }
    auto reader = open_reader(directory.path());
    if (!failing(*reader).empty()) {
      ++noticed;
      continue;
    }
    EXPECT_TRUE(facts_of(*reader) == facts) << "byte " << offset;
  }
  EXPECT_GT(noticed, 10);
}

}  // namespace
}  // namespace sortie::ledger
