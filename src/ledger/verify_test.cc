#include "sortie/base/hash.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/tamper.h"
#include "sortie/ledger/test_support.h"

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::ledger {
namespace {

class Verify : public testing::Test {
 protected:
  Verify() {
    auto ledger = open_ledger(directory_.path());
    ledger->append(ManifestRecord{.generation = 1, .name = "seed", .value = "42"});
    ledger->append(cell_record());
    for (TrialId id = 1; id <= 6; ++id) {
      for (Record& record : whole_trial(id)) {
        ledger->append(std::move(record));
      }
    }
    ledger->append(EventRecord{.at = at(1), .kind = "gate", .subject = "r", .detail = "{}"});
  }

  /// Names of the failing checks.
  std::vector<std::string> found() {
    auto reader = open_reader(directory_.path());
    std::vector<std::string> names;
    if (reader != nullptr) {
      for (const std::string& finding : failing(*reader)) {
        names.push_back(finding.substr(0, finding.find(':')));
        details_ += finding + "\n";
      }
    }
    return names;
  }

  void forge(const std::string& sql) { Tamper(directory_.path()).forge(sql); }

  template <class... Names>
  void expect_only(const Names&... names) {
    EXPECT_EQ(found(), (std::vector<std::string>{names...})) << details_;
  }

  /// What a check that holds says besides.
  std::string note(const std::string& name) {
    auto reader = open_reader(directory_.path());
    for (const Check& check : verify(*reader).value()) {
      if (check.name == name) {
        EXPECT_TRUE(check.ok);
        return check.detail;
      }
    }
    return "no such check";
  }

  RunDirectory directory_;
  std::string details_;
};

TEST_F(Verify, finds_nothing_in_a_good_ledger_nor_in_an_honest_rewrite) {
  EXPECT_EQ(found(), std::vector<std::string>());
  forge("SELECT 1");
  EXPECT_EQ(found(), std::vector<std::string>()) << details_;
}

TEST_F(Verify, finds_a_changed_value_in_every_table) {
  const std::vector<std::string> changes = {"UPDATE manifest SET value = '43'",
                                            "UPDATE cell SET max_turns = 11",
                                            "UPDATE trial SET task = 'other' WHERE id = 2",
                                            "UPDATE attempt SET reserved_cost = 78 WHERE id = 2",
                                            "UPDATE attempt_end SET cost = 0 WHERE attempt = 2",
                                            "UPDATE turn SET finish = 'length' WHERE attempt = 2",
                                            "UPDATE outcome SET detail = 'x' WHERE trial = 2",
                                            "UPDATE score SET success = 0 WHERE trial = 2",
                                            "UPDATE call SET result = '{}' WHERE trial = 2",
                                            "UPDATE event SET detail = '[]'"};
  for (const std::string& change : changes) {
    const RunDirectory copy;
    std::filesystem::copy(directory_.path(), copy.path());
    Tamper(copy.path()).against_triggers(change);
    auto reader = open_reader(copy.path());
    const auto findings = failing(*reader);
    ASSERT_EQ(findings.size(), 1U) << change;
    EXPECT_EQ(findings[0].substr(0, findings[0].find(':')), "rows_match_their_checksums");
  }
}

TEST_F(Verify, finds_a_missing_row) {
  Tamper(directory_.path()).against_triggers("DELETE FROM event");
  expect_only("no_row_is_missing_or_added");
}

TEST_F(Verify, finds_a_row_replaced_by_another_good_one) {
  Tamper(directory_.path())
      .against_triggers(
          "UPDATE event SET detail = '[]', checksum = row_checksum('event', at, kind, subject, "
          "'[]')");
  expect_only("no_row_is_missing_or_added");
}

TEST_F(Verify, finds_more_trials_than_planned) {
  forge("UPDATE cell SET planned = 5");
  expect_only("cells_hold_what_is_planned");
}

TEST_F(Verify, finds_an_outcome_after_the_scored_one) {
  forge("INSERT INTO outcome VALUES (NULL, 3, 5, 'timeout', '', '', 0)");
  expect_only("outcomes_end_with_the_scored_one");
}

TEST_F(Verify, accepts_a_scored_outcome_after_others) {
  {
    auto ledger = open_ledger(directory_.path());
    ledger->append(trial_record(7));
    ledger->append(outcome_record(7, "throttled"));
    ledger->append_together({score_record(7), outcome_record(7)});
  }
  EXPECT_EQ(found(), std::vector<std::string>()) << details_;
}

TEST_F(Verify, finds_a_score_of_a_trial_that_is_not_scored) {
  forge("UPDATE outcome SET outcome = 'timeout', end_reason = '' WHERE trial = 3");
  expect_only("only_scored_trials_have_scores");
}

TEST_F(Verify, finds_a_scored_trial_without_a_score) {
  forge("DELETE FROM score WHERE trial = 3");
  expect_only("scored_trials_have_a_score");
}

TEST_F(Verify, finds_a_gap_in_the_turns) {
  forge(
      "UPDATE turn SET turn = 7 WHERE trial = 3 AND turn = 0;"
      "UPDATE attempt SET turn = 7 WHERE trial = 3 AND turn = 0");
  expect_only("turns_are_contiguous", "attempts_ask_turns_that_follow");
}

TEST_F(Verify, finds_an_answer_that_was_paid_and_is_no_turn) {
  forge("DELETE FROM turn WHERE trial = 3 AND turn = (SELECT max(turn) FROM turn WHERE trial = 3)");
  expect_only("answered_attempts_have_turns");
}

TEST_F(Verify, finds_a_turn_of_another_route_than_its_attempt) {
  forge("UPDATE turn SET route = 'elsewhere' WHERE trial = 3 AND turn = 0");
  expect_only("turns_belong_to_their_attempts");
}

TEST_F(Verify, finds_a_turn_whose_attempt_belongs_to_another_trial) {
  forge("UPDATE attempt SET trial = 4, number = 1 WHERE id = 5");
  expect_only("turns_belong_to_their_attempts");
}

TEST_F(Verify, finds_a_turn_whose_attempt_was_not_answered) {
  forge("UPDATE attempt_end SET cause = 'wrong_model' WHERE attempt = 5");
  expect_only("turns_have_answered_attempts");
}

TEST_F(Verify, finds_a_turn_whose_attempt_has_no_end) {
  forge("DELETE FROM attempt_end WHERE attempt = 5");
  expect_only("turns_have_answered_attempts");
}

TEST_F(Verify, finds_a_turn_that_names_another_model_than_answered) {
  forge("UPDATE turn SET served_model = 'gpt-x' WHERE attempt = 5");
  expect_only("turns_name_the_model_that_answered");
}

TEST_F(Verify, finds_a_gap_in_the_attempts_of_a_turn) {
  forge("UPDATE attempt SET number = 2 WHERE id = 5");
  expect_only("attempts_of_a_turn_are_contiguous");
}

TEST_F(Verify, finds_a_question_before_the_answer_to_the_one_before) {
  forge(
      "INSERT INTO attempt SELECT 100, trial, 5, 0, route, requested_model, api_name, at, request, "
      "reserved_input, reserved_output, reserved_cost, 0 FROM attempt WHERE id = 5");
  expect_only("attempts_ask_turns_that_follow");
}

TEST_F(Verify, finds_durations_that_cannot_be) {
  forge("UPDATE attempt_end SET first_byte_us = duration_us + 1 WHERE attempt = 5");
  expect_only("durations_are_possible");
}

TEST_F(Verify, finds_a_spec_that_is_not_what_its_hash_says) {
  const std::string text = "name: a";
  {
    auto ledger = open_ledger(directory_.path());
    ledger->append(ManifestRecord{.generation = 2, .name = "campaign_text", .value = text});
    ledger->append(ManifestRecord{
        .generation = 2, .name = "campaign_file_hash", .value = base::digest_of(text).hex()});
  }
  expect_only();
  forge("UPDATE manifest SET value = 'name: b' WHERE name = 'campaign_text'");
  expect_only("specs_match_their_hashes");
}

TEST_F(Verify, shows_attempts_that_nobody_knows_the_end_of) {
  EXPECT_EQ(note("attempts_have_ends"), "");
  {
    auto ledger = open_ledger(directory_.path());
    ledger->append(trial_record(7));
    ledger->append(attempt_record(100, 7, 0));
  }
  EXPECT_NE(note("attempts_have_ends").find("attempt 100 is unknown"), std::string::npos);
}

TEST_F(Verify, shows_clocks_that_were_set_back) {
  forge("UPDATE attempt_end SET at = at - 100000 WHERE attempt = 5");
  EXPECT_NE(note("clocks_run_forwards").find("99995 us before it began"), std::string::npos)
      << note("clocks_run_forwards");
}

TEST_F(Verify, finds_a_gap_in_the_calls) {
  forge("DELETE FROM call WHERE trial = 3 AND n = 0");
  expect_only("calls_are_contiguous");
}

TEST_F(Verify, finds_a_message_that_is_not_what_its_digest_says) {
  forge(
      "UPDATE message SET encoding = 'plain', content = CAST('other' AS BLOB), size = 5 WHERE id = "
      "3");
  expect_only("messages_match_their_digests");
}

TEST_F(Verify, finds_a_message_that_cannot_be_unpacked) {
  forge("UPDATE message SET content = x'28B52FFD00' WHERE id = 3");
  expect_only("messages_match_their_digests");
}

TEST_F(Verify, finds_a_reference_to_nothing) {
  forge("DELETE FROM message WHERE id = 3");
  expect_only("references_lead_somewhere");
}

TEST_F(Verify, finds_an_unknown_word_and_a_number_out_of_range) {
  forge("UPDATE call SET status = 'perhaps' WHERE trial = 3");
  expect_only("values_keep_to_their_constraints");
  details_.clear();
  forge("UPDATE call SET status = 'ok'; UPDATE score SET progress = 2");
  expect_only("values_keep_to_their_constraints");
}

TEST_F(Verify, finds_an_index_that_does_not_fit_its_table) {
  // Emptied behind SQLite's back: the index then lacks every row.
  Tamper(directory_.path())
      .run(
          "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM "
          "sqlite_schema "
          "WHERE name = 'sqlite_autoindex_event_1') WHERE name = 'attempt_by_turn'");
  auto reader = open_reader(directory_.path());
  const auto findings = failing(*reader);
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].substr(0, findings[0].find(':')), "sqlite_structure");
}

