#include "sortie/provider/reading.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/limit_headers.h"
#include "sortie/provider/signals.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sortie::provider {

namespace {

// Of an answer that cannot be read, as shown to people.
constexpr std::size_t kExcerptBytesMax = 400;

// More tokens than any request can hold: a count beyond it is a mistake of the server.
constexpr std::int64_t kTokensMax = 1'000'000'000;

struct ErrorBody {
  std::string code;
  std::string type;
  std::string message;
  std::string retry_delay;  // google.rpc.RetryInfo
};

/// google.rpc.Status: the reason, the violated quota and the delay stand in a list of details.
void read_google_details(const json::Array& details, ErrorBody& error) {
  for (const json::Value& detail : details) {
    if (std::string reason = text_or_empty(detail, "reason"); !reason.empty()) {
      error.code = std::move(reason);
    }
    if (std::string delay = text_or_empty(detail, "retryDelay"); !delay.empty()) {
      error.retry_delay = std::move(delay);
    }
  }
}

void read_inner(const json::Value& inner, ErrorBody& error) {
  error.code = first_text(inner, {"code", "error_code"});
  error.type = first_text(inner, {"type", "status"});
  error.message = first_text(inner, {"message", "msg"});
  if (const json::Array* details = json::get_array(inner, "details"); details != nullptr) {
    read_google_details(*details, error);
  }
  if (const json::Value* details = json::find(inner, "details"); details != nullptr) {
    // Anthropic explains a 429 there.
    if (std::string code = scalar_text(*details, "error_code"); !code.empty()) {
      error.code = std::move(code);
    }
  }
  // Azure explains a filtered prompt one level deeper.
  if (const json::Value* cause = json::find(inner, "innererror"); cause != nullptr) {
    if (std::string code = scalar_text(*cause, "code"); !code.empty() && error.type.empty()) {
      error.type = std::move(code);
    }
  }
}

ErrorBody read_error(const json::Value& document) {
  ErrorBody error;
  // Google sends the error of a stream as a list of one.
  const json::Array* list = document.if_array();
  const json::Value& body = list != nullptr && !list->empty() ? list->front() : document;
  const json::Value* inner = json::find(body, "error");
  if (inner != nullptr && inner->is_object()) {
    read_inner(*inner, error);
    return error;
  }
  error.message = inner != nullptr ? scalar_text(body, "error") : std::string();
  error.code = first_text(body, {"code", "error_code", "errorCode", "errCode"});
  error.type = first_text(body, {"type", "__type"});
  if (std::string message =
          first_text(body, {"message", "msg", "errorMessage", "errMsg", "detail"});
      !message.empty()) {
    error.message = std::move(message);
  }
  return error;
}

/// The status that an error inside a good answer states as its code ("code": 502).
int inner_status(int status, std::string_view code) {
  const bool is_status = code.size() == 3 && (code[0] == '4' || code[0] == '5') &&
                         code.find_first_not_of("0123456789") == std::string_view::npos;
  return is_good(status) && is_status ? std::stoi(std::string(code)) : status;
}

}  // namespace

std::string text_or_empty(const json::Value& value, std::string_view name) {
  return std::string(json::get_string(value, name).value_or(""));
}

std::string scalar_text(const json::Value& value, std::string_view name) {
  const json::Value* member = json::find(value, name);
  if (member == nullptr || member->is_null() || member->is_object() || member->is_array()) {
    return {};
  }
  return member->is_string() ? std::string(json::view(member->get_string()))
                             : json::to_text(*member);
}

std::string first_text(const json::Value& value, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (std::string text = scalar_text(value, name); !text.empty()) {
      return text;
    }
  }
  return {};
}

std::optional<std::int64_t> token_count(const json::Value& value, std::string_view name) {
  const std::optional<double> count = json::get_double(value, name);
  if (!count || !(*count >= 0) || *count > static_cast<double>(kTokensMax)) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*count);
}

bool holds_error(const json::Value& body) {
  const json::Value* error = json::find(body, "error");
  if (error == nullptr) {
    return false;
  }
  return (error->is_object() && !error->get_object().empty()) ||
         (error->is_string() && !error->get_string().empty());
}

quota::Signal signal_of_error(const wire::Response& response,
                              const json::Value* body,
                              const SignalRules& rules) {
  const ErrorBody error = body != nullptr ? read_error(*body) : ErrorBody{};
  const std::string_view words =
      error.message.empty() ? std::string_view(response.body) : std::string_view(error.message);
  std::optional<base::Duration> wait = wait_hint(response.headers, words);
  if (!wait && !error.retry_delay.empty()) {
    wait = parse_wait(error.retry_delay);
  }
  quota::Signal signal = classify(rules,
                                  {.status = inner_status(response.status, error.code),
                                   .code = error.code,
                                   .type = error.type,
                                   .message = error.message,
                                   .body = response.body,
                                   .headers = &response.headers,
                                   .wait = wait});
  signal.status = response.status;
  return signal;
}

quota::Signal unusable(const wire::Response& response,
                       quota::SignalClass kind,
                       std::string_view code,
                       std::string_view why) {
  quota::Signal signal;
  signal.kind = kind;
  signal.status = response.status;
  signal.code = std::string(code);
  signal.message =
      std::string(why) + ": " +
      base::shortened(base::valid_utf8(std::string_view(response.body).substr(0, 1024)),
                      kExcerptBytesMax);
  signal.wait = wait_hint(response.headers, "");
  signal.maybe_billed = kind == quota::SignalClass::broken;
  return signal;
}

quota::LimitHints hints_of(const wire::Response& response, const SignalRules& rules) {
  quota::LimitHints hints = limit_hints(response.headers);
  const ProviderRow* provider =
      rules.table != nullptr ? rules.table->find_provider(rules.provider) : nullptr;
  if (provider != nullptr && provider->ignore_request_headers) {
    hints.limit_requests = {};
    hints.remaining_requests = {};
    hints.reset_requests = {};
  }
  for (const LimitHeaders& fields : limit_headers()) {
    if (fields.provider == rules.provider) {
      take_limit(response.headers, fields, hints);
    }
  }
  return hints;
}

}  // namespace sortie::provider
