#include "sortie/ledger/schema.h"

#include "sortie/base/check.h"
#include "sortie/base/error.h"
#include "sortie/ledger/sqlite.h"

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace sortie::ledger {

namespace {

// One row. `facts` counts the stored rows, `content` is the sum modulo 2^64 of their checksums: a
// row that is gone or was added by another program shows.
constexpr std::string_view kRun = R"sql(
CREATE TABLE run (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  key        BLOB NOT NULL CHECK (length(key) = 16),  -- random: tells ledgers apart
  created_at INTEGER NOT NULL,                        -- microseconds since 1970, UTC
  facts      INTEGER NOT NULL CHECK (facts >= 0),
  content    INTEGER NOT NULL
) STRICT;
)sql";

constexpr std::string_view kPlanTables = R"sql(
CREATE TABLE manifest (
  id         INTEGER PRIMARY KEY,
  generation INTEGER NOT NULL CHECK (generation >= 1),  -- each start of the run appends one
  name       TEXT NOT NULL CHECK (name <> ''),
  value      TEXT NOT NULL,
  checksum   INTEGER NOT NULL,
  UNIQUE (generation, name)
) STRICT;

CREATE TABLE cell (
  id                BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  model             TEXT NOT NULL CHECK (model <> ''),
  simulated         INTEGER NOT NULL CHECK (simulated IN (0, 1)),
  scenarios         TEXT NOT NULL,  -- comma-separated; may change at a start
  prompt            TEXT NOT NULL,
  flaw              TEXT NOT NULL,
  severity          TEXT NOT NULL,
  difficulty        TEXT NOT NULL,
  protocol          TEXT NOT NULL,
  tool_success_rate REAL NOT NULL CHECK (tool_success_rate BETWEEN 0 AND 1),
  max_turns         INTEGER NOT NULL CHECK (max_turns >= 0),
  planned           INTEGER NOT NULL CHECK (planned >= 0),  -- trials; may change at a start
  checksum          INTEGER NOT NULL
) STRICT;

CREATE TABLE trial (
  id        INTEGER PRIMARY KEY CHECK (id >= 1),
  key       BLOB NOT NULL UNIQUE CHECK (length(key) = 16),
  cell      BLOB NOT NULL REFERENCES cell (id),
  task      TEXT NOT NULL,
  task_type TEXT NOT NULL,
  repeat    INTEGER NOT NULL CHECK (repeat >= 0),
  checksum  INTEGER NOT NULL
) STRICT;
)sql";

constexpr std::string_view kAttemptTables = R"sql(
CREATE TABLE attempt (
  id              INTEGER PRIMARY KEY CHECK (id >= 1),
  trial           INTEGER NOT NULL REFERENCES trial (id),
  turn            INTEGER NOT NULL CHECK (turn >= 0),
  number          INTEGER NOT NULL CHECK (number >= 0),  -- of the turn's attempts
  route           TEXT NOT NULL,                         -- endpoint/key/api_name
  requested_model TEXT NOT NULL,
  api_name        TEXT NOT NULL,
  at              INTEGER NOT NULL,                      -- microseconds since 1970, UTC
  request         BLOB NOT NULL CHECK (length(request) = 16),  -- digest of the body
  reserved_input  INTEGER NOT NULL CHECK (reserved_input >= 0),   -- tokens
  reserved_output INTEGER NOT NULL CHECK (reserved_output >= 0),  -- tokens
  reserved_cost   INTEGER NOT NULL CHECK (reserved_cost >= 0),    -- micro-dollars
  checksum        INTEGER NOT NULL
) STRICT;

