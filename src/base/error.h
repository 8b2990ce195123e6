#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

// The one error type. An Error tells the caller what to do (remedy), programs what happened (code)
// and people what to change (message: what, which object, what was expected).

namespace sortie::base {

/// What the caller can do about an error.
enum class Remedy : std::uint8_t {
  retry_now,           // nothing was changed; the same call may work at once
  retry_later,         // the same call may work after a while
  use_other_endpoint,  // this route cannot do it; another may
  fail_trial,          // the trial cannot go on, the campaign can
  fail_campaign,       // stop: store broken, disk full, own bug found in time
  bad_input,           // a person has to change what was given
};

enum class ErrorCode : std::uint8_t {
  invalid,      // malformed or out-of-range input
  not_found,    // a named thing does not exist
  io,           // the operating system refused or failed
  locked,       // somebody else owns it
  integrity,    // stored data contradicts itself
  refused,      // a rule of ours forbids it
  timeout,      // a deadline passed
  cancelled,    // asked to stop
  unsupported,  // outside what this build or format can do
};

struct Error {
  Remedy remedy = Remedy::bad_input;
  ErrorCode code = ErrorCode::invalid;
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

using Status = Result<void>;

[[nodiscard]] std::string_view to_string(Remedy remedy);
[[nodiscard]] std::string_view to_string(ErrorCode code);

/// Shorthand for the failures met most: bad input, and a failed system call (appends
/// strerror(errno_value)).
[[nodiscard]] std::unexpected<Error> bad_input(std::string message);
[[nodiscard]] std::unexpected<Error> io_error(std::string message, int errno_value);
[[nodiscard]] std::unexpected<Error> failure(Remedy remedy, ErrorCode code, std::string message);

/// Puts "context: " before an error's message and keeps the rest.
[[nodiscard]] Error with_context(Error error, std::string_view context);

}  // namespace sortie::base

#define SORTIE_CONCAT_INNER(a, b) a##b
#define SORTIE_CONCAT(a, b) SORTIE_CONCAT_INNER(a, b)

/// TRY(expr): returns the error of a failed Result from the enclosing function.
#define TRY(expr)                                                           \
  do {                                                                      \
    if (auto sortie_try_result = (expr); !sortie_try_result) [[unlikely]] { \
      return std::unexpected(std::move(sortie_try_result).error());         \
    }                                                                       \
  } while (false)

#define SORTIE_TRY_ASSIGN(temporary, variable, expr)      \
  auto temporary = (expr);                                \
  if (!(temporary)) [[unlikely]] {                        \
    return std::unexpected(std::move(temporary).error()); \
  }                                                       \
  variable = std::move(temporary).value()

/// TRY_ASSIGN(auto x, expr): assigns the value or returns the error.
#define TRY_ASSIGN(variable, expr) \
  SORTIE_TRY_ASSIGN(SORTIE_CONCAT(sortie_try_, __LINE__), variable, expr)

/// The same two for coroutines.
#define CO_TRY(expr)                                                        \
  do {                                                                      \
    if (auto sortie_try_result = (expr); !sortie_try_result) [[unlikely]] { \
      co_return std::unexpected(std::move(sortie_try_result).error());      \
    }                                                                       \
  } while (false)

#define SORTIE_CO_TRY_ASSIGN(temporary, variable, expr)      \
  auto temporary = (expr);                                   \
  if (!(temporary)) [[unlikely]] {                           \
    co_return std::unexpected(std::move(temporary).error()); \
  }                                                          \
  variable = std::move(temporary).value()

#define CO_TRY_ASSIGN(variable, expr) \
  SORTIE_CO_TRY_ASSIGN(SORTIE_CONCAT(sortie_try_, __LINE__), variable, expr)
