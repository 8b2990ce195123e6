#include "sortie/ledger/sql_session.h"

#include "sortie/ledger/test_support.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::ledger {
namespace {

/// Two runs, of five trials and of three.
class SqlSessionTest : public testing::Test {
 protected:
  SqlSessionTest() {
    fill(first_.path(), 5);
    fill(second_.path(), 3);
    const NamedRun runs[] = {{.name = "one", .directory = first_.path()},
                             {.name = "two", .directory = second_.path()}};
    both_ = session(runs);
    single_ = session(std::span(runs).first(1));
  }

  static void fill(const std::string& path, TrialId trials) {
    auto ledger = open_ledger(path);
    ASSERT_NE(ledger, nullptr);
    ledger->append(cell_record());
    for (TrialId id = 1; id <= trials; ++id) {
      for (Record& record : whole_trial(id)) {
        ledger->append(std::move(record));
      }
    }
  }

  static std::unique_ptr<SqlSession> session(std::span<const NamedRun> runs) {
    auto opened = SqlSession::open(runs);
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    return opened.has_value() ? std::move(*opened) : nullptr;
  }

  /// "a|b;c|d" or the error.
  static std::string ask(SqlSession& session, std::string_view sql) {
    std::string text;
    const base::Status status = session.scan(
        sql,
        [](const auto&) {},
        [&](std::span<const Cell> row) {
          text += text.empty() ? "" : ";";
          for (std::size_t i = 0; i < row.size(); ++i) {
            text += i == 0 ? "" : "|";
            if (const auto* number = std::get_if<std::int64_t>(&row[i])) {
              text += fmt::format("{}", *number);
            } else if (const auto* cell = std::get_if<std::string_view>(&row[i])) {
              text += *cell;
            }
          }
          return true;
        });
    return status.has_value() ? text : "error: " + status.error().message;
  }

