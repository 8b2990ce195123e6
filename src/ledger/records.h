#pragma once

#include "sortie/base/hash.h"
#include "sortie/base/time.h"
#include "sortie/chat/message.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// The facts that a run appends. Ids are chosen by the writer (the engine), start at 1 and never
// repeat in a ledger.

namespace sortie::ledger {

using TrialId = std::int64_t;
using AttemptId = std::int64_t;

/// A cell as it is queried: every factor is a column. Appending a known id again changes nothing.
struct CellRecord {
  base::Digest id;
  std::string model;
  bool simulated = false;
  std::string scenarios;  // comma-separated, the first owns the cell
  std::string prompt;     // "optimal", "flawed_tool_misuse", …
  std::string flaw;       // "none" or the flaw's name
  std::string severity;
  std::string difficulty;
  std::string protocol;
  double tool_success_rate = 0;
  std::int64_t max_turns = 0;
  // Trials planned at the latest start, never fewer than the ledger holds of this cell; updated at
  // every start.
  std::int64_t planned = 0;
};

/// A trial begins. Unique by key.
struct TrialRecord {
  TrialId id = 0;
  base::Digest key;
  base::Digest cell;
  std::string task;
  std::string task_type;
  std::int64_t repeat = 0;
};

/// A request is about to be sent. Durable before its first byte leaves.
struct AttemptRecord {
  AttemptId id = 0;
  TrialId trial = 0;
  std::int64_t turn = 0;        // from 0
  std::int64_t number = 0;      // of the turn's attempts, from 0
  std::string route;            // "endpoint/key/api_name"
  std::string requested_model;  // canonical
  std::string api_name;         // what the request says
  base::WallTime at;
  base::Digest request;             // of the body
  std::int64_t reserved_input = 0;  // tokens
  std::int64_t reserved_output = 0;
  std::int64_t reserved_cost = 0;  // micro-dollars
};

/// How an attempt ended. An attempt without one is unknown: perhaps sent, perhaps billed.
struct AttemptEndRecord {
  AttemptId attempt = 0;
  base::WallTime at;
  std::string
      cause;  // "answered", or a quota::SignalClass: "throttle", "wrong_model", "cancelled", …
  std::int64_t status = 0;
  std::string code;
  std::string message;  // scrubbed, shortened
  std::string served_model;
  chat::Usage usage;
  std::int64_t cost = 0;  // micro-dollars; the reserved cost where the bill is unknown
  bool billing_known = true;
  std::int64_t first_byte_us = 0;  // after sending
  std::int64_t duration_us = 0;
};

/// A model's answer becomes a turn. Unique by (trial, turn). Durable before it is acted on.
struct TurnRecord {
  TrialId trial = 0;
  std::int64_t turn = 0;
  AttemptId attempt = 0;
  std::string answer;  // chat::to_json of the answer, as text; stored once by content, compressed
  chat::Usage usage;
  std::string route;
  std::string served_model;
  std::string finish;
  std::string fingerprint;
};

/// A tool call of a closed trial, projected so that SQL sees it.
struct CallRecord {
  TrialId trial = 0;
  std::int64_t turn = 0;
  std::int64_t n = 0;  // in the trial, from 0
  std::string tool;
  std::string arguments;  // canonical JSON
  std::string status;     // ok | rejected | injected
  std::string code;
  std::string result;  // JSON text
  std::string origin;  // world | injected
  std::string artifact;
};

/// The outcome of a trial, with its score when scored. A trial may have several: only
/// infrastructure outcomes can be followed by another; the first `scored` one counts, always.
struct OutcomeRecord {
  TrialId trial = 0;
  base::WallTime at;
  std::string outcome;  // "scored", "throttled", "auth", "quota_exhausted", "timeout",
                        // "connection", "provider_error", "wrong_model", "cancelled"
  std::string detail;   // for infrastructure outcomes: what was missing
  std::string end;      // finish | max_turns | loop | filtered | context_full
};

/// Scores of one trial by one scorer version. Unique by (trial, scorer).
struct ScoreRecord {
  TrialId trial = 0;
  std::string scorer;
  bool success = false;
  bool clean = false;
  double progress = 0;
  std::string level;
  std::optional<double> order;
  double tool_coverage = 0;
  std::optional<double> efficiency;
  std::int64_t calls = 0;
  std::int64_t calls_ok = 0;
  std::int64_t calls_rejected = 0;
  std::int64_t calls_injected = 0;
  std::int64_t turns = 0;
  std::int64_t turns_repaired = 0;
  std::int64_t turns_not_understood = 0;
  std::string label;
  std::optional<std::int64_t> label_turn;
  bool empty = false;
  bool truncated = false;
  bool filtered = false;
  bool refused = false;
  bool context_full = false;
  // Since schema version 2; scorers before it leave them out.
  std::optional<std::int64_t> flawed_places{};    // of a flawed plan
  std::optional<std::int64_t> followed_places{};  // of them
  std::optional<std::int64_t> retry_same{};       // after an injected failure: the same call again
  std::optional<std::int64_t> retry_arguments{};  // other arguments
  std::optional<std::int64_t> retry_tool{};       // another tool
  std::optional<std::int64_t> retry_none{};       // no further call
  std::optional<double> calls_per_answer{};       // of answers with a call
};

/// A trial whose facts were copied from another run's ledger. Its attempts stand here with their
/// tokens and their cost at zero: this run was not billed for them. What they cost stands here.
struct ReuseRecord {
  TrialId trial = 0;
  base::Digest run;       // `run.key` of the ledger that paid
  std::string directory;  // where it lay
  TrialId source_trial = 0;
  std::string source_mark;  // of that ledger when it was read
  base::Digest answers{};   // of its answers: answers_digest()
  base::WallTime at{};
  std::int64_t attempts = 0;  // that the trial took there, failed ones included
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t cost = 0;  // micro-dollars; where no bill is known there, what was reserved
};

/// Limit changes, breaker, route taken out, operator actions.
struct EventRecord {
  base::WallTime at;
  std::string
      kind;  // "route_disabled", "gate", "run_started", "run_interrupted", "run_finished", …
  std::string subject;  // route, domain, model
  std::string detail;   // JSON object as text
};

/// A named text of the manifest: versions, spec texts, hashes, seed. Each start appends a
/// generation.
struct ManifestRecord {
  std::int64_t generation = 0;
  std::string name;
  std::string value;
};

/// Of a trial's answers in the order of its turns, each by the digest of its text.
[[nodiscard]] base::Digest answers_digest(const std::vector<base::Digest>& answers);

using Record = std::variant<CellRecord,
                            TrialRecord,
                            AttemptRecord,
                            AttemptEndRecord,
                            TurnRecord,
                            CallRecord,
                            OutcomeRecord,
                            ScoreRecord,
                            EventRecord,
                            ReuseRecord,
                            ManifestRecord>;

}  // namespace sortie::ledger
