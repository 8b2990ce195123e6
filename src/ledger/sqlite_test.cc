#include "sortie/ledger/sqlite.h"

#include "sortie/base/error.h"

#include <string>

#include <gtest/gtest.h>

namespace sortie::ledger {
namespace {

Connection memory() {
  auto opened = Connection::open(":memory:", OpenMode::create);
  EXPECT_TRUE(opened.has_value());
  return std::move(*opened);
}

TEST(Sqlite, a_full_file_ends_the_campaign) {
  Connection connection = memory();
  ASSERT_TRUE(connection.execute("PRAGMA max_page_count = 3; CREATE TABLE t (x)").has_value());
  base::Status status;
  for (int i = 0; i < 10 && status; ++i) {
    status = connection.execute("INSERT INTO t VALUES (zeroblob(3000))");
  }
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, base::ErrorCode::io);
  EXPECT_EQ(status.error().remedy, base::Remedy::fail_campaign);
  EXPECT_NE(status.error().message.find("full"), std::string::npos) << status.error().message;
}

TEST(Sqlite, broken_constraints_are_integrity_errors) {
  Connection connection = memory();
  ASSERT_TRUE(connection.execute("CREATE TABLE t (x INTEGER CHECK (x > 0)) STRICT").has_value());
  const auto status = connection.execute("INSERT INTO t VALUES (0)");
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, base::ErrorCode::integrity);
}

TEST(Sqlite, takes_exactly_one_statement) {
  Connection connection = memory();
  EXPECT_TRUE(connection.prepare("SELECT 1;  ").has_value());
  EXPECT_FALSE(connection.prepare("SELECT 1; SELECT 2").has_value());
  EXPECT_FALSE(connection.prepare("").has_value());
  EXPECT_FALSE(connection.prepare("-- nothing").has_value());
  const auto wrong = connection.prepare("SELEC 1");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().remedy, base::Remedy::bad_input);
}

TEST(Sqlite, keeps_empty_texts_apart_from_null) {
  Connection connection = memory();
  auto statement = connection.prepare("SELECT ?1, ?2, ?3");
  ASSERT_TRUE(statement.has_value());
  statement->bind_text(1, std::string_view());
  statement->bind_blob(2, std::string_view());
  statement->bind_null(3);
  ASSERT_TRUE(statement->step().value_or(false));
  EXPECT_EQ(statement->type(0), ColumnType::text);
  EXPECT_EQ(statement->type(1), ColumnType::blob);
  EXPECT_EQ(statement->type(2), ColumnType::null);
}

TEST(Sqlite, reports_a_value_that_cannot_be_bound) {
  Connection connection = memory();
  auto statement = connection.prepare("SELECT ?1");
  ASSERT_TRUE(statement.has_value());
  statement->bind(2, std::int64_t{1});
  EXPECT_FALSE(statement->step().has_value());
}

TEST(Sqlite, says_which_file_cannot_be_opened) {
  const auto opened = Connection::open("/proc/none/ledger.db", OpenMode::read_write);
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.error().message.find("/proc/none/ledger.db"), std::string::npos);
}

}  // namespace
}  // namespace sortie::ledger
