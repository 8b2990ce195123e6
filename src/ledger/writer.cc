#include "sortie/ledger/writer.h"

#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/base/time.h"
#include "sortie/chat/message.h"
#include "sortie/ledger/checksum.h"
#include "sortie/ledger/compression.h"
#include "sortie/ledger/records.h"
#include "sortie/ledger/schema.h"
#include "sortie/ledger/sqlite.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace sortie::ledger {

namespace {

// How long the end of a run waits for readers, to leave one file.
constexpr std::chrono::milliseconds kPatienceAtEnd{200};

// Positions in kFactTables.
constexpr std::size_t kManifest = 0;
constexpr std::size_t kCell = 1;
constexpr std::size_t kTrial = 2;
constexpr std::size_t kAttempt = 3;
constexpr std::size_t kAttemptEnd = 4;
constexpr std::size_t kMessage = 5;
constexpr std::size_t kTurn = 6;
constexpr std::size_t kOutcome = 7;
constexpr std::size_t kScore = 8;
constexpr std::size_t kCall = 9;
constexpr std::size_t kEvent = 10;
constexpr std::size_t kReuse = 11;

/// How a kind of fact is stored: the number of its columns, without a row id that the ledger
/// chooses, and the columns that identify it. Facts without key columns are identified by their
/// whole content.
struct Form {
  int columns;
  std::string_view key;
};

constexpr std::array<Form, kFactTables.size()> kForms = {{{4, "generation = ?1 AND name = ?2"},
                                                          {13, "id = ?1"},
                                                          {7, "id = ?1"},
                                                          {13, "id = ?1"},
                                                          {16, "attempt = ?1"},
                                                          {6, "digest = ?1"},
                                                          {13, "attempt = ?1"},
                                                          {6, ""},
                                                          {31, "trial = ?1 AND scorer = ?2"},
                                                          {11, "trial = ?1 AND n = ?2"},
                                                          {5, ""},
                                                          {12, "trial = ?1"}}};

struct Table {
  std::string_view name;
  Statement insert;  // unless a unique key is taken
  Statement find;    // the stored checksum by key
};

base::Result<Table> prepare_table(Connection& connection, std::size_t kind) {
  const FactTable& table = kFactTables[kind];
  const Form& form = kForms[kind];
  std::string sql =
      fmt::format("INSERT INTO {} VALUES ({}", table.name, table.chooses_id ? "NULL, " : "");
  for (int i = 1; i <= form.columns; ++i) {
    sql += fmt::format("{}?{}", i == 1 ? "" : ", ", i);
  }
  TRY_ASSIGN(Statement insert, connection.prepare(sql + ") ON CONFLICT DO NOTHING"));
  TRY_ASSIGN(
      Statement find,
      connection.prepare(fmt::format(
          "SELECT checksum FROM {} WHERE {}", table.name, form.key.empty() ? "false" : form.key)));
  return Table{.name = table.name, .insert = std::move(insert), .find = std::move(find)};
}

/// Binds a row's columns in order and sums them up on the way.
class Row {
 public:
  explicit Row(Table& table) : sum_(table.name), statement_(&table.insert) {}

  /// Only the sum.
  explicit Row(std::string_view table) : sum_(table) {}

  Row& add(std::int64_t value) {
    sum_.integer(value);
    bind([&](Statement& s, int i) { s.bind(i, value); });
    return *this;
  }

  Row& add(bool value) { return add(std::int64_t{value ? 1 : 0}); }

  Row& add(base::WallTime value) { return add(std::int64_t{value.time_since_epoch().count()}); }

  Row& add(double value) {
    sum_.real(value);
    bind([&](Statement& s, int i) { s.bind(i, value); });
    return *this;
  }

  Row& add(std::string_view value) {
    sum_.text(value);
    bind([&](Statement& s, int i) { s.bind_text(i, value); });
    return *this;
  }

