#pragma once

#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/model.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

// What a campaign said about its comparisons and models before it had results, as its manifest
// keeps it.

namespace sortie::analysis {

/// The sampling parameters that requests to a model hold; an absent one is not sent, since the
/// model refuses it.
struct SentParameters {
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<std::int64_t> max_tokens;
  std::string token_limit_parameter;  // the name under which max_tokens goes
  bool seed = false;
};

struct DeclaredModel {
  std::string family;
  std::optional<double> size_b;             // billions of parameters
  std::optional<SentParameters> sent = {};  // absent from runs of earlier versions
};

struct Declared {
  std::string suite;
  std::string baseline_model;  // "" with all pairs, and where nothing is declared
  bool all_pairs = false;
  std::set<std::string> primary;  // families of comparisons
  std::map<std::string, DeclaredModel> models;
};

/// The manifest's entry.
inline constexpr const char* kDeclaredEntry = "comparisons";

/// Its value: JSON.
[[nodiscard]] std::string declared_text(const spec::Campaign& campaign,
                                        const spec::Topology& topology);

/// A run without the entry declares nothing.
[[nodiscard]] base::Result<Declared> read_declared(ledger::Reader& reader);

}  // namespace sortie::analysis
