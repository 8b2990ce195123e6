// What the ledger takes in: turns with answers of 4 KB of prose, each an attempt, its end and a
// turn, against bare inserts of the same answers into one table of SQLite with the same durability;
// and how long a commit takes at 2,000 turns a second while eight readers read.
//
//   ledger_bench [DIRECTORY [TURNS]] [--part ingestion|readers] [--check FILE]
//
// The directory is made on the disk to be measured. With --check only the ingestion is measured,
// and compared with the ratio that the file records.

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/sqlite.h"

#include "bench/common.h"
#include "bench/ratio.h"
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace {

using namespace sortie;  // a program of one file
using Clock = std::chrono::steady_clock;
using bench::cpu_seconds;

constexpr std::size_t kAnswerBytes = 4096;
constexpr std::int64_t kTurnsPerTrial = 10;
constexpr int kReaders = 8;
constexpr int kTurnsPerSecond = 2000;
constexpr int kPacedSeconds = 5;

constexpr std::array<std::string_view, 48> kWords = {
    "the",     "file",    "is",     "read",    "and",     "then",   "a",       "table",
    "of",      "results", "goes",   "to",      "handle",  "which",  "was",     "written",
    "before",  "step",    "tool",   "call",    "with",    "json",   "path",    "output",
    "error",   "because", "first",  "next",    "sorted",  "column", "values",  "merge",
    "filter",  "check",   "it",     "has",     "been",    "done",   "so",      "that",
    "network", "request", "parsed", "records", "missing", "plan",   "convert", "save"};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Prose that no other turn has.
std::string answer_of(std::int64_t turn) {
  const base::CounterRandom random(base::digest_of(fmt::format("answer {}", turn)));
  std::string text;
  text.reserve(kAnswerBytes + 32);
  for (std::uint64_t i = 0; text.size() < kAnswerBytes; ++i) {
    const std::uint64_t draw = random.bits(i);
    text += kWords[draw % kWords.size()];
    // A third of what models write is names and numbers.
    text += draw % 3 == 0 ? fmt::format(" {} ", draw >> 52U) : std::string(" ");
  }
  return text;
}

std::vector<std::string> answers(std::int64_t first, std::int64_t count) {
  std::vector<std::string> made;
  for (std::int64_t i = 0; i < count; ++i) {
    made.push_back(answer_of(first + i));
  }
  return made;
}

ledger::CellRecord cell() {
  return {.id = base::digest_of("cell"),
          .model = "bench",
          .scenarios = "5.1",
          .prompt = "optimal",
          .flaw = "none",
          .severity = "none",
          .difficulty = "easy",
          .protocol = "text",
          .tool_success_rate = 0.8,
          .max_turns = 30,
          .planned = 100'000'000};
}

/// The records of a turn, in the engine's order: the attempt alone, its end and turn together.
void append_turn(ledger::Ledger& ledger, std::int64_t n, std::string answer) {
  const ledger::TrialId trial = n / kTurnsPerTrial + 1;
  const std::int64_t turn = n % kTurnsPerTrial;
  if (turn == 0) {
    ledger.append(ledger::TrialRecord{.id = trial,
                                      .key = base::digest_of(fmt::format("trial {}", trial)),
                                      .cell = cell().id,
                                      .task = "task",
                                      .task_type = "basic_task",
                                      .repeat = trial});
  }
  const chat::Usage usage{.input = 900, .output = 300};
  const std::string route = "pool/key-1/bench";
  ledger.append(ledger::AttemptRecord{.id = n + 1,
                                      .trial = trial,
                                      .turn = turn,
                                      .route = route,
                                      .requested_model = "bench",
                                      .api_name = "bench",
                                      .at = {},
                                      .request = base::Digest{},
                                      .reserved_input = 900,
                                      .reserved_output = 400,
                                      .reserved_cost = 50});
  ledger.append_together({ledger::AttemptEndRecord{.attempt = n + 1,
                                                   .at = {},
                                                   .cause = "answered",
                                                   .status = 200,
                                                   .code = {},
                                                   .message = {},
                                                   .served_model = "bench",
                                                   .usage = usage,
                                                   .cost = 40,
                                                   .first_byte_us = 1,
                                                   .duration_us = 2},
                          ledger::TurnRecord{.trial = trial,
                                             .turn = turn,
                                             .attempt = n + 1,
                                             .answer = std::move(answer),
                                             .usage = usage,
                                             .route = route,
                                             .served_model = "bench",
                                             .finish = "stop",
                                             .fingerprint = {}}});
}

/// Processor time of each thread of this process, nanoseconds by thread id: of threads that each
/// have a core the busiest one decides how fast they are together.
std::map<std::string, double> cpu_of_threads() {
  std::map<std::string, double> threads;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(entry.path() / "schedstat");
    file >> threads[entry.path().filename().string()];
  }
  return threads;
}

