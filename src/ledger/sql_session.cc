#include "sortie/ledger/sql_session.h"

#include "sortie/base/error.h"
#include "sortie/base/text.h"
#include "sortie/ledger/file.h"
#include "sortie/ledger/functions.h"
#include "sortie/ledger/rows.h"
#include "sortie/ledger/run_tables.h"
#include "sortie/ledger/sqlite.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sqlite3.h>

namespace sortie::ledger {

namespace {

struct Session {
  std::deque<OpenRun> runs;
  std::deque<RunTable> tables;
  std::vector<Statement> texts;            // by run: message_text of its ledger
  std::unique_ptr<Connection> connection;  // declared last: ends first
};

void fail(sqlite3_context* context, const std::string& message) {
  sqlite3_result_error(context, message.data(), static_cast<int>(message.size()));
}

/// True: the run has the message.
bool give_text(sqlite3_context* context, Statement& statement, sqlite3_value* message) {
  statement.reset();
  sqlite3_bind_value(statement.handle(), 1, message);
  const auto row = statement.step();
  if (!row.has_value()) {
    fail(context, row.error().message);
    return true;
  }
  if (!*row || statement.type(0) == ColumnType::null) {
    return false;
  }
  sqlite3_result_value(context, sqlite3_column_value(statement.handle(), 0));
  return true;
}

void text_of_run(sqlite3_context* context, Session& state, sqlite3_value** values) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(values[0]));
  const std::string_view name = text == nullptr ? std::string_view() : text;
  const auto run = std::ranges::find(state.runs, name, &OpenRun::name);
  if (run == state.runs.end()) {
    fail(context, fmt::format("message_text(run, message): there is no run '{}'", name));
    return;
  }
  const auto index = static_cast<std::size_t>(run - state.runs.begin());
  if (!give_text(context, state.texts[index], values[1])) {
    sqlite3_result_null(context);
  }
}

void message_text(sqlite3_context* context, int count, sqlite3_value** values) {
  auto& state = *static_cast<Session*>(sqlite3_user_data(context));
  if (count == 2) {
    text_of_run(context, state, values);
    return;
  }
  if (sqlite3_value_type(values[0]) == SQLITE_INTEGER && state.runs.size() > 1) {
    fail(context, "message_text(id): every run has ids of its own; write message_text(run, id)");
    return;
  }
  for (Statement& statement : state.texts) {
    if (give_text(context, statement, values[0])) {
      return;
    }
  }
  sqlite3_result_null(context);
}

base::Status add_message_text(Connection& connection, Session& state) {
  for (const int arguments : {1, 2}) {
    const int code = sqlite3_create_function_v2(connection.handle(),
                                                "message_text",
                                                arguments,
                                                SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                                &state,
                                                &message_text,
                                                nullptr,
                                                nullptr,
                                                nullptr);
    if (code != SQLITE_OK) {
      return std::unexpected(sqlite_error(connection.handle(), code, "message_text"));
    }
  }
  return {};
}

base::Status open_run(const NamedRun& run, Session& state) {
  auto opened = open_to_read(run.directory);
  if (!opened.has_value()) {
    return std::unexpected(base::with_context(std::move(opened).error(), run.name));
  }
  OpenRun& open = state.runs.emplace_back(run.name, std::move(*opened));
  TRY_ASSIGN(Statement text, open.connection.prepare("SELECT message_text(?1)"));
  state.texts.push_back(std::move(text));
  TRY(open.connection.execute("BEGIN"));
  // SQLite takes the snapshot with the first read.
  TRY(open.connection.integer("SELECT facts FROM run"));
  return {};
}

/// "no such column: x": what else could have been meant.
std::string suggestion_for(std::string_view message, const std::deque<RunTable>& tables) {
  constexpr std::string_view kTable = "no such table: ";
  constexpr std::string_view kColumn = "no such column: ";
  std::set<std::string> known;
  std::string_view wanted;
  if (message.starts_with(kTable)) {
    wanted = message.substr(kTable.size());
    for (const RunTable& table : tables) {
      known.insert(table.name);
    }
  } else if (message.starts_with(kColumn)) {
    wanted = message.substr(kColumn.size());
    wanted.remove_prefix(std::min(wanted.size(), wanted.find('.') + 1));
    std::vector<std::string> holders;
    for (const RunTable& table : tables) {
      for (const RunColumn& column : table.columns) {
        known.insert(column.name);
        if (column.name == wanted) {
          holders.push_back(table.name);
        }
      }
    }
    if (!holders.empty()) {
      return fmt::format("; it is a column of {}", base::join(holders, ", "));
    }
  } else {
    return {};
  }
  const std::vector<std::string> names(known.begin(), known.end());
  std::string hint = base::suggestion(wanted, names);
  // There are too many columns to list.
  return message.starts_with(kColumn) && !hint.starts_with("; did you mean") ? std::string() : hint;
}

