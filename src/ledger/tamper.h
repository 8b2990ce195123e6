#pragma once

#include "sortie/ledger/file.h"
#include "sortie/ledger/functions.h"
#include "sortie/ledger/schema.h"
#include "sortie/ledger/sqlite.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::ledger {

/// Changes a ledger as no program should: past its triggers and constraints. For tests.
class Tamper {
 public:
  explicit Tamper(const std::string& run_directory)
      : connection_(
            std::move(*Connection::open(ledger_path(run_directory), OpenMode::read_write))) {
    EXPECT_TRUE(add_functions(connection_).has_value());
    run("PRAGMA foreign_keys = OFF");
    run("PRAGMA ignore_check_constraints = ON");
  }

  void run(const std::string& sql) {
    const auto status = connection_.execute(sql);
    EXPECT_TRUE(status.has_value()) << (status ? "" : status.error().message);
  }

  /// Runs `sql` with the triggers taken away and put back as they were.
  void against_triggers(const std::string& sql) {
    const std::vector<std::string> triggers =
        texts("SELECT sql FROM sqlite_schema WHERE type = 'trigger'");
    for (const std::string& name : texts("SELECT name FROM sqlite_schema WHERE type = 'trigger'")) {
      run("DROP TRIGGER " + name);
    }
    run(sql);
    for (const std::string& trigger : triggers) {
      run(trigger);
    }
  }

  /// The same, and then makes all checksums and their sum fit: what is left to find is the fact
  /// itself.
  void forge(const std::string& sql) {
    std::string all = sql + ";";
    std::string facts = "0";
    std::string content = "0";
    for (const FactTable& table : kFactTables) {
      const std::string name(table.name);
      std::string columns;
      for (const std::string& column :
           texts("SELECT name FROM pragma_table_info('" + name + "')")) {
        if (column != "checksum" && !(table.chooses_id && column == "id")) {
          columns += ", " + column;
        }
      }
      all += "UPDATE " + name + " SET checksum = row_checksum('" + name + "'" + columns + ");";
      facts += " + (SELECT count(*) FROM " + name + ")";
    }
    against_triggers(all + "UPDATE run SET facts = " + facts);
    std::uint64_t sum = 0;
    for (const FactTable& table : kFactTables) {
      auto statement = connection_.prepare("SELECT checksum FROM " + std::string(table.name));
      while (statement && statement->step().value_or(false)) {
        sum += static_cast<std::uint64_t>(statement->integer(0));
      }
    }
    run("UPDATE run SET content = " + std::to_string(static_cast<std::int64_t>(sum)));
  }

 private:
  std::vector<std::string> texts(const std::string& sql) {
    std::vector<std::string> found;
    auto statement = connection_.prepare(sql);
    EXPECT_TRUE(statement.has_value());
    while (statement && statement->step().value_or(false)) {
      found.emplace_back(statement->bytes(0));
    }
    return found;
  }

  Connection connection_;
};

}  // namespace sortie::ledger
