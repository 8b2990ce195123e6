#include "sortie/wire/message.h"

#include "sortie/base/text.h"

#include <optional>
#include <string_view>

namespace sortie::wire {

std::string_view to_string(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::delete_:
      return "DELETE";
  }
  return "?";
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Header& field : fields_) {
    if (base::equals_ignoring_case(field.name, name)) {
      return field.value;
    }
  }
  return std::nullopt;
}

std::string_view to_string(FailureKind kind) {
  switch (kind) {
    case FailureKind::connect:
      return "connect";
    case FailureKind::tls:
      return "tls";
    case FailureKind::certificate:
      return "certificate";
    case FailureKind::connect_timeout:
      return "connect_timeout";
    case FailureKind::first_byte_timeout:
      return "first_byte_timeout";
    case FailureKind::liveness_timeout:
      return "liveness_timeout";
    case FailureKind::progress_timeout:
      return "progress_timeout";
    case FailureKind::total_timeout:
      return "total_timeout";
    case FailureKind::refused:
      return "refused";
    case FailureKind::reset:
      return "reset";
    case FailureKind::broken:
      return "broken";
    case FailureKind::too_large:
      return "too_large";
    case FailureKind::cancelled:
      return "cancelled";
    case FailureKind::invalid_request:
      return "invalid_request";
  }
  return "?";
}

bool certainly_not_processed(FailureKind kind) {
  switch (kind) {
    case FailureKind::connect:
    case FailureKind::tls:
    case FailureKind::certificate:
    case FailureKind::connect_timeout:
    case FailureKind::refused:
    case FailureKind::invalid_request:
      return true;
    // A peer that closes without an answer may have read, worked and billed before it did.
    case FailureKind::first_byte_timeout:
    case FailureKind::liveness_timeout:
    case FailureKind::progress_timeout:
    case FailureKind::total_timeout:
    case FailureKind::reset:
    case FailureKind::broken:
    case FailureKind::too_large:
    case FailureKind::cancelled:
      return false;
  }
  return false;
}

}  // namespace sortie::wire
