-- A ledger of schema version 3, which has the tables of version 2. Test data: never to be changed.
PRAGMA page_size = 4096;
PRAGMA application_id = 1400009833;
PRAGMA user_version = 3;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE run (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  key        BLOB NOT NULL CHECK (length(key) = 16),  -- random: tells ledgers apart
  created_at INTEGER NOT NULL,                        -- microseconds since 1970, UTC
  facts      INTEGER NOT NULL CHECK (facts >= 0),
  content    INTEGER NOT NULL
) STRICT;
INSERT INTO run VALUES(1,X'ce9988ff773b5f08eae2d62b1d409e9f',1795679172704593,44,-704903270779435960);
CREATE TABLE manifest (
  id         INTEGER PRIMARY KEY,
  generation INTEGER NOT NULL CHECK (generation >= 1),  -- each start of the run appends one
  name       TEXT NOT NULL CHECK (name <> ''),
  value      TEXT NOT NULL,
  checksum   INTEGER NOT NULL,
  UNIQUE (generation, name)
) STRICT;
INSERT INTO manifest VALUES(1,1,'seed','42',9082062382735658165);
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
INSERT INTO cell VALUES(X'f1c00bcb5a7937d15ed2320b11882f3e','pilot-small',1,'5.1,5.2','optimal','none','none','easy','text',0.8000000000000000444,10,1000,-2326685918556347228);
CREATE TABLE trial (
  id        INTEGER PRIMARY KEY CHECK (id >= 1),
  key       BLOB NOT NULL UNIQUE CHECK (length(key) = 16),
  cell      BLOB NOT NULL REFERENCES cell (id),
  task      TEXT NOT NULL,
  task_type TEXT NOT NULL,
  repeat    INTEGER NOT NULL CHECK (repeat >= 0),
  checksum  INTEGER NOT NULL
) STRICT;
INSERT INTO trial VALUES(1,X'0a13c00c931b3d72f2b82d968068ac22',X'f1c00bcb5a7937d15ed2320b11882f3e','task-1','basic_task',1,-6638926860980568611);
INSERT INTO trial VALUES(2,X'22bd96d269c0b0f528bf8de8a7b31e11',X'f1c00bcb5a7937d15ed2320b11882f3e','task-2','basic_task',2,-9152517574539713306);
INSERT INTO trial VALUES(3,X'a6f3195d90a27d5d0c4a2c7f09d035a5',X'f1c00bcb5a7937d15ed2320b11882f3e','task-3','basic_task',3,-2104370803503510704);
INSERT INTO trial VALUES(4,X'e4b5afd9f98ee0d51fe37599a4dbb3d4',X'f1c00bcb5a7937d15ed2320b11882f3e','task-4','basic_task',4,-306178382909071285);
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
INSERT INTO attempt VALUES(1,1,0,0,'azure/key-1/pilot-small-2026','pilot-small','pilot-small-2026',1767225600000010,X'ad1b9de910513527b407147d7a055690',900,300,77,5564159866275289104);
INSERT INTO attempt VALUES(2,1,1,0,'azure/key-1/pilot-small-2026','pilot-small','pilot-small-2026',1767225600000020,X'ff14e14c208d414590558c2e333a73da',900,300,77,4506369887162420890);
INSERT INTO attempt VALUES(3,2,0,0,'azure/key-1/pilot-small-2026','pilot-small','pilot-small-2026',1767225600000030,X'6602268483bd7c7f95dcd1d1a3467612',900,300,77,8068325745632137429);
INSERT INTO attempt VALUES(4,2,1,0,'azure/key-1/pilot-small-2026','pilot-small','pilot-small-2026',1767225600000040,X'6e9f43813f86baf1879f96ba064cd3b3',900,300,77,1511317500152001987);
INSERT INTO attempt VALUES(5,3,0,0,'azure/key-1/pilot-small-2026','pilot-small','pilot-small-2026',1767225600000050,X'dd56ba6cbd56451c7a7346def88b8fa8',900,300,77,766966929379842994);
INSERT INTO attempt VALUES(6,3,1,0,'azure/key-1/pilot-small-2026','pilot-small','pilot-small-2026',1767225600000060,X'5b958a204ef3002c71e1e2c7c1ef0b75',900,300,77,-5481389719820806434);
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
INSERT INTO attempt_end VALUES(1,1767225600000015,'answered',200,'','','pilot-small-2026-01-01',850,120,100,20,55,1,1200,4300,-6099617322451773707);
INSERT INTO attempt_end VALUES(2,1767225600000025,'answered',200,'','','pilot-small-2026-01-01',850,120,100,20,55,1,1200,4300,-247613696007283882);
INSERT INTO attempt_end VALUES(3,1767225600000035,'answered',200,'','','pilot-small-2026-01-01',850,120,100,20,55,1,1200,4300,6026002191625320087);
INSERT INTO attempt_end VALUES(4,1767225600000045,'answered',200,'','','pilot-small-2026-01-01',850,120,100,20,55,1,1200,4300,-2043026800443222199);
INSERT INTO attempt_end VALUES(5,1767225600000055,'answered',200,'','','pilot-small-2026-01-01',850,120,100,20,55,1,1200,4300,-258926461058982971);
INSERT INTO attempt_end VALUES(6,1767225600000065,'answered',200,'','','pilot-small-2026-01-01',850,120,100,20,55,1,1200,4300,-7110772376435013290);
CREATE TABLE message (
  id       INTEGER PRIMARY KEY,
  digest   BLOB NOT NULL UNIQUE CHECK (length(digest) = 16),  -- SHA-256 of the content, first 16 bytes
  encoding TEXT NOT NULL CHECK (encoding IN ('plain', 'zstd')),
  size     INTEGER NOT NULL CHECK (size >= 0),                -- bytes of the content
  content  BLOB NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
INSERT INTO message VALUES(1,X'9032391f50f9869f661d107282ae7e67','zstd',308,X'28b52ffd60340085000048616e7377657220312e0100282a3802',4419638420234968589);
INSERT INTO message VALUES(2,X'4fe7bef92018bc69bc5139f70384d780','zstd',308,X'28b52ffd60340085000048616e7377657220322e0100282a3802',-7254464548005310372);
INSERT INTO message VALUES(3,X'8eb1d7f6aa7399fea2f18134e5a8d089','zstd',308,X'28b52ffd60340085000048616e7377657220332e0100282a3802',-8723714971944981293);
INSERT INTO message VALUES(4,X'53151aac7abef4892d9194371334d1df','zstd',308,X'28b52ffd60340085000048616e7377657220342e0100282a3802',5748688012330749326);
INSERT INTO message VALUES(5,X'e01b378f45f874ca6b0e6e54ee72c914','zstd',308,X'28b52ffd60340085000048616e7377657220352e0100282a3802',-3155526986060563223);
INSERT INTO message VALUES(6,X'd25dbcf162563851de5ebf2597ee19d7','zstd',308,X'28b52ffd60340085000048616e7377657220362e0100282a3802',7354194904727023774);
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
INSERT INTO turn VALUES(1,1,0,1,850,120,100,20,'azure/key-1/pilot-small-2026','pilot-small-2026-01-01','stop','fp_1',8035729170449654619);
INSERT INTO turn VALUES(2,1,1,2,850,120,100,20,'azure/key-1/pilot-small-2026','pilot-small-2026-01-01','stop','fp_1',-8732269569218063195);
INSERT INTO turn VALUES(3,2,0,3,850,120,100,20,'azure/key-1/pilot-small-2026','pilot-small-2026-01-01','stop','fp_1',-94540945543374584);
INSERT INTO turn VALUES(4,2,1,4,850,120,100,20,'azure/key-1/pilot-small-2026','pilot-small-2026-01-01','stop','fp_1',-6292793303471629665);
INSERT INTO turn VALUES(5,3,0,5,850,120,100,20,'azure/key-1/pilot-small-2026','pilot-small-2026-01-01','stop','fp_1',-8589219349697284924);
INSERT INTO turn VALUES(6,3,1,6,850,120,100,20,'azure/key-1/pilot-small-2026','pilot-small-2026-01-01','stop','fp_1',6106493631402792658);
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
INSERT INTO call VALUES(1,1,0,0,'file_read','{"path":"a.txt"}','ok','','{"text":"hello"}','world','art-1',6226515940408657258);
INSERT INTO call VALUES(2,1,1,1,'file_read','{"path":"a.txt"}','ok','','{"text":"hello"}','world','art-1',3534118054066172912);
INSERT INTO call VALUES(3,2,0,0,'file_read','{"path":"a.txt"}','ok','','{"text":"hello"}','world','art-1',5248336095132055544);
INSERT INTO call VALUES(4,2,1,1,'file_read','{"path":"a.txt"}','ok','','{"text":"hello"}','world','art-1',7739722142089850836);
INSERT INTO call VALUES(5,3,0,0,'file_read','{"path":"a.txt"}','ok','','{"text":"hello"}','world','art-1',-7502091408141648039);
INSERT INTO call VALUES(6,3,1,1,'file_read','{"path":"a.txt"}','ok','','{"text":"hello"}','world','art-1',4215941386143238914);
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
INSERT INTO outcome VALUES(1,1,1767225600000100,'scored','','finish',5722660501453491792);
INSERT INTO outcome VALUES(2,2,1767225600000200,'scored','','finish',-5204570233212087263);
INSERT INTO outcome VALUES(3,3,1767225600000300,'scored','','finish',-7555101329099098178);
INSERT INTO outcome VALUES(4,4,1767225600000400,'throttled','','',6286382064479374940);
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
  flawed_places        INTEGER CHECK (flawed_places >= 0),    -- NULL: no flawed plan was shown
  followed_places      INTEGER CHECK (followed_places BETWEEN 0 AND flawed_places),  -- of them, before the right step succeeded
  retry_same           INTEGER CHECK (retry_same >= 0),       -- after an injected failure: the same call again
  retry_arguments      INTEGER CHECK (retry_arguments >= 0),  -- other arguments
  retry_tool           INTEGER CHECK (retry_tool >= 0),       -- another tool
  retry_none           INTEGER CHECK (retry_none >= 0),       -- no further call
  calls_per_answer     REAL,  -- of answers with a call; NULL: none had one
  checksum             INTEGER NOT NULL,
  UNIQUE (trial, scorer)
) STRICT;
INSERT INTO score VALUES(1,1,'pilot-scorer/2',1,1,1.0,'full',1.0,1.0,NULL,2,2,0,0,2,0,0,'none',NULL,0,0,0,0,0,NULL,NULL,1,0,0,0,NULL,-1464646114051766928);
INSERT INTO score VALUES(2,2,'pilot-scorer/2',1,1,1.0,'full',1.0,1.0,NULL,2,2,0,0,2,0,0,'none',NULL,0,0,0,0,0,NULL,NULL,2,0,0,0,NULL,-5036966804431143615);
INSERT INTO score VALUES(3,3,'pilot-scorer/2',1,1,1.0,'full',1.0,1.0,NULL,2,2,0,0,2,0,0,'none',NULL,0,0,0,0,0,NULL,NULL,3,0,0,0,NULL,7060391666252804949);
CREATE TABLE event (
  id       INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,
  kind     TEXT NOT NULL CHECK (kind <> ''),
  subject  TEXT NOT NULL,
  detail   TEXT NOT NULL,  -- JSON object
  checksum INTEGER NOT NULL UNIQUE
) STRICT;
INSERT INTO event VALUES(1,1767225600000001,'gate','r','{}',-2552988283329697831);
CREATE INDEX attempt_by_turn ON attempt (trial, turn);
CREATE VIEW trial_result AS
SELECT t.id AS trial, t.key, t.cell, c.model, c.simulated, c.scenarios, c.prompt, c.flaw, c.severity, c.difficulty,
  c.protocol, c.tool_success_rate, c.max_turns, t.task, t.task_type, t.repeat, o.at, o.end_reason, s.scorer,
  s.success, s.clean, s.progress, s.level, s.order_score, s.tool_coverage, s.efficiency, s.calls, s.calls_ok,
  s.calls_rejected, s.calls_injected, s.turns, s.turns_repaired, s.turns_not_understood, s.label, s.label_turn,
  s.empty, s.truncated, s.filtered, s.refused, s.context_full, s.flawed_places, s.followed_places, s.retry_same, s.retry_arguments, s.retry_tool,
  s.retry_none, s.calls_per_answer
