#pragma once

#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::ledger {

/// A run as questions name it.
struct NamedRun {
  std::string name;  // unique in a session
  std::string directory;
};

/// Ad hoc questions over any number of runs. Every table and view of a ledger is there under its
/// name with a column `run` before the others and the rows of all runs, each run as of one
/// snapshot. Comparisons of a column with a value are answered by the ledgers themselves, with
/// their indexes. Only reads; never locks anybody.
///   message_text(m), message_text(run, m)   the text of a message: its id (with `run` where there
///   is more than one), or its digest
class SqlSession {
 public:
  /// Errors: those of Reader::open, with the run's name.
  [[nodiscard]] static base::Result<std::unique_ptr<SqlSession>> open(
      std::span<const NamedRun> runs);
  ~SqlSession();
  SqlSession(const SqlSession&) = delete;
  SqlSession& operator=(const SqlSession&) = delete;

  /// Runs one SELECT: first its columns' names, then row by row, nothing of which is kept. An error
  /// in the statement names line and column and shows the place.
  [[nodiscard]] base::Status scan(
      std::string_view sql,
      const std::function<void(const std::vector<std::string>&)>& columns,
      const RowVisitor& visitor);

 private:
  struct State;
  explicit SqlSession(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sortie::ledger