  Row& add(const std::string& value) { return add(std::string_view(value)); }

  // A literal would otherwise become a bool.
  Row& add(const char* value) { return add(std::string_view(value)); }

  Row& add_blob(std::string_view value) {
    sum_.blob(value);
    bind([&](Statement& s, int i) { s.bind_blob(i, value); });
    return *this;
  }

  Row& add(const base::Digest& value) { return add_blob(blob_of(value)); }

  Row& add(const chat::Usage& usage) {
    return add(usage.input).add(usage.output).add(usage.cached_input).add(usage.reasoning);
  }

  template <class T>
  Row& add(const std::optional<T>& value) {
    if (value) {
      return add(*value);
    }
    sum_.null();
    bind([&](Statement& s, int i) { s.bind_null(i); });
    return *this;
  }

  /// A column that came with a later version of the schema (FactTable::added).
  template <class T>
  Row& add_later(const std::optional<T>& value) {
    if (value) {
      return add(*value);
    }
    sum_.null_if_followed();
    bind([&](Statement& s, int i) { s.bind_null(i); });
    return *this;
  }

  /// Binds the last column, the checksum of those before, and returns it.
  std::int64_t close() {
    bind([&](Statement& s, int i) { s.bind(i, checksum()); });
    return checksum();
  }

  [[nodiscard]] std::int64_t checksum() const { return sum_.value(); }

 private:
  template <class Bind>
  void bind(Bind bind) {
    ++index_;
    if (statement_ != nullptr) {
      bind(*statement_, index_);
    }
  }

  Checksum sum_;
  Statement* statement_ = nullptr;
  int index_ = 0;
};

void add_cell(Row& row, const CellRecord& cell) {
  row.add(cell.id)
      .add(cell.model)
      .add(cell.simulated)
      .add(cell.scenarios)
      .add(cell.prompt)
      .add(cell.flaw)
      .add(cell.severity)
      .add(cell.difficulty)
      .add(cell.protocol)
      .add(cell.tool_success_rate)
      .add(cell.max_turns)
      .add(cell.planned);
}

std::int64_t cell_checksum(const CellRecord& cell) {
  Row row(kFactTables[kCell].name);
  add_cell(row, cell);
  return row.checksum();
}

std::unexpected<base::Error> contradiction(std::string message) {
  return base::failure(base::Remedy::fail_campaign, base::ErrorCode::integrity, std::move(message));
}

// --- Names of records for messages

std::string describe(const CellRecord& cell) {
  return fmt::format("cell {}", cell.id.hex());
}

std::string describe(const TrialRecord& trial) {
  return fmt::format("trial {} (key {})", trial.id, trial.key.hex());
}

std::string describe(const AttemptRecord& attempt) {
  return fmt::format("attempt {} (trial {}, turn {})", attempt.id, attempt.trial, attempt.turn);
}

std::string describe(const AttemptEndRecord& end) {
  return fmt::format("end of attempt {} ({})", end.attempt, end.cause);
}

std::string describe(const TurnRecord& turn) {
  return fmt::format("turn {} of trial {} (attempt {})", turn.turn, turn.trial, turn.attempt);
}

std::string describe(const CallRecord& call) {
  return fmt::format("call {} of trial {}", call.n, call.trial);
}

std::string describe(const OutcomeRecord& outcome) {
  return fmt::format("outcome '{}' of trial {}", outcome.outcome, outcome.trial);
}

std::string describe(const ScoreRecord& score) {
  return fmt::format("score of trial {} by {}", score.trial, score.scorer);
}

std::string describe(const EventRecord& event) {
  return fmt::format("event '{}' of '{}'", event.kind, event.subject);
}

std::string describe(const ReuseRecord& reuse) {
  return fmt::format("origin of trial {} in {}", reuse.trial, reuse.directory);
}

std::string describe(const ManifestRecord& manifest) {
  return fmt::format("manifest entry '{}' of generation {}", manifest.name, manifest.generation);
}

}  // namespace

