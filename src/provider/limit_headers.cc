#include "sortie/provider/limit_headers.h"

#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/provider/signals.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace sortie::provider {

namespace {

constexpr double kWaitSecondsMax = 10.0 * 365 * 86400;
// Hints stand at the beginning of a message; an HTML page may be long.
constexpr std::size_t kSearchedBytesMax = 4096;
constexpr std::array<std::string_view, 12> kMonths = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::string_view kDateForm = "Sun, 06 Nov 1994 08:49:37 GMT";

/// Takes a non-negative decimal number (no sign, no exponent) off the front of `text`.
std::optional<double> take_number(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() &&
         ((text[length] >= '0' && text[length] <= '9') || text[length] == '.')) {
    ++length;
  }
  const std::string_view number = text.substr(0, length);
  double value = 0;
  const auto [end, error] = std::from_chars(
      number.data(), number.data() + number.size(), value, std::chars_format::fixed);
  if (error != std::errc() || end == number.data()) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - number.data()));
  return value;
}

struct Unit {
  std::string_view name;
  double seconds;
};

constexpr std::array<Unit, 18> kUnits = {{{"milliseconds", 1e-3},
                                          {"millisecond", 1e-3},
                                          {"ms", 1e-3},
                                          {"minutes", 60},
                                          {"minute", 60},
                                          {"min", 60},
                                          {"m", 60},
                                          {"seconds", 1},
                                          {"second", 1},
                                          {"secs", 1},
                                          {"sec", 1},
                                          {"s", 1},
                                          {"hours", 3600},
                                          {"hour", 3600},
                                          {"h", 3600},
                                          {"us", 1e-6},
                                          {"µs", 1e-6},
                                          {"ns", 1e-9}}};

/// The unit that `text` starts with, taken off; longer names come first in the table.
std::optional<double> take_unit(std::string_view& text) {
  for (const Unit& unit : kUnits) {
    const bool ends_there = text.size() <= unit.name.size() || text[unit.name.size()] < 'a' ||
                            text[unit.name.size()] > 'z';
    if (text.starts_with(unit.name) && ends_there) {
      text.remove_prefix(unit.name.size());
      return unit.seconds;
    }
  }
  return std::nullopt;
}

std::optional<base::Duration> checked(double seconds) {
  if (!(seconds >= 0) || seconds > kWaitSecondsMax) {
    return std::nullopt;
  }
  return base::from_seconds(seconds);
}

/// Number-unit pairs from the front of `text` ("6m0s", "41 seconds", "7.66"); what follows is free.
std::optional<base::Duration> leading_wait(std::string_view text) {
  double total = 0;
  bool found = false;
  while (true) {
    std::string_view rest = text;
    const std::optional<double> number = take_number(rest);
    if (!number) {
      break;
    }
    if (rest.starts_with(' ')) {
      rest.remove_prefix(1);
    }
    const std::optional<double> unit = take_unit(rest);
    if (!unit) {
      // A bare number is seconds, but only as the whole of it.
      return found ? std::nullopt : checked(*number);
    }
    total += *number * *unit;
    found = true;
    text = rest;
  }
  return found ? checked(total) : std::nullopt;
}

std::optional<base::Duration> phrase_wait(std::string_view message) {
  const std::string lower = base::to_lower(message.substr(0, kSearchedBytesMax));
  for (const std::string_view phrase :
       {"retry after ", "try again in ", "try again after ", "retry in ", "wait for ", "wait "}) {
    std::size_t at = lower.find(phrase);
    while (at != std::string::npos) {
      const std::size_t after = at + phrase.size();
      if (const auto wait = leading_wait(std::string_view(lower).substr(after))) {
        return wait;
      }
      at = lower.find(phrase, after);
    }
  }
  return std::nullopt;
}

std::optional<double> number_of(std::optional<std::string_view> text) {
  if (!text) {
    return std::nullopt;
  }
  std::string_view rest = base::trim(*text);
  const std::optional<double> value = take_number(rest);
  return rest.empty() ? value : std::nullopt;
}

std::optional<int> digits(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value >= 0 ? std::optional(value) : std::nullopt;
}

/// The hour of UTC at which a day begins in California, at this instant's side of the changes of
/// clocks: the second Sunday of March and the first of November, 2:00 local.
std::chrono::hours pacific_offset(base::WallTime now) {
  const std::chrono::year year =
      std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(now)).year();
  const auto spring = std::chrono::sys_days(year / std::chrono::March / std::chrono::Sunday[2]);
  const auto autumn = std::chrono::sys_days(year / std::chrono::November / std::chrono::Sunday[1]);
  const bool summer =
      now >= spring + std::chrono::hours(10) && now < autumn + std::chrono::hours(9);
  return std::chrono::hours(summer ? 7 : 8);
}