CREATE TABLE attempt_end (
  attempt             INTEGER PRIMARY KEY REFERENCES attempt (id),
  at                  INTEGER NOT NULL,
  cause               TEXT NOT NULL CHECK (cause IN ('answered', 'throttle', 'concurrency', 'daily_cap',
                        'out_of_money', 'ramp', 'overload', 'transient', 'not_processed', 'broken', 'stall', 'auth',
                        'wrong_name', 'bad_request', 'wrong_model', 'cancelled')),
  status              INTEGER NOT NULL CHECK (status >= 0),  -- HTTP, 0 without an answer
  code                TEXT NOT NULL,
  message             TEXT NOT NULL,
  served_model        TEXT NOT NULL,
  input_tokens        INTEGER NOT NULL CHECK (input_tokens >= 0),   -- includes cached
  output_tokens       INTEGER NOT NULL CHECK (output_tokens >= 0),  -- includes reasoning
  cached_input_tokens INTEGER NOT NULL CHECK (cached_input_tokens >= 0),
  reasoning_tokens    INTEGER NOT NULL CHECK (reasoning_tokens >= 0),
  cost                INTEGER NOT NULL CHECK (cost >= 0),  -- micro-dollars
  billing_known       INTEGER NOT NULL CHECK (billing_known IN (0, 1)),
  first_byte_us       INTEGER NOT NULL,                    -- after sending
  duration_us         INTEGER NOT NULL,
  checksum            INTEGER NOT NULL
) STRICT;
)sql";

constexpr std::string_view kTurnTables = R"sql(
CREATE TABLE message (
  id       INTEGER PRIMARY KEY,
  digest   BLOB NOT NULL UNIQUE CHECK (length(digest) = 16),  -- SHA-256 of the content, first 16 bytes
  encoding TEXT NOT NULL CHECK (encoding IN ('plain', 'zstd')),
  size     INTEGER NOT NULL CHECK (size >= 0),                -- bytes of the content
  content  BLOB NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE turn (
  attempt             INTEGER PRIMARY KEY REFERENCES attempt (id),  -- the one that was answered
  trial               INTEGER NOT NULL REFERENCES trial (id),
  turn                INTEGER NOT NULL CHECK (turn >= 0),
  answer              INTEGER NOT NULL REFERENCES message (id),
  input_tokens        INTEGER NOT NULL CHECK (input_tokens >= 0),
  output_tokens       INTEGER NOT NULL CHECK (output_tokens >= 0),
  cached_input_tokens INTEGER NOT NULL CHECK (cached_input_tokens >= 0),
  reasoning_tokens    INTEGER NOT NULL CHECK (reasoning_tokens >= 0),
  route               TEXT NOT NULL,
  served_model        TEXT NOT NULL,
  finish              TEXT NOT NULL,
  fingerprint         TEXT NOT NULL,
  checksum            INTEGER NOT NULL,
  UNIQUE (trial, turn)
) STRICT;

CREATE TABLE call (
  id        INTEGER PRIMARY KEY,
  trial     INTEGER NOT NULL REFERENCES trial (id),
  turn      INTEGER NOT NULL CHECK (turn >= 0),
  n         INTEGER NOT NULL CHECK (n >= 0),  -- in the trial
  tool      TEXT NOT NULL,
  arguments TEXT NOT NULL,                    -- canonical JSON
  status    TEXT NOT NULL CHECK (status IN ('ok', 'rejected', 'injected')),
  code      TEXT NOT NULL,
  result    TEXT NOT NULL,
  origin    TEXT NOT NULL CHECK (origin IN ('world', 'injected')),
  artifact  TEXT NOT NULL,
  checksum  INTEGER NOT NULL,
  UNIQUE (trial, n)
) STRICT;
)sql";

constexpr std::string_view kResultTables = R"sql(
CREATE TABLE outcome (
  id         INTEGER PRIMARY KEY,
  trial      INTEGER NOT NULL REFERENCES trial (id),
  at         INTEGER NOT NULL,
  outcome    TEXT NOT NULL CHECK (outcome IN ('scored', 'throttled', 'auth', 'quota_exhausted', 'timeout',
               'connection', 'provider_error', 'wrong_model', 'cancelled')),
  detail     TEXT NOT NULL,
  end_reason TEXT NOT NULL CHECK (end_reason IN ('', 'finish', 'max_turns', 'loop', 'filtered', 'context_full')),
  checksum   INTEGER NOT NULL,
  UNIQUE (trial, checksum)
) STRICT;
)sql";

