#pragma once

#include "sortie/base/hash.h"
#include "sortie/base/time.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/records.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

// What the tests of this module share: a run directory of their own and records that fit together.

namespace sortie::ledger {

/// A directory below the test's temporary directory that is not there yet and goes away with its
/// owner.
class RunDirectory {
 public:
  RunDirectory() {
    std::string pattern =
        (std::filesystem::path(testing::TempDir()) / "sortie_ledger_XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    parent_ = pattern;
  }

  ~RunDirectory() { std::filesystem::remove_all(parent_); }

  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  [[nodiscard]] std::string path() const { return (parent_ / "run").string(); }

  [[nodiscard]] std::string file(const std::string& name) const {
    return (parent_ / "run" / name).string();
  }

 private:
  std::filesystem::path parent_;
};

inline base::WallTime at(std::int64_t microseconds) {
  return base::WallTime(std::chrono::microseconds(1'767'225'600'000'000 + microseconds));
}

inline CellRecord cell_record(int number = 1) {
  return {.id = base::digest_of("cell " + std::to_string(number)),
          .model = "pilot-small",
          .simulated = true,
          .scenarios = "5.1,5.2",
          .prompt = "optimal",
          .flaw = "none",
          .severity = "none",
          .difficulty = "easy",
          .protocol = "text",
          .tool_success_rate = 0.8,
          .max_turns = 10,
          .planned = 1000};
}

inline TrialRecord trial_record(TrialId id) {
  return {.id = id,
          .key = base::digest_of("trial " + std::to_string(id)),
          .cell = cell_record().id,
          .task = "task-" + std::to_string(id % 7),
          .task_type = "basic_task",
          .repeat = id};
}

inline AttemptRecord attempt_record(AttemptId id, TrialId trial, std::int64_t turn) {
  return {.id = id,
          .trial = trial,
          .turn = turn,
          .number = 0,
          .route = "azure/key-1/pilot-small-2026",
          .requested_model = "pilot-small",
          .api_name = "pilot-small-2026",
          .at = at(id * 10),
          .request = base::digest_of("request " + std::to_string(id)),
          .reserved_input = 900,
          .reserved_output = 300,
          .reserved_cost = 77};
}

inline AttemptEndRecord end_record(AttemptId id, const std::string& cause = "answered") {
  return {.attempt = id,
          .at = at(id * 10 + 5),
          .cause = cause,
          .status = 200,
          .code = "",
          .message = "",
          .served_model = "pilot-small-2026-01-01",
          .usage = {.input = 850, .output = 120, .cached_input = 100, .reasoning = 20},
          .cost = 55,
          .billing_known = true,
          .first_byte_us = 1200,
          .duration_us = 4300};
}

inline TurnRecord turn_record(AttemptId attempt,
                              TrialId trial,
                              std::int64_t turn,
                              std::string answer) {
  return {.trial = trial,
          .turn = turn,
          .attempt = attempt,
          .answer = std::move(answer),
          .usage = {.input = 850, .output = 120, .cached_input = 100, .reasoning = 20},
          .route = "azure/key-1/pilot-small-2026",
          .served_model = "pilot-small-2026-01-01",
          .finish = "stop",
          .fingerprint = "fp_1"};
}

inline CallRecord call_record(TrialId trial, std::int64_t n) {
  return {.trial = trial,
          .turn = n,
          .n = n,
          .tool = "file_read",
          .arguments = R"({"path":"a.txt"})",
          .status = "ok",
          .code = "",
          .result = R"({"text":"hello"})",
          .origin = "world",
          .artifact = "art-1"};
}

inline OutcomeRecord outcome_record(TrialId trial, const std::string& outcome = "scored") {
  return {.trial = trial,
          .at = at(trial * 100),
          .outcome = outcome,
          .detail = "",
          .end = outcome == "scored" ? "finish" : ""};
}

inline ScoreRecord score_record(TrialId trial, const std::string& scorer = "pilot-scorer/1") {
  return {.trial = trial,
          .scorer = scorer,
          .success = true,
          .clean = true,
          .progress = 1,
          .level = "full",
          .order = 1.0,
          .tool_coverage = 1,
          .efficiency = std::nullopt,
          .calls = 2,
          .calls_ok = 2,
          .turns = 2,
          .label = "none",
          .label_turn = std::nullopt};
}

/// A trial of two turns and two calls from its beginning to its score, with attempts 2 * id - 1 and
/// 2 * id.
inline std::vector<Record> whole_trial(TrialId id) {
  std::vector<Record> records;
  records.emplace_back(trial_record(id));
  for (std::int64_t turn = 0; turn < 2; ++turn) {
    const AttemptId attempt = 2 * id - 1 + turn;
    records.emplace_back(attempt_record(attempt, id, turn));
    records.emplace_back(end_record(attempt));
    records.emplace_back(turn_record(
        attempt, id, turn, "answer " + std::to_string(attempt) + std::string(300, '.')));
    records.emplace_back(call_record(id, turn));
  }
  records.emplace_back(score_record(id));
  records.emplace_back(outcome_record(id));
  return records;
}

inline std::unique_ptr<Ledger> open_ledger(const std::string& path, LedgerOptions options = {}) {
  auto opened = Ledger::open(path, options, nullptr);
  EXPECT_TRUE(opened.has_value()) << (opened ? "" : opened.error().message);
  return opened ? std::move(*opened) : nullptr;
}

inline std::unique_ptr<Reader> open_reader(const std::string& path) {
  auto opened = Reader::open(path);
  EXPECT_TRUE(opened.has_value()) << (opened ? "" : opened.error().message);
  return opened ? std::move(*opened) : nullptr;
}

/// -1 when the query fails.
inline std::int64_t count(Reader& reader, const std::string& sql) {
  const auto number = reader.count(sql);
  EXPECT_TRUE(number.has_value()) << (number ? "" : number.error().message);
  return number.value_or(-1);
}

/// The names of the checks that fail, with their details; empty: all hold.
inline std::vector<std::string> failing(Reader& reader) {
  const auto checks = verify(reader);
  EXPECT_TRUE(checks.has_value()) << (checks ? "" : checks.error().message);
  std::vector<std::string> names;
  if (checks) {
    for (const Check& check : *checks) {
      if (!check.ok) {
        names.push_back(check.name + ": " + check.detail);
      }
    }
  }
  return names;
}

}  // namespace sortie::ledger