FROM trial t
JOIN cell c ON c.id = t.cell
JOIN outcome o ON o.id = (SELECT min(id) FROM outcome WHERE trial = t.id AND outcome = 'scored')
JOIN score s ON s.trial = t.id AND s.scorer = (SELECT scorer FROM score ORDER BY id DESC LIMIT 1);
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
CREATE VIEW attempt_full AS
SELECT a.id AS attempt, a.trial, a.turn, a.number, a.route, a.requested_model, a.api_name, a.at, a.request,
  a.reserved_input, a.reserved_output, a.reserved_cost, e.at AS ended_at, coalesce(e.cause, 'unknown') AS cause,
  e.status, e.code, e.message, e.served_model, e.input_tokens, e.output_tokens, e.cached_input_tokens,
  e.reasoning_tokens, coalesce(e.billing_known, 0) AS billing_known,
  coalesce(e.cost, a.reserved_cost) AS cost, e.first_byte_us, e.duration_us
FROM attempt a LEFT JOIN attempt_end e ON e.attempt = a.id;
CREATE TRIGGER run_keeps_rows BEFORE DELETE ON run BEGIN
  SELECT RAISE(ABORT, 'run is append-only: nothing is deleted');
END;
CREATE TRIGGER run_only_grows BEFORE UPDATE ON run
WHEN new.facts < old.facts OR new.key <> old.key OR new.created_at <> old.created_at BEGIN
  SELECT RAISE(ABORT, 'run only grows');
