#include "sortie/provider/dialect.h"

#include "sortie/base/text.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::provider {

namespace {

constexpr std::size_t kMessageBytesMax = 500;

quota::SignalClass class_of(wire::FailureKind kind) {
  switch (kind) {
    case wire::FailureKind::connect:
    case wire::FailureKind::tls:
    case wire::FailureKind::connect_timeout:
    case wire::FailureKind::reset:
    case wire::FailureKind::refused:
      return quota::SignalClass::not_processed;
    // What is wrong is what is configured, here or there, until somebody puts it right.
    case wire::FailureKind::certificate:
      return quota::SignalClass::wrong_name;
    case wire::FailureKind::first_byte_timeout:
    case wire::FailureKind::liveness_timeout:
    case wire::FailureKind::progress_timeout:
    case wire::FailureKind::total_timeout:
      return quota::SignalClass::stall;
    case wire::FailureKind::broken:
    case wire::FailureKind::too_large:
      return quota::SignalClass::broken;
    case wire::FailureKind::cancelled:
      return quota::SignalClass::cancelled;
    case wire::FailureKind::invalid_request:
      return quota::SignalClass::bad_request;
  }
  return quota::SignalClass::transient;
}

}  // namespace

quota::Signal signal_of(const wire::Failure& failure) {
  quota::Signal signal;
  signal.kind = class_of(failure.kind);
  signal.code = std::string(wire::to_string(failure.kind));
  signal.message = base::shortened(base::valid_utf8(failure.message), kMessageBytesMax);
  signal.maybe_billed = !wire::certainly_not_processed(failure.kind);
  return signal;
}

namespace {

std::array<const Dialect*, 5> dialects() {
  return {&openai(), &azure(), &azure_ai(), &anthropic(), &gemini()};
}

}  // namespace

const Dialect* find_dialect(std::string_view name) {
  const auto all = dialects();
  const auto found =
      std::ranges::find(all, name, [](const Dialect* dialect) { return dialect->name(); });
  return found == all.end() ? nullptr : *found;
}

std::vector<std::string> dialect_names() {
  std::vector<std::string> names;
  for (const Dialect* dialect : dialects()) {
    names.emplace_back(dialect->name());
  }
  return names;
}

}  // namespace sortie::provider
