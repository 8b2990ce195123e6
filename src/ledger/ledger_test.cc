#include "sortie/ledger/ledger.h"

#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/records.h"
#include "sortie/ledger/schema.h"
#include "sortie/ledger/test_support.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace sortie::ledger {
namespace {

std::vector<Record> a_campaign(int trials) {
  std::vector<Record> records;
  records.emplace_back(ManifestRecord{.generation = 1, .name = "seed", .value = "42"});
  records.emplace_back(cell_record());
  for (TrialId id = 1; id <= trials; ++id) {
    for (Record& record : whole_trial(id)) {
      records.push_back(std::move(record));
    }
  }
  records.emplace_back(EventRecord{
      .at = at(1), .kind = "gate", .subject = "azure/key-1", .detail = R"({"wait_s":2})"});
  return records;
}

/// What has to be there once, whatever was fed how often.
std::string contents(Reader& reader) {
  std::string text;
  for (const std::string& sql : {"SELECT count(*), sum(checksum % 1000003) FROM trial",
                                 "SELECT count(*), sum(checksum % 1000003) FROM attempt",
                                 "SELECT count(*), sum(checksum % 1000003) FROM attempt_end",
                                 "SELECT count(*), sum(checksum % 1000003) FROM turn",
                                 "SELECT count(*), 0 FROM message",
                                 "SELECT count(*), sum(checksum % 1000003) FROM call",
                                 "SELECT count(*), sum(checksum % 1000003) FROM outcome",
                                 "SELECT count(*), sum(checksum % 1000003) FROM score",
                                 "SELECT count(*), sum(checksum % 1000003) FROM event",
                                 "SELECT count(*), sum(checksum % 1000003) FROM cell",
                                 "SELECT count(*), sum(checksum % 1000003) FROM manifest"}) {
    const auto status = reader.scan(sql, [&](std::span<const Cell> row) {
      text += std::to_string(std::get<std::int64_t>(row[0])) + "/" +
              std::to_string(std::get<std::int64_t>(row[1])) + " ";
      return true;
    });
    EXPECT_TRUE(status.has_value()) << status.error().message;
  }
  return text;
}

/// Appends to a ledger that has the cell and trial 1 and says how that ended it.
base::Error refusal_of(const std::string& path, const Record& record) {
  auto ledger = open_ledger(path);
  ledger->append(cell_record());
  for (Record& whole : whole_trial(1)) {
    ledger->append(std::move(whole));
  }
  EXPECT_TRUE(ledger->flush().has_value());
  ledger->append(record);
  const auto flushed = ledger->flush();
  EXPECT_FALSE(flushed.has_value());
  return flushed ? base::Error{} : flushed.error();
}

TEST(Ledger, keeps_what_was_flushed) {
  const RunDirectory directory;
  {
    auto ledger = open_ledger(directory.path());
    ASSERT_NE(ledger, nullptr);
    const std::vector<Record> records = a_campaign(20);
    for (const Record& record : records) {
      ledger->append(record);
    }
    const auto flushed = ledger->flush();
    ASSERT_TRUE(flushed.has_value()) << flushed.error().message;
    EXPECT_EQ(*flushed, records.size());
    EXPECT_EQ(ledger->stats().records, records.size());
    EXPECT_GE(ledger->stats().commits, 1U);
  }
  auto reader = open_reader(directory.path());
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM turn"), 40);
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM trial_result WHERE success"), 20);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
}

TEST(Ledger, keeps_what_was_only_appended_when_it_ends_in_order) {
  for (const CommitMode mode : {CommitMode::threaded, CommitMode::inline_}) {
    const RunDirectory directory;
    {
      auto ledger = open_ledger(directory.path(), {.mode = mode});
      ASSERT_NE(ledger, nullptr);
      ledger->append(cell_record());
      ledger->append(trial_record(1));
    }
    auto reader = open_reader(directory.path());
    ASSERT_NE(reader, nullptr);
    EXPECT_EQ(count(*reader, "SELECT count(*) FROM trial"), 1);
  }
}

TEST(Ledger, makes_a_directory_that_only_its_owner_can_enter) {
  for (const char* slash : {"", "/", "//"}) {
    const RunDirectory directory;
    ASSERT_NE(open_ledger(directory.path() + slash), nullptr);
    struct stat status{};
    ASSERT_EQ(::stat(directory.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U) << '"' << slash << '"';
  }
}

TEST(Ledger, keeps_answers_byte_for_byte) {
  const RunDirectory directory;
  std::vector<std::string> answers = {"",
                                      "x",
                                      std::string("nul \0 inside", 12),
                                      "\xFF\xFE broken \xC3",
                                      std::string(1 << 20, 'a'),
                                      ""};
  std::mt19937 random(3);
  for (int i = 0; i < 1 << 20; ++i) {
    answers.back() += static_cast<char>(random());
  }
  {
    auto ledger = open_ledger(directory.path());
    ASSERT_NE(ledger, nullptr);
    ledger->append(cell_record());
    ledger->append(trial_record(1));
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto n = static_cast<std::int64_t>(i);
      ledger->append(attempt_record(n + 1, 1, n));
      ledger->append(turn_record(n + 1, 1, n, answers[i]));
    }
    ASSERT_TRUE(ledger->flush().has_value());
  }
  auto reader = open_reader(directory.path());
  ASSERT_NE(reader, nullptr);
  const auto turns = reader->turns(1);
  ASSERT_TRUE(turns.has_value()) << turns.error().message;
  ASSERT_EQ(turns->size(), answers.size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    EXPECT_TRUE((*turns)[i].record.answer == answers[i]) << "answer " << i;
  }
}

TEST(Ledger, stores_equal_answers_once) {
  const RunDirectory directory;
  auto ledger = open_ledger(directory.path());
  ASSERT_NE(ledger, nullptr);
  ledger->append(cell_record());
  ledger->append(trial_record(1));
  for (std::int64_t turn = 0; turn < 3; ++turn) {
    ledger->append(attempt_record(turn + 1, 1, turn));
    ledger->append(turn_record(turn + 1, 1, turn, std::string(5000, 'z')));
  }
  ASSERT_TRUE(ledger->flush().has_value());
  auto reader = open_reader(directory.path());
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM message"), 1);
  EXPECT_EQ(count(*reader, "SELECT sum(length(message_text(answer))) FROM turn"), 15000);
  EXPECT_LT(ledger->stats().bytes_compressed, 100U);
}

// Replays in any order, from one ledger after the other and from many threads, change nothing.
TEST(Ledger, ignores_repeated_facts) {
  const RunDirectory directory;
  std::vector<Record> records = a_campaign(12);
  std::string once;
  std::string mark;
  {
    auto ledger = open_ledger(directory.path());
    for (const Record& record : records) {
      ledger->append(record);
    }
    ASSERT_TRUE(ledger->flush().has_value());
    auto reader = open_reader(directory.path());
    once = contents(*reader);
    mark = reader->high_water_mark().value_or("");
  }
  std::mt19937 random(11);
  for (int round = 0; round < 3; ++round) {
    std::shuffle(records.begin(), records.end(), random);
    auto ledger = open_ledger(directory.path());
    std::vector<std::thread> feeders;
    for (std::size_t feeder = 0; feeder < 16; ++feeder) {
      feeders.emplace_back([&, feeder] {
        for (std::size_t i = feeder; i < records.size(); i += 16) {
          ledger->append(records[i]);
          ledger->append(records[records.size() - 1 - i]);
        }
      });
    }
    for (std::thread& feeder : feeders) {
      feeder.join();
    }
    const auto flushed = ledger->flush();
    ASSERT_TRUE(flushed.has_value()) << flushed.error().message;
  }
  auto reader = open_reader(directory.path());
  EXPECT_EQ(contents(*reader), once);
  EXPECT_EQ(reader->high_water_mark().value_or("-"), mark);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
}

TEST(Ledger, refuses_facts_that_contradict_what_is_recorded) {
  TurnRecord other_answer = turn_record(1, 1, 0, "another answer");
  TurnRecord other_attempt = turn_record(2, 1, 0, "answer 1" + std::string(300, '.'));
  AttemptRecord other_route = attempt_record(1, 1, 0);
  other_route.route = "elsewhere";
  TrialRecord other_id = trial_record(1);
  other_id.id = 9;
  CellRecord other_cell = cell_record();
  other_cell.difficulty = "hard";
  ScoreRecord other_score = score_record(1);
  other_score.success = false;
  CallRecord other_call = call_record(1, 0);
  other_call.result = "{}";
  AttemptEndRecord other_end = end_record(1);
  other_end.cost += 1;
  const std::vector<std::pair<Record, std::string>> cases = {{other_answer, "turn 0 of trial 1"},
                                                             {other_attempt, "turn 0 of trial 1"},
                                                             {other_route, "attempt 1"},
                                                             {other_id, "trial 9"},
                                                             {other_cell, "cell "},
                                                             {other_score, "score of trial 1"},
                                                             {other_call, "call 0 of trial 1"},
                                                             {other_end, "end of attempt 1"}};
  for (const auto& [record, name] : cases) {
    const RunDirectory directory;
    const base::Error error = refusal_of(directory.path(), record);
    EXPECT_EQ(error.code, base::ErrorCode::integrity) << error.message;
    EXPECT_NE(error.message.find(name), std::string::npos) << error.message;
  }
}

TEST(Ledger, refuses_facts_about_nothing_and_unknown_words) {
  AttemptEndRecord strange = end_record(1, "answered");
  strange.attempt = 3;
  CallRecord status = call_record(1, 5);
  status.status = "perhaps";
  OutcomeRecord outcome = outcome_record(1, "lost");
  AttemptRecord nobody = attempt_record(5, 77, 0);
  ScoreRecord progress = score_record(1, "other/1");
  progress.progress = 1.5;
  for (const Record& record : std::vector<Record>{strange, status, outcome, nobody, progress}) {
    const RunDirectory directory;
    EXPECT_EQ(refusal_of(directory.path(), record).code, base::ErrorCode::integrity);
  }
}

/// The words that the schema allows in a column.
std::vector<std::string> words_of(std::string_view table, const std::string& column) {
  const std::string sql = schema_sql();
  std::string_view rest = sql;
  rest.remove_prefix(rest.find(fmt::format("CREATE TABLE {} (", table)));
  rest.remove_prefix(rest.find(column + " IN ("));
  rest = rest.substr(0, rest.find(')'));
  std::vector<std::string> words;
  for (std::size_t open = rest.find('\''); open != std::string_view::npos;
       open = rest.find('\'', open)) {
    const std::size_t close = rest.find('\'', open + 1);
    words.emplace_back(rest.substr(open + 1, close - open - 1));
    open = close + 1;
  }
  return words;
}

/// A column of text.
std::vector<std::string> column(Reader& reader, const std::string& sql) {
  std::vector<std::string> values;
  const auto status = reader.scan(sql, [&](std::span<const Cell> row) {
    values.emplace_back(std::get<std::string_view>(row[0]));
    return true;
  });
  EXPECT_TRUE(status.has_value());
  return values;
}

// What ended an attempt or a trial is never "other": each has its own word, and no word is a
// default.
TEST(Ledger, every_cause_and_every_outcome_is_kept_as_the_word_that_it_is) {
  const RunDirectory directory;
  const std::vector<std::string> causes = words_of("attempt_end", "cause");
  const std::vector<std::string> outcomes = words_of("outcome", "outcome");
  EXPECT_EQ(causes.size(), 16U);
  EXPECT_EQ(outcomes.size(), 9U);
  for (const std::vector<std::string>& words : {causes, outcomes}) {
    EXPECT_EQ(std::ranges::count(words, "other"), 0);
    EXPECT_EQ(std::ranges::count(words, ""), 0);
  }
  {
    auto ledger = open_ledger(directory.path());
    ledger->append(cell_record());
    ledger->append(trial_record(1));
    for (std::size_t i = 0; i < causes.size(); ++i) {
      const auto id = static_cast<AttemptId>(i + 1);
      ledger->append(attempt_record(id, 1, 0));
      ledger->append(end_record(id, causes[i]));
    }
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      const auto id = static_cast<TrialId>(i + 2);
      ledger->append(trial_record(id));
      ledger->append(outcome_record(id, outcomes[i]));
    }
    ASSERT_TRUE(ledger->flush().has_value());
  }
  const auto reader = open_reader(directory.path());
  EXPECT_EQ(column(*reader, "SELECT cause FROM attempt_end ORDER BY attempt"), causes);
  EXPECT_EQ(column(*reader, "SELECT outcome FROM trial_state WHERE outcome <> '' ORDER BY trial"),
            outcomes);
  for (const auto& made : {end_record(1, ""), end_record(1, "other")}) {
    const RunDirectory other;
    EXPECT_EQ(refusal_of(other.path(), AttemptEndRecord(made)).code, base::ErrorCode::integrity);
  }
  for (const std::string word : {"", "other"}) {
    const RunDirectory other;
    EXPECT_EQ(refusal_of(other.path(), outcome_record(1, word)).code, base::ErrorCode::integrity);
  }
}