/// Line and column of the place, and the line with a mark below it.
base::Error with_place(base::Error error,
                       std::string_view sql,
                       sqlite3* handle,
                       const std::deque<RunTable>& tables) {
  const std::string message = sqlite3_errmsg(handle);
  const int offset = sqlite3_error_offset(handle);
  if (error.code != base::ErrorCode::invalid || sqlite3_errcode(handle) == SQLITE_OK) {
    return error;  // not SQLite's
  }
  const std::string hint = suggestion_for(message, tables);
  if (offset < 0 || static_cast<std::size_t>(offset) > sql.size()) {
    error.message = message + hint;
    return error;
  }
  const auto at = static_cast<std::size_t>(offset);
  const auto line = std::count(sql.begin(), sql.begin() + offset, '\n') + 1;
  const std::size_t begin = at == 0 ? 0 : sql.rfind('\n', at - 1) + 1;
  const std::string_view text = sql.substr(begin, sql.find('\n', begin) - begin);
  error.message = fmt::format("line {}, column {}: {}{}\n  {}\n  {}^",
                              line,
                              at - begin + 1,
                              message,
                              hint,
                              text,
                              std::string(at - begin, ' '));
  return error;
}

}  // namespace

struct SqlSession::State {
  Session session;
};

SqlSession::SqlSession(std::unique_ptr<State> state) : state_(std::move(state)) {}

SqlSession::~SqlSession() = default;

base::Result<std::unique_ptr<SqlSession>> SqlSession::open(std::span<const NamedRun> runs) {
  auto owner = std::make_unique<State>();
  Session* const state = &owner->session;
  for (const NamedRun& run : runs) {
    if (std::ranges::find(state->runs, run.name, &OpenRun::name) != state->runs.end()) {
      return base::bad_input(fmt::format("the run '{}' is named twice", run.name));
    }
    TRY(open_run(run, *state));
  }
  if (state->runs.empty()) {
    return base::bad_input("no run is named");
  }
  TRY_ASSIGN(state->tables, run_tables(state->runs.front().connection));
  TRY_ASSIGN(Connection connection, Connection::open(":memory:", OpenMode::create));
  state->connection = std::make_unique<Connection>(std::move(connection));
  for (RunTable& table : state->tables) {
    table.runs = &state->runs;
    TRY(add_run_table(*state->connection, table));
    // Declares it while the connection may do more than read.
    TRY(state->connection->prepare(fmt::format("SELECT 1 FROM {}", table.name)));
  }
  TRY(add_message_text(*state->connection, *state));
  TRY(allow_only_reading(*state->connection));
  return std::unique_ptr<SqlSession>(new SqlSession(std::move(owner)));
}

base::Status SqlSession::scan(std::string_view sql,
                              const std::function<void(const std::vector<std::string>&)>& columns,
                              const RowVisitor& visitor) {
  Connection& connection = *state_->session.connection;
  auto statement = connection.prepare(sql);
  if (!statement.has_value()) {
    return std::unexpected(
        with_place(std::move(statement).error(), sql, connection.handle(), state_->session.tables));
  }
  if (statement->columns() == 0) {
    return base::bad_input("expected a SELECT, got a statement that yields no rows");
  }
  std::vector<std::string> names;
  for (int i = 0; i < statement->columns(); ++i) {
    names.emplace_back(sqlite3_column_name(statement->handle(), i));
  }
  columns(names);
  std::vector<Cell> row(names.size());
  std::vector<std::string> hex(names.size());
  while (true) {
    auto there = statement->step();
    if (!there.has_value()) {
      return std::unexpected(
          with_place(std::move(there).error(), sql, connection.handle(), state_->session.tables));
    }
    if (!*there) {
      return {};
    }
    read_row(*statement, row, hex);
    if (!visitor(row)) {
      return {};
    }
  }
}

}  // namespace sortie::ledger