void print_threads(const std::map<std::string, double>& before, std::size_t answers) {
  std::vector<double> each;
  for (const auto& [thread, nanoseconds] : cpu_of_threads()) {
    const auto known = before.find(thread);
    each.push_back((nanoseconds - (known == before.end() ? 0 : known->second)) /
                   static_cast<double>(answers) / 1000);
  }
  std::ranges::sort(each, std::ranges::greater());
  fmt::print("  of that by thread: {:.1f} us\n", fmt::join(each, ", "));
}

/// What storing answers took.
struct Cost {
  double per_second = 0;   // by the clock
  double cpu_seconds = 0;  // each
};

Cost cost_of(std::size_t answers, Clock::time_point start, double cpu_start) {
  const auto n = static_cast<double>(answers);
  const Cost cost{.per_second = n / seconds_since(start),
                  .cpu_seconds = (cpu_seconds() - cpu_start) / n};
  fmt::print("  {:.1f} us of processor time per answer\n", cost.cpu_seconds * 1e6);
  return cost;
}

Cost bare_inserts(const std::string& path, const std::vector<std::string>& texts) {
  auto connection = bench::must(ledger::Connection::open(path, ledger::OpenMode::create));
  const auto run = [&](const std::string& sql) {
    if (auto done = connection.execute(sql); !done) {
      fmt::print(stderr, "{}\n", done.error().message);
      std::exit(2);
    }
  };
  run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 16384;"
      "CREATE TABLE answer (id INTEGER PRIMARY KEY, content BLOB NOT NULL)");
  auto insert = bench::must(connection.prepare("INSERT INTO answer VALUES (NULL, ?1)"));
  const auto start = Clock::now();
  const double cpu_start = cpu_seconds();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i % 256 == 0) {
      run(i == 0 ? "BEGIN" : "COMMIT; BEGIN");
    }
    insert.bind_blob(1, texts[i]);
    if (!insert.run()) {
      std::exit(2);
    }
  }
  run("COMMIT");
  return cost_of(texts.size(), start, cpu_start);
}

Cost ingestion(const std::string& path, const std::vector<std::string>& texts) {
  auto ledger = bench::must(ledger::Ledger::open(path, {}, nullptr));
  ledger->append(cell());
  const auto threads = cpu_of_threads();
  const auto start = Clock::now();
  const double cpu_start = cpu_seconds();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    append_turn(*ledger, static_cast<std::int64_t>(i), texts[i]);
  }
  bench::must(ledger->flush());
  const Cost cost = cost_of(texts.size(), start, cpu_start);
  print_threads(threads, texts.size());
  const auto stats = ledger->stats();
  fmt::print("  {} facts in {} commits, {:.0f} bytes per answer on disk\n",
             stats.records,
             stats.commits,
             static_cast<double>(stats.bytes_compressed) / static_cast<double>(texts.size()));
  return cost;
}

/// When appended sequences became durable.
class CommitTimes {
 public:
  void appended(ledger::Sequence sequence) {
    const std::scoped_lock guard(mutex_);
    waiting_.emplace_back(sequence, Clock::now());
  }

  void durable(ledger::Sequence sequence) {
    const std::scoped_lock guard(mutex_);
    std::size_t done = 0;
    for (; done < waiting_.size() && waiting_[done].first <= sequence; ++done) {
      milliseconds_.push_back(seconds_since(waiting_[done].second) * 1000);
    }
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(done));
  }

  double quantile(double q) {
    std::ranges::sort(milliseconds_);
    return milliseconds_.empty() ? 0
                                 : milliseconds_[static_cast<std::size_t>(
                                       q * static_cast<double>(milliseconds_.size() - 1))];
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<ledger::Sequence, Clock::time_point>> waiting_;
  std::vector<double> milliseconds_;
};