TEST(Ledger, a_contradiction_takes_nothing_with_it_that_was_acknowledged) {
  const RunDirectory directory;
  OutcomeRecord unknown = outcome_record(1, "lost");
  static_cast<void>(refusal_of(directory.path(), unknown));
  auto reader = open_reader(directory.path());
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM turn"), 2);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
}

TEST(Ledger, updates_only_what_a_new_start_may_change_of_a_cell) {
  const RunDirectory directory;
  auto ledger = open_ledger(directory.path());
  CellRecord cell = cell_record();
  ledger->append(cell);
  cell.planned = 2000;
  cell.scenarios = "5.1,5.2,5.4";
  ledger->append(cell);
  ASSERT_TRUE(ledger->flush().has_value());
  auto reader = open_reader(directory.path());
  EXPECT_EQ(count(*reader, "SELECT planned FROM cell WHERE scenarios = '5.1,5.2,5.4'"), 2000);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
}

TEST(Ledger, knows_the_first_ids_that_are_free) {
  const RunDirectory directory;
  {
    auto ledger = open_ledger(directory.path());
    EXPECT_EQ(ledger->next_trial_id(), 1);
    EXPECT_EQ(ledger->next_attempt_id(), 1);
    EXPECT_EQ(ledger->next_generation(), 1);
    for (const Record& record : a_campaign(4)) {
      ledger->append(record);
    }
    EXPECT_EQ(ledger->next_trial_id(), 5);
  }
  auto ledger = open_ledger(directory.path());
  EXPECT_EQ(ledger->next_trial_id(), 5);
  EXPECT_EQ(ledger->next_attempt_id(), 9);
  EXPECT_EQ(ledger->next_generation(), 2);
}

