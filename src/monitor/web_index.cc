#include "sortie/monitor/web_index.h"

#include "sortie/analysis/answer_count.h"
#include "sortie/analysis/cells.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace sortie::monitor {

namespace {

using analysis::double_of;
using analysis::int_of;
using analysis::text_of;
using Row = std::span<const ledger::Cell>;

constexpr std::int64_t kTrialsMax = 50'000'000;
constexpr std::size_t kBucketsMax = 720;
constexpr std::int64_t kMicroseconds = 1'000'000;

std::string_view view_of(const ledger::Cell& cell) {
  const auto* text = std::get_if<std::string_view>(&cell);
  return text == nullptr ? std::string_view() : *text;
}

/// Without a way around into another value.
std::uint16_t narrow(std::int64_t value) {
  return static_cast<std::uint16_t>(
      std::clamp<std::int64_t>(value, 0, std::numeric_limits<std::uint16_t>::max()));
}

/// Vocabularies of the ledger, some 20 words each; a foreign one beyond 255 shares the last.
std::uint8_t word(Names& names, std::string_view text) {
  return static_cast<std::uint8_t>(std::min<std::uint32_t>(names.of(text), 255));
}

/// As reports count it.
bool is_throttle(std::string_view cause) {
  return cause == "throttle" || cause == "concurrency" || cause == "ramp" || cause == "daily_cap";
}

}  // namespace

std::uint32_t Names::of(std::string_view text) {
  if (const auto found = numbers_.find(text); found != numbers_.end()) {
    return found->second;
  }
  const auto number = static_cast<std::uint32_t>(texts_.size());
  texts_.emplace_back(text);
  numbers_.emplace(texts_.back(), number);
  return number;
}

std::uint32_t Names::find(std::string_view text) const {
  const auto found = numbers_.find(text);
  return found == numbers_.end() ? kNever : found->second;
}

TrialIndex::TrialIndex(std::unique_ptr<ledger::Reader> reader, std::stop_token stop)
    : reader_(std::move(reader)), stop_(std::move(stop)) {
  for (Names* names : {&outcomes_, &levels_, &labels_}) {
    names->of("");
  }
}

base::Result<std::unique_ptr<TrialIndex>> TrialIndex::open(const std::string& directory,
                                                           std::stop_token stop) {
  TRY_ASSIGN(auto reader, ledger::Reader::open(directory));
  return std::unique_ptr<TrialIndex>(new TrialIndex(std::move(reader), std::move(stop)));
}

base::Status TrialIndex::each(std::string_view query,
                              const std::string& parameter,
                              const std::function<void(Row)>& visit) {
  const std::array parameters = {parameter};
  TRY(reader_->scan(query, parameters, [&](Row row) {
    visit(row);
    return !stop_.stop_requested();
  }));
  if (stop_.stop_requested()) {
    return base::failure(
        base::Remedy::retry_later, base::ErrorCode::cancelled, "the server is ending");
  }
  return {};
}

base::Status TrialIndex::refresh() {
  TRY(reader_->begin());
  base::Status status = read_new();
  reader_->end();
  return status;
}

base::Status TrialIndex::read_new() {
  TRY(read_cells());
  TRY(read_trials());
  TRY(read_outcomes());
  TRY(read_scores());
  TRY(read_ends());
  return read_attempts();
}

/// `planned` and `scenarios` may change at a start, so all are read; there are some hundreds.
base::Status TrialIndex::read_cells() {
  return reader_->scan(
      "SELECT id, model, simulated, scenarios, prompt, severity, difficulty, protocol, "
      "tool_success_rate, max_turns, planned FROM cell ORDER BY rowid",
      [&](Row row) {
        const auto [entry, fresh] =
            cell_numbers_.emplace(text_of(row[0]), static_cast<std::uint32_t>(cells_.size()));
        if (fresh) {
          cells_.emplace_back();
        }
        cells_[entry->second] = {.id = text_of(row[0]),
                                 .model = models_.of(view_of(row[1])),
                                 .simulated = int_of(row[2]) != 0,
                                 .scenarios = text_of(row[3]),
                                 .prompt = text_of(row[4]),
                                 .severity = text_of(row[5]),
                                 .difficulty = text_of(row[6]),
                                 .protocol = text_of(row[7]),
                                 .tool_success_rate = double_of(row[8]),
                                 .max_turns = static_cast<std::uint32_t>(int_of(row[9])),
                                 .planned = static_cast<std::uint64_t>(int_of(row[10]))};
        return true;
      });
}