// Version 1 of the table ended here.
constexpr std::string_view kScoreColumns = R"sql(
CREATE TABLE score (
  id                   INTEGER PRIMARY KEY,
  trial                INTEGER NOT NULL REFERENCES trial (id),
  scorer               TEXT NOT NULL CHECK (scorer <> ''),
  success              INTEGER NOT NULL CHECK (success IN (0, 1)),
  clean                INTEGER NOT NULL CHECK (clean IN (0, 1)),
  progress             REAL NOT NULL CHECK (progress BETWEEN 0 AND 1),
  level                TEXT NOT NULL CHECK (level IN ('full', 'partial', 'failure')),
  order_score          REAL,  -- NULL: no pair attempted
  tool_coverage        REAL NOT NULL,
  efficiency           REAL,  -- NULL: no success
  calls                INTEGER NOT NULL CHECK (calls >= 0),
  calls_ok             INTEGER NOT NULL CHECK (calls_ok >= 0),
  calls_rejected       INTEGER NOT NULL CHECK (calls_rejected >= 0),
  calls_injected       INTEGER NOT NULL CHECK (calls_injected >= 0),
  turns                INTEGER NOT NULL CHECK (turns >= 0),
  turns_repaired       INTEGER NOT NULL CHECK (turns_repaired >= 0),
  turns_not_understood INTEGER NOT NULL CHECK (turns_not_understood >= 0),
  label                TEXT NOT NULL,  -- vocabulary of the scorer
  label_turn           INTEGER,
  empty                INTEGER NOT NULL CHECK (empty IN (0, 1)),
  truncated            INTEGER NOT NULL CHECK (truncated IN (0, 1)),
  filtered             INTEGER NOT NULL CHECK (filtered IN (0, 1)),
  refused              INTEGER NOT NULL CHECK (refused IN (0, 1)),
  context_full         INTEGER NOT NULL CHECK (context_full IN (0, 1)),
)sql";

constexpr std::string_view kScoreColumnsAdded =
    R"sql(  flawed_places        INTEGER CHECK (flawed_places >= 0),    -- NULL: no flawed plan was shown
  followed_places      INTEGER CHECK (followed_places BETWEEN 0 AND flawed_places),  -- of them, before the right step succeeded
  retry_same           INTEGER CHECK (retry_same >= 0),       -- after an injected failure: the same call again
  retry_arguments      INTEGER CHECK (retry_arguments >= 0),  -- other arguments
  retry_tool           INTEGER CHECK (retry_tool >= 0),       -- another tool
  retry_none           INTEGER CHECK (retry_none >= 0),       -- no further call
  calls_per_answer     REAL,  -- of answers with a call; NULL: none had one
)sql";

constexpr std::string_view kScoreEnd = R"sql(  checksum             INTEGER NOT NULL,
  UNIQUE (trial, scorer)
) STRICT;
)sql";

constexpr std::string_view kEventTable = R"sql(
CREATE TABLE event (
  id       INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,
  kind     TEXT NOT NULL CHECK (kind <> ''),
  subject  TEXT NOT NULL,
  detail   TEXT NOT NULL,  -- JSON object
  checksum INTEGER NOT NULL UNIQUE
) STRICT;

CREATE INDEX attempt_by_turn ON attempt (trial, turn);
)sql";

constexpr std::int64_t kReuseSince = 4;

constexpr std::string_view kReuseTable = R"sql(
CREATE TABLE reuse (
  trial         INTEGER PRIMARY KEY REFERENCES trial (id),
  source_run    BLOB NOT NULL CHECK (length(source_run) = 16), -- key of the ledger that paid
  directory     TEXT NOT NULL,                                 -- where it lay
  source_trial  INTEGER NOT NULL CHECK (source_trial >= 1),    -- its id there
  source_mark   TEXT NOT NULL,                                 -- high-water mark of that ledger when it was read
  answers       BLOB NOT NULL CHECK (length(answers) = 16),    -- digest of the answers' digests in hexadecimal, in order
  at            INTEGER NOT NULL,                              -- when it was copied
  attempts      INTEGER NOT NULL CHECK (attempts >= 1),        -- that it took there
  input_tokens  INTEGER NOT NULL CHECK (input_tokens >= 0),    -- of those attempts
  output_tokens INTEGER NOT NULL CHECK (output_tokens >= 0),
  cost          INTEGER NOT NULL CHECK (cost >= 0),            -- micro-dollars, paid there and not here
  checksum      INTEGER NOT NULL
) STRICT;
)sql";