TEST(Ledger, tells_the_listener_growing_sequences_up_to_the_last) {
  const RunDirectory directory;
  std::mutex mutex;
  std::vector<Sequence> heard;
  auto opened = Ledger::open(directory.path(), {}, [&](base::Result<Sequence> durable) {
    ASSERT_TRUE(durable.has_value());
    const std::scoped_lock guard(mutex);
    heard.push_back(*durable);
  });
  ASSERT_TRUE(opened.has_value());
  Sequence last = (*opened)->append(cell_record());
  for (TrialId id = 1; id <= 3000; ++id) {
    last = (*opened)->append(trial_record(id));
  }
  EXPECT_EQ((*opened)->flush().value_or(0), last);
  const std::scoped_lock guard(mutex);
  ASSERT_FALSE(heard.empty());
  EXPECT_TRUE(std::is_sorted(heard.begin(), heard.end()));
  EXPECT_EQ(heard.back(), last);
  EXPECT_GE(heard.size(), last / 512);
  Sequence before = 0;
  for (const Sequence sequence : heard) {
    EXPECT_LE(sequence - before, 512U) << "one commit takes at most 512 records";
    before = sequence;
  }
}

TEST(Ledger, what_the_listener_heard_is_there_for_a_reader) {
  const RunDirectory directory;
  std::atomic<int> checked = 0;
  auto opened = Ledger::open(directory.path(), {}, [&](base::Result<Sequence> durable) {
    auto reader = Reader::open(directory.path());
    ASSERT_TRUE(reader.has_value());
    const auto trials = (*reader)->count("SELECT count(*) + 1 FROM trial");
    EXPECT_EQ(static_cast<Sequence>(trials.value_or(0)), durable.value_or(0));
    ++checked;
  });
  ASSERT_TRUE(opened.has_value());
  (*opened)->append(cell_record());
  for (TrialId id = 1; id <= 1500; ++id) {
    (*opened)->append(trial_record(id));
  }
  ASSERT_TRUE((*opened)->flush().has_value());
  EXPECT_GE(checked.load(), 3);
}

