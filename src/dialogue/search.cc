#include "sortie/dialogue/search.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

namespace sortie::dialogue {

namespace {

// The usual parameters of BM25.
constexpr double kSaturation = 1.2;
constexpr double kLengthWeight = 0.75;

// How much a word counts by where it stands.
constexpr double kOperationWeight = 4;
constexpr double kCategoryWeight = 1;
constexpr double kSynonymWeight = 2;
constexpr double kDescriptionWeight = 1;
constexpr double kParameterWeight = 0.5;

constexpr std::size_t kQueryBytesMax = 400;
constexpr std::size_t kStemMin = 3;
constexpr std::size_t kLongStemMin = 7;

constexpr std::array<std::string_view, 44> kSilentWords = {
    "a",    "an",   "and",  "are",  "as",    "at",  "be",   "by",    "can",  "do",    "find",
    "for",  "from", "has",  "have", "how",   "i",   "in",   "into",  "is",   "it",    "its",
    "me",   "my",   "need", "of",   "on",    "or",  "some", "that",  "the",  "their", "them",
    "then", "this", "to",   "tool", "tools", "use", "used", "which", "want", "will",  "with"};

/// Longest first, so that "ations" is not cut to "ation".
constexpr std::array<std::string_view, 22> kEndings = {
    "izations", "ization", "ations", "ation", "ators", "ator", "ings", "ing", "ions", "ion", "ates",
    "ated",     "izes",    "ized",   "izer",  "ers",   "ors",  "ate",  "er",  "or",   "ed",  "es"};

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

/// "parser", "parsing", "parses" and "parse" meet in one stem; so do "copies" and "copy", "mapping"
/// and "map".
std::string stem(std::string word) {
  if (word.size() > 4 && word.ends_with("ies")) {
    word.replace(word.size() - 3, 3, "y");
  } else {
    const auto* ending = std::ranges::find_if(kEndings, [&](std::string_view candidate) {
      return word.ends_with(candidate) && word.size() >= candidate.size() + kStemMin;
    });
    if (ending != kEndings.end()) {
      word.resize(word.size() - ending->size());
    } else if (word.size() > kStemMin && word.ends_with('s') && !word.ends_with("ss")) {
      word.pop_back();
    }
  }
  if (word.size() > kStemMin && word.ends_with('e')) {
    word.pop_back();
  }
  if (word.size() >= kLongStemMin && word.ends_with("at")) {
    word.resize(word.size() - 2);
  }
  if (word.ends_with('i')) {
    word.back() = 'y';
  }
  if (word.size() > kStemMin && word[word.size() - 1] == word[word.size() - 2]) {
    word.pop_back();
  }
  return word;
}

using Weights = std::map<std::string, double>;

void add_terms(Weights& weights, std::string_view text, double weight) {
  for (std::string& term : search_terms(text)) {
    weights[std::move(term)] += weight;
  }
}

Weights weights_of(const suite::ToolSpec& tool) {
  Weights weights;
  add_terms(weights, tool.operation, kOperationWeight);
  add_terms(weights, tool.category, kCategoryWeight);
  add_terms(weights, tool.description, kDescriptionWeight);
  for (const std::string& synonym : tool.synonyms) {
    add_terms(weights, synonym, kSynonymWeight);
  }
  if (const json::Object* properties = json::get_object(tool.parameters, "properties")) {
    for (const auto& property : *properties) {
      add_terms(weights, property.key(), kParameterWeight);
      add_terms(weights,
                json::get_string(property.value(), "description").value_or(""),
                kParameterWeight);
    }
  }
  return weights;
}

double length_of(const Weights& weights) {
  return std::accumulate(weights.begin(), weights.end(), 0.0, [](double sum, const auto& term) {
    return sum + term.second;
  });
}

/// Rounded, so that the last bits of a machine's logarithm cannot decide an order.
double rarity(std::size_t tools, std::size_t with_term) {
  constexpr double kSteps = 1e6;
  const auto all = static_cast<double>(tools);
  const auto some = static_cast<double>(with_term);
  return std::round(std::log(1 + (all - some + 0.5) / (some + 0.5)) * kSteps) / kSteps;
}

}  // namespace

std::vector<std::string> search_terms(std::string_view text) {
  const std::string lower = base::to_lower(text);
  std::vector<std::string> terms;
  std::string word;
  const auto finish_word = [&] {
    if (!word.empty() && std::ranges::find(kSilentWords, word) == kSilentWords.end()) {
      terms.push_back(stem(std::move(word)));
    }
    word.clear();
  };
  for (const char c : lower) {
    if (is_word_char(c)) {
      word.push_back(c);
    } else {
      finish_word();
    }
  }
  finish_word();
  return terms;
}

SearchIndex::SearchIndex(const suite::ToolCatalog& catalog) : tool_count_(catalog.tools().size()) {
  std::vector<Weights> documents;
  double total_length = 0;
  std::map<std::string_view, std::size_t> with_term;
  for (const suite::ToolSpec& tool : catalog.tools()) {
    documents.push_back(weights_of(tool));
    total_length += length_of(documents.back());
  }
  for (const Weights& document : documents) {
    for (const auto& [term, weight] : document) {
      ++with_term[term];
    }
  }
  const double mean_length =
      total_length / static_cast<double>(std::max<std::size_t>(1, tool_count_));
  for (std::size_t tool = 0; tool < documents.size(); ++tool) {
    const double length = length_of(documents[tool]) / mean_length;
    for (const auto& [term, weight] : documents[tool]) {
      const double norm = kSaturation * (1 - kLengthWeight + kLengthWeight * length);
      const double score =
          rarity(tool_count_, with_term.at(term)) * weight * (kSaturation + 1) / (weight + norm);
      postings_[term].push_back({.tool = tool, .score = score});
    }
  }
}

std::vector<std::size_t> SearchIndex::find(std::string_view query) const {
  std::vector<std::string> terms = search_terms(query.substr(0, kQueryBytesMax));
  std::ranges::sort(terms);
  const auto repeated = std::ranges::unique(terms);
  terms.erase(repeated.begin(), repeated.end());

  std::vector<double> scores(tool_count_);
  for (const std::string& term : terms) {
    const auto found = postings_.find(term);
    if (found == postings_.end()) {
      continue;
    }
    for (const Posting& posting : found->second) {
      scores[posting.tool] += posting.score;
    }
  }
  std::vector<std::size_t> hits(tool_count_);
  std::iota(hits.begin(), hits.end(), std::size_t{0});
  std::erase_if(hits, [&](std::size_t tool) { return scores[tool] <= 0; });
  std::ranges::stable_sort(hits,
                           [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  hits.resize(std::min(hits.size(), kHitsMax));
  return hits;
}

}  // namespace sortie::dialogue