END;
CREATE TRIGGER manifest_keeps_rows BEFORE DELETE ON manifest BEGIN
  SELECT RAISE(ABORT, 'manifest is append-only: nothing is deleted');
END;
CREATE TRIGGER manifest_keeps_values BEFORE UPDATE ON manifest BEGIN
  SELECT RAISE(ABORT, 'manifest is append-only: nothing is changed');
END;
CREATE TRIGGER cell_keeps_rows BEFORE DELETE ON cell BEGIN
  SELECT RAISE(ABORT, 'cell is append-only: nothing is deleted');
END;
CREATE TRIGGER cell_keeps_values BEFORE UPDATE OF id, model, simulated, prompt, flaw, severity, difficulty, protocol, tool_success_rate, max_turns ON cell BEGIN
  SELECT RAISE(ABORT, 'cell is append-only: nothing is changed');
END;
CREATE TRIGGER trial_keeps_rows BEFORE DELETE ON trial BEGIN
  SELECT RAISE(ABORT, 'trial is append-only: nothing is deleted');
END;
CREATE TRIGGER trial_keeps_values BEFORE UPDATE ON trial BEGIN
  SELECT RAISE(ABORT, 'trial is append-only: nothing is changed');
END;
CREATE TRIGGER attempt_keeps_rows BEFORE DELETE ON attempt BEGIN
  SELECT RAISE(ABORT, 'attempt is append-only: nothing is deleted');
