#include "sortie/ledger/ledger.h"

#include "sortie/base/check.h"
#include "sortie/base/error.h"
#include "sortie/base/time.h"
#include "sortie/ledger/compression.h"
#include "sortie/ledger/file.h"
#include "sortie/ledger/lock.h"
#include "sortie/ledger/packer.h"
#include "sortie/ledger/place.h"
#include "sortie/ledger/records.h"
#include "sortie/ledger/sqlite.h"
#include "sortie/ledger/writer.h"

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace sortie::ledger {

namespace {

constexpr std::size_t kCommitRecordsMax = 512;
constexpr std::size_t kCommitBytesMax = 16UL * 1024 * 1024;

/// The large parts of a record, as far as memory is concerned.
std::size_t weight(const Record& record) {
  std::size_t bytes = sizeof(Record);
  if (const auto* turn = std::get_if<TurnRecord>(&record)) {
    bytes += turn->answer.size();
  } else if (const auto* call = std::get_if<CallRecord>(&record)) {
    bytes += call->arguments.size() + call->result.size();
  } else if (const auto* manifest = std::get_if<ManifestRecord>(&record)) {
    bytes += manifest->value.size();
  }
  return bytes;
}

struct Queued {
  Record record;
  std::shared_ptr<PackedMessage> answer;  // of a turn, which then has none itself
  std::size_t bytes = 0;
  bool with_next = false;  // becomes durable in the same commit as the one behind it
};

}  // namespace

struct Ledger::State {
  State(std::string written,
        RunLock held,
        std::unique_ptr<RecordWriter> opened,
        const LedgerOptions& chosen,
        CommitListener told)
      : path(std::move(written)),
        lock(std::move(held)),
        writer(std::move(opened)),
        options(chosen),
        listener(std::move(told)),
        next_ids(writer->next_ids()) {}

  /// The body of the writer thread.
  void write_until_stopped();
  /// Writes one transaction and tells the listener. The mutex is not held.
  void commit_batch();
  [[nodiscard]] std::vector<Queued> take_batch();
  [[nodiscard]] base::Status write_batch(const std::vector<Queued>& batch);
  void note_ids(const Record& record);
  [[nodiscard]] std::shared_ptr<PackedMessage> packed_ahead(Record& record);
  [[nodiscard]] bool has_room() const;
  [[nodiscard]] base::Result<Sequence> result(Sequence wanted) const;

  const std::string path;
  RunLock lock;  // ends after the writer
  std::unique_ptr<RecordWriter> writer;
  const LedgerOptions options;
  const CommitListener listener;

  mutable std::mutex mutex;
  std::condition_variable work;  // for the writer: records or stop
  std::condition_variable done;  // for callers: room in the queue, or a commit
  std::deque<Queued> queue;
  std::size_t queued_bytes = 0;
  Sequence appended = 0;
  Sequence durable = 0;
  std::optional<base::Error> error;
  bool stopping = false;
  RecordWriter::NextIds next_ids;
  Stats stats;

  std::optional<Packer> packer;
  std::thread thread;  // last: it uses all the rest
};

bool Ledger::State::has_room() const {
  return (queue.size() < options.queue_records_max && queued_bytes < options.queue_bytes_max) ||
         error.has_value();
}

void Ledger::State::note_ids(const Record& record) {
  if (const auto* trial = std::get_if<TrialRecord>(&record)) {
    next_ids.trial = std::max(next_ids.trial, trial->id + 1);
  } else if (const auto* attempt = std::get_if<AttemptRecord>(&record)) {
    next_ids.attempt = std::max(next_ids.attempt, attempt->id + 1);
  } else if (const auto* manifest = std::get_if<ManifestRecord>(&record)) {
    next_ids.generation = std::max(next_ids.generation, manifest->generation + 1);
  }
}

/// Null: the answer stays in the record.
std::shared_ptr<PackedMessage> Ledger::State::packed_ahead(Record& record) {
  auto* turn = std::get_if<TurnRecord>(&record);
  if (!packer || turn == nullptr || turn->answer.size() < kCompressFromBytes) {
    return nullptr;
  }
  auto answer = std::make_shared<PackedMessage>(std::move(turn->answer));
  packer->add(answer);
  return answer;
}

std::vector<Queued> Ledger::State::take_batch() {
  std::vector<Queued> batch;
  std::size_t bytes = 0;
  bool together = false;
  while (!queue.empty() &&
         (together || (batch.size() < kCommitRecordsMax && bytes < kCommitBytesMax))) {
    together = queue.front().with_next;
    bytes += queue.front().bytes;
    batch.push_back(std::move(queue.front()));
    queue.pop_front();
  }
  queued_bytes -= bytes;
  return batch;
}

base::Status Ledger::State::write_batch(const std::vector<Queued>& batch) {
  TRY(writer->begin());
  for (const Queued& queued : batch) {
    TRY(writer->write(queued.record, queued.answer.get()));
  }
  return writer->commit();
}

void Ledger::State::commit_batch() {
  std::vector<Queued> batch;
  Sequence newest = 0;
  {
    const std::scoped_lock guard(mutex);
    newest = durable;
    batch = take_batch();
  }
  done.notify_all();
  newest += batch.size();
  auto written = write_batch(batch);
  if (!written) {
    writer->roll_back();
    written = std::unexpected(base::with_context(std::move(written).error(), path));
    if (listener) {
      listener(std::unexpected(written.error()));
    }
  } else if (listener) {
    listener(newest);
  }
  {
    const std::scoped_lock guard(mutex);
    if (written) {
      durable = newest;
      stats.records += batch.size();
      ++stats.commits;
      stats.bytes_compressed = writer->message_bytes();
    } else {
      error = std::move(written).error();
      queue.clear();
      queued_bytes = 0;
    }
  }
  done.notify_all();
}

void Ledger::State::write_until_stopped() {
  while (true) {
    {
      std::unique_lock guard(mutex);
      work.wait(guard, [this] { return stopping || !queue.empty(); });
      if (queue.empty()) {
        return;
      }
    }
    commit_batch();
  }
}

base::Result<Sequence> Ledger::State::result(Sequence wanted) const {
  if (error) {
    return std::unexpected(*error);
  }
  CHECK(durable >= wanted);
  return durable;
}

// --- Ledger

Ledger::Ledger(std::unique_ptr<State> state) : state_(std::move(state)) {}

base::Result<std::unique_ptr<Ledger>> Ledger::open(const std::string& run_directory,
                                                   const LedgerOptions& options,
                                                   CommitListener listener) {
  CHECK(options.queue_records_max > 0 && options.queue_bytes_max > 0);
  const base::WallTime now = base::SystemClock().wall();
  TRY(make_run_directory(run_directory));
  TRY(check_place(run_directory));
  TRY_ASSIGN(RunLock lock, RunLock::acquire(run_directory, now));
  TRY_ASSIGN(Connection connection, open_or_create(run_directory, now, options.log_pages));
  TRY_ASSIGN(auto writer, RecordWriter::open(std::move(connection)));
  auto state = std::make_unique<State>(
      ledger_path(run_directory), std::move(lock), std::move(writer), options, std::move(listener));
  if (options.mode == CommitMode::threaded) {
    if (std::thread::hardware_concurrency() > 1) {
      state->packer.emplace();
    }
    state->thread = std::thread(&State::write_until_stopped, state.get());
  }
  return std::unique_ptr<Ledger>(new Ledger(std::move(state)));
}

Ledger::~Ledger() {
  if (state_->options.mode == CommitMode::inline_) {
    // A failure went to the listener.
    static_cast<void>(flush().has_value());
    return;
  }
  {
    const std::scoped_lock guard(state_->mutex);
    state_->stopping = true;
  }
  state_->work.notify_one();
  state_->thread.join();
}

Sequence Ledger::append(Record record) {
  return enqueue({&record, 1});
}

Sequence Ledger::append_together(std::vector<Record> records) {
  return enqueue(records);
}

Sequence Ledger::enqueue(std::span<Record> records) {
  State& state = *state_;
  std::unique_lock guard(state.mutex);
  while (!state.has_room()) {
    if (state.options.mode == CommitMode::inline_) {
      guard.unlock();
      state.commit_batch();
      guard.lock();
    } else {
      state.done.wait(guard, [&state] { return state.has_room(); });
    }
  }
  const bool idle = state.queue.empty();
  for (std::size_t i = 0; i < records.size(); ++i) {
    ++state.appended;
    state.note_ids(records[i]);
    if (state.error) {
      continue;
    }
    const std::size_t bytes = weight(records[i]);
    state.queued_bytes += bytes;
    auto answer = state.packed_ahead(records[i]);
    state.queue.push_back({.record = std::move(records[i]),
                           .answer = std::move(answer),
                           .bytes = bytes,
                           .with_next = i + 1 < records.size()});
  }
  const Sequence newest = state.appended;
  guard.unlock();
  if (idle) {
    state.work.notify_one();
  }
  return newest;
}

base::Result<Sequence> Ledger::flush() {
  State& state = *state_;
  std::unique_lock guard(state.mutex);
  const Sequence wanted = state.appended;
  const auto finished = [&] { return state.durable >= wanted || state.error.has_value(); };
  if (state.options.mode == CommitMode::threaded) {
    state.done.wait(guard, finished);
    return state.result(wanted);
  }
  while (!finished()) {
    guard.unlock();
    state.commit_batch();
    guard.lock();
  }
  return state.result(wanted);
}

TrialId Ledger::next_trial_id() const {
  const std::scoped_lock guard(state_->mutex);
  return state_->next_ids.trial;
}

AttemptId Ledger::next_attempt_id() const {
  const std::scoped_lock guard(state_->mutex);
  return state_->next_ids.attempt;
}

std::int64_t Ledger::next_generation() const {
  const std::scoped_lock guard(state_->mutex);
  return state_->next_ids.generation;
}

Ledger::Stats Ledger::stats() const {
  const std::scoped_lock guard(state_->mutex);
  return state_->stats;
}

}  // namespace sortie::ledger
