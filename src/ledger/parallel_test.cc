#include "sortie/ledger/parallel.h"

#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/test_support.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::ledger {
namespace {

/// Large enough for several threads.
constexpr std::int64_t kEvents = 100'000;

void append_events(Ledger& ledger) {
  for (std::int64_t i = 0; i < kEvents; ++i) {
    ledger.append(
        EventRecord{.at = at(i), .kind = "gate", .subject = fmt::to_string(i), .detail = "{}"});
  }
  ASSERT_TRUE(ledger.flush().has_value());
}

TEST(ReadInParallel, runs_every_job_once_on_several_threads) {
  const RunDirectory directory;
  append_events(*open_ledger(directory.path()));
  const auto reader = open_reader(directory.path());
  std::vector<std::atomic<int>> runs(200);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::vector<ReadingJob> jobs;
  // The first two end when both have begun: they are on two threads, however busy the machine is.
  std::latch both(std::thread::hardware_concurrency() > 1 ? 2 : 1);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    jobs.emplace_back([&, i](Reader& own) {
      if (i < 2) {
        both.count_down(std::thread::hardware_concurrency() > 1 || i == 0 ? 1 : 0);
        both.wait();
      }
      EXPECT_EQ(count(own, "SELECT count(*) FROM event"), kEvents);
      ++runs[i];
      const std::scoped_lock guard(mutex);
      threads.insert(std::this_thread::get_id());
    });
  }
  const auto done = read_in_parallel(*reader, jobs);
  ASSERT_TRUE(done.has_value()) << done.error().message;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    EXPECT_EQ(runs[i], 1) << i;
  }
  EXPECT_EQ(threads.size() > 1, std::thread::hardware_concurrency() > 1);
  EXPECT_FALSE(reader->in_snapshot());
}

TEST(ReadInParallel, keeps_to_the_snapshot_of_its_caller) {
  const RunDirectory directory;
  const auto ledger = open_ledger(directory.path());
  append_events(*ledger);
  const auto reader = open_reader(directory.path());
  ASSERT_TRUE(reader->begin().has_value());
  ledger->append(cell_record());
  ASSERT_TRUE(ledger->flush().has_value());
  std::vector<ReadingJob> jobs;
  std::atomic<int> seen = 0;
  for (int i = 0; i < 20; ++i) {
    jobs.emplace_back([&](Reader& own) { seen += count(own, "SELECT count(*) FROM cell") == 0; });
  }
  ASSERT_TRUE(read_in_parallel(*reader, jobs).has_value());
  EXPECT_EQ(seen, 20);
  EXPECT_TRUE(reader->in_snapshot());
}

}  // namespace
}  // namespace sortie::ledger