TEST(Ledger, commits_on_the_callers_thread_when_inline) {
  const RunDirectory directory;
  std::vector<Sequence> heard;
  const auto caller = std::this_thread::get_id();
  auto opened = Ledger::open(
      directory.path(), {.mode = CommitMode::inline_}, [&](base::Result<Sequence> durable) {
        EXPECT_EQ(std::this_thread::get_id(), caller);
        heard.push_back(durable.value_or(0));
      });
  ASSERT_TRUE(opened.has_value());
  (*opened)->append(cell_record());
  (*opened)->append(trial_record(1));
  EXPECT_TRUE(heard.empty()) << "nothing is durable before flush()";
  EXPECT_EQ((*opened)->flush().value_or(0), 2U);
  EXPECT_EQ((*opened)->flush().value_or(0), 2U);
  EXPECT_EQ(heard, std::vector<Sequence>{2});
}

TEST(Ledger, never_queues_more_than_its_limits) {
  for (const CommitMode mode : {CommitMode::inline_, CommitMode::threaded}) {
    const RunDirectory directory;
    std::atomic<Sequence> durable = 0;
    auto opened = Ledger::open(directory.path(),
                               {.mode = mode, .queue_records_max = 8, .queue_bytes_max = 1 << 20},
                               [&](base::Result<Sequence> heard) { durable = heard.value_or(0); });
    ASSERT_TRUE(opened.has_value());
    (*opened)->append(cell_record());
    for (TrialId id = 1; id <= 100; ++id) {
      const Sequence appended = (*opened)->append(trial_record(id));
      // Up to 8 wait and up to 8 more are in the commit that runs.
      EXPECT_LE(appended, durable + 17);
    }
    EXPECT_EQ((*opened)->flush().value_or(0), 101U);
  }
}