base::Status TrialIndex::read_trials() {
  return each(
      "SELECT id, cell, task, task_type, repeat FROM trial WHERE id > CAST(?1 AS INTEGER) "
      "ORDER BY id",
      fmt::to_string(last_trial_),
      [&](Row row) {
        last_trial_ = int_of(row[0]);
        const auto cell = cell_numbers_.find(text_of(row[1]));
        if (last_trial_ < 1 || last_trial_ > kTrialsMax || cell == cell_numbers_.end()) {
          return;
        }
        if (trials_.size() <= static_cast<std::size_t>(last_trial_)) {
          trials_.resize(static_cast<std::size_t>(last_trial_) + 1);
        }
        IndexedTrial& made = trials_[static_cast<std::size_t>(last_trial_)];
        made.exists = true;
        made.cell = cell->second;
        made.task = tasks_.of(view_of(row[2]));
        made.repeat = static_cast<std::uint32_t>(int_of(row[4]));
        if (type_of_task_.size() <= made.task) {
          type_of_task_.resize(made.task + 1);
        }
        type_of_task_[made.task] = task_types_.of(view_of(row[3]));
      });
}

IndexedTrial* TrialIndex::trial(std::int64_t id) {
  const auto place = static_cast<std::size_t>(id);
  return id > 0 && place < trials_.size() && trials_[place].exists ? &trials_[place] : nullptr;
}

/// The one that counts: the first scored one, else the latest.
base::Status TrialIndex::read_outcomes() {
  const std::uint8_t scored = word(outcomes_, "scored");
  return each("SELECT id, trial, outcome FROM outcome WHERE id > CAST(?1 AS INTEGER) ORDER BY id",
              fmt::to_string(last_outcome_),
              [&](Row row) {
                last_outcome_ = int_of(row[0]);
                IndexedTrial* found = trial(int_of(row[1]));
                if (found != nullptr && found->outcome != scored) {
                  found->outcome = word(outcomes_, view_of(row[2]));
                }
              });
}

/// The newest score of a trial is that of the newest scorer.
base::Status TrialIndex::read_scores() {
  return each(
      "SELECT id, trial, success, progress, level, label, turns, turns_repaired, "
      "calls_injected FROM score WHERE id > CAST(?1 AS INTEGER) ORDER BY id",
      fmt::to_string(last_score_),
      [&](Row row) {
        last_score_ = int_of(row[0]);
        IndexedTrial* found = trial(int_of(row[1]));
        if (found == nullptr) {
          return;
        }
        found->success = int_of(row[2]) != 0;
        found->progress = static_cast<float>(double_of(row[3]));
        found->level = word(levels_, view_of(row[4]));
        found->label = word(labels_, view_of(row[5]));
        found->turns = narrow(int_of(row[6]));
        found->repaired = narrow(int_of(row[7]));
        found->injected = narrow(int_of(row[8]));
      });
}

namespace {

// Columns 0 to 5 belong to the attempt, the rest to its end and its turn.
constexpr std::string_view kAttempts =
    "SELECT a.id, a.trial, a.route, a.requested_model, a.at, a.reserved_cost, e.cause, e.at, "
    "e.cost, e.input_tokens + e.output_tokens, e.duration_us, {} "
    "FROM attempt a LEFT JOIN attempt_end e ON e.attempt = a.id "
    "LEFT JOIN turn t ON t.attempt = a.id WHERE a.id > CAST(?1 AS INTEGER) ORDER BY a.id";

constexpr std::string_view kEnds =
    "SELECT e.attempt, 0, '', '', 0, 0, e.cause, e.at, e.cost, e.input_tokens + e.output_tokens, "
    "e.duration_us, {} FROM attempt_end e LEFT JOIN turn t ON t.attempt = e.attempt "
    "WHERE e.attempt IN ({})";

bool ended(Row row) {
  return !std::holds_alternative<std::monostate>(row[6]);
}

}  // namespace