  RunDirectory first_;
  RunDirectory second_;
  std::unique_ptr<SqlSession> both_;
  std::unique_ptr<SqlSession> single_;
};

TEST_F(SqlSessionTest, every_table_holds_the_rows_of_all_runs_with_their_names) {
  EXPECT_EQ(ask(*both_, "SELECT run, count(*) FROM trial GROUP BY run"), "one|5;two|3");
  EXPECT_EQ(ask(*both_, "SELECT count(*) FROM trial_result"), "8");
  EXPECT_EQ(ask(*both_, "SELECT run, begun FROM cell_summary ORDER BY run"), "one|5;two|3");
  EXPECT_EQ(ask(*single_, "SELECT DISTINCT run FROM attempt_full"), "one");
}

TEST_F(SqlSessionTest, rows_are_found_by_run_by_key_and_by_range) {
  EXPECT_EQ(ask(*both_, "SELECT run, id FROM trial WHERE id = 2"), "one|2;two|2");
  EXPECT_EQ(ask(*both_, "SELECT id FROM trial WHERE run = 'one' AND id >= 4 ORDER BY id DESC"),
            "5;4");
  EXPECT_EQ(ask(*both_, "SELECT count(*) FROM trial WHERE run = 'none'"), "0");
  EXPECT_EQ(ask(*both_, "SELECT count(*) FROM trial WHERE id > 1.5 AND id < 3 AND run > 'p'"), "1");
  EXPECT_EQ(ask(*both_,
                "SELECT count(*) FROM trial WHERE lower(hex(key)) = '" +
                    base::digest_of("trial 4").hex() + "'"),
            "1");
  EXPECT_EQ(ask(*both_, "SELECT count(*) FROM trial WHERE id = NULL"), "0");
}

TEST_F(SqlSessionTest, comparisons_by_another_collation_are_those_of_sqlite) {
  for (SqlSession* session : {both_.get(), single_.get()}) {
    const std::string all = ask(*session, "SELECT count(*) FROM cell WHERE prompt LIKE 'OPTIMAL'");
    EXPECT_NE(all, "0");
    EXPECT_EQ(ask(*session, "SELECT count(*) FROM cell WHERE prompt = 'OPTIMAL' COLLATE NOCASE"),
              all);
    EXPECT_EQ(ask(*session, "SELECT count(*) FROM cell WHERE prompt = 'OPTIMAL'"), "0");
  }
  EXPECT_EQ(ask(*both_, "SELECT count(*) FROM trial WHERE run = 'TWO' COLLATE NOCASE"), "3");
  EXPECT_EQ(ask(*both_, "SELECT count(*) FROM trial WHERE run < 'Tw' COLLATE NOCASE"), "5");
}

TEST_F(SqlSessionTest, tables_join_by_run_and_key) {
  EXPECT_EQ(
      ask(*both_,
          "SELECT count(*) FROM trial AS t JOIN turn AS u ON u.run = t.run AND u.trial = t.id "
          "JOIN attempt_end AS e ON e.run = u.run AND e.attempt = u.attempt"),
      ask(*both_, "SELECT count(*) FROM turn"));
  // Ids mean nothing over runs: the shared ones meet.
  EXPECT_EQ(ask(*both_, "SELECT count(*) FROM trial a JOIN trial b ON a.id = b.id"), "14");
}

TEST_F(SqlSessionTest, texts_are_found_by_id_with_the_run_and_by_digest) {
  const std::string one = ask(*single_, "SELECT message_text(answer) FROM turn LIMIT 1");
  EXPECT_NE(one, "");
  EXPECT_EQ(ask(*both_, "SELECT message_text(run, answer) FROM turn LIMIT 1"), one);
  EXPECT_EQ(
      ask(*both_,
          "SELECT message_text(m.digest) FROM turn t JOIN message m ON m.run = t.run AND m.id "
          "= t.answer LIMIT 1"),
      one);
  EXPECT_NE(ask(*both_, "SELECT message_text(answer) FROM turn").find("message_text(run, id)"),
            std::string::npos);
  EXPECT_NE(ask(*both_, "SELECT message_text('none', answer) FROM turn").find("no run 'none'"),
            std::string::npos);
}

TEST_F(SqlSessionTest, errors_name_the_place_and_what_was_meant) {
  EXPECT_EQ(ask(*both_, "SELECT id,\n  tsak FROM trial"),
            "error: line 2, column 3: no such column: tsak; did you mean 'task'?\n"
            "    tsak FROM trial\n"
            "    ^");
  EXPECT_NE(ask(*both_, "SELECT 1 FROM trails").find("did you mean 'trial'"), std::string::npos);
  EXPECT_NE(ask(*both_, "SELECT answer FROM trial").find("it is a column of turn"),
            std::string::npos)
      << ask(*both_, "SELECT answer FROM trial");
  EXPECT_NE(ask(*both_, "SELEC 1").find("line 1, column 1: near \"SELEC\": syntax error"),
            std::string::npos);
  EXPECT_EQ(ask(*both_, " "), "error: expected one SQL statement, got none");
  EXPECT_EQ(ask(*both_, "SELECT 1; SELECT 2"),
            "error: expected one SQL statement, but another follows: SELECT 2");
}

TEST_F(SqlSessionTest, nothing_is_written) {
  for (const std::string_view sql : {"DELETE FROM trial",
                                     "CREATE TABLE x (y)",
                                     "INSERT INTO trial SELECT * FROM trial",
                                     "ATTACH 'x' AS y",
                                     "PRAGMA writable_schema = 1",
                                     "DROP TABLE trial",
                                     "SELECT load_extension('x')",
                                     "CREATE VIRTUAL TABLE y USING trial"}) {
    EXPECT_TRUE(ask(*both_, sql).starts_with("error: ")) << sql;
  }
  EXPECT_EQ(ask(*both_, "SELECT count(*) FROM trial"), "8");
}

TEST_F(SqlSessionTest, a_run_is_seen_as_of_its_opening) {
  EXPECT_EQ(ask(*single_, "SELECT count(*) FROM trial"), "5");
  fill(first_.path(), 9);
  EXPECT_EQ(ask(*single_, "SELECT count(*) FROM trial"), "5");
}

TEST_F(SqlSessionTest, says_which_run_cannot_be_opened) {
  const NamedRun none[] = {{.name = "gone", .directory = "/nonexistent"}};
  const auto opened = SqlSession::open(none);
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.error().message.find("gone"), std::string::npos);
  const NamedRun twice[] = {{.name = "one", .directory = first_.path()},
                            {.name = "one", .directory = second_.path()}};
  EXPECT_FALSE(SqlSession::open(twice).has_value());
}

}  // namespace
}  // namespace sortie::ledger