struct Reading {
  std::atomic<std::uint64_t> done = 0;
  std::atomic<std::uint64_t> failed = 0;
};

/// Opens the ledger anew each time and asks what status and reports ask.
void read_until(const std::string& path, const std::atomic<bool>& stop, Reading& reading) {
  while (!stop) {
    auto reader = ledger::Reader::open(path);
    const bool good = reader && (*reader)->begin() && (*reader)->count("SELECT facts FROM run") &&
                      (*reader)->count("SELECT sum(cost) FROM attempt_full") &&
                      (*reader)->count("SELECT sum(begun) FROM cell_summary");
    ++(good ? reading.done : reading.failed);
  }
}

void paced(const std::string& path) {
  CommitTimes times;
  auto ledger = bench::must(ledger::Ledger::open(path, {}, [&](base::Result<ledger::Sequence> n) {
    if (n) {
      times.durable(*n);
    }
  }));
  ledger->append(cell());
  bench::must(ledger->flush());
  Reading reading;
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] { read_until(path, stop, reading); });
  }
  const auto texts = answers(0, std::int64_t{kTurnsPerSecond} * kPacedSeconds);
  const auto start = Clock::now();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::this_thread::sleep_until(start +
                                  std::chrono::microseconds(i * 1'000'000 / kTurnsPerSecond));
    const auto n = static_cast<std::int64_t>(i);
    // Facts up to this one: the cell, a trial per ten turns, three of each turn.
    times.appended(static_cast<ledger::Sequence>(1 + n / kTurnsPerTrial + 1 + 3 * (n + 1)));
    append_turn(*ledger, n, texts[i]);
  }
  bench::must(ledger->flush());
  const double rate = static_cast<double>(texts.size()) / seconds_since(start);
  stop = true;
  for (std::thread& reader : readers) {
    reader.join();
  }
  fmt::print(
      "with {} readers: {:.0f} turns/s, commit p50 {:.1f} ms, p99 {:.1f} ms; {} readings, {} "
      "failed\n",
      kReaders,
      rate,
      times.quantile(0.5),
      times.quantile(0.99),
      reading.done.load(),
      reading.failed.load());
}

/// Bare inserts and the ledger side by side: the ratio of their processor times.
double measure(const std::filesystem::path& directory, const std::vector<std::string>& texts) {
  std::filesystem::create_directories(directory);
  const Cost bare = bare_inserts((directory / "bare.db").string(), texts);
  fmt::print(
      "bare inserts of {} answers of 4 KB: {:.0f} a second\n", texts.size(), bare.per_second);
  const Cost ours = ingestion((directory / "run").string(), texts);
  const double ratio = bare.cpu_seconds / ours.cpu_seconds;
  fmt::print(
      "ledger: {:.0f} turns/s, {:.2f} of bare inserts by processor time\n", ours.per_second, ratio);
  return ratio;
}

struct Options {
  std::filesystem::path directory = std::filesystem::temp_directory_path() / "sortie_ledger_bench";
  std::int64_t turns = 100'000;
  std::string part;   // empty: all
  std::string check;  // a file, or empty
};

Options options_of(std::span<char*> words) {
  Options options;
  std::size_t positional = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if ((word == "--part" || word == "--check") && i + 1 < words.size()) {
      (word == "--part" ? options.part : options.check) = words[++i];
    } else if (positional++ == 0) {
      options.directory = word;
    } else {
      options.turns = std::atoll(words[i]);
    }
  }
  return options;
}

}  // namespace

int main(int count, char** arguments) {
  const Options options =
      options_of(std::span(arguments, static_cast<std::size_t>(count)).subspan(1));
  std::filesystem::remove_all(options.directory);
  std::filesystem::create_directories(options.directory);
  int code = 0;
  if (options.part.empty() || options.part == "ingestion" || !options.check.empty()) {
    const auto texts = answers(0, options.turns);
    std::vector<double> ratios;
    for (int round = 0; round < (options.check.empty() ? 1 : bench::kCheckRounds); ++round) {
      ratios.push_back(measure(options.directory / fmt::to_string(round), texts));
    }
    if (!options.check.empty()) {
      code = bench::compare_ratio(options.check, "ledger_ingestion", bench::median(ratios));
    }
  }
  if (options.check.empty() && options.part != "ingestion") {
    paced((options.directory / "paced").string());
  }
  std::filesystem::remove_all(options.directory);
  return code;
}
