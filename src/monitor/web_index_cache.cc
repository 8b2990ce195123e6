#include "sortie/analysis/archive.h"
#include "sortie/analysis/cache_file.h"
#include "sortie/analysis/cells.h"
#include "sortie/monitor/web_index.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

// The index of a finished run in a file beside its ledger: reading a million trials anew takes
// seconds.

namespace sortie::monitor {

namespace {

constexpr std::string_view kFile = "page.cache";
constexpr std::size_t kTrialsMin = 20'000;  // fewer are read in a moment
constexpr std::int64_t kKeptFactsMin = 1'000'000;

std::string folder_of(const ledger::Reader& reader) {
  return (std::filesystem::path(reader.run_directory()) / "cache").string();
}

/// One member of all trials.
template <class A, class Member>
void column(A& a, std::vector<IndexedTrial>& trials, Member member) {
  using Value = std::remove_reference_t<decltype(member(trials[0]))>;
  a.column(
      trials.size(),
      [&](std::size_t i) -> std::int64_t {
        if constexpr (std::is_same_v<Value, float>) {
          return std::bit_cast<std::int32_t>(member(trials[i]));
        } else {
          return static_cast<std::int64_t>(member(trials[i]));
        }
      },
      [&](std::size_t i, std::int64_t value) {
        if constexpr (std::is_same_v<Value, float>) {
          member(trials[i]) = std::bit_cast<float>(static_cast<std::int32_t>(value));
        } else {
          member(trials[i]) = static_cast<Value>(value);
        }
      });
}

}  // namespace

// Structured bindings name every member: one that is added does not compile until it stands here.

template <class A>
void archive(A& a, IndexedCell& value) {
  auto& [m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11] = value;
  a(m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11);
}

template <class A>
void archive(A& a, TimelineBucket& value) {
  auto& [m1, m2, m3] = value;
  a(m1, m2, m3);
}

template <class A>
void archive(A& a, IndexedRoute& value) {
  auto& [m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11] = value;
  a(m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11);
}

template <class A>
void archive(A& a, Names& value) {
  a(value.texts_);
  value.numbers_.clear();
  for (std::size_t i = 0; i < value.texts_.size(); ++i) {
    value.numbers_.emplace(value.texts_[i], static_cast<std::uint32_t>(i));
  }
}

template <class A>
void archive_trials(A& a, std::vector<IndexedTrial>& trials) {
  std::uint64_t count = trials.size();
  a(count);
  trials.resize(static_cast<std::size_t>(count));
  const auto columns = [&](auto... members) { (column(a, trials, members), ...); };
  columns([](IndexedTrial& trial) -> auto& { return trial.cell; },
          [](IndexedTrial& trial) -> auto& { return trial.task; },
          [](IndexedTrial& trial) -> auto& { return trial.repeat; },
          [](IndexedTrial& trial) -> auto& { return trial.outcome; },
          [](IndexedTrial& trial) -> auto& { return trial.level; },
          [](IndexedTrial& trial) -> auto& { return trial.label; },
          [](IndexedTrial& trial) -> auto& { return trial.success; },
          [](IndexedTrial& trial) -> auto& { return trial.exists; },
          [](IndexedTrial& trial) -> auto& { return trial.turns; },
          [](IndexedTrial& trial) -> auto& { return trial.repaired; },
          [](IndexedTrial& trial) -> auto& { return trial.injected; },
          [](IndexedTrial& trial) -> auto& { return trial.attempts; },
          [](IndexedTrial& trial) -> auto& { return trial.answered; },
          [](IndexedTrial& trial) -> auto& { return trial.progress; },
          [](IndexedTrial& trial) -> auto& { return trial.answer_seconds; },
          [](IndexedTrial& trial) -> auto& { return trial.cost; },
          [](IndexedTrial& trial) -> auto& { return trial.tokens; },
          [](IndexedTrial& trial) -> auto& { return trial.first_attempt; });
}

template <class A>
void archive(A& a, TrialIndex& value) {
  archive_trials(a, value.trials_);
  a(value.cells_, value.models_, value.tasks_, value.task_types_, value.type_of_task_);
  a(value.outcomes_, value.levels_, value.labels_, value.route_names_, value.routes_);
  a(value.last_trial_, value.last_outcome_, value.last_score_, value.last_attempt_);
  a(value.pending_, value.timeline_start_, value.bucket_seconds_, value.last_end_);
  value.cell_numbers_.clear();
  for (std::size_t i = 0; i < value.cells_.size(); ++i) {
    value.cell_numbers_.emplace(value.cells_[i].id, static_cast<std::uint32_t>(i));
  }
}

/// Of the ledger as the snapshot has it.
base::Result<base::Digest> TrialIndex::stamp() {
  std::string run;
  TRY(reader_->scan("SELECT key FROM run", [&](std::span<const ledger::Cell> row) {
    run = analysis::text_of(row[0]);
    return false;
  }));
  TRY_ASSIGN(const std::string mark, reader_->high_water_mark());
  return analysis::report_stamp("page", run, mark);
}

base::Result<bool> TrialIndex::load() {
  TRY_ASSIGN(const base::Digest of, stamp());
  const auto body = analysis::load_cache(folder_of(*reader_), kFile, of);
  if (!body.has_value()) {
    return false;
  }
  analysis::ArchiveReader bytes(*body);
  archive(bytes, *this);
  return bytes.whole() ? base::Result<bool>(true)
                       : base::failure(base::Remedy::retry_now,
                                       base::ErrorCode::integrity,
                                       "RUN/cache/page.cache is damaged: remove it");
}

base::Status TrialIndex::store() {
  TRY(reader_->begin());
  const base::Status read = read_new();
  const auto of = stamp();
  reader_->end();
  TRY(read);
  if (!of.has_value()) {
    return std::unexpected(of.error());
  }
  if (trials_.size() >= kTrialsMin) {
    analysis::ArchiveWriter bytes;
    archive(bytes, *this);
    analysis::store_cache(folder_of(*reader_), kFile, *of, bytes.bytes());
  }
  return {};
}

base::Status TrialIndex::keep(const std::string& directory) {
  TRY_ASSIGN(const auto index, open(directory));
  TRY_ASSIGN(const std::int64_t facts, index->reader_->count("SELECT facts FROM run"));
  if (facts < kKeptFactsMin) {
    return {};
  }
  TRY_ASSIGN(const bool is_known, index->load());
  return is_known ? base::Status() : index->store();
}

}  // namespace sortie::monitor
