#include "sortie/monitor/web_answer.h"

#include <utility>

#include <fmt/format.h>

namespace sortie::monitor {

namespace {

constexpr const char* kPolicyHeader = "Content-Security-Policy";

// Scripts, styles and data from here alone; nothing embeds the page and nothing is turned into
// markup from text.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for "
    "'script'";

constexpr std::string_view kDocumentPolicy =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox";

}  // namespace

wire::Response response(int status, std::string_view type, std::string body) {
  wire::Response made;
  made.status = status;
  made.headers.add("Content-Type", std::string(type));
  made.body = std::move(body);
  return made;
}

wire::Response json_response(int status, const json::Value& value) {
  return response(status, "application/json", json::to_text(value) + "\n");
}

wire::Response error_response(int status, base::ErrorCode code, std::string_view message) {
  return json_response(
      status,
      json::Object{{"error", json::Object{{"code", base::to_string(code)}, {"message", message}}}});
}

wire::Response error_response(const base::Error& error) {
  switch (error.code) {
    case base::ErrorCode::not_found:
      return error_response(404, error.code, error.message);
    case base::ErrorCode::invalid:
      return error_response(400, error.code, error.message);
    default:
      return error_response(500, error.code, error.message);
  }
}

wire::Response not_found() {
  return error_response(
      404, base::ErrorCode::not_found, "nothing is here; docs/guide/watching.md lists what is");
}

wire::Response wrong_method(std::string_view expected) {
  return error_response(
      405, base::ErrorCode::unsupported, fmt::format("this address takes {}", expected));
}

wire::Response answer_of(const base::Result<json::Value>& result) {
  return result.has_value() ? json_response(200, *result) : error_response(result.error());
}

wire::Response document_response(std::string_view type, std::string body) {
  wire::Response made = response(200, type, std::move(body));
  made.headers.add(kPolicyHeader, std::string(kDocumentPolicy));
  return made;
}

void add_protection(wire::Response& answer) {
  if (!answer.headers.find(kPolicyHeader).has_value()) {
    answer.headers.add(kPolicyHeader, std::string(kPolicy));
  }
  answer.headers.add("X-Content-Type-Options", "nosniff");
  answer.headers.add("X-Frame-Options", "DENY");
  answer.headers.add("Referrer-Policy", "no-referrer");
  answer.headers.add("Cross-Origin-Opener-Policy", "same-origin");
  answer.headers.add("Cross-Origin-Resource-Policy", "same-origin");
  answer.headers.add("Cache-Control", "no-store");
}

}  // namespace sortie::monitor
