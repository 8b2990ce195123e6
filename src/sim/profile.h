#pragma once

#include "sortie/base/error.h"
#include "sortie/base/secret.h"
#include "sortie/base/time.h"
#include "sortie/http/certificate.h"
#include "sortie/sim/skill.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What a simulated provider is, as `sortie simulate PROVIDER.yaml` declares it: models of chosen
// skill, keys, limits and faults. docs/reference/simulator.md describes the file.

namespace sortie::sim {

struct ModelProfile {
  std::string name;       // what requests say
  std::string served_as;  // what answers say; empty: the name
  Skill skill;
  LogNormal ttft_ms{.median = 0, .sigma = 0};
  LogNormal ms_per_output_token{.median = 0, .sigma = 0};
  double price_input = 0;  // US dollars per million tokens
  double price_output = 0;
  bool keep_alive = true;  // a stream shows life until its first token
};

struct KeyProfile {
  std::string name;     // alias in audit and limits: never the key
  base::Secret secret;  // empty: any credential, or none, is this key
  std::string account;  // empty: an account of its own
};

enum class Dimension : std::uint8_t { requests, tokens, concurrency };
enum class Shape : std::uint8_t { token_bucket, sliding, fixed_aligned, fixed_first_use };

/// What a request costs in a token limit when it is admitted.
enum class TokenCost : std::uint8_t {
  input,
  output,
  input_output,
  input_and_max_tokens,
  larger_of_max_tokens_and_input,
};

enum class Settle : std::uint8_t { none, at_end };

[[nodiscard]] std::string_view to_string(Dimension dimension);

/// One limit; a pool of it exists for each combination of what `per_*` names.
struct LimitProfile {
  std::string name;
  Dimension dimension = Dimension::requests;
  double quota = 0;  // per window; for concurrency: at once
  base::Duration window = std::chrono::minutes(1);
  Shape shape = Shape::sliding;
  double burst = 0;  // token_bucket: its capacity; 0: the quota
  std::optional<base::Duration>
      enforced_over;  // also enforced, as its share, over this shorter window
  bool per_key = true;
  bool per_account = false;
  bool per_model = false;
  std::vector<std::string> models;  // only these; empty: all
  std::vector<std::string> keys;    // only these; empty: all
  TokenCost cost = TokenCost::input_output;
  Settle settle = Settle::none;
  bool headers = true;         // shows itself in x-ratelimit-*
  bool refused_count = false;  // a refused request costs a request too
  base::Duration
      release_grace{};  // concurrency: how long a slot stays taken after the client hung up
};

enum class FaultKind : std::uint8_t {
  http_500,
  http_502_html,       // an HTML page of a proxy
  http_503,            // overloaded
  http_504,            // a gateway whose server did not answer in time
  reset,               // connection lost before a byte of the answer
  stall,               // never answers
  fin,                 // the connection is closed in order, without an answer
  half_close,          // the same for one direction; the provider reads on
  head_stall,          // the head, then silence
  drip,                // the head, then a byte now and then, for ever
  comments,            // an event stream of comments, for ever
  slow_head,           // the head itself comes byte by byte
  truncated_body,      // connection lost in the middle of the body
  invalid_json,        // 200 with a body that is not JSON
  error_in_200,        // 200 with an error object
  rate_limited,        // 429 with Retry-After although no limit is reached
  rate_limited_bare,   // 429 without Retry-After
  insufficient_quota,  // 429 that only a person can end
  key_revoked,         // 401
  wrong_model,         // another model answers and says so
  empty_answer,        // 200, finish_reason stop, no text
  refusal,             // 200, a refusal instead of a text
  truncated_answer,    // 200, finish_reason length, the answer cut within its command
  content_filter,      // 200, finish_reason content_filter, no text
  context_full,        // 400 context_length_exceeded
  broken_chunks,       // an answer whose chunked framing is violated
  broken_gzip,         // an answer said to be compressed that cannot be decompressed
  invalid_utf8,        // an answer with bytes in its text that are no UTF-8
  truncated_json,      // an answer in order whose JSON ends early
  connection_refused,  // nobody listens
  black_hole,          // connecting is not answered
  slow_handshake,      // TLS handshakes are not answered
  unresolved_name,     // the provider's name is not found
};

[[nodiscard]] std::string_view to_string(FaultKind kind);
[[nodiscard]] std::optional<FaultKind> fault_kind_from(std::string_view name);
[[nodiscard]] std::vector<std::string> fault_kind_names();

/// True for faults that become part of a dialogue: drawn from (seed, model, trial, turn) alone,
/// never from the attempt, the key or the order of arrival, so that results do not depend on them.
[[nodiscard]] bool is_content_fault(FaultKind kind);

/// True for faults that befall whoever connects while they last, before any request.
[[nodiscard]] bool is_connection_fault(FaultKind kind);

/// True for faults that garble a good answer on its way.
[[nodiscard]] bool is_transmission_fault(FaultKind kind);

struct FaultProfile {
  FaultKind kind = FaultKind::http_500;
  double probability = 1;
  std::uint64_t from_request = 1;  // among the requests that models and keys select, counted from 1
  std::optional<std::uint64_t> until_request;            // inclusive
  std::vector<std::string> models;                       // only these; empty: all
  std::vector<std::string> keys;                         // only these; empty: all
  std::string served_as = "some-other-model";            // wrong_model only
  base::Duration retry_after = std::chrono::seconds(1);  // rate_limited only
  base::Duration every = std::chrono::seconds(20);       // drip, comments, slow_head only
  // Faults of connections only, since the provider's start.
  base::Duration from{};
  std::optional<base::Duration> until;
};

/// HTTPS instead of HTTP.
struct TlsProfile {
  /// Null: made when the server starts, for 127.0.0.1 and localhost. Shared with the server.
  std::shared_ptr<const http::TlsIdentity> identity;
  std::string authority_file;  // where the authority of one that is made is written
};

struct ProviderProfile {
  std::string name;
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string path = "/v1";  // prefix of the API
  std::optional<TlsProfile> tls;
  double token_bias = 0;  // own token count = characters / 4 × (1 + bias)
  std::vector<ModelProfile> models;
  std::vector<KeyProfile> keys;  // empty: no credential is asked for
  std::vector<LimitProfile> limits;
  std::vector<FaultProfile> faults;

  [[nodiscard]] const ModelProfile* find_model(std::string_view name) const;
};

struct Profile {
  std::uint64_t seed = 0;
  std::string suite;  // folder of the suite whose tasks are recognised; empty: the built-in suite
  std::vector<ProviderProfile> providers;
};

/// Reads a profile file. Errors begin with file:line:column.
[[nodiscard]] base::Result<Profile> load_profile(const std::string& path);

/// The same from text; `source` names it in errors.
[[nodiscard]] base::Result<Profile> parse_profile(const std::string& source, std::string_view text);

}  // namespace sortie::sim
