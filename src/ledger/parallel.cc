#include "sortie/ledger/parallel.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace sortie::ledger {

namespace {

// A smaller ledger is read before another thread has opened it.
constexpr std::int64_t kFactsMin = 100'000;

class Jobs {
 public:
  explicit Jobs(std::span<const ReadingJob> jobs) : jobs_(jobs) {}

  void work(Reader& reader) {
    for (std::size_t i = next_++; i < jobs_.size(); i = next_++) {
      jobs_[i](reader);
    }
  }

  /// As another thread: takes part if it sees the snapshot with this mark.
  void help(const Reader& like, const std::string& mark) {
    const auto reader = Reader::open(like.run_directory(), like.options());
    if (!reader || !(*reader)->begin()) {
      return;
    }
    const auto own = (*reader)->high_water_mark();
    if (own && *own == mark) {
      work(**reader);
    }
  }

 private:
  std::span<const ReadingJob> jobs_;
  std::atomic<std::size_t> next_ = 0;
};

}  // namespace

base::Status read_in_parallel(Reader& reader, std::span<const ReadingJob> jobs) {
  const bool own_snapshot = !reader.in_snapshot();
  TRY(reader.begin());
  TRY_ASSIGN(const std::string mark, reader.high_water_mark());
  Jobs work(jobs);
  std::vector<std::thread> others;
  const auto facts = reader.count("SELECT facts FROM run");
  const std::size_t threads =
      facts && *facts >= kFactsMin ? std::max(1U, std::thread::hardware_concurrency()) : 1;
  for (std::size_t i = 1; i < std::min(threads, jobs.size()); ++i) {
    others.emplace_back([&] { work.help(reader, mark); });
  }
  work.work(reader);
  for (std::thread& other : others) {
    other.join();
  }
  if (own_snapshot) {
    reader.end();
  }
  return {};
}

}  // namespace sortie::ledger
