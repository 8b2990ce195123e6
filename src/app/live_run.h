#pragma once

#include "sortie/base/error.h"
#include "sortie/wire/message.h"

#include <string>

namespace sortie::app {

/// Asks the run that is going on in `directory`, over its control socket. Errors: refused when none
/// is there or does not answer; an answer of any status is a result.
[[nodiscard]] base::Result<wire::Response> ask_run(const std::string& directory,
                                                   wire::Method method,
                                                   const std::string& target,
                                                   const std::string& body = {},
                                                   const std::string& accept = {});

/// The error that an answer other than 200 tells: bad input (400), else refused.
[[nodiscard]] base::Error error_of(const wire::Response& response);

}  // namespace sortie::app