base::WallTime next_midnight(base::WallTime now, std::chrono::hours behind_utc) {
  const auto local_day = std::chrono::floor<std::chrono::days>(now - behind_utc);
  return base::WallTime(local_day + std::chrono::days(1) + behind_utc);
}

base::WallTime next_month(base::WallTime now) {
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(now));
  const std::chrono::year_month next = day.year() / day.month() + std::chrono::months(1);
  return base::WallTime(std::chrono::sys_days(next / std::chrono::day(1)));
}

/// "2026-02-11T17:03:22Z" (RFC 3339, UTC; a fraction is dropped).
std::optional<base::WallTime> parse_rfc3339(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':' ||
      !(text.ends_with('Z') || text.ends_with("+00:00"))) {
    return std::nullopt;
  }
  const std::optional<int> year = digits(text.substr(0, 4));
  const std::optional<int> month = digits(text.substr(5, 2));
  const std::optional<int> day = digits(text.substr(8, 2));
  const std::optional<int> hour = digits(text.substr(11, 2));
  const std::optional<int> minute = digits(text.substr(14, 2));
  const std::optional<int> second = digits(text.substr(17, 2));
  if (!year || !month || !day || !hour || !minute || !second || *hour > 23 || *minute > 59 ||
      *second > 60) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) {
    return std::nullopt;
  }
  return base::WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute) + std::chrono::seconds(*second);
}

/// The first "2026-02-11 17:03:22" in a text, as if it were UTC.
std::optional<base::WallTime> stated_time(std::string_view text) {
  constexpr std::size_t kLength = 19;
  text = text.substr(0, kSearchedBytesMax);
  for (std::size_t at = 0; at + kLength <= text.size(); ++at) {
    std::string form(text.substr(at, kLength));
    if (form[10] == ' ') {
      form[10] = 'T';
      if (const auto time = parse_rfc3339(form + 'Z')) {
        return time;
      }
    }
  }
  return std::nullopt;
}

/// Nullopt if it is past.
std::optional<base::Duration> time_left(std::optional<base::WallTime> until, base::WallTime now) {
  return until && *until > now ? std::optional(base::Duration(*until - now)) : std::nullopt;
}

std::optional<base::WallTime> date_of(const wire::Headers& headers) {
  const std::optional<std::string_view> date = headers.find("date");
  return date ? parse_http_date(base::trim(*date)) : std::nullopt;
}

std::optional<base::Duration> retry_after(const wire::Headers& headers) {
  const std::optional<std::string_view> field = headers.find("retry-after");
  if (!field) {
    return std::nullopt;
  }
  if (const std::optional<double> seconds = number_of(field)) {
    return checked(*seconds);
  }
  const std::optional<base::WallTime> until = parse_http_date(base::trim(*field));
  const std::optional<base::WallTime> now = date_of(headers);
  if (!until || !now) {
    return std::nullopt;
  }
  const double seconds = std::chrono::duration<double>(*until - *now).count();
  return checked(std::max(0.0, seconds));
}

struct Hint {
  std::optional<double> limit;
  std::optional<double> remaining;
  std::optional<base::Duration> reset;
};

/// A reset is a duration, or an instant that is read relative to the answer's own Date.
std::optional<base::Duration> parse_reset(const wire::Headers& headers, std::string_view text) {
  if (const auto wait = parse_wait(text)) {
    return wait;
  }
  const std::optional<base::WallTime> until = parse_rfc3339(base::trim(text));
  const std::optional<base::WallTime> now = date_of(headers);
  if (!until || !now) {
    return std::nullopt;
  }
  return checked(std::max(0.0, std::chrono::duration<double>(*until - *now).count()));
}

struct HintFields {
  std::string limit;
  std::string remaining;
  std::string reset;
};

Hint hint_of(const wire::Headers& headers, const HintFields& names) {
  const auto limit_field = headers.find(names.limit);
  Hint hint{.limit = number_of(limit_field),
            .remaining = number_of(headers.find(names.remaining)),
            .reset = {}};
  if (limit_field && !(hint.limit.value_or(0) > 0)) {
    return {};
  }
  if (const auto reset = headers.find(names.reset)) {
    hint.reset = parse_reset(headers, *reset);
  }
  return hint;
}

/// The form of OpenAI, else that of Anthropic, whose `tokens` is the most restrictive limit in
/// force.
Hint hint_of(const wire::Headers& headers, const std::string& dimension) {
  const Hint usual = hint_of(headers,
                             HintFields{.limit = "x-ratelimit-limit-" + dimension,
                                        .remaining = "x-ratelimit-remaining-" + dimension,
                                        .reset = "x-ratelimit-reset-" + dimension});
  if (usual.limit || usual.remaining || usual.reset) {
    return usual;
  }
  const std::string prefix = "anthropic-ratelimit-" + dimension;
  return hint_of(headers,
                 HintFields{.limit = prefix + "-limit",
                            .remaining = prefix + "-remaining",
                            .reset = prefix + "-reset"});
}

}  // namespace