struct RecordWriter::State {
  explicit State(Connection opened) : connection(std::move(opened)) {}

  [[nodiscard]] base::Status prepare();

  [[nodiscard]] base::Status write(const CellRecord& cell);
  [[nodiscard]] base::Status write(const TrialRecord& trial);
  [[nodiscard]] base::Status write(const AttemptRecord& attempt);
  [[nodiscard]] base::Status write(const AttemptEndRecord& end);
  [[nodiscard]] base::Status write(const TurnRecord& turn);
  [[nodiscard]] base::Status write(const CallRecord& call);
  [[nodiscard]] base::Status write(const OutcomeRecord& outcome);
  [[nodiscard]] base::Status write(const ScoreRecord& score);
  [[nodiscard]] base::Status write(const EventRecord& event);
  [[nodiscard]] base::Status write(const ReuseRecord& reuse);
  [[nodiscard]] base::Status write(const ManifestRecord& manifest);

  /// False: a unique key is taken.
  [[nodiscard]] base::Result<bool> insert(Table& table, Row& row);
  /// The fact found by the bound key is the one with this checksum.
  [[nodiscard]] base::Status expect_same(Table& table, std::int64_t checksum);
  [[nodiscard]] base::Result<std::int64_t> store_message(std::string_view content);
  [[nodiscard]] base::Result<std::optional<std::int64_t>> find(const base::Digest& digest);
  [[nodiscard]] base::Result<std::int64_t> insert_message(const base::Digest& digest,
                                                          std::string_view content,
                                                          std::string_view frame);
  [[nodiscard]] base::Status update_cell(const CellRecord& cell);

  Connection connection;
  std::vector<Table> tables;
  Statement begin;
  Statement commit;
  Statement mark;
  Statement find_message;
  Statement find_cell;
  Statement change_cell;
  NextIds next_ids;
  std::int64_t next_message = 1;
  Compressor compressor;
  PackedMessage* answer = nullptr;  // of the record that is being written, if it stands apart
  std::uint64_t message_bytes = 0;
  // The row `run` as it will be after the next commit.
  std::int64_t facts = 0;
  std::uint64_t content = 0;
  bool changed = false;
};

base::Status RecordWriter::State::prepare() {
  for (std::size_t kind = 0; kind < kFactTables.size(); ++kind) {
    TRY_ASSIGN(Table table, prepare_table(connection, kind));
    tables.push_back(std::move(table));
  }
  const std::array<std::pair<Statement*, std::string_view>, 6> statements = {{
      {&begin, "BEGIN IMMEDIATE"},
      {&commit, "COMMIT"},
      {&mark, "UPDATE run SET facts = ?1, content = ?2"},
      {&find_message, "SELECT id FROM message WHERE digest = ?1"},
      {&find_cell, "SELECT checksum, planned, scenarios FROM cell WHERE id = ?1"},
      {&change_cell, "UPDATE cell SET planned = ?1, scenarios = ?2, checksum = ?3 WHERE id = ?4"},
  }};
  for (const auto& [statement, sql] : statements) {
    TRY_ASSIGN(*statement, connection.prepare(sql));
  }
  const std::array<std::pair<std::int64_t*, std::string_view>, 5> numbers = {{
      {&next_ids.trial, "SELECT coalesce(max(id), 0) + 1 FROM trial"},
      {&next_ids.attempt, "SELECT coalesce(max(id), 0) + 1 FROM attempt"},
      {&next_ids.generation, "SELECT coalesce(max(generation), 0) + 1 FROM manifest"},
      {&next_message, "SELECT coalesce(max(id), 0) + 1 FROM message"},
      {&facts, "SELECT facts FROM run"},
  }};
  for (const auto& [number, sql] : numbers) {
    TRY_ASSIGN(*number, connection.integer(sql));
  }
  TRY_ASSIGN(const std::int64_t stored, connection.integer("SELECT content FROM run"));
  content = static_cast<std::uint64_t>(stored);
  return {};
}

