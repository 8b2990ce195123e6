#include "sortie/ledger/run_tables.h"

#include "sortie/base/error.h"
#include "sortie/ledger/sqlite.h"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sqlite3.h>

namespace sortie::ledger {

namespace {

// What the planner is told: enough to prefer an index, and to put the smaller side outside.
constexpr double kTableRows = 1e6;
constexpr double kIndexedRows = 10;

constexpr std::string_view kLedgersCollation = "BINARY";  // no column of theirs has another

/// SQLite's objects begin with members of its own.
struct VirtualTable {
  sqlite3_vtab base{};
  RunTable* table = nullptr;
};

/// One comparison that the ledgers answer: "3=" of a plan's text.
struct Comparison {
  std::size_t column = 0;  // 0: run
  std::string_view operation;
};

/// One scan over the runs. Statements are kept: a join asks the same question for every row.
struct Cursor {
  sqlite3_vtab_cursor base{};
  RunTable* table = nullptr;
  std::string plan;  // that the statements were made for
  std::vector<Comparison> comparisons;
  std::vector<Statement> statements;  // by run; without a handle until first used
  std::string sql;
  std::vector<sqlite3_value*> values;  // copies, one per comparison
  std::size_t run = 0;
  sqlite3_int64 row = 0;
  bool done = true;

  ~Cursor() { drop_values(); }

  void drop_values() {
    for (sqlite3_value* value : values) {
      sqlite3_value_free(value);
    }
    values.clear();
  }
};

Cursor& cursor_of(sqlite3_vtab_cursor* cursor) {
  return *reinterpret_cast<Cursor*>(cursor);
}

std::string quoted(std::string_view name) {
  return fmt::format("\"{}\"", name);  // names of our schema hold no quote
}

std::string_view operation_of(unsigned char op) {
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
      return "=";
    case SQLITE_INDEX_CONSTRAINT_GT:
      return ">";
    case SQLITE_INDEX_CONSTRAINT_GE:
      return ">=";
    case SQLITE_INDEX_CONSTRAINT_LT:
      return "<";
    case SQLITE_INDEX_CONSTRAINT_LE:
      return "<=";
    default:
      return {};
  }
}

int connect(sqlite3* handle,
            void* context,
            int /*count*/,
            const char* const* /*arguments*/,
            sqlite3_vtab** out,
            char** /*error*/) {
  auto* table = static_cast<RunTable*>(context);
  std::string sql = "CREATE TABLE x(run TEXT";
  for (const RunColumn& column : table->columns) {
    sql += fmt::format(", {} {}", quoted(column.name), column.type);
  }
  sql += ")";
  if (const int code = sqlite3_declare_vtab(handle, sql.c_str()); code != SQLITE_OK) {
    return code;
  }
  auto made = std::make_unique<VirtualTable>();
  made->table = table;
  *out = &made.release()->base;
  return SQLITE_OK;
}

int disconnect(sqlite3_vtab* table) {
  delete reinterpret_cast<VirtualTable*>(table);
  return SQLITE_OK;
}

/// The plan's text: the columns that are read as a mask, then the comparisons in the order of their
/// values: "1f;3=;5>=;".
int best_index(sqlite3_vtab* vtab, sqlite3_index_info* info) {
  const RunTable& table = *reinterpret_cast<VirtualTable*>(vtab)->table;
  std::string plan = fmt::format("{:x};", static_cast<std::uint64_t>(info->colUsed));
  int values = 0;
  double rows = kTableRows;
  bool indexed = false;
  for (int i = 0; i < info->nConstraint; ++i) {
    const auto& constraint = info->aConstraint[i];
    const std::string_view operation = operation_of(constraint.op);
    if (constraint.usable == 0 || operation.empty() || constraint.iColumn < 0 ||
        std::string_view(sqlite3_vtab_collation(info, i)) != kLedgersCollation) {
      continue;  // SQLite compares the rows itself
    }
    info->aConstraintUsage[i].argvIndex = ++values;
    plan += fmt::format("{}{};", constraint.iColumn, operation);
    const bool equal = operation == "=";
    const bool run = constraint.iColumn == 0;
    if (equal && !run &&
        table.indexed.contains(
            table.columns[static_cast<std::size_t>(constraint.iColumn) - 1].name)) {
      indexed = true;
    }
    rows /= equal ? 10 : 3;
  }
  info->estimatedRows = static_cast<sqlite3_int64>(indexed ? kIndexedRows : rows < 1 ? 1 : rows);
  info->estimatedCost = indexed ? 2 * kIndexedRows : kTableRows;
  info->idxStr = sqlite3_mprintf("%s", plan.c_str());
  info->needToFreeIdxStr = 1;
  return info->idxStr == nullptr ? SQLITE_NOMEM : SQLITE_OK;
}

int open_cursor(sqlite3_vtab* vtab, sqlite3_vtab_cursor** out) {
  auto cursor = std::make_unique<Cursor>();
  cursor->table = reinterpret_cast<VirtualTable*>(vtab)->table;
  cursor->statements.resize(cursor->table->runs->size());
  *out = &cursor.release()->base;
  return SQLITE_OK;
}

int close_cursor(sqlite3_vtab_cursor* cursor) {
  delete &cursor_of(cursor);
  return SQLITE_OK;
}

int fail(Cursor& cursor, const base::Error& error) {
  sqlite3_free(cursor.base.pVtab->zErrMsg);
  cursor.base.pVtab->zErrMsg = sqlite3_mprintf("%s", error.message.c_str());
  return error.code == base::ErrorCode::integrity ? SQLITE_CORRUPT : SQLITE_ERROR;
}

/// Makes the statement's text anew where the plan is another.
void adopt(Cursor& cursor, std::string_view plan) {
  if (cursor.plan == plan) {
    return;
  }
  cursor.plan = plan;
  cursor.comparisons.clear();
  for (Statement& statement : cursor.statements) {
    statement = Statement();
  }
  std::uint64_t used = 0;
  std::string_view text = cursor.plan;
  const char* end = std::from_chars(text.data(), text.data() + text.size(), used, 16).ptr;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  const RunTable& table = *cursor.table;
  cursor.sql = "SELECT ";
  constexpr std::size_t kLastBit = 63;  // stands for all further columns
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const std::size_t bit = i + 1 < kLastBit ? i + 1 : kLastBit;
    const bool read = ((used >> bit) & 1U) != 0;
    cursor.sql +=
        fmt::format("{}{}", i == 0 ? "" : ", ", read ? quoted(table.columns[i].name) : "NULL");
  }
  cursor.sql += " FROM " + quoted(table.name);
  std::string where;
  while (!text.empty()) {
    Comparison comparison;
    end = std::from_chars(text.data(), text.data() + text.size(), comparison.column).ptr;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    comparison.operation = text.substr(0, text.find(';'));
    text.remove_prefix(comparison.operation.size() + 1);
    cursor.comparisons.push_back(comparison);
    if (comparison.column > 0) {
      where += fmt::format("{}{} {} ?{}",
                           where.empty() ? " WHERE " : " AND ",
                           quoted(table.columns[comparison.column - 1].name),
                           comparison.operation,
                           cursor.comparisons.size());
    }
  }
  cursor.sql += where;
}