TEST_F(Verify, says_how_many_and_gives_an_example) {
  forge("UPDATE turn SET served_model = 'gpt-x'");
  EXPECT_EQ(found().size(), 1U);
  EXPECT_NE(details_.find("12 of them, e.g. turn 0 of trial 1: gpt-x"), std::string::npos)
      << details_;
}

TEST_F(Verify, leaves_the_callers_snapshot_alone) {
  auto reader = open_reader(directory_.path());
  ASSERT_TRUE(reader->begin().has_value());
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
  EXPECT_TRUE(reader->in_snapshot());
}

/// A seventh trial, copied from another ledger: its attempts cost nothing.
std::vector<Record> reused_trial(const ReuseRecord& origin) {
  std::vector<Record> records = whole_trial(7);
  for (Record& record : records) {
    if (auto* attempt = std::get_if<AttemptRecord>(&record)) {
      attempt->reserved_input = attempt->reserved_output = attempt->reserved_cost = 0;
    } else if (auto* end = std::get_if<AttemptEndRecord>(&record)) {
      end->usage = {};
      end->cost = 0;
    }
  }
  records.emplace_back(origin);
  return records;
}

ReuseRecord origin_record() {
  return {.trial = 7,
          .run = base::digest_of("another run"),
          .directory = "runs/other",
          .source_trial = 3,
          .source_mark = "12-34",
          .answers = answers_digest({base::digest_of("answer 13" + std::string(300, '.')),
                                     base::digest_of("answer 14" + std::string(300, '.'))}),
          .at = at(1000),
          .attempts = 2,
          .input_tokens = 1700,
          .output_tokens = 240,
          .cost = 110};
}

