#include "sortie/base/error.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/pages.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/test_support.h"
#include "sortie/ledger/wal.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ios>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

// One damaged byte anywhere in the files of a ledger is found, and never makes it an empty one.

namespace sortie::ledger {
namespace {

namespace fs = std::filesystem;

bool full_counts() {
  return std::getenv("SORTIE_FULL") != nullptr;
}

/// Of each of the two forms.
int flips() {
  return full_counts() ? 5'000 : 500;
}

void flip(const std::string& path, std::size_t offset, std::uint8_t mask) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(offset));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(static_cast<char>(byte ^ mask));
}

/// What `sortie verify` does with the ledger: true if it fails.
bool is_found(const RunDirectory& directory) {
  const auto reader = Reader::open(directory.path());
  if (!reader) {
    EXPECT_EQ(reader.error().code, base::ErrorCode::integrity) << reader.error().message;
    return true;
  }
  const auto checks = verify(**reader);
  return !checks || !std::ranges::all_of(*checks, &Check::ok);
}

/// Two of verify()'s checks fail by what they find past SQLite: of most damage that says it
/// already.
bool is_found_past_sqlite(const RunDirectory& directory) {
  const auto pages = examine_pages(directory.file("ledger.db"));
  const auto log = examine_wal(directory.file("ledger.db"));
  return (pages && !pages->damaged.empty()) || (log && !log->damage.empty());
}

class Flip : public testing::Test {
 protected:
  /// A ledger of several commits, with pages of every kind, closed (one file) or as SIGKILL leaves
  /// it (with all but the first facts in its log).
  void make(bool with_log) {
    const RunDirectory original;
    auto ledger = open_ledger(original.path());
    ledger->append(cell_record());
    ledger->append(
        ManifestRecord{.generation = 1, .name = "campaign_text", .value = std::string(9000, 'c')});
    ledger.reset();
    ledger = open_ledger(original.path());
    for (TrialId id = 1; id <= 5; ++id) {
      for (Record& record : whole_trial(id)) {
        ledger->append(std::move(record));
      }
      ASSERT_TRUE(ledger->flush().has_value());
    }
    facts_ = count(*open_reader(original.path()), "SELECT facts FROM run");
    if (!with_log) {
      ledger.reset();
    }
    fs::create_directories(directory_.path());
    for (const std::string name : {"ledger.db", "ledger.db-wal"}) {
      if (fs::exists(original.file(name))) {
        fs::copy_file(original.file(name), directory_.file(name));
        files_.push_back(name);
      }
    }
    ASSERT_EQ(files_.size(), with_log ? 2U : 1U);
    ASSERT_FALSE(is_found(directory_)) << "without damage nothing is found";
  }

  /// The name of a file and an offset in it, each byte of all files as likely as the others.
  std::pair<std::string, std::size_t> any_byte() {
    std::uintmax_t all = 0;
    for (const std::string& name : files_) {
      all += fs::file_size(directory_.file(name));
    }
    std::uintmax_t offset = random_() % all;
    for (const std::string& name : files_) {
      const std::uintmax_t size = fs::file_size(directory_.file(name));
      if (offset < size) {
        return {name, static_cast<std::size_t>(offset)};
      }
      offset -= size;
    }
    return {};
  }

  /// Who opens the damaged copy for writing is refused or finds the facts; of a log the last commit
  /// may be taken for one that was cut off.
  void expect_refused_or_whole(const std::string& where) {
    const RunDirectory copy;
    fs::create_directories(copy.path());
    for (const std::string& name : files_) {
      fs::copy_file(directory_.file(name), copy.file(name));
    }
    {
      const auto opened = Ledger::open(copy.path(), {}, nullptr);
      if (!opened) {
        EXPECT_EQ(opened.error().code, base::ErrorCode::integrity) << opened.error().message;
        return;
      }
    }
    const auto reader = open_reader(copy.path());
    ASSERT_NE(reader, nullptr) << where;
    const std::int64_t last_commit =
        files_.size() == 2 ? static_cast<std::int64_t>(whole_trial(1).size()) + 2 : 0;
    EXPECT_GE(count(*reader, "SELECT facts FROM run"), facts_ - last_commit) << where;
  }

  void flip_and_look() {
    int missed = 0;
    const int all = flips();
    for (int i = 0; i < all; ++i) {
      const auto [name, offset] = any_byte();
      const auto mask = static_cast<std::uint8_t>(1 + random_() % 255);
      const std::string where = name + " byte " + std::to_string(offset);
      flip(directory_.file(name), offset, mask);
      // All of verify() for every byte takes the full form; else for a fifth, and where it alone
      // can tell.
      const bool whole = full_counts() || i % 5 == 0;
      const bool found = (!whole && is_found_past_sqlite(directory_)) || is_found(directory_);
      if (!found) {
        ++missed;
        ADD_FAILURE() << where << " was not found";
      }
      if (i % 10 == 0) {
        expect_refused_or_whole(where);
      }
      flip(directory_.file(name), offset, mask);
      fs::remove(directory_.file("ledger.db-shm"));
    }
    RecordProperty("missed", missed);
    EXPECT_FALSE(is_found(directory_)) << "the damage was undone";
  }

  const RunDirectory directory_;
  std::vector<std::string> files_;
  std::int64_t facts_ = 0;
  std::mt19937 random_{41};
};

TEST_F(Flip, any_byte_of_a_finished_ledger_is_found) {
  make(false);
  flip_and_look();
}

TEST_F(Flip, any_byte_of_a_ledger_with_its_log_is_found) {
  make(true);
  flip_and_look();
}

}  // namespace
}  // namespace sortie::ledger