// What older versions are read as.
constexpr std::string_view kNoReuse =
    "CREATE TEMP VIEW reuse AS SELECT NULL AS trial, NULL AS source_run, NULL AS directory, NULL "
    "AS "
    "source_trial, NULL AS source_mark, NULL AS answers, NULL AS at, NULL AS attempts, NULL AS "
    "input_tokens, NULL AS output_tokens, NULL AS cost, NULL AS checksum WHERE false;";

constexpr std::string_view kTrialResult = R"sql(
-- One row per trial that counts: its first scored outcome with the score of the newest scorer.
CREATE VIEW trial_result AS
SELECT t.id AS trial, t.key, t.cell, c.model, c.simulated, c.scenarios, c.prompt, c.flaw, c.severity, c.difficulty,
  c.protocol, c.tool_success_rate, c.max_turns, t.task, t.task_type, t.repeat, o.at, o.end_reason, s.scorer,
  s.success, s.clean, s.progress, s.level, s.order_score, s.tool_coverage, s.efficiency, s.calls, s.calls_ok,
  s.calls_rejected, s.calls_injected, s.turns, s.turns_repaired, s.turns_not_understood, s.label, s.label_turn,
  s.empty, s.truncated, s.filtered, s.refused, s.context_full)sql";

constexpr std::string_view kTrialResultAdded =
    R"sql(, s.flawed_places, s.followed_places, s.retry_same, s.retry_arguments, s.retry_tool,
  s.retry_none, s.calls_per_answer)sql";

constexpr std::string_view kTrialResultFrom = R"sql(
FROM trial t
JOIN cell c ON c.id = t.cell
JOIN outcome o ON o.id = (SELECT min(id) FROM outcome WHERE trial = t.id AND outcome = 'scored')
JOIN score s ON s.trial = t.id AND s.scorer = (SELECT scorer FROM score ORDER BY id DESC LIMIT 1);
)sql";

constexpr std::string_view kViews = R"sql(
-- The outcome that counts: the first scored one, else the latest, NULL while there is none.
CREATE VIEW trial_state AS
SELECT t.id AS trial, t.key, t.cell, t.task, t.task_type, t.repeat,
  CASE WHEN EXISTS (SELECT 1 FROM outcome WHERE trial = t.id AND outcome = 'scored') THEN 'scored'
  ELSE (SELECT outcome FROM outcome WHERE trial = t.id ORDER BY id DESC LIMIT 1) END AS outcome,
  (SELECT count(*) FROM turn WHERE trial = t.id) AS turns
FROM trial t;

CREATE VIEW cell_summary AS
SELECT c.id AS cell, c.model, c.simulated, c.scenarios, c.prompt, c.flaw, c.severity, c.difficulty, c.protocol,
  c.tool_success_rate, c.max_turns, c.planned, coalesce(n.begun, 0) AS begun, coalesce(n.scored, 0) AS scored,
  coalesce(n.infrastructure, 0) AS infrastructure,
  c.planned - coalesce(n.scored, 0) - coalesce(n.infrastructure, 0) AS open
FROM cell c LEFT JOIN (
  SELECT t.cell, count(*) AS begun, sum(o.scored IS 1) AS scored, sum(o.scored IS 0) AS infrastructure
  FROM trial t LEFT JOIN (
    SELECT trial, max(outcome = 'scored') AS scored FROM outcome GROUP BY trial) o ON o.trial = t.id
  GROUP BY t.cell) n ON n.cell = c.id;

-- Every request with how it ended; cost is billed, or reserved where no bill is known.
CREATE VIEW attempt_full AS
SELECT a.id AS attempt, a.trial, a.turn, a.number, a.route, a.requested_model, a.api_name, a.at, a.request,
  a.reserved_input, a.reserved_output, a.reserved_cost, e.at AS ended_at, coalesce(e.cause, 'unknown') AS cause,
  e.status, e.code, e.message, e.served_model, e.input_tokens, e.output_tokens, e.cached_input_tokens,
  e.reasoning_tokens, coalesce(e.billing_known, 0) AS billing_known,
  coalesce(e.cost, a.reserved_cost) AS cost, e.first_byte_us, e.duration_us
