#pragma once

#include "sortie/base/error.h"

#include <charconv>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

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

/// One "--name VALUE" of a benchmark's command line, and where the value goes.
struct Option {
  std::string_view name;
  std::variant<std::size_t*, double*, std::string*> value;
};

/// False: it is none.
inline bool read_value(const Option& option, std::string_view text) {
  return std::visit(
      [text](auto* value) {
        if constexpr (std::is_same_v<decltype(value), std::string*>) {
          *value = text;
          return !text.empty();
        } else {
          const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
          return error == std::errc() && end == text.data() + text.size();
        }
      },
      option.value);
}

/// Pairs of a name and its value. Anything else ends the program and says what there is.
inline void read_options(std::span<char*> words, std::span<const Option> options) {
  const auto read = [&](std::size_t at) {
    for (const Option& option : options) {
      if (option.name == words[at]) {
        return at + 1 < words.size() && read_value(option, words[at + 1]);
      }
    }
    return false;
  };
  for (std::size_t i = 1; i < words.size(); i += 2) {
    if (!read(i)) {
      fmt::print(stderr, "{}: unexpected '{}'; options, each with its value:", words[0], words[i]);
      for (const Option& option : options) {
        fmt::print(stderr, " {}", option.name);
      }
      fmt::print(stderr, "\n");
      std::exit(2);
    }
  }
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