base::Result<bool> RecordWriter::State::insert(Table& table, Row& row) {
  const std::int64_t checksum = row.close();
  TRY(table.insert.run());
  if (connection.changes() == 0) {
    return false;
  }
  ++facts;
  content += static_cast<std::uint64_t>(checksum);
  changed = true;
  return true;
}

base::Status RecordWriter::State::expect_same(Table& table, std::int64_t checksum) {
  const ResetAtEnd reset(table.find);
  TRY_ASSIGN(const bool found, table.find.step());
  if (!found) {
    return contradiction("another fact has its unique key");
  }
  if (table.find.integer(0) != checksum) {
    return contradiction("it is already recorded with another content");
  }
  return {};
}

base::Result<std::optional<std::int64_t>> RecordWriter::State::find(const base::Digest& digest) {
  const ResetAtEnd reset(find_message);
  find_message.bind_blob(1, blob_of(digest));
  TRY_ASSIGN(const bool known, find_message.step());
  return known ? std::optional(find_message.integer(0)) : std::nullopt;
}

base::Result<std::int64_t> RecordWriter::State::store_message(std::string_view text) {
  const bool packed = answer != nullptr && !answer->claim();
  if (answer != nullptr) {
    text = answer->content();
  }
  if (packed) {
    answer->wait();
  }
  const base::Digest digest = packed ? answer->digest() : base::digest_of(text);
  TRY_ASSIGN(const auto known, find(digest));
  if (known) {
    return *known;
  }
  if (text.size() > kContentBytesMax) {
    return contradiction(fmt::format("an answer of {} bytes is beyond the limit", text.size()));
  }
  return insert_message(digest, text, packed ? answer->frame() : compressor.compress(text));
}

base::Result<std::int64_t> RecordWriter::State::insert_message(const base::Digest& digest,
                                                               std::string_view text,
                                                               std::string_view frame) {
  const std::string_view stored = frame.empty() ? text : frame;
  Row row(tables[kMessage]);
  row.add(next_message)
      .add(digest)
      .add(frame.empty() ? "plain" : "zstd")
      .add(static_cast<std::int64_t>(text.size()))
      .add_blob(stored);
  TRY(insert(tables[kMessage], row));
  message_bytes += stored.size();
  return next_message++;
}

base::Status RecordWriter::State::write(const CellRecord& cell) {
  Table& table = tables[kCell];
  Row row(table);
  add_cell(row, cell);
  TRY_ASSIGN(const bool inserted, insert(table, row));
  return inserted ? base::Status() : update_cell(cell);
}

base::Status RecordWriter::State::update_cell(const CellRecord& cell) {
  std::int64_t old_checksum = 0;
  {
    const ResetAtEnd reset(find_cell);
    find_cell.bind_blob(1, blob_of(cell.id));
    TRY_ASSIGN(const bool found, find_cell.step());
    if (!found) {
      return contradiction("another fact has its unique key");
    }
    old_checksum = find_cell.integer(0);
    CellRecord as_stored = cell;
    as_stored.planned = find_cell.integer(1);
    as_stored.scenarios = find_cell.bytes(2);
    if (cell_checksum(as_stored) != old_checksum) {
      return contradiction("it is already recorded with other factors");
    }
  }
  const std::int64_t checksum = cell_checksum(cell);
  if (checksum == old_checksum) {
    return {};
  }
  change_cell.bind(1, cell.planned);
  change_cell.bind_text(2, cell.scenarios);
  change_cell.bind(3, checksum);
  change_cell.bind_blob(4, blob_of(cell.id));
  TRY(change_cell.run());
  content += static_cast<std::uint64_t>(checksum) - static_cast<std::uint64_t>(old_checksum);
  changed = true;
  return {};
}

