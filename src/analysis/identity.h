#pragma once

#include "sortie/analysis/answer_count.h"
#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/ledger/reader.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

// Which model answered, as far as a ledger can tell: what was asked for and what servers say they
// are, how their fingerprints changed, and how the routes of one model differ. Differences are
// hints: lengths and speeds differ by chance, load and region too.

namespace sortie::analysis {

/// A system_fingerprint of one route.
struct FingerprintUse {
  std::string fingerprint;
  std::uint64_t turns = 0;
  std::int64_t first_at = 0;  // microseconds since 1970: its requests were sent between these
  std::int64_t last_at = 0;
};

/// First answers of dialogues, whose prompts do not depend on what was answered before.
struct AnswerSizes {
  std::uint64_t n = 0;
  double tokens = 0;           // mean of output
  double tokens_error = 0;     // its standard error
  double bytes_per_token = 0;  // of the stored answers
  double tokens_per_second = 0;
};

struct RouteIdentity {
  std::string route;
  std::string requested;                        // canonical name
  std::string sent;                             // in requests
  std::map<std::string, std::uint64_t> served;  // requests by the name that the server stated
  std::uint64_t wrong_model = 0;                // refused for it
  std::vector<FingerprintUse> fingerprints;     // by first use
  AnswerSizes answers;
  AnswerCount counted;
};

/// Two routes of one model on the same first prompts.
struct TokenizerComparison {
  std::string first;
  std::string second;
  std::uint64_t prompts = 0;  // that both counted
  std::uint64_t equal = 0;    // with the same number of tokens
  double ratio = 1;           // sum of the first's tokens to that of the second's
};

struct Identity {
  std::vector<RouteIdentity> routes;  // by model and route
  std::vector<TokenizerComparison> tokenizers;
  std::vector<std::string> hints;  // sentences
};

/// Within the caller's snapshot, if there is one.
[[nodiscard]] base::Result<Identity> read_identity(ledger::Reader& reader);

[[nodiscard]] std::string to_text(const Identity& identity);
[[nodiscard]] json::Value to_json(const Identity& identity);

}  // namespace sortie::analysis