/// A run that is compared by its name and another has no row.
bool wanted(const Cursor& cursor, const std::string& name) {
  for (std::size_t i = 0; i < cursor.comparisons.size(); ++i) {
    if (cursor.comparisons[i].column == 0 && cursor.comparisons[i].operation == "=" &&
        sqlite3_value_type(cursor.values[i]) == SQLITE_TEXT) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(cursor.values[i]));
      if (name != text) {
        return false;
      }
    }
  }
  return true;
}

base::Status begin_run(Cursor& cursor, OpenRun& run) {
  Statement& statement = cursor.statements[cursor.run];
  if (statement.handle() == nullptr) {
    TRY_ASSIGN(statement, run.connection.prepare(cursor.sql));
  }
  statement.reset();
  for (std::size_t i = 0; i < cursor.comparisons.size(); ++i) {
    if (cursor.comparisons[i].column > 0) {
      sqlite3_bind_value(statement.handle(), static_cast<int>(i) + 1, cursor.values[i]);
    }
  }
  return {};
}

/// On to the next row, of the next run where this one has no more. `fresh`: the run's statement has
/// not begun.
int advance(Cursor& cursor, bool fresh) {
  std::deque<OpenRun>& runs = *cursor.table->runs;
  for (; cursor.run < runs.size(); ++cursor.run, fresh = true) {
    OpenRun& run = runs[cursor.run];
    if (fresh) {
      if (!wanted(cursor, run.name)) {
        continue;
      }
      if (const base::Status begun = begin_run(cursor, run); !begun.has_value()) {
        return fail(cursor, begun.error());
      }
    }
    const auto row = cursor.statements[cursor.run].step();
    if (!row.has_value()) {
      return fail(cursor, base::with_context(row.error(), run.name));
    }
    if (*row) {
      ++cursor.row;
      return SQLITE_OK;
    }
    cursor.statements[cursor.run].reset();
  }
  cursor.done = true;
  return SQLITE_OK;
}

