#pragma once

#include "sortie/suite/catalog.h"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// Lexical search over the tools of a catalog: Okapi BM25 (Robertson and Zaragoza, "The
// Probabilistic Relevance Framework: BM25 and Beyond", 2009) over names, descriptions, synonyms and
// parameters. Immutable, built once per catalog.

namespace sortie::dialogue {

/// Changes whenever a query could be answered in another way: part of a trial's key.
inline constexpr std::string_view kSearchVersion = "bm25/1";

inline constexpr std::size_t kHitsMax = 5;

class SearchIndex {
 public:
  explicit SearchIndex(const suite::ToolCatalog& catalog);

  /// Positions in catalog.tools(), best first, at most kHitsMax; equal scores in the catalog's
  /// order. Only tools that share a word with the query.
  [[nodiscard]] std::vector<std::size_t> find(std::string_view query) const;

 private:
  struct Posting {
    std::size_t tool = 0;
    double score = 0;
  };

  struct TextHash {
    using is_transparent = void;

    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  std::size_t tool_count_ = 0;
  std::unordered_map<std::string, std::vector<Posting>, TextHash, std::equal_to<>> postings_;
};

/// The words of a text as the index knows them: lower case, without endings, without words that say
/// nothing.
[[nodiscard]] std::vector<std::string> search_terms(std::string_view text);

}  // namespace sortie::dialogue
