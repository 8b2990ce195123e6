#pragma once

#include "sortie/base/error.h"
#include "sortie/ledger/sqlite.h"

#include <deque>
#include <set>
#include <string>
#include <vector>

// The tables of several ledgers as tables of one connection that only reads (SQLite's virtual
// tables).

namespace sortie::ledger {

struct OpenRun {
  std::string name;
  Connection connection;
};

struct RunColumn {
  std::string name;
  std::string type;
};

/// A table or view that every run has.
struct RunTable {
  std::string name;
  std::vector<RunColumn> columns;
  std::set<std::string> indexed;        // columns that find few rows fast
  std::deque<OpenRun>* runs = nullptr;  // outlives the connection
};

/// The tables and views of a ledger, in the order of its schema.
[[nodiscard]] base::Result<std::deque<RunTable>> run_tables(Connection& ledger);

/// `table` must outlive the connection.
[[nodiscard]] base::Status add_run_table(Connection& connection, RunTable& table);

}  // namespace sortie::ledger
