#include "sortie/provider/signals.h"

#include "sortie/base/text.h"
#include "sortie/quota/signal.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::provider {

namespace {

using quota::Dimension;
using quota::SignalClass;

constexpr std::size_t kMessageBytesMax = 500;
// Phrases are looked for in the beginning of a body; an HTML page may be long.
constexpr std::size_t kSearchedBytesMax = 4096;

template <class Predicate>
bool any_alternative(std::string_view alternatives, Predicate holds) {
  const std::vector<std::string_view> parts = base::split(alternatives, '|');
  return std::any_of(parts.begin(), parts.end(), holds);
}

bool matches(const SignalRow& row, const ErrorFacts& facts, std::string_view lower_text) {
  if ((row.status_min != 0 && facts.status < row.status_min) ||
      (row.status_max != 0 && facts.status > row.status_max)) {
    return false;
  }
  if (!row.code.empty() && !any_alternative(row.code, [&](std::string_view pattern) {
        return matches_pattern(pattern, facts.code) || matches_pattern(pattern, facts.type);
      })) {
    return false;
  }
  return row.text.empty() || any_alternative(row.text, [&](std::string_view phrase) {
           return lower_text.find(base::to_lower(phrase)) != std::string_view::npos;
         });
}

// --- The built-in rows

struct Statuses {
  int min;
  int max;
};

struct BuiltIn {
  Statuses statuses;
  std::string_view code;
  std::string_view text;
  SignalClass kind;
  Dimension dimension;
  bool maybe_billed;
  std::string_view code_as;
};

constexpr Statuses kAny = {0, 0};
constexpr Statuses kGood = {200, 299};
constexpr Statuses kError = {400, 0};
constexpr Statuses kRefused = {400, 422};
constexpr Statuses kLimited = {429, 429};
constexpr Dimension kNone = Dimension::unknown;
constexpr Dimension kRequests = Dimension::requests;
constexpr Dimension kTokens = Dimension::tokens;
constexpr Dimension kInFlight = Dimension::concurrency;
constexpr bool kFree = false;
constexpr bool kBilled = true;

// clang-format off
constexpr std::array kBuiltIn = {
    // IdealLab answers 400 to a throttle and to a dead key; only the body tells.
    BuiltIn{kError, "", "Throttling.AllocationQuota", SignalClass::throttle, kTokens, kFree, ""},
    BuiltIn{kError, "", "MPE-429|Throttling.RateQuota", SignalClass::throttle, kRequests, kFree,
            ""},
    BuiltIn{kError, "", "PL-002", SignalClass::throttle, kNone, kFree, ""},
    // Not anywhere in the body: identifiers of requests hold such digits by chance.
    BuiltIn{kError, "CE-003", "", SignalClass::auth, kNone, kFree, ""},
    BuiltIn{kError, "", "\"CE-003|[CE-003|(CE-003| CE-003", SignalClass::auth, kNone, kFree, ""},
    BuiltIn{kError, "", "IRC-001", SignalClass::wrong_name, kNone, kFree, ""},

    // Refusals that end a dialogue instead of failing it.
    BuiltIn{kError, "context_length_exceeded|context_window_exceeded", "",
            SignalClass::bad_request, kNone, kFree, kContextLengthExceeded},
    BuiltIn{kRefused, "",
            "maximum context length|context length exceeded|exceeds the context window|"
            "exceed context window|"
            "prompt is too long|input is too long|range of input length should be|"
            "reduce the length of the messages|exceeds the available context size|"
            "exceeded model token limit",
            SignalClass::bad_request, kNone, kFree, kContextLengthExceeded},
    BuiltIn{kError,
            "content_filter|content_policy_violation|ResponsibleAIPolicyViolation|"
            "data_inspection_failed|"
            "DataInspectionFailed|1301", "",
            SignalClass::bad_request, kNone, kFree, kContentFilter},
    BuiltIn{kRefused, "",
            "content management policy|inappropriate content|ResponsibleAIPolicyViolation|"
            "DataInspectionFailed",
            SignalClass::bad_request, kNone, kFree, kContentFilter},

    // Money. DashScope calls its token limit by the name of OpenAI's empty purse.
    BuiltIn{kAny, "insufficient_quota", "allocated quota exceeded|aliyun|dashscope",
            SignalClass::throttle, kTokens, kFree, ""},
    BuiltIn{kAny,
            "insufficient_quota|credit_balance_exhausted|*_spend_limit_exceeded|"
            "organization_usage_limit_exceeded|"
            "billing_hard_limit_reached|billing_not_active|exceeded_current_quota_error|"
            "insufficient_balance|"
            "insufficient_user_quota|Arrearage|AllocationQuota.FreeTierOnly|1113", "",
            SignalClass::out_of_money, kNone, kFree, ""},
    BuiltIn{{402, 402}, "", "", SignalClass::out_of_money, kNone, kFree, ""},
    BuiltIn{{403, 403}, "",
            "insufficient balance|insufficient credit|free quota|free tier|arrear|spending limit|"
            "used all available credits",
            SignalClass::out_of_money, kNone, kFree, ""},

    // Growth, and the provider's own capacity.
    BuiltIn{kAny, "slow_down|limit_burst_rate|Throttling.BurstRate", "", SignalClass::ramp, kNone,
            kFree, ""},
    BuiltIn{kLimited, "", "acceleration limit|rate increased too quickly|traffic burst|"
            "growing too fast",
            SignalClass::ramp, kNone, kFree, ""},
    BuiltIn{kAny,
            "server_is_overloaded|engine_overloaded_error|engine_overloaded|overloaded_error|"
            "ModelNotReadyException|"
            "1305|1312", "",
            SignalClass::overload, kNone, kFree, ""},
    BuiltIn{{429, 0}, "", "high demand|overloaded|at capacity|no capacity", SignalClass::overload,
            kNone, kFree, ""},
    // A finish reason: the answer was broken off for lack of machines.
    BuiltIn{kGood, "insufficient_system_resource", "", SignalClass::overload, kNone, kBilled, ""},

    // Keys and names.
    BuiltIn{kError,
            "invalid_api_key|InvalidApiKey|invalid_authentication_error|incorrect_api_key_error|"
            "account_deactivated", "",
            SignalClass::auth, kNone, kFree, ""},
    BuiltIn{kError,
            "model_not_found|DeploymentNotFound|ModelNotFound|model_not_supported|"
            "unsupported_model|invalid_model|"
            "Model.AccessDenied|resource_not_found_error", "",
            SignalClass::wrong_name, kNone, kFree, ""},
    BuiltIn{{400, 404}, "",
            "DeploymentNotFound|does not have access to model|model_not_found|"
            "the model does not exist|"
            "not a valid model id|invalid model name",
            SignalClass::wrong_name, kNone, kFree, ""},
    BuiltIn{{401, 401}, "", "", SignalClass::auth, kNone, kFree, ""},
    // A page of a firewall in between says nothing about the key.
    BuiltIn{{403, 403}, "", "<html|<!doctype", SignalClass::transient, kNone, kFree, ""},
    BuiltIn{{403, 403}, "", "", SignalClass::auth, kNone, kFree, ""},
    BuiltIn{{404, 405}, "", "", SignalClass::wrong_name, kNone, kFree, ""},
    BuiltIn{{410, 410}, "", "", SignalClass::wrong_name, kNone, kFree, ""},
    // A redirect is an address that no longer serves the API.
    BuiltIn{{300, 399}, "", "", SignalClass::wrong_name, kNone, kFree, ""},

    // Limits of ours. GLM: 1302 concurrency, 1303 frequency, 1304 a day's count, 1308 and 1310 caps
    // with a reset.
    BuiltIn{kLimited, "1302", "", SignalClass::concurrency, kInFlight, kFree, ""},
    BuiltIn{kLimited, "", "concurren|too many simultaneous", SignalClass::concurrency, kInFlight,
            kFree, ""},
    BuiltIn{kLimited, "", "tokens per day|(TPD)", SignalClass::daily_cap, kTokens, kFree, ""},
    BuiltIn{kLimited, "", "requests per day|(RPD)|free-models-per-day", SignalClass::daily_cap,
            kRequests, kFree, ""},
    BuiltIn{kLimited, "quota_exceeded|1304|1308|1310", "", SignalClass::daily_cap, kNone, kFree,
            ""},
    BuiltIn{kLimited, "limit_requests|1303", "", SignalClass::throttle, kRequests, kFree, ""},
    // One message may explain both limits; it then names none.
    BuiltIn{kLimited, "", "TPM/RPM|RPM/TPM|TPM or RPM", SignalClass::throttle, kNone, kFree, ""},
    // OpenAI's `type` of a 429 is the dimension itself.
    BuiltIn{kLimited, "tokens", "", SignalClass::throttle, kTokens, kFree, ""},
    BuiltIn{kLimited, "requests", "", SignalClass::throttle, kRequests, kFree, ""},
    BuiltIn{kLimited, "",
            "tokens per min|(TPM)|token rate limit|ByMinuteTokens|tokens per 60 s|tokens per sec|"
            "allocated quota|max TPM",
            SignalClass::throttle, kTokens, kFree, ""},
    BuiltIn{kLimited, "",
            "requests per min|(RPM)|call rate limit|ByMinuteRequests|requests per 60 s|"
            "requests per sec|max RPM|QPS",
            SignalClass::throttle, kRequests, kFree, ""},
    BuiltIn{kLimited, "", "", SignalClass::throttle, kNone, kFree, ""},
    BuiltIn{kAny, "rate_limit_exceeded|rate_limit_error|too_many_requests|Throttling*", "",
            SignalClass::throttle, kNone, kFree, ""},

    // What is left is decided by the status. 408, 504, 524: somebody gave up waiting, work may have
    // been done.
    BuiltIn{{408, 408}, "", "", SignalClass::overload, kNone, kBilled, ""},
    BuiltIn{{409, 409}, "", "", SignalClass::transient, kNone, kFree, ""},
    BuiltIn{{425, 425}, "", "", SignalClass::transient, kNone, kFree, ""},
    BuiltIn{{400, 499}, "", "", SignalClass::bad_request, kNone, kFree, ""},
    BuiltIn{{503, 503}, "", "", SignalClass::overload, kNone, kFree, ""},
    BuiltIn{{529, 529}, "", "", SignalClass::overload, kNone, kFree, ""},
    BuiltIn{{504, 504}, "", "", SignalClass::transient, kNone, kBilled, ""},
    BuiltIn{{524, 524}, "", "", SignalClass::transient, kNone, kBilled, ""},
    BuiltIn{{500, 0}, "", "", SignalClass::transient, kNone, kFree, ""},
    // An error inside a good answer without a code that we know: work may have been done.
    BuiltIn{kGood, "", "", SignalClass::transient, kNone, kBilled, ""},
};
// clang-format on

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view text) {
  // Greedy with one point to come back to: linear for one star, never exponential.
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  const auto same = [](char a, char b) {
    return base::equals_ignoring_case(std::string_view(&a, 1), std::string_view(&b, 1));
  };
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && same(pattern[p], text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

std::vector<SignalRow> openai_signal_rows() {
  std::vector<SignalRow> rows;
  rows.reserve(kBuiltIn.size());
  for (const BuiltIn& row : kBuiltIn) {
    rows.push_back({.status_min = row.statuses.min,
                    .status_max = row.statuses.max,
                    .code = std::string(row.code),
                    .text = std::string(row.text),
                    .kind = row.kind,
                    .dimension = row.dimension,
                    .maybe_billed = row.maybe_billed,
                    .code_as = std::string(row.code_as)});
  }
  return rows;
}

quota::Signal classify(std::span<const SignalRow> rows, const ErrorFacts& facts) {
  const std::string text = base::to_lower(facts.message) + '\n' +
                           base::to_lower(facts.body.substr(0, kSearchedBytesMax));
  quota::Signal signal;
  signal.status = facts.status;
  signal.code = std::string(facts.code.empty() ? facts.type : facts.code);
  signal.code = base::shortened(base::valid_utf8(signal.code), 100);
  const std::string_view words = base::trim(facts.message).empty() ? facts.body : facts.message;
  // Cut first: making a long page valid would be work for nothing.
  signal.message = base::shortened(base::valid_utf8(base::trim(words).substr(0, kSearchedBytesMax)),
                                   kMessageBytesMax);
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const SignalRow& candidate) {
    return matches(candidate, facts, text);
  });
  if (row != rows.end()) {
    signal.kind = row->kind;
    signal.dimension = row->dimension;
    signal.maybe_billed = row->maybe_billed;
    if (!row->code_as.empty()) {
      signal.code = row->code_as;
    }
  }
  return signal;
}

}  // namespace sortie::provider
