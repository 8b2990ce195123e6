#include "sortie/ledger/reader.h"

#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/ledger/compression.h"
#include "sortie/ledger/file.h"
#include "sortie/ledger/functions.h"
#include "sortie/ledger/records.h"
#include "sortie/ledger/rows.h"
#include "sortie/ledger/sqlite.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sqlite3.h>

namespace sortie::ledger {

namespace {

constexpr std::string_view kTrials =
    "SELECT trial, key, cell, task, repeat, coalesce(outcome, '') FROM trial_state ORDER BY trial";

constexpr std::string_view kTurns =
    "SELECT t.trial, t.turn, t.attempt, m.content, t.input_tokens, t.output_tokens, "
    "t.cached_input_tokens, t.reasoning_tokens, t.route, t.served_model, t.finish, t.fingerprint, "
    "m.encoding, m.size FROM turn AS t LEFT JOIN message AS m ON m.id = t.answer WHERE t.trial = "
    "?1 ORDER BY t.turn";

constexpr std::string_view kManifestEntry =
    "SELECT value FROM manifest WHERE name = ?1 ORDER BY generation DESC LIMIT 1";

}  // namespace

struct Reader::State {
  State(std::string read, const ReadOptions& how, Connection opened)
      : run_directory(std::move(read)), options(how), connection(std::move(opened)) {}

  std::string run_directory;
  ReadOptions options;
  Connection connection;
  Statement begin;
  Statement end;
  Statement mark;
  Statement turns;
  bool in_snapshot = false;
};

Reader::Reader(std::unique_ptr<State> state) : state_(std::move(state)) {}

Reader::~Reader() = default;

base::Result<std::unique_ptr<Reader>> Reader::open(const std::string& run_directory,
                                                   const ReadOptions& options) {
  TRY_ASSIGN(Connection connection, open_to_read(run_directory, options));
  auto state = std::make_unique<State>(run_directory, options, std::move(connection));
  TRY_ASSIGN(state->begin, state->connection.prepare("BEGIN"));
  TRY_ASSIGN(state->end, state->connection.prepare("COMMIT"));
  TRY_ASSIGN(state->mark, state->connection.prepare("SELECT facts, content FROM run"));
  TRY_ASSIGN(state->turns, state->connection.prepare(kTurns));
  TRY(allow_only_reading(state->connection));
  return std::unique_ptr<Reader>(new Reader(std::move(state)));
}

base::Status Reader::begin() {
  if (state_->in_snapshot) {
    return {};
  }
  TRY(state_->begin.run());
  state_->in_snapshot = true;
  // SQLite takes the snapshot with the first read.
  auto first = high_water_mark();
  if (!first) {
    end();
    return std::unexpected(std::move(first).error());
  }
  return {};
}

bool Reader::in_snapshot() const {
  return state_->in_snapshot;
}

void Reader::end() {
  if (!state_->in_snapshot) {
    return;
  }
  state_->in_snapshot = false;
  // The end of a transaction that only read has nothing that could fail to be kept.
  static_cast<void>(state_->end.run().has_value());
}

base::Status Reader::scan(std::string_view sql, const RowVisitor& visitor) {
  return scan(sql, {}, visitor);
}

base::Status Reader::scan(std::string_view sql,
                          std::span<const std::string> parameters,
                          const RowVisitor& visitor) {
  TRY_ASSIGN(Statement statement, state_->connection.prepare(sql));
  if (statement.columns() == 0) {
    return base::bad_input("expected a SELECT, got a statement that yields no rows");
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    statement.bind_text(static_cast<int>(i) + 1, parameters[i]);
  }
  std::vector<Cell> row(static_cast<std::size_t>(statement.columns()));
  std::vector<std::string> hex(row.size());
  while (true) {
    TRY_ASSIGN(const bool there, statement.step());
    if (!there) {
      return {};
    }
    read_row(statement, row, hex);
    if (!visitor(row)) {
      return {};
    }
  }
}

base::Result<std::int64_t> Reader::count(std::string_view sql) {
  return state_->connection.integer(sql);
}

base::Status Reader::for_each_trial(const std::function<void(const TrialState&)>& visitor) {
  TRY_ASSIGN(Statement statement, state_->connection.prepare(kTrials));
  TrialState trial;
  while (true) {
    TRY_ASSIGN(const bool there, statement.step());
    if (!there) {
      return {};
    }
    trial.id = statement.integer(0);
    trial.key = statement.digest(1);
    trial.cell = statement.digest(2);
    trial.task = statement.bytes(3);
    trial.repeat = statement.integer(4);
    trial.outcome = statement.bytes(5);
    visitor(trial);
  }
}

base::Result<std::vector<StoredTurn>> Reader::turns(TrialId trial) {
  Statement& statement = state_->turns;
  const ResetAtEnd reset(statement);
  statement.bind(1, trial);
  std::vector<StoredTurn> turns;
  while (true) {
    TRY_ASSIGN(const bool there, statement.step());
    if (!there) {
      return turns;
    }
    if (statement.type(3) == ColumnType::null) {
      return base::failure(
          base::Remedy::fail_campaign,
          base::ErrorCode::integrity,
          fmt::format("trial {}: the answer of turn {} is missing", trial, statement.integer(1)));
    }
    auto answer = decoded(statement.bytes(12), statement.integer(13), statement.bytes(3));
    if (!answer) {
      return std::unexpected(base::with_context(
          std::move(answer).error(),
          fmt::format("trial {}, turn {}: damaged message", trial, statement.integer(1))));
    }
    turns.push_back({.record = {.trial = statement.integer(0),
                                .turn = statement.integer(1),
                                .attempt = statement.integer(2),
                                .answer = std::move(*answer),
                                .usage = {.input = statement.integer(4),
                                          .output = statement.integer(5),
                                          .cached_input = statement.integer(6),
                                          .reasoning = statement.integer(7)},
                                .route = std::string(statement.bytes(8)),
                                .served_model = std::string(statement.bytes(9)),
                                .finish = std::string(statement.bytes(10)),
                                .fingerprint = std::string(statement.bytes(11))}});
  }
}

base::Result<std::optional<std::string>> Reader::manifest(std::string_view name) {
  const std::array<std::string, 1> parameters = {std::string(name)};
  std::optional<std::string> value;
  TRY(scan(kManifestEntry, parameters, [&](std::span<const Cell> row) {
    value = std::string(std::get<std::string_view>(row[0]));
    return false;
  }));
  return value;
}

const std::string& Reader::run_directory() const {
  return state_->run_directory;
}

bool Reader::has_moved() const {
  int moved = 0;
  sqlite3_file_control(state_->connection.handle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return moved != 0;
}

const ReadOptions& Reader::options() const {
  return state_->options;
}

base::Result<std::string> Reader::high_water_mark() {
  Statement& statement = state_->mark;
  auto there = statement.step();
  std::string mark;
  if (there && *there) {
    mark = fmt::format(
        "{}-{:016x}", statement.integer(0), static_cast<std::uint64_t>(statement.integer(1)));
  }
  statement.reset();
  TRY(std::move(there));
  return mark;
}

}  // namespace sortie::ledger