END;
CREATE TRIGGER attempt_keeps_values BEFORE UPDATE ON attempt BEGIN
  SELECT RAISE(ABORT, 'attempt is append-only: nothing is changed');
END;
CREATE TRIGGER attempt_end_keeps_rows BEFORE DELETE ON attempt_end BEGIN
  SELECT RAISE(ABORT, 'attempt_end is append-only: nothing is deleted');
END;
CREATE TRIGGER attempt_end_keeps_values BEFORE UPDATE ON attempt_end BEGIN
  SELECT RAISE(ABORT, 'attempt_end is append-only: nothing is changed');
END;
CREATE TRIGGER message_keeps_rows BEFORE DELETE ON message BEGIN
  SELECT RAISE(ABORT, 'message is append-only: nothing is deleted');
END;
CREATE TRIGGER message_keeps_values BEFORE UPDATE ON message BEGIN
  SELECT RAISE(ABORT, 'message is append-only: nothing is changed');
END;
CREATE TRIGGER turn_keeps_rows BEFORE DELETE ON turn BEGIN
  SELECT RAISE(ABORT, 'turn is append-only: nothing is deleted');
END;
CREATE TRIGGER turn_keeps_values BEFORE UPDATE ON turn BEGIN
  SELECT RAISE(ABORT, 'turn is append-only: nothing is changed');
END;
CREATE TRIGGER outcome_keeps_rows BEFORE DELETE ON outcome BEGIN
  SELECT RAISE(ABORT, 'outcome is append-only: nothing is deleted');
END;
CREATE TRIGGER outcome_keeps_values BEFORE UPDATE ON outcome BEGIN
  SELECT RAISE(ABORT, 'outcome is append-only: nothing is changed');
END;
CREATE TRIGGER score_keeps_rows BEFORE DELETE ON score BEGIN
  SELECT RAISE(ABORT, 'score is append-only: nothing is deleted');
END;
CREATE TRIGGER score_keeps_values BEFORE UPDATE ON score BEGIN
  SELECT RAISE(ABORT, 'score is append-only: nothing is changed');
END;
CREATE TRIGGER call_keeps_rows BEFORE DELETE ON call BEGIN
  SELECT RAISE(ABORT, 'call is append-only: nothing is deleted');
END;
CREATE TRIGGER call_keeps_values BEFORE UPDATE ON call BEGIN
  SELECT RAISE(ABORT, 'call is append-only: nothing is changed');
END;
CREATE TRIGGER event_keeps_rows BEFORE DELETE ON event BEGIN
  SELECT RAISE(ABORT, 'event is append-only: nothing is deleted');
END;
CREATE TRIGGER event_keeps_values BEFORE UPDATE ON event BEGIN
  SELECT RAISE(ABORT, 'event is append-only: nothing is changed');
END;
COMMIT;