base::Status RecordWriter::State::write(const TrialRecord& trial) {
  Table& table = tables[kTrial];
  Row row(table);
  row.add(trial.id)
      .add(trial.key)
      .add(trial.cell)
      .add(trial.task)
      .add(trial.task_type)
      .add(trial.repeat);
  TRY_ASSIGN(const bool inserted, insert(table, row));
  if (inserted) {
    return {};
  }
  table.find.bind(1, trial.id);
  return expect_same(table, row.checksum());
}

base::Status RecordWriter::State::write(const AttemptRecord& attempt) {
  Table& table = tables[kAttempt];
  Row row(table);
  row.add(attempt.id)
      .add(attempt.trial)
      .add(attempt.turn)
      .add(attempt.number)
      .add(attempt.route)
      .add(attempt.requested_model)
      .add(attempt.api_name)
      .add(attempt.at)
      .add(attempt.request)
      .add(attempt.reserved_input)
      .add(attempt.reserved_output)
      .add(attempt.reserved_cost);
  TRY_ASSIGN(const bool inserted, insert(table, row));
  if (inserted) {
    return {};
  }
  table.find.bind(1, attempt.id);
  return expect_same(table, row.checksum());
}

base::Status RecordWriter::State::write(const AttemptEndRecord& end) {
  Table& table = tables[kAttemptEnd];
  Row row(table);
  row.add(end.attempt)
      .add(end.at)
      .add(end.cause)
      .add(end.status)
      .add(end.code)
      .add(end.message)
      .add(end.served_model)
      .add(end.usage)
      .add(end.cost)
      .add(end.billing_known)
      .add(end.first_byte_us)
      .add(end.duration_us);
  TRY_ASSIGN(const bool inserted, insert(table, row));
  if (inserted) {
    return {};
  }
  table.find.bind(1, end.attempt);
  return expect_same(table, row.checksum());
}

base::Status RecordWriter::State::write(const TurnRecord& turn) {
  TRY_ASSIGN(const std::int64_t message, store_message(turn.answer));
  Table& table = tables[kTurn];
  Row row(table);
  row.add(turn.attempt)
      .add(turn.trial)
      .add(turn.turn)
      .add(message)
      .add(turn.usage)
      .add(turn.route)
      .add(turn.served_model)
      .add(turn.finish)
      .add(turn.fingerprint);
  TRY_ASSIGN(const bool inserted, insert(table, row));
  if (inserted) {
    return {};
  }
  table.find.bind(1, turn.attempt);
  return expect_same(table, row.checksum());
}

base::Status RecordWriter::State::write(const CallRecord& call) {
  Table& table = tables[kCall];
  Row row(table);
  row.add(call.trial)
      .add(call.turn)
      .add(call.n)
      .add(call.tool)
      .add(call.arguments)
      .add(call.status)
      .add(call.code)
      .add(call.result)
      .add(call.origin)
      .add(call.artifact);
  TRY_ASSIGN(const bool inserted, insert(table, row));
  if (inserted) {
    return {};
  }
  table.find.bind(1, call.trial);
  table.find.bind(2, call.n);
  return expect_same(table, row.checksum());
}

base::Status RecordWriter::State::write(const OutcomeRecord& outcome) {
  Row row(tables[kOutcome]);
  row.add(outcome.trial).add(outcome.at).add(outcome.outcome).add(outcome.detail).add(outcome.end);
  // Unique by its whole content: what is taken is the same.
  TRY(insert(tables[kOutcome], row));
  return {};
}

