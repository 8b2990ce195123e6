#pragma once

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/wire/message.h"

#include <string>
#include <string_view>

// What the web page's server answers, as values.

namespace sortie::monitor {

[[nodiscard]] wire::Response response(int status, std::string_view type, std::string body);
[[nodiscard]] wire::Response json_response(int status, const json::Value& value);
[[nodiscard]] wire::Response error_response(int status,
                                            base::ErrorCode code,
                                            std::string_view message);

/// 404 for what is not found, 400 for what is invalid, else 500.
[[nodiscard]] wire::Response error_response(const base::Error& error);
[[nodiscard]] wire::Response not_found();
[[nodiscard]] wire::Response wrong_method(std::string_view expected);
[[nodiscard]] wire::Response answer_of(const base::Result<json::Value>& result);

/// A document that the page does not make itself, such as a report or a figure: it has styles of
/// its own, and neither script nor access to anything.
[[nodiscard]] wire::Response document_response(std::string_view type, std::string body);

/// What every answer carries, so that none can be embedded, guessed at or kept. An answer with a
/// policy of its own keeps it.
void add_protection(wire::Response& answer);

}  // namespace sortie::monitor