TEST_F(Verify, finds_nothing_in_a_trial_that_was_reused_and_says_nothing_of_its_times) {
  auto records = reused_trial(origin_record());
  std::get<AttemptRecord>(records[1]).at = at(-9'000'000'000);
  std::get<AttemptEndRecord>(records[2]).at = at(-8'999'000'000);
  open_ledger(directory_.path())->append_together(std::move(records));
  expect_only();
  // Of this run's own six trials alone.
  EXPECT_TRUE(note("clocks_run_forwards").starts_with("12 of them"));
}

TEST_F(Verify, finds_an_answer_that_is_not_the_one_that_was_reused) {
  open_ledger(directory_.path())->append_together(reused_trial(origin_record()));
  forge(
      "UPDATE turn SET answer = (SELECT answer FROM turn WHERE trial = 1 AND turn = 0) WHERE trial "
      "= 7 AND turn = 0");
  expect_only("reused_trials_are_whole_and_free");
}

TEST_F(Verify, finds_a_reused_trial_that_is_billed_again) {
  open_ledger(directory_.path())->append_together(reused_trial(origin_record()));
  forge("UPDATE attempt_end SET cost = 55 WHERE attempt = 14");
  expect_only("reused_trials_are_whole_and_free");
}

TEST_F(Verify, finds_a_reused_trial_without_a_scored_outcome) {
  auto records = reused_trial(origin_record());
  std::erase_if(records, [](const Record& record) {
    return std::holds_alternative<OutcomeRecord>(record) ||
           std::holds_alternative<ScoreRecord>(record);
  });
  open_ledger(directory_.path())->append_together(std::move(records));
  expect_only("reused_trials_are_whole_and_free");
}

TEST_F(Verify, rows_can_neither_be_changed_nor_deleted_by_sql) {
  open_ledger(directory_.path())->append_together(reused_trial(origin_record()));
  Tamper tamper(directory_.path());
  auto connection = Connection::open(ledger_path(directory_.path()), OpenMode::read_write);
  ASSERT_TRUE(connection.has_value());
  for (const FactTable& table : kFactTables) {
    const std::string name(table.name);
    EXPECT_FALSE(connection->execute("DELETE FROM " + name).has_value()) << name;
    const std::string column = name == "cell" ? "model" : "checksum";
    EXPECT_FALSE(connection->execute("UPDATE " + name + " SET " + column + " = 1").has_value())
        << name;
  }
  EXPECT_FALSE(connection->execute("DELETE FROM run").has_value());
  EXPECT_FALSE(connection->execute("UPDATE run SET facts = facts - 1").has_value());
}

}  // namespace
}  // namespace sortie::ledger
