#pragma once

#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sortie::analysis {

/// An in-memory DuckDB database. The library is opened on first use, from lib/ beside the binary,
/// the folder named by SORTIE_DUCKDB, or the system: whatever does not analyse works without it.
class Duck {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<Duck>> open();
  ~Duck();
  Duck(const Duck&) = delete;
  Duck& operator=(const Duck&) = delete;

  /// Runs one or more statements without reading a result.
  [[nodiscard]] base::Status execute(const std::string& sql);

  /// Reads a result row by row, in order. Columns are BIGINT, BOOLEAN (0 or 1), DOUBLE or VARCHAR;
  /// texts are valid until the next row is asked for.
  class Cursor {
   public:
    ~Cursor();
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;

    /// The next row, nullptr after the last.
    [[nodiscard]] const std::vector<ledger::Cell>* next();

   private:
    friend class Duck;
    struct State;
    explicit Cursor(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };

  /// The database must outlive the cursor.
  [[nodiscard]] base::Result<std::unique_ptr<Cursor>> query(const std::string& sql);

  /// Bulk loading of one table; rows have the table's columns in order.
  class Loader {
   public:
    ~Loader();
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    [[nodiscard]] base::Status append(std::span<const ledger::Cell> row);
    [[nodiscard]] base::Status finish();

   private:
    friend class Duck;
    struct State;
    explicit Loader(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };

  [[nodiscard]] base::Result<std::unique_ptr<Loader>> load(const std::string& table);

 private:
  struct State;
  explicit Duck(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sortie::analysis