std::optional<base::Duration> parse_wait(std::string_view text) {
  std::string_view rest = base::trim(text);
  double total = 0;
  bool found = false;
  while (!rest.empty()) {
    const std::optional<double> number = take_number(rest);
    if (!number) {
      return std::nullopt;
    }
    if (rest.empty() && !found) {
      return checked(*number);
    }
    // Go writes "1m30s": a unit ends where the next number begins.
    const std::size_t length = std::min(rest.find_first_of("0123456789."), rest.size());
    std::string_view unit_text = rest.substr(0, length);
    const std::optional<double> unit = take_unit(unit_text);
    if (!unit || !unit_text.empty()) {
      return std::nullopt;
    }
    total += *number * *unit;
    found = true;
    rest.remove_prefix(length);
  }
  return found ? checked(total) : std::nullopt;
}

std::optional<base::WallTime> parse_http_date(std::string_view text) {
  if (text.size() != kDateForm.size() || text.substr(3, 2) != ", " || text.substr(25) != " GMT" ||
      text[19] != ':' || text[22] != ':') {
    return std::nullopt;
  }
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  const std::optional<int> day = digits(text.substr(5, 2));
  const std::optional<int> year = digits(text.substr(12, 4));
  const std::optional<int> hour = digits(text.substr(17, 2));
  const std::optional<int> minute = digits(text.substr(20, 2));
  const std::optional<int> second = digits(text.substr(23, 2));
  if (month == kMonths.end() || !day || !year || !hour || !minute || !second || *hour > 23 ||
      *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(
      std::chrono::year(*year),
      std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
      std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) {
    return std::nullopt;
  }
  return base::WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute) + std::chrono::seconds(*second);
}

std::optional<base::Duration> wait_hint(const wire::Headers& headers, std::string_view message) {
  for (const std::string_view name : {"retry-after-ms", "x-ms-retry-after-ms"}) {
    if (const std::optional<double> milliseconds = number_of(headers.find(name))) {
      return checked(*milliseconds / 1000);
    }
  }
  if (const auto wait = retry_after(headers)) {
    return wait;
  }
  return phrase_wait(message);
}

quota::LimitHints limit_hints(const wire::Headers& headers) {
  const Hint requests = hint_of(headers, "requests");
  const Hint tokens = hint_of(headers, "tokens");
  return {.limit_requests = requests.limit,
          .remaining_requests = requests.remaining,
          .reset_requests = requests.reset,
          .limit_tokens = tokens.limit,
          .remaining_tokens = tokens.remaining,
          .reset_tokens = tokens.reset};
}

void take_limit(const wire::Headers& headers,
                const LimitHeaders& fields,
                quota::LimitHints& hints) {
  Hint more = hint_of(headers,
                      HintFields{.limit = std::string(fields.limit),
                                 .remaining = std::string(fields.remaining),
                                 .reset = std::string(fields.reset)});
  if (!more.limit) {
    return;
  }
  const double in_a_minute = 60 / base::seconds(fields.window);
  *more.limit *= in_a_minute;
  if (more.remaining) {
    *more.remaining *= in_a_minute;
  }
  const bool is_tokens = fields.dimension == quota::Dimension::tokens;
  auto& limit = is_tokens ? hints.limit_tokens : hints.limit_requests;
  auto& remaining = is_tokens ? hints.remaining_tokens : hints.remaining_requests;
  auto& reset = is_tokens ? hints.reset_tokens : hints.reset_requests;
  const auto left = [](const std::optional<double>& of, double otherwise) {
    return of.value_or(otherwise);
  };
  if (!limit || *more.limit < *limit ||
      (*more.limit == *limit && left(more.remaining, *limit) < left(remaining, *limit))) {
    limit = more.limit;
    remaining = more.remaining;
    reset = more.reset;
  }
}

std::optional<base::Duration> wait_until(Until until,
                                         const wire::Headers* headers,
                                         std::string_view message) {
  constexpr std::chrono::hours kBeijing(8);
  const std::optional<base::WallTime> now = headers != nullptr ? date_of(*headers) : std::nullopt;
  if (!now) {
    return std::nullopt;
  }
  switch (until) {
    case Until::hint:
      return std::nullopt;
    case Until::midnight_utc:
      return next_midnight(*now, std::chrono::hours(0)) - *now;
    case Until::midnight_pacific:
      return next_midnight(*now, pacific_offset(*now)) - *now;
    case Until::month_utc:
      return next_month(*now) - *now;
    case Until::stated_beijing: {
      const std::optional<base::WallTime> stated = stated_time(message);
      return time_left(stated ? std::optional(*stated - kBeijing) : std::nullopt, *now);
    }
  }
  return std::nullopt;
}

}  // namespace sortie::provider
