#pragma once

#include "sortie/base/json.h"
#include "sortie/chat/message.h"
#include "sortie/dialogue/dialogue.h"
#include "sortie/dialogue/rules.h"
#include "sortie/suite/suite.h"

#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

// What the tests of properties share: the suite, scripted answers, and exact bounds.

namespace sortie::properties {

/// A property that holds fails its test with less than this probability, per bound.
inline constexpr double kErrorMax = 1e-9;

/// Counts are a tenth unless SORTIE_FULL is set.
inline std::size_t full_or_tenth(std::size_t full) {
  return std::getenv("SORTIE_FULL") != nullptr ? full : full / 10;
}

inline const suite::Suite& pilot() {
  static const suite::Suite suite = suite::Suite::pilot().value();
  return suite;
}

inline const dialogue::Rules& rules() {
  static const dialogue::Rules rules(pilot());
  return rules;
}

inline std::string use_tool(std::string_view tool, const json::Object& arguments) {
  json::Object call;
  call["name"] = tool;
  call["arguments"] = arguments;
  return "<use_tool>" + json::to_text(call) + "</use_tool>";
}

inline chat::Answer says(std::string text) {
  chat::Answer answer;
  answer.text = std::move(text);
  return answer;
}

inline bool is_open(const dialogue::Dialogue& dialogue) {
  return std::holds_alternative<dialogue::AskModel>(dialogue.need());
}

struct BinomialCount {
  std::size_t successes = 0;
  std::size_t trials = 0;
};

/// An upper bound of the probability of a count that lies as far from `rate` or farther, on its
/// side: Chernoff's bound exp(-n·KL(k/n ‖ rate)) of a binomial tail (Hoeffding, "Probability
/// inequalities for sums of bounded random variables", 1963, theorem 1).
inline double tail_bound(BinomialCount count, double rate) {
  const auto n = static_cast<double>(count.trials);
  const double share = static_cast<double>(count.successes) / n;
  const auto term = [](double p, double q) { return p <= 0 ? 0 : p * std::log(p / q); };
  return std::exp(-n * (term(share, rate) + term(1 - share, 1 - rate)));
}

/// The same for the number of trials that were needed for a fixed number of successes, the last
/// trial being one: more than n trials are needed exactly if n trials hold fewer successes.
inline double waiting_tail_bound(BinomialCount count, double rate) {
  const auto share = static_cast<double>(count.successes) / static_cast<double>(count.trials);
  return share >= rate
             ? tail_bound(count, rate)
             : tail_bound({.successes = count.successes - 1, .trials = count.trials - 1}, rate);
}

}  // namespace sortie::properties