TEST(Ledger, commits_together_what_was_appended_together) {
  const RunDirectory directory;
  std::vector<Sequence> heard;
  auto opened = Ledger::open(
      directory.path(), {.mode = CommitMode::inline_}, [&](base::Result<Sequence> durable) {
        heard.push_back(durable.value_or(0));
      });
  ASSERT_TRUE(opened.has_value());
  (*opened)->append(cell_record());
  for (TrialId id = 1; id <= 510; ++id) {
    (*opened)->append(trial_record(id));
  }
  (*opened)->append_together({attempt_record(1, 1, 0), end_record(1), turn_record(1, 1, 0, "a")});
  (*opened)->append(trial_record(600));
  EXPECT_EQ((*opened)->flush().value_or(0), 515U);
  EXPECT_EQ(heard, (std::vector<Sequence>{514, 515}));
}

// Property: whatever is appended in whatever groups, counts by query are counts of what was fed.
TEST(Ledger, counts_are_those_of_the_facts) {
  const RunDirectory directory;
  std::mt19937 random(5);
  std::int64_t scored = 0;
  std::int64_t infrastructure = 0;
  constexpr std::int64_t kTrials = 200;
  {
    auto ledger = open_ledger(directory.path());
    ledger->append(cell_record());
    for (TrialId id = 1; id <= kTrials; ++id) {
      ledger->append(trial_record(id));
      const bool lost = random() % 3 == 0;
      const bool won = random() % 2 == 0;
      if (lost) {
        ledger->append(outcome_record(id, "throttled"));
      }
      if (won) {
        ledger->append(score_record(id));
        ledger->append(outcome_record(id));
      }
      scored += won ? 1 : 0;
      infrastructure += lost && !won ? 1 : 0;
    }
  }
  auto reader = open_reader(directory.path());
  EXPECT_EQ(count(*reader, "SELECT scored FROM cell_summary"), scored);
  EXPECT_EQ(count(*reader, "SELECT infrastructure FROM cell_summary"), infrastructure);
  EXPECT_EQ(count(*reader, "SELECT planned - scored - infrastructure - open FROM cell_summary"), 0);
  EXPECT_EQ(count(*reader, "SELECT count(*) FROM trial_result"), scored);
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
}

}  // namespace
}  // namespace sortie::ledger