FROM attempt a LEFT JOIN attempt_end e ON e.attempt = a.id;
)sql";

std::string append_only(std::string_view table) {
  const std::string_view updated =
      table == "cell"
          ? "UPDATE OF id, model, simulated, prompt, flaw, severity, difficulty, protocol, "
            "tool_success_rate, max_turns ON"
          : "UPDATE ON";
  return fmt::format(
      "CREATE TRIGGER {0}_keeps_rows BEFORE DELETE ON {0} BEGIN\n"
      "  SELECT RAISE(ABORT, '{0} is append-only: nothing is deleted');\nEND;\n"
      "CREATE TRIGGER {0}_keeps_values BEFORE {1} {0} BEGIN\n"
      "  SELECT RAISE(ABORT, '{0} is append-only: nothing is changed');\nEND;\n",
      table,
      updated);
}

constexpr std::string_view kRunTriggers = R"sql(
CREATE TRIGGER run_keeps_rows BEFORE DELETE ON run BEGIN
  SELECT RAISE(ABORT, 'run is append-only: nothing is deleted');
END;
CREATE TRIGGER run_only_grows BEFORE UPDATE ON run
WHEN new.facts < old.facts OR new.key <> old.key OR new.created_at <> old.created_at BEGIN
  SELECT RAISE(ABORT, 'run only grows');
END;
)sql";

using Objects = std::map<std::string, std::string>;

base::Result<Objects> objects_of(Connection& connection) {
  TRY_ASSIGN(Statement statement,
             connection.prepare("SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema "
                                "WHERE name NOT LIKE 'sqlite_stat%'"));
  Objects objects;
  while (true) {
    TRY_ASSIGN(const bool row, statement.step());
    if (!row) {
      return objects;
    }
    objects.emplace(statement.bytes(0), statement.bytes(1));
  }
}

/// The tables that scores are in and shown by, as a version has them.
std::string score_table(std::int64_t version) {
  return fmt::format(
      "{}{}{}", kScoreColumns, version == 1 ? std::string_view() : kScoreColumnsAdded, kScoreEnd);
}

std::string trial_result_view(std::int64_t version) {
  return fmt::format("{}{}{}",
                     kTrialResult,
                     version == 1 ? std::string_view() : kTrialResultAdded,
                     kTrialResultFrom);
}

/// Of a table of facts, in order, separated by commas.
base::Result<std::string> columns_of(Connection& connection, std::string_view table) {
  TRY_ASSIGN(Statement statement,
             connection.prepare(fmt::format("PRAGMA main.table_info({})", table)));
  std::string columns;
  while (true) {
    TRY_ASSIGN(const bool row, statement.step());
    if (!row) {
      return columns;
    }
    columns += fmt::format("{}{}", columns.empty() ? "" : ", ", statement.bytes(1));
  }
}

/// Version 1's rows of `table` as rows of this version.
base::Result<std::string> score_from_version_1(Connection& connection, std::string_view table) {
  TRY_ASSIGN(std::string columns, columns_of(connection, "score"));
  constexpr std::string_view kChecksum = "checksum";
  CHECK(columns.ends_with(kChecksum));
  columns.resize(columns.size() - kChecksum.size());
  return fmt::format(
      "SELECT {}NULL AS flawed_places, NULL AS followed_places, NULL AS retry_same, "
      "NULL AS retry_arguments, NULL AS retry_tool, NULL AS retry_none, NULL AS calls_per_answer, "
      "checksum FROM main.{}",
      columns,
      table);
}

/// The statements that give version 1's scores the table of today. It is made anew, so that a
/// migrated ledger's schema is that of a new one to the byte. Views and triggers go first: renaming
/// would change their text.
base::Result<std::string> scores_of_version_1_anew(Connection& connection) {
  TRY_ASSIGN(const std::string rows, score_from_version_1(connection, "score_of_version_1"));
  return "DROP VIEW trial_result;DROP TRIGGER score_keeps_rows;DROP TRIGGER score_keeps_values;"
         "ALTER TABLE score RENAME TO score_of_version_1;" +
         score_table(kSchemaVersion) + "INSERT INTO score " + rows +
         ";DROP TABLE score_of_version_1;" + trial_result_view(kSchemaVersion) +
         append_only("score");
}

