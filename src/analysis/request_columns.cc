#include "sortie/analysis/request_columns.h"

#include "sortie/analysis/answer_count.h"
#include "sortie/analysis/cells.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

using ledger::Cell;

constexpr std::array<std::string_view, 4> kThrottled = {
    "throttle", "concurrency", "ramp", "daily_cap"};

constexpr std::string_view kRequests =
    "SELECT a.id, a.trial, a.route, a.requested_model, a.api_name, a.at, a.reserved_input, "
    "a.reserved_output, a.reserved_cost, a.checksum, e.checksum, e.at, e.cause, e.served_model, "
    "e.input_tokens, e.output_tokens, e.cost, e.billing_known, e.duration_us, t.checksum, t.route, "
    "{}, r.trial IS NOT NULL "
    "FROM attempt AS a LEFT JOIN attempt_end AS e ON e.attempt = a.id LEFT JOIN turn AS t ON "
    "t.attempt = a.id LEFT JOIN reuse AS r ON r.trial = a.trial";

bool is_null(const Cell& cell) {
  return std::holds_alternative<std::monostate>(cell);
}

class NewRequests {
 public:
  NewRequests(ledger::Reader& reader,
              const TrialColumns& trials,
              RequestColumns& columns,
              FactSum& sum)
      : reader_(reader), trials_(trials), columns_(columns), sum_(sum) {}

  base::Status run() {
    TRY(read_open());
    return scan(fmt::format("a.id > {} ORDER BY a.id", columns_.last_attempt), 0);
  }

 private:
  /// What became of the requests that were not settled.
  base::Status read_open() {
    const std::vector<Request> before = std::exchange(columns_.open, {});
    for (const Request& request : before) {
      // What was counted of it in the sum of facts then.
      const int facts = 1 + (request.ended ? 1 : 0) + (request.is_turn ? 1 : 0);
      TRY(scan(fmt::format("a.id = {}", request.id), facts));
    }
    return {};
  }

  /// The first `known` of a request's facts were summed up before.
  base::Status scan(const std::string& which, int known) {
    return reader_.scan(fmt::format(kRequests, kIsEmpty) + " WHERE " + which,
                        [&](std::span<const Cell> row) {
                          int skip = known;
                          for (const std::size_t checksum : {9U, 10U, 19U}) {
                            if (!is_null(row[checksum]) && skip-- <= 0) {
                              sum_.add(int_of(row[checksum]));
                            }
                          }
                          const Request request = request_of(row);
                          columns_.last_attempt = std::max(columns_.last_attempt, request.id);
                          if (request.settled()) {
                            columns_.add(request);
                          } else {
                            columns_.open.push_back(request);
                          }
                          return true;
                        });
  }

  Request request_of(std::span<const Cell> row) {
    Request request;
    request.id = int_of(row[0]);
    if (const auto position = trials_.position(int_of(row[1]))) {
      request.kind.cell = trials_.rows[*position].cell;
    }
    request.kind.route = columns_.routes.of(view_of(row[2]));
    request.kind.model = columns_.models.of(view_of(row[3]));
    request.kind.api_name = columns_.api_names.of(view_of(row[4]));
    request.kind.reused = int_of(row[22]) != 0;
    request.at = int_of(row[5]);
    request.reserved_input = int_of(row[6]);
    request.reserved_output = int_of(row[7]);
    request.reserved_cost = int_of(row[8]);
    request.ended = !is_null(row[10]);
    if (request.ended) {
      const std::string_view cause = view_of(row[12]);
      request.ended_at = int_of(row[11]);
      request.answered = cause == "answered";
      request.throttled =
          !request.answered && std::ranges::find(kThrottled, cause) != kThrottled.end();
      request.wrong_model = cause == "wrong_model";
      request.served_model = columns_.served_models.of(view_of(row[13]));
      request.input_tokens = int_of(row[14]);
      request.output_tokens = int_of(row[15]);
      request.cost = int_of(row[16]);
      request.billing_known = int_of(row[17]) != 0;
      request.duration_us = int_of(row[18]);
    }
    request.is_turn = !is_null(row[19]);
    if (request.is_turn) {
      request.turn_route = columns_.routes.of(view_of(row[20]));
      request.empty = int_of(row[21]) != 0;
    }
    return request;
  }

  ledger::Reader& reader_;
  const TrialColumns& trials_;
  RequestColumns& columns_;
  FactSum& sum_;
};

}  // namespace

void RequestColumns::add(const Request& request) {
  RequestSums& own = sums[request.kind];
  const std::int64_t last = request.ended ? request.ended_at : request.at;
  own.first_at = own.attempts == 0 ? request.at : std::min(own.first_at, request.at);
  own.last_at = own.attempts == 0 ? last : std::max(own.last_at, last);
  ++own.attempts;
  own.bill_input += request.billing_known ? request.input_tokens : request.reserved_input;
  own.bill_output += request.billing_known ? request.output_tokens : request.reserved_output;
  const std::int64_t cost = request.ended ? request.cost : request.reserved_cost;
  own.bill += cost;
  if (!request.billing_known) {
    ++own.unknown_bills;
    own.bill_reserved += cost;
  }
  if (!request.ended) {
    own.reserved += request.reserved_cost;
    return;
  }
  own.last_ended = own.ended == 0 ? request.ended_at : std::max(own.last_ended, request.ended_at);
  ++own.ended;
  own.throttled += request.throttled ? 1U : 0U;
  own.wrong_model += request.wrong_model ? 1U : 0U;
  own.input_tokens += request.input_tokens;
  own.output_tokens += request.output_tokens;
  own.cost += request.cost;
  served.emplace(request.kind.route, request.served_model);
  if (request.answered) {
    ++own.answered;
    durations[request.kind.route].push_back(request.duration_us);
  }
  if (request.is_turn) {
    AnswerCount& answers = turns[request.turn_route];
    ++answers.all;
    answers.empty += request.empty ? 1U : 0U;
  }
}

void RequestColumns::add_open() {
  for (const Request& request : open) {
    add(request);
  }
  open.clear();
}

base::Status read_new_requests(ledger::Reader& reader,
                               const TrialColumns& trials,
                               RequestColumns& columns,
                               FactSum& sum) {
  return NewRequests(reader, trials, columns, sum).run();
}

}  // namespace sortie::analysis
