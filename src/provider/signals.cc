#include "sortie/provider/signals.h"

#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::provider {

namespace {

constexpr std::size_t kMessageBytesMax = 500;
// Phrases are looked for in the beginning of a body; an HTML page may be long.
constexpr std::size_t kSearchedBytesMax = 4096;

template <class Predicate>
bool any_alternative(std::string_view alternatives, Predicate holds) {
  const std::vector<std::string_view> parts = base::split(alternatives, '|');
  return std::any_of(parts.begin(), parts.end(), holds);
}

/// "name" has to be there, "!name" must not, "name: pattern" has to match.
bool matches_header(std::string_view condition, const wire::Headers* headers) {
  const bool absent = condition.starts_with('!');
  const std::size_t colon = condition.find(':');
  const std::string_view name = base::trim(condition.substr(absent ? 1 : 0, colon));
  const auto value = headers != nullptr ? headers->find(name) : std::nullopt;
  if (absent) {
    return !value.has_value();
  }
  return value.has_value() &&
         (colon == std::string_view::npos ||
          matches_pattern(base::trim(condition.substr(colon + 1)), base::trim(*value)));
}

bool matches(const SignalRow& row,
             const ErrorFacts& facts,
             std::string_view provider,
             std::string_view lower_text) {
  if (!row.provider.empty() && !any_alternative(row.provider, [&](std::string_view name) {
        return matches_pattern(name, provider);
      })) {
    return false;
  }
  if (!row.header.empty() && !matches_header(row.header, facts.headers)) {
    return false;
  }
  if (row.wait_over > base::Duration::zero() && !(facts.wait && *facts.wait > row.wait_over)) {
    return false;
  }
  if ((row.status_min != 0 && facts.status < row.status_min) ||
      (row.status_max != 0 && facts.status > row.status_max)) {
    return false;
  }
  if (!row.code.empty() && !any_alternative(row.code, [&](std::string_view pattern) {
        return matches_pattern(pattern, facts.code) || matches_pattern(pattern, facts.type);
      })) {
    return false;
  }
  return row.text.empty() || any_alternative(row.text, [&](std::string_view phrase) {
           return lower_text.find(base::to_lower(phrase)) != std::string_view::npos;
         });
}

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view text) {
  // Greedy with one point to come back to: linear for one star, never exponential.
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  const auto same = [](char a, char b) {
    return base::equals_ignoring_case(std::string_view(&a, 1), std::string_view(&b, 1));
  };
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && same(pattern[p], text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

const ProviderRow* SignalTable::find_provider(std::string_view name) const {
  const auto found = std::ranges::find(providers, name, &ProviderRow::name);
  return found == providers.end() ? nullptr : &*found;
}

const ProviderRow* SignalTable::provider_at(std::string_view host) const {
  const auto found = std::ranges::find_if(providers, [&](const ProviderRow& provider) {
    return std::ranges::any_of(
        provider.hosts, [&](const std::string& pattern) { return matches_pattern(pattern, host); });
  });
  return found == providers.end() ? nullptr : &*found;
}

quota::Signal classify(const SignalRules& rules, const ErrorFacts& facts) {
  const std::string text = base::to_lower(facts.message) + '\n' +
                           base::to_lower(facts.body.substr(0, kSearchedBytesMax));
  quota::Signal signal;
  signal.status = facts.status;
  signal.wait = facts.wait;
  signal.code = std::string(facts.code.empty() ? facts.type : facts.code);
  signal.code = base::shortened(base::valid_utf8(signal.code), 100);
  const std::string_view words = base::trim(facts.message).empty() ? facts.body : facts.message;
  // Cut first: making a long page valid would be work for nothing.
  signal.message = base::shortened(base::valid_utf8(base::trim(words).substr(0, kSearchedBytesMax)),
                                   kMessageBytesMax);
  if (rules.table == nullptr) {
    return signal;
  }
  const std::vector<SignalRow>& rows = rules.table->rows;
  const auto row = std::ranges::find_if(rows, [&](const SignalRow& candidate) {
    return matches(candidate, facts, rules.provider, text);
  });
  if (row == rows.end()) {
    signal.known = false;
    return signal;
  }
  signal.kind = row->kind;
  signal.known = !row->guess;
  signal.dimension = row->dimension;
  signal.maybe_billed = row->maybe_billed;
  if (!row->code_as.empty()) {
    signal.code = row->code_as;
  }
  if (row->until != Until::hint) {
    signal.wait = wait_until(row->until, facts.headers, words);
  }
  return signal;
}

}  // namespace sortie::provider
