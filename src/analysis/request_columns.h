#pragma once

#include "sortie/analysis/answer_count.h"
#include "sortie/analysis/trial_columns.h"
#include "sortie/analysis/words.h"
#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

// What a ledger says of requests, summed up by what reports tell apart: each is read once.

namespace sortie::analysis {

/// Numbers of words.
struct RequestKind {
  std::uint32_t cell = 0;  // of TrialColumns
  std::uint32_t route = 0;
  std::uint32_t model = 0;  // as requested
  std::uint32_t api_name = 0;
  bool reused = false;  // sent by another run (run --reuse)

  auto operator<=>(const RequestKind&) const = default;
};

/// One attempt with its end and the turn it became, as far as there are any.
struct Request {
  std::int64_t id = 0;
  RequestKind kind;
  std::int64_t at = 0;  // microseconds since 1970, as `ended_at`
  std::int64_t reserved_input = 0;
  std::int64_t reserved_output = 0;
  std::int64_t reserved_cost = 0;  // micro-dollars, as `cost`
  bool ended = false;
  std::int64_t ended_at = 0;
  bool answered = false;
  bool throttled = false;
  bool wrong_model = false;  // answered by a model that was not asked for
  std::uint32_t served_model = 0;
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t cost = 0;
  bool billing_known = false;
  std::int64_t duration_us = 0;
  bool is_turn = false;
  std::uint32_t turn_route = 0;
  bool empty = false;  // the answer

  /// Nothing about it will be added any more.
  [[nodiscard]] bool settled() const { return ended && (!answered || is_turn); }
};

/// Of the requests of one kind.
struct RequestSums {
  std::uint64_t attempts = 0;
  std::uint64_t ended = 0;
  std::uint64_t answered = 0;
  std::uint64_t throttled = 0;
  std::uint64_t wrong_model = 0;
  std::int64_t input_tokens = 0;  // of ended ones, as are output_tokens and cost
  std::int64_t output_tokens = 0;
  std::int64_t cost = 0;
  std::int64_t reserved = 0;  // micro-dollars, of those without an end
  // Bills, with the reserve where none is known:
  std::uint64_t unknown_bills = 0;
  std::int64_t bill_input = 0;
  std::int64_t bill_output = 0;
  std::int64_t bill = 0;           // by what ended ones cost
  std::int64_t bill_reserved = 0;  // of it: of unknown bills
  std::int64_t first_at = 0;
  std::int64_t last_at = 0;     // of their ends, or of themselves
  std::int64_t last_ended = 0;  // if any ended
};

struct RequestColumns {
  Words routes;
  Words models;
  Words api_names;
  Words served_models;
  std::map<RequestKind, RequestSums> sums;                       // of settled requests
  std::set<std::pair<std::uint32_t, std::uint32_t>> served;      // route, served model
  std::map<std::uint32_t, std::vector<std::int64_t>> durations;  // of answered ones, by route
  std::map<std::uint32_t, AnswerCount> turns;                    // by the route of the turn
  std::vector<Request> open;                                     // not settled
  std::int64_t last_attempt = 0;

  void add(const Request& request);

  /// Counts those that are not settled too, as they stand.
  void add_open();
};

/// Adds the facts behind those that the columns hold, and sums them up. `trials` are of the same
/// snapshot.
[[nodiscard]] base::Status read_new_requests(ledger::Reader& reader,
                                             const TrialColumns& trials,
                                             RequestColumns& columns,
                                             FactSum& sum);

}  // namespace sortie::analysis
