#pragma once

#include "sortie/base/error.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <fmt/format.h>

// What the benchmarks share.

namespace sortie::bench {

/// The value, or the end of the program.
template <class T>
T must(base::Result<T> result) {
  if (!result.has_value()) {
    fmt::print(stderr, "{}\n", result.error().message);
    std::exit(2);
  }
  return std::move(result).value();
}

/// One model behind one route without limits. Nothing is ever sent there.
inline constexpr std::string_view kEndpoints = R"(version: 1
models:
  bench: {price: {input: 1, output: 2}}
endpoints:
  local:
    dialect: openai
    base_url: http://127.0.0.1:1/v1
    simulated: true
    keys: {none: {secret: none}}
    routes: [{model: bench, api_name: bench}]
)";

}  // namespace sortie::bench
