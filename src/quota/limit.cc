#include "sortie/quota/limit.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace sortie::quota {

namespace {

constexpr std::array kTokenCosts = {TokenCost::input,
                                    TokenCost::output,
                                    TokenCost::input_plus_output,
                                    TokenCost::input_plus_max,
                                    TokenCost::max_of_max_and_input};

double tokens_of(TokenCost cost, const RequestSize& size) {
  // Without the parameter, the expected output is the best guess at what the provider assumes.
  const double max_output = size.max_output > 0 ? size.max_output : size.output;
  switch (cost) {
    case TokenCost::input:
      return size.input;
    case TokenCost::output:
      return size.output;
    case TokenCost::input_plus_output:
      return size.input + size.output;
    case TokenCost::input_plus_max:
      return size.input + max_output;
    case TokenCost::max_of_max_and_input:
      return std::max(max_output, size.input);
  }
  return 0;
}

}  // namespace

std::string_view to_string(LimitKind value) {
  switch (value) {
    case LimitKind::requests:
      return "requests";
    case LimitKind::tokens:
      return "tokens";
    case LimitKind::concurrency:
      return "concurrency";
  }
  return "unknown";
}

std::string_view to_string(LimitSource value) {
  switch (value) {
    case LimitSource::declared:
      return "declared";
    case LimitSource::header:
      return "header";
    case LimitSource::learned:
      return "learned";
  }
  return "unknown";
}

std::string_view to_string(TokenCost value) {
  switch (value) {
    case TokenCost::input:
      return "input";
    case TokenCost::output:
      return "output";
    case TokenCost::input_plus_output:
      return "input_plus_output";
    case TokenCost::input_plus_max:
      return "input_plus_max";
    case TokenCost::max_of_max_and_input:
      return "max_of_max_and_input";
  }
  return "unknown";
}

std::optional<TokenCost> token_cost_from(std::string_view name) {
  for (const TokenCost cost : kTokenCosts) {
    if (to_string(cost) == name) {
      return cost;
    }
  }
  return std::nullopt;
}

double cost_of(const Limit& limit, const RequestSize& size) {
  if (limit.kind != LimitKind::tokens) {
    return 1;
  }
  return std::max(0.0, tokens_of(limit.cost, size));
}

bool is_settled(TokenCost cost) {
  switch (cost) {
    case TokenCost::input:
    case TokenCost::output:
    case TokenCost::input_plus_output:
      return true;
    case TokenCost::input_plus_max:
    case TokenCost::max_of_max_and_input:
      return false;
  }
  return false;
}

}  // namespace sortie::quota
