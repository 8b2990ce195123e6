#include "sortie/base/text.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/signals.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::provider {

namespace {

// A date has eight digits, and three parts when they are separated.
constexpr std::size_t kDigitsMax = 8;
constexpr std::size_t kPartsMax = 3;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

/// "2024", "07", "18", "0613", "20250514", "001", "v2", "v1.5": one part of a date or version.
bool is_version_part(std::string_view part) {
  if (part.size() > 1 && (part.front() == 'v' || part.front() == 'V')) {
    part.remove_prefix(1);
    const std::vector<std::string_view> numbers = base::split(part, '.');
    return std::all_of(numbers.begin(), numbers.end(), all_digits) && part.size() <= kDigitsMax;
  }
  // One digit alone is more often another model ("sim-2") than a version.
  return all_digits(part) && part.size() >= 2 && part.size() <= kDigitsMax;
}

/// "-2024-07-18", "-0613", "@20250514", ":v2": what may follow the name that was sent.
bool is_version_suffix(std::string_view suffix) {
  if (suffix.empty() || (suffix[0] != '-' && suffix[0] != '@' && suffix[0] != ':')) {
    return false;
  }
  const std::vector<std::string_view> parts = base::split(suffix.substr(1), '-');
  return parts.size() <= kPartsMax && std::all_of(parts.begin(), parts.end(), is_version_part);
}

}  // namespace

bool accepts_served_model(std::string_view sent,
                          const std::vector<std::string>& declared,
                          std::string_view served) {
  if (!declared.empty()) {
    return std::any_of(declared.begin(), declared.end(), [served](const std::string& pattern) {
      return pattern.find('*') == std::string::npos ? pattern == served
                                                    : matches_pattern(pattern, served);
    });
  }
  if (served.size() < sent.size() || sent.empty() ||
      !base::equals_ignoring_case(served.substr(0, sent.size()), sent)) {
    return false;
  }
  return served.size() == sent.size() || is_version_suffix(served.substr(sent.size()));
}

}  // namespace sortie::provider
