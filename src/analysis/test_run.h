#pragma once

#include "sortie/base/hash.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

// What the tests of this module share: a small ledger on disk, written through the real writer.

namespace sortie::analysis {

/// A run directory that lives as long as the object.
class TestRun {
 public:
  TestRun() {
    std::string pattern =
        (std::filesystem::path(testing::TempDir()) / "sortie-analysis-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    auto opened = ledger::Ledger::open(directory_,
                                       {.mode = ledger::CommitMode::inline_},
                                       [](base::Result<ledger::Sequence> outcome) {
                                         EXPECT_TRUE(outcome.has_value())
                                             << outcome.error().message;
                                       });
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    ledger_ = std::move(opened).value();
    manifest("campaign", "t<e>st");
    manifest("suite", "pilot/1");
  }

  TestRun(const TestRun&) = delete;
  TestRun& operator=(const TestRun&) = delete;

  ~TestRun() {
    ledger_.reset();
    std::filesystem::remove_all(directory_);
  }

  void manifest(const std::string& name, const std::string& value) {
    ledger_->append(ledger::ManifestRecord{.generation = 1, .name = name, .value = value});
  }

  base::Digest cell(const std::string& model,
                    const std::string& prompt,
                    const std::string& scenarios,
                    std::int64_t planned,
                    const std::string& severity = {}) {
    ledger::CellRecord record;
    record.severity = severity;
    record.id =
        base::digest_of(model + prompt + (max_turns == 30 ? "" : std::to_string(max_turns)));
    record.model = model;
    record.simulated = true;
    record.scenarios = scenarios;
    record.prompt = prompt;
    record.flaw = "none";
    record.difficulty = "easy";
    record.protocol = "text";
    record.tool_success_rate = 0.8;
    record.max_turns = max_turns;
    record.planned = planned;
    ledger_->append(record);
    return record.id;
  }

  /// A scored trial of one turn.
  void scored(const base::Digest& cell,
              const std::string& task,
              bool success,
              double progress = 0.5) {
    begin(cell, task);
    const std::int64_t attempt = next_attempt_++;
    ledger_->append(ledger::AttemptRecord{.id = attempt,
                                          .trial = trial_,
                                          .turn = 0,
                                          .number = 0,
                                          .route = route,
                                          .requested_model = "m",
                                          .api_name = api_name,
                                          .at = base::WallTime(std::chrono::microseconds(at)),
                                          .request = base::digest_of("r"),
                                          .reserved_input = 10,
                                          .reserved_output = 10,
                                          .reserved_cost = 5});
    ledger_->append(ledger::AttemptEndRecord{.attempt = attempt,
                                             .at = {},
                                             .cause = "answered",
                                             .status = status,
                                             .code = {},
                                             .message = {},
                                             .served_model = served_model,
                                             .usage = usage,
                                             .cost = 4,
                                             .billing_known = usage_reported,
                                             .first_byte_us = 1000,
                                             .duration_us = 2000});
    ledger_->append(ledger::TurnRecord{.trial = trial_,
                                       .turn = 0,
                                       .attempt = attempt,
                                       .answer = answer,
                                       .usage = usage,
                                       .route = route,
                                       .served_model = served_model,
                                       .finish = "stop",
                                       .fingerprint = fingerprint});
    outcome("scored");
    score(success, progress);
  }

  void lost(const base::Digest& cell, const std::string& task, const std::string& what) {
    begin(cell, task);
    outcome(what);
  }

  /// A request of the last trial, over a route, that has not ended.
  void unknown_attempt(const std::string& over, std::int64_t reserved_cost) {
    ledger_->append(ledger::AttemptRecord{.id = next_attempt_++,
                                          .trial = trial_,
                                          .turn = 1,
                                          .number = 0,
                                          .route = over,
                                          .requested_model = "m",
                                          .api_name = "m",
                                          .at = {},
                                          .request = base::digest_of("r"),
                                          .reserved_input = 100,
                                          .reserved_output = 50,
                                          .reserved_cost = reserved_cost});
  }

  [[nodiscard]] std::int64_t last_attempt() const { return next_attempt_ - 1; }

  /// An attempt that had not ended is answered, and its trial scored.
  void answered_late(std::int64_t attempt, bool success) {
    ledger_->append(ledger::AttemptEndRecord{.attempt = attempt,
                                             .at = {},
                                             .cause = "answered",
                                             .status = 200,
                                             .code = {},
                                             .message = {},
                                             .served_model = served_model,
                                             .usage = usage,
                                             .cost = 9,
                                             .billing_known = true,
                                             .first_byte_us = 1,
                                             .duration_us = 7000});
    ledger_->append(ledger::TurnRecord{.trial = trial_,
                                       .turn = 1,
                                       .attempt = attempt,
                                       .answer = answer,
                                       .usage = usage,
                                       .route = route,
                                       .served_model = served_model,
                                       .finish = "stop",
                                       .fingerprint = fingerprint});
    outcome("scored");
    score(success, 0.25);
  }

  void event(const std::string& kind, const std::string& subject, const std::string& detail) {
    ledger_->append(
        ledger::EventRecord{.at = {}, .kind = kind, .subject = subject, .detail = detail});
  }

  std::unique_ptr<ledger::Reader> reader() {
    const auto flushed = ledger_->flush();
    EXPECT_TRUE(flushed.has_value()) << flushed.error().message;
    auto reader = ledger::Reader::open(directory_);
    EXPECT_TRUE(reader.has_value()) << reader.error().message;
    return std::move(reader).value();
  }

  [[nodiscard]] const std::string& directory() const { return directory_; }

  std::string scorer = "s/1";
  std::int64_t rejected = 0;  // calls of the trials that follow

  // Of the answers that follow.
  std::string route = "e/k/m";
  std::int64_t max_turns = 30;  // of the cells made from here on
  std::int64_t at = 0;          // of the request, microseconds since 1970
  std::string fingerprint;
  std::string api_name = "m";
  std::string served_model = "m";
  chat::Usage usage{.input = 7, .output = 3};
  bool usage_reported = true;
  std::int64_t status = 200;
  std::string answer = R"({"text":"a \"quoted\", line
and ünïcode"})";

 private:
  void score(bool success, double progress) {
    ledger::ScoreRecord score;
    score.trial = trial_;
    score.scorer = scorer;
    score.success = success;
    score.clean = success;
    score.progress = success ? 1 : progress;
    score.level = success ? "full" : "failure";
    score.turns = 1;
    score.calls = 2 + rejected;
    score.calls_rejected = rejected;
    score.calls_ok = 1;
    score.calls_injected = 1;
    score.label = success ? "none" : "early_finish";
    ledger_->append(score);
  }

  void begin(const base::Digest& cell, const std::string& task) {
    ++trial_;
    const std::int64_t repeat = repeats_[cell.hex() + task]++;
    ledger_->append(
        ledger::TrialRecord{.id = trial_,
                            .key = base::digest_of(cell.hex() + task + std::to_string(repeat)),
                            .cell = cell,
                            .task = task,
                            .task_type = task.substr(0, task.find('-')),
                            .repeat = repeat});
  }

  void outcome(const std::string& what) {
    ledger_->append(ledger::OutcomeRecord{.trial = trial_,
                                          .at = {},
                                          .outcome = what,
                                          .detail = {},
                                          .end = what == "scored" ? "finish" : ""});
  }

  std::string directory_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::map<std::string, std::int64_t> repeats_;  // begun, by cell and task
  std::int64_t trial_ = 0;
  std::int64_t next_attempt_ = 1;
};

}  // namespace sortie::analysis