int filter(sqlite3_vtab_cursor* base_cursor,
           int /*number*/,
           const char* plan,
           int count,
           sqlite3_value** values) {
  Cursor& cursor = cursor_of(base_cursor);
  for (Statement& statement : cursor.statements) {
    if (statement.handle() != nullptr) {
      statement.reset();
    }
  }
  adopt(cursor, plan);
  cursor.drop_values();
  for (int i = 0; i < count; ++i) {
    cursor.values.push_back(sqlite3_value_dup(values[i]));
  }
  cursor.run = 0;
  cursor.row = 0;
  cursor.done = false;
  return advance(cursor, true);
}

int next(sqlite3_vtab_cursor* cursor) {
  return advance(cursor_of(cursor), false);
}

int eof(sqlite3_vtab_cursor* cursor) {
  return cursor_of(cursor).done ? 1 : 0;
}

int column(sqlite3_vtab_cursor* base_cursor, sqlite3_context* context, int number) {
  const Cursor& cursor = cursor_of(base_cursor);
  if (number == 0) {
    const std::string& name = (*cursor.table->runs)[cursor.run].name;
    sqlite3_result_text64(context, name.data(), name.size(), SQLITE_STATIC, SQLITE_UTF8);
  } else {
    sqlite3_result_value(context,
                         sqlite3_column_value(cursor.statements[cursor.run].handle(), number - 1));
  }
  return SQLITE_OK;
}

int row_id(sqlite3_vtab_cursor* cursor, sqlite3_int64* out) {
  *out = cursor_of(cursor).row;
  return SQLITE_OK;
}

/// Without xCreate: the table is there under the module's name and cannot be made.
sqlite3_module module() {
  sqlite3_module made{};
  made.xConnect = &connect;
  made.xBestIndex = &best_index;
  made.xDisconnect = &disconnect;
  made.xOpen = &open_cursor;
  made.xClose = &close_cursor;
  made.xFilter = &filter;
  made.xNext = &next;
  made.xEof = &eof;
  made.xColumn = &column;
  made.xRowid = &row_id;
  return made;
}

base::Status read_columns(Connection& ledger, RunTable& table) {
  TRY_ASSIGN(Statement info, ledger.prepare(fmt::format("PRAGMA table_info({})", table.name)));
  while (true) {
    TRY_ASSIGN(const bool row, info.step());
    if (!row) {
      break;
    }
    table.columns.push_back(
        {.name = std::string(info.bytes(1)), .type = std::string(info.bytes(2))});
    // A key of several columns does not occur. Views have those of the tables below.
    const std::string& name = table.columns.back().name;
    if (info.integer(5) > 0 || name == "trial" || name == "attempt") {
      table.indexed.insert(name);
    }
  }
  TRY_ASSIGN(Statement index,
             ledger.prepare(
                 "SELECT i.name FROM pragma_index_list(?1) AS l, pragma_index_info(l.name) AS i "
                 "WHERE i.seqno = 0"));
  index.bind_text(1, table.name);
  while (true) {
    TRY_ASSIGN(const bool row, index.step());
    if (!row) {
      return {};
    }
    table.indexed.emplace(index.bytes(0));
  }
}

}  // namespace

base::Result<std::deque<RunTable>> run_tables(Connection& ledger) {
  std::deque<RunTable> tables;
  TRY_ASSIGN(Statement names,
             ledger.prepare("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND "
                            "name NOT LIKE 'sqlite%'"));
  while (true) {
    TRY_ASSIGN(const bool row, names.step());
    if (!row) {
      break;
    }
    tables.push_back({.name = std::string(names.bytes(0)), .columns = {}, .indexed = {}});
  }
  for (RunTable& table : tables) {
    TRY(read_columns(ledger, table));
  }
  return tables;
}

base::Status add_run_table(Connection& connection, RunTable& table) {
  static const sqlite3_module methods = module();
  const int code =
      sqlite3_create_module_v2(connection.handle(), table.name.c_str(), &methods, &table, nullptr);
  if (code != SQLITE_OK) {
    return std::unexpected(sqlite_error(connection.handle(), code, table.name));
  }
  return {};
}

}  // namespace sortie::ledger