/// Ends come in any order: those of attempts that had none. A query takes so many ids.
base::Status TrialIndex::read_ends() {
  constexpr std::size_t kIdsMax = 5000;
  std::vector<std::int64_t> ids;
  for (const auto& [id, attempt] : pending_) {
    ids.push_back(id);
  }
  for (std::size_t first = 0; first < ids.size(); first += kIdsMax) {
    const auto some = std::span(ids).subspan(first, std::min(kIdsMax, ids.size() - first));
    TRY(reader_->scan(fmt::format(kEnds, analysis::kIsEmpty, fmt::join(some, ",")), [&](Row row) {
      end_attempt(row);
      return true;
    }));
  }
  return {};
}

base::Status TrialIndex::read_attempts() {
  const std::string query = fmt::format(kAttempts, analysis::kIsEmpty);
  return each(query, fmt::to_string(last_attempt_), [&](Row row) {
    last_attempt_ = int_of(row[0]);
    begin_attempt(row);
    if (ended(row)) {
      end_attempt(row);
    }
  });
}

void TrialIndex::begin_attempt(Row row) {
  const std::int64_t at = int_of(row[4]);
  const std::int64_t reserved = int_of(row[5]);
  timeline_start_ = timeline_start_ == 0 ? at : timeline_start_;
  const std::uint32_t route = route_names_.of(view_of(row[2]));
  if (routes_.size() <= route) {
    routes_.resize(route + 1);
    routes_[route].model = models_.of(view_of(row[3]));
  }
  ++routes_[route].attempts;
  routes_[route].cost += reserved;
  if (IndexedTrial* found = trial(int_of(row[1]))) {
    found->attempts = narrow(found->attempts + 1);
    found->cost += reserved;
    found->first_attempt = found->first_attempt == 0 ? at : found->first_attempt;
  }
  pending_[int_of(row[0])] = {.trial = int_of(row[1]), .route = route, .reserved = reserved};
}

void TrialIndex::end_attempt(Row row) {
  const auto found = pending_.find(int_of(row[0]));
  if (found == pending_.end()) {
    return;
  }
  const Pending attempt = found->second;
  pending_.erase(found);
  const std::string_view cause = view_of(row[6]);
  const bool answered = cause == "answered";
  const std::int64_t tokens = int_of(row[9]);
  const double seconds = static_cast<double>(int_of(row[10])) / kMicroseconds;
  IndexedRoute& route = routes_[attempt.route];
  route.cost += int_of(row[8]) - attempt.reserved;
  route.tokens += tokens;
  if (answered) {
    route.answer_seconds += seconds;
    route.latency.add(std::chrono::microseconds(int_of(row[10])));
  }
  route.empty += int_of(row[11]) != 0 ? 1U : 0U;
  count(attempt.route, int_of(row[7]), cause);
  if (IndexedTrial* mine = trial(attempt.trial)) {
    mine->cost += int_of(row[8]) - attempt.reserved;
    mine->tokens += tokens;
    mine->answered = narrow(mine->answered + (answered ? 1 : 0));
    mine->answer_seconds += answered ? static_cast<float>(seconds) : 0;
  }
}

void TrialIndex::count(std::uint32_t route, std::int64_t at, std::string_view cause) {
  const auto bucket_of = [&] {
    return static_cast<std::size_t>(std::max<std::int64_t>(at - timeline_start_, 0) /
                                    (bucket_seconds_ * kMicroseconds));
  };
  while (bucket_of() >= kBucketsMax) {
    widen_buckets();
  }
  last_end_ = std::max(last_end_, at);
  IndexedRoute& use = routes_[route];
  if (use.buckets.size() <= bucket_of()) {
    use.buckets.resize(bucket_of() + 1);
  }
  TimelineBucket& bucket = use.buckets[bucket_of()];
  if (cause == "answered") {
    ++bucket.answered;
    ++use.answered;
  } else if (is_throttle(cause)) {
    ++bucket.throttled;
    ++use.throttled;
  } else {
    ++bucket.failed;
    ++use.failed;
  }
}

/// Half as many buckets, twice as wide.
void TrialIndex::widen_buckets() {
  bucket_seconds_ *= 2;
  for (IndexedRoute& route : routes_) {
    std::vector<TimelineBucket> wider((route.buckets.size() + 1) / 2);
    for (std::size_t i = 0; i < route.buckets.size(); ++i) {
      wider[i / 2].answered += route.buckets[i].answered;
      wider[i / 2].throttled += route.buckets[i].throttled;
      wider[i / 2].failed += route.buckets[i].failed;
    }
    route.buckets = std::move(wider);
  }
}

}  // namespace sortie::monitor
