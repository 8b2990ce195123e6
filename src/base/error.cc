#include "sortie/base/error.h"

#include <system_error>

#include <fmt/format.h>

namespace sortie::base {

std::string_view to_string(Remedy remedy) {
  switch (remedy) {
    case Remedy::retry_now:
      return "retry_now";
    case Remedy::retry_later:
      return "retry_later";
    case Remedy::use_other_endpoint:
      return "use_other_endpoint";
    case Remedy::fail_trial:
      return "fail_trial";
    case Remedy::fail_campaign:
      return "fail_campaign";
    case Remedy::bad_input:
      return "bad_input";
  }
  return "unknown";
}

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid:
      return "invalid";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::io:
      return "io";
    case ErrorCode::locked:
      return "locked";
    case ErrorCode::integrity:
      return "integrity";
    case ErrorCode::refused:
      return "refused";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::unsupported:
      return "unsupported";
  }
  return "unknown";
}

std::unexpected<Error> bad_input(std::string message) {
  return failure(Remedy::bad_input, ErrorCode::invalid, std::move(message));
}

std::unexpected<Error> io_error(std::string message, int errno_value) {
  return failure(Remedy::fail_campaign,
                 ErrorCode::io,
                 fmt::format("{}: {}", message, std::generic_category().message(errno_value)));
}

std::unexpected<Error> failure(Remedy remedy, ErrorCode code, std::string message) {
  return std::unexpected(Error{.remedy = remedy, .code = code, .message = std::move(message)});
}

Error with_context(Error error, std::string_view context) {
  error.message = fmt::format("{}: {}", context, error.message);
  return error;
}

}  // namespace sortie::base
