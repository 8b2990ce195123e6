#pragma once

#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/engine/latency.h"
#include "sortie/ledger/reader.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// What the pages of one run ask for again and again, kept in memory beside the ledger. A ledger
// only grows, so that a refresh reads what came since the last one, whether the run goes on or not.

namespace sortie::monitor {

/// Texts of which there are few, as numbers from 0 in order of appearance.
class Names {
 public:
  std::uint32_t of(std::string_view text);

  /// kNever if it never appeared.
  [[nodiscard]] std::uint32_t find(std::string_view text) const;

  [[nodiscard]] const std::string& text(std::uint32_t number) const { return texts_[number]; }

  [[nodiscard]] const std::vector<std::string>& texts() const { return texts_; }

  static constexpr std::uint32_t kNever = ~0U;

 private:
  template <class A>
  friend void archive(A& a, Names& value);

  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard's name
  };

  std::vector<std::string> texts_;
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> numbers_;
};

struct IndexedCell {
  std::string id;  // hexadecimal
  std::uint32_t model = 0;
  bool simulated = false;
  std::string scenarios;
  std::string prompt;
  std::string severity;
  std::string difficulty;
  std::string protocol;
  double tool_success_rate = 0;
  std::uint32_t max_turns = 0;
  std::uint64_t planned = 0;
};

/// A trial that began: about 72 bytes.
struct IndexedTrial {
  std::uint32_t cell = 0;
  std::uint32_t task = 0;
  std::uint32_t repeat = 0;
  std::uint8_t outcome = 0;  // in TrialIndex::outcomes(); 0 is "", open
  std::uint8_t level = 0;    // in levels(); 0 is "", not scored
  std::uint8_t label = 0;    // in labels(); 0 is ""
  bool success = false;
  bool exists = false;
  std::uint16_t turns = 0;  // of the score
  std::uint16_t repaired = 0;
  std::uint16_t injected = 0;
  std::uint16_t attempts = 0;
  std::uint16_t answered = 0;
  float progress = 0;
  float answer_seconds = 0;        // of all answered attempts
  std::int64_t cost = 0;           // micro-dollars; unknown attempts as reserved
  std::int64_t tokens = 0;         // in and out
  std::int64_t first_attempt = 0;  // microseconds since 1970, 0: none
};

/// Ended requests of a route within a time bucket.
struct TimelineBucket {
  std::uint32_t answered = 0;
  std::uint32_t throttled = 0;
  std::uint32_t failed = 0;
};

struct IndexedRoute {
  std::uint32_t model = 0;
  std::uint64_t attempts = 0;
  std::uint64_t answered = 0;
  std::uint64_t throttled = 0;
  std::uint64_t failed = 0;
  std::int64_t cost = 0;
  std::int64_t tokens = 0;
  double answer_seconds = 0;
  engine::LatencyHistogram latency;  // of all its answers
  std::uint64_t empty = 0;           // of answered: no token in them
  std::vector<TimelineBucket> buckets;
};

class TrialIndex {
 public:
  /// Once `stop` is requested, refreshes end early with the error `cancelled`.
  [[nodiscard]] static base::Result<std::unique_ptr<TrialIndex>> open(const std::string& directory,
                                                                      std::stop_token stop = {});

  /// Reads what is new, in one snapshot.
  [[nodiscard]] base::Status refresh();

  /// Another ledger has taken the place of the one that this reads.
  [[nodiscard]] bool has_moved() const { return reader_->has_moved(); }

  /// Begins with what store() left in RUN/cache, if that is of exactly this state of the ledger;
  /// before the first refresh(). False: there is no such thing.
  [[nodiscard]] base::Result<bool> load();

  /// Refreshes, and keeps all in RUN/cache for the next one that opens a finished run. Nothing
  /// where reading a ledger takes no time.
  [[nodiscard]] base::Status store();

  /// After the end of a run, or of a report of it: of one with a million facts or more store()s
  /// what is not there yet, so that the page's first view of it is quick, too.
  [[nodiscard]] static base::Status keep(const std::string& directory);

  /// By id; trials that do not exist are gaps. `exists` says which.
  [[nodiscard]] std::span<const IndexedTrial> trials() const { return trials_; }

  [[nodiscard]] const std::vector<IndexedCell>& cells() const { return cells_; }

  [[nodiscard]] const Names& models() const { return models_; }

  [[nodiscard]] const Names& tasks() const { return tasks_; }

  [[nodiscard]] const std::string& task_type(std::uint32_t task) const {
    return task_types_.text(type_of_task_[task]);
  }

  [[nodiscard]] const Names& task_types() const { return task_types_; }

  [[nodiscard]] const Names& outcomes() const { return outcomes_; }

  [[nodiscard]] const Names& levels() const { return levels_; }

  [[nodiscard]] const Names& labels() const { return labels_; }

  [[nodiscard]] const Names& routes() const { return route_names_; }

  [[nodiscard]] const std::vector<IndexedRoute>& route_uses() const { return routes_; }

  /// Microseconds since 1970 of the first attempt, 0 before it; seconds of a bucket.
  [[nodiscard]] std::int64_t timeline_start() const { return timeline_start_; }

  [[nodiscard]] std::int64_t bucket_seconds() const { return bucket_seconds_; }

  [[nodiscard]] std::int64_t last_end() const { return last_end_; }

  /// For what is asked rarely.
  [[nodiscard]] ledger::Reader& reader() { return *reader_; }

 private:
  template <class A>
  friend void archive(A& a, TrialIndex& value);

  TrialIndex(std::unique_ptr<ledger::Reader> reader, std::stop_token stop);

  base::Status each(std::string_view query,
                    const std::string& parameter,
                    const std::function<void(std::span<const ledger::Cell>)>& visit);

  base::Status read_new();
  [[nodiscard]] base::Result<base::Digest> stamp();
  base::Status read_cells();
  base::Status read_trials();
  base::Status read_outcomes();
  base::Status read_scores();
  base::Status read_attempts();
  base::Status read_ends();

  /// nullptr for an id that no engine chooses.
  IndexedTrial* trial(std::int64_t id);

  /// An attempt that began, by the columns of its query.
  void begin_attempt(std::span<const ledger::Cell> row);
  void end_attempt(std::span<const ledger::Cell> row);
  void count(std::uint32_t route, std::int64_t at, std::string_view cause);
  void widen_buckets();

  std::unique_ptr<ledger::Reader> reader_;
  std::stop_token stop_;
  std::vector<IndexedTrial> trials_;
  std::vector<IndexedCell> cells_;
  std::unordered_map<std::string, std::uint32_t> cell_numbers_;
  Names models_;
  Names tasks_;
  Names task_types_;
  std::vector<std::uint32_t> type_of_task_;
  Names outcomes_;
  Names levels_;
  Names labels_;
  Names route_names_;
  std::vector<IndexedRoute> routes_;

  // Where the last refresh ended.
  std::int64_t last_trial_ = 0;
  std::int64_t last_outcome_ = 0;
  std::int64_t last_score_ = 0;
  std::int64_t last_attempt_ = 0;

  struct Pending {
    std::int64_t trial = 0;
    std::uint32_t route = 0;
    std::int64_t reserved = 0;

    template <class A>
    friend void archive(A& a, Pending& value) {
      a(value.trial, value.route, value.reserved);
    }
  };

  std::map<std::int64_t, Pending> pending_;  // attempts without an end, by id
  std::int64_t timeline_start_ = 0;
  std::int64_t bucket_seconds_ = 1;
  std::int64_t last_end_ = 0;
};

}  // namespace sortie::monitor