std::unexpected<base::Error> foreign(std::string message) {
  return base::failure(base::Remedy::bad_input, base::ErrorCode::integrity, std::move(message));
}

}  // namespace

std::string schema_sql(std::int64_t version) {
  std::string sql = fmt::format(
      "PRAGMA page_size = {};\nPRAGMA application_id = {};\nPRAGMA user_version = {};\n",
      kPageBytes,
      kApplicationId,
      version);
  for (const std::string_view part :
       {kRun, kPlanTables, kAttemptTables, kTurnTables, kResultTables}) {
    sql += part;
  }
  sql += score_table(version);
  sql += kEventTable;
  sql += version < kReuseSince ? std::string_view() : kReuseTable;
  sql += trial_result_view(version);
  sql += kViews;
  sql += kRunTriggers;
  for (const FactTable& table : kFactTables) {
    sql += table.since <= version ? append_only(table.name) : std::string();
  }
  return sql;
}

base::Result<std::int64_t> check_identity(Connection& connection) {
  TRY_ASSIGN(const std::int64_t application, connection.integer("PRAGMA application_id"));
  if (application != kApplicationId) {
    return foreign("this SQLite file is not a ledger of Sortie");
  }
  TRY_ASSIGN(const std::int64_t version, connection.integer("PRAGMA user_version"));
  if (version > kSchemaVersion) {
    return foreign(
        fmt::format("the ledger has schema version {}, this program knows {}: use a newer Sortie",
                    version,
                    kSchemaVersion));
  }
  if (version < kOldestSchemaVersion) {
    return foreign(fmt::format("the ledger has the unknown schema version {}", version));
  }
  TRY_ASSIGN(const std::string difference, schema_difference(connection, version));
  if (!difference.empty()) {
    return foreign(fmt::format("the ledger's schema was changed: {}", difference));
  }
  return version;
}

base::Status migrate(Connection& connection, std::int64_t version) {
  CHECK(version >= kOldestSchemaVersion && version <= kSchemaVersion);
  if (version == kSchemaVersion) {
    return {};
  }
  std::string sql;
  if (version == 1) {
    TRY_ASSIGN(sql, scores_of_version_1_anew(connection));
  }
  // Version 3 differs from 2 only in the pages of new files.
  if (version < kReuseSince) {
    sql += kReuseTable;
    sql += append_only("reuse");
  }
  sql += fmt::format("PRAGMA user_version = {};", kSchemaVersion);
  TRY(connection.execute("BEGIN IMMEDIATE"));
  base::Status done = connection.execute(sql);
  if (done) {
    done = connection.execute("COMMIT");
  }
  if (!done) {
    static_cast<void>(connection.execute("ROLLBACK").has_value());
  }
  return done;
}

base::Status read_as_current(Connection& connection, std::int64_t version) {
  if (version < kReuseSince) {
    TRY(connection.execute(std::string(kNoReuse)));
  }
  if (version > 1) {
    return {};
  }
  TRY_ASSIGN(const std::string rows, score_from_version_1(connection, "score"));
  TRY(connection.execute("CREATE TEMP VIEW score AS " + rows));
  // A view sees tables of its own database first: this one has to be made again beside that one.
  std::string view = trial_result_view(kSchemaVersion);
  constexpr std::string_view kMade = "CREATE VIEW";
  view.replace(view.find(kMade), kMade.size(), "CREATE TEMP VIEW");
  return connection.execute(view);
}

base::Result<std::string> schema_difference(Connection& connection, std::int64_t version) {
  TRY_ASSIGN(Connection model, Connection::open(":memory:", OpenMode::create));
  TRY(model.execute(schema_sql(version)));
  TRY_ASSIGN(Objects expected, objects_of(model));
  TRY_ASSIGN(const Objects found, objects_of(connection));
  for (const auto& [name, sql] : found) {
    const auto known = expected.find(name);
    if (known == expected.end()) {
      return fmt::format("{} was added", name);
    }
    if (known->second != sql) {
      return fmt::format("{} differs", name);
    }
    expected.erase(known);
  }
  return expected.empty() ? std::string() : fmt::format("{} is missing", expected.begin()->first);
}

}  // namespace sortie::ledger