base::Status RecordWriter::State::write(const ScoreRecord& score) {
  Table& table = tables[kScore];
  Row row(table);
  row.add(score.trial).add(score.scorer).add(score.success).add(score.clean).add(score.progress);
  row.add(score.level).add(score.order).add(score.tool_coverage).add(score.efficiency);
  row.add(score.calls).add(score.calls_ok).add(score.calls_rejected).add(score.calls_injected);
  row.add(score.turns).add(score.turns_repaired).add(score.turns_not_understood);
  row.add(score.label).add(score.label_turn).add(score.empty).add(score.truncated);
  row.add(score.filtered).add(score.refused).add(score.context_full);
  row.add_later(score.flawed_places).add_later(score.followed_places);
  row.add_later(score.retry_same).add_later(score.retry_arguments);
  row.add_later(score.retry_tool).add_later(score.retry_none).add_later(score.calls_per_answer);
  TRY_ASSIGN(const bool inserted, insert(table, row));
  if (inserted) {
    return {};
  }
  table.find.bind(1, score.trial);
  table.find.bind_text(2, score.scorer);
  return expect_same(table, row.checksum());
}

base::Status RecordWriter::State::write(const EventRecord& event) {
  Row row(tables[kEvent]);
  row.add(event.at).add(event.kind).add(event.subject).add(event.detail);
  TRY(insert(tables[kEvent], row));
  return {};
}

base::Status RecordWriter::State::write(const ReuseRecord& reuse) {
  Table& table = tables[kReuse];
  Row row(table);
  row.add(reuse.trial).add(reuse.run).add(reuse.directory).add(reuse.source_trial);
  row.add(reuse.source_mark).add(reuse.answers).add(reuse.at).add(reuse.attempts);
  row.add(reuse.input_tokens).add(reuse.output_tokens).add(reuse.cost);
  TRY_ASSIGN(const bool inserted, insert(table, row));
  if (inserted) {
    return {};
  }
  table.find.bind(1, reuse.trial);
  return expect_same(table, row.checksum());
}

base::Status RecordWriter::State::write(const ManifestRecord& manifest) {
  Table& table = tables[kManifest];
  Row row(table);
  row.add(manifest.generation).add(manifest.name).add(manifest.value);
  TRY_ASSIGN(const bool inserted, insert(table, row));
  if (inserted) {
    return {};
  }
  table.find.bind(1, manifest.generation);
  table.find.bind_text(2, manifest.name);
  return expect_same(table, row.checksum());
}

// --- RecordWriter

RecordWriter::RecordWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}

RecordWriter::~RecordWriter() {
  // So that a finished run is one file. A reader in the middle of a snapshot may prevent it; then
  // the next opening does it.
  state_->connection.wait_for_others(kPatienceAtEnd);
  static_cast<void>(state_->connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").has_value());
}

base::Result<std::unique_ptr<RecordWriter>> RecordWriter::open(Connection connection) {
  auto state = std::make_unique<State>(std::move(connection));
  TRY(state->prepare());
  return std::unique_ptr<RecordWriter>(new RecordWriter(std::move(state)));
}

base::Status RecordWriter::begin() {
  return state_->begin.run();
}

base::Status RecordWriter::write(const Record& record, PackedMessage* answer) {
  state_->answer = answer;
  return std::visit(
      [this](const auto& fact) -> base::Status {
        auto written = state_->write(fact);
        if (!written) {
          return std::unexpected(base::with_context(std::move(written).error(), describe(fact)));
        }
        return {};
      },
      record);
}

base::Status RecordWriter::commit() {
  if (state_->changed) {
    state_->mark.bind(1, state_->facts);
    state_->mark.bind(2, static_cast<std::int64_t>(state_->content));
    TRY(state_->mark.run());
    state_->changed = false;
  }
  return state_->commit.run();
}

void RecordWriter::roll_back() {
  // SQLite has rolled back already after some errors; then this one says so and is of no interest.
  static_cast<void>(state_->connection.execute("ROLLBACK").has_value());
}

std::uint64_t RecordWriter::message_bytes() const {
  return state_->message_bytes;
}

RecordWriter::NextIds RecordWriter::next_ids() const {
  return state_->next_ids;
}

}  // namespace sortie::ledger
