#include "sortie/spec/budget.h"

#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/spec/read_budget.h"
#include "sortie/spec/reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

namespace sortie::spec {
namespace {

constexpr double kTokensMax = 1e15;
constexpr double kCostMax = 1e9;
constexpr std::size_t kTextShownMax = 60;

std::string shown(std::string_view text) {
  return base::shortened(base::valid_utf8(text), kTextShownMax);
}

/// The number that `text` begins with, which is taken off it.
std::optional<double> take_number(std::string_view& text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(value)) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<double> seconds_of_unit(std::string_view unit) {
  struct Unit {
    std::string_view name;
    double seconds;
  };

  constexpr std::array kUnits = {
      Unit{"s", 1}, Unit{"m", 60}, Unit{"min", 60}, Unit{"h", 3'600}, Unit{"d", 86'400}};
  for (const Unit& known : kUnits) {
    if (known.name == unit) {
      return known.seconds;
    }
  }
  return std::nullopt;
}

/// "1d12h", "6 h 30 min".
std::optional<base::Duration> parse_span(std::string_view text) {
  constexpr double kSecondsMax = 366.0 * 86'400;
  double total = 0;
  text = base::trim(text);
  if (text.empty()) {
    return std::nullopt;
  }
  while (!text.empty()) {
    const std::optional<double> number = take_number(text);
    text = base::trim(text);
    const std::size_t letters =
        std::min(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), text.size());
    const std::optional<double> unit = seconds_of_unit(text.substr(0, letters));
    if (!number || *number < 0 || !unit) {
      return std::nullopt;
    }
    total += *number * *unit;
    text = base::trim(text.substr(letters));
  }
  if (!(total > 0) || total > kSecondsMax) {
    return std::nullopt;
  }
  return base::from_seconds(total);
}

/// `size` decimal digits, then `after`; taken off `text`.
bool take_digits(std::string_view& text, std::size_t size, std::string_view after, int& value) {
  if (text.size() < size) {
    return false;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + size, value);
  if (error != std::errc() || end != text.data() + size || value < 0) {
    return false;
  }
  text.remove_prefix(size);
  if (!text.starts_with(after)) {
    return false;
  }
  text.remove_prefix(after.size());
  return true;
}

/// "2026-11-27T18:00", with ":30" for seconds and "Z" for UTC; a blank may stand for the T.
std::optional<base::WallTime> parse_point(std::string_view text) {
  std::string normal(text);
  if (normal.size() > 10 && normal[10] == ' ') {
    normal[10] = 'T';
  }
  std::string_view rest = normal;
  int year = 0;
  int month = 0;
  int day = 0;
  std::tm point{};
  if (!take_digits(rest, 4, "-", year) || !take_digits(rest, 2, "-", month) ||
      !take_digits(rest, 2, "T", day) || !take_digits(rest, 2, ":", point.tm_hour) ||
      !take_digits(rest, 2, "", point.tm_min)) {
    return std::nullopt;
  }
  if (rest.starts_with(':')) {
    rest.remove_prefix(1);
    if (!take_digits(rest, 2, "", point.tm_sec)) {
      return std::nullopt;
    }
  }
  const bool utc = rest == "Z";
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if ((!utc && !rest.empty()) || !date.ok() || point.tm_hour > 23 || point.tm_min > 59 ||
      point.tm_sec > 59) {
    return std::nullopt;
  }
  point.tm_year = year - 1900;
  point.tm_mon = month - 1;
  point.tm_mday = day;
  point.tm_isdst = -1;
  const std::time_t seconds = utc ? ::timegm(&point) : std::mktime(&point);
  return base::WallTime(std::chrono::seconds(seconds));
}

template <class Value>
std::optional<Value> read_with(const Node* node,
                               std::string_view label,
                               base::Result<Value> (*parse)(std::string_view),
                               Problems& problems) {
  if (node == nullptr) {
    return std::nullopt;
  }
  if (node->kind != Node::Kind::scalar) {
    problems.add(node->mark,
                 fmt::format("{}: expected a value, found {}", label, kind_name(*node)));
    return std::nullopt;
  }
  base::Result<Value> value = parse(node->text);
  if (!value) {
    problems.add(node->mark, fmt::format("{}: {}", label, value.error().message));
    return std::nullopt;
  }
  return std::move(value).value();
}

}  // namespace

base::Result<double> parse_cost(std::string_view text) {
  std::string_view rest = text;
  const std::optional<double> value = take_number(rest);
  if (!value || !rest.empty() || !(*value > 0) || *value > kCostMax) {
    return base::bad_input(
        fmt::format("expected US dollars above zero such as 25 or 0.5, found \"{}\"", shown(text)));
  }
  return *value;
}

base::Result<std::int64_t> parse_tokens(std::string_view text) {
  std::string_view rest = text;
  const std::optional<double> value = take_number(rest);
  double factor = 0;
  if (rest.empty()) {
    factor = 1;
  } else if (rest == "k" || rest == "K") {
    factor = 1e3;
  } else if (rest == "M") {
    factor = 1e6;
  } else if (rest == "G") {
    factor = 1e9;
  }
  const double tokens = value.value_or(0) * factor;
  if (!(tokens >= 1) || tokens > kTokensMax) {
    return base::bad_input(fmt::format(
        "expected a number of tokens such as 500000, 500k or 2M, found \"{}\"", shown(text)));
  }
  return static_cast<std::int64_t>(tokens);
}

base::Result<Deadline> parse_deadline(std::string_view text) {
  if (const auto span = parse_span(text)) {
    return Deadline(*span);
  }
  if (const auto point = parse_point(text)) {
    return Deadline(*point);
  }
  return base::bad_input(
      fmt::format("expected a time from now such as 90m, 6h or 1d12h, or a date such as "
                  "2026-11-27T18:00 (local) or 2026-11-27T18:00Z (UTC), found \"{}\"",
                  shown(text)));
}

Budget merged(const Budget& first, const Budget& second) {
  Budget result = first;
  if (!result.max_cost_usd) {
    result.max_cost_usd = second.max_cost_usd;
  }
  if (!result.max_tokens) {
    result.max_tokens = second.max_tokens;
  }
  if (!result.deadline) {
    result.deadline = second.deadline;
  }
  return result;
}

base::WallTime end_of(const Deadline& deadline, base::WallTime now) {
  if (const auto* span = std::get_if<base::Duration>(&deadline)) {
    return now + std::chrono::duration_cast<base::WallTime::duration>(*span);
  }
  return std::get<base::WallTime>(deadline);
}

base::Status check_prices(const Topology& topology, const Campaign& campaign) {
  std::set<std::size_t> used;
  for (const Cell& cell : campaign.cells) {
    used.insert(cell.model);
  }
  for (const std::size_t index : used) {
    const Model& model = topology.models[index];
    if (!model.priced) {
      return base::bad_input(fmt::format(
          "{}:{}:{}: model '{}' has no price, which a budget in dollars needs: write  price: "
          "{{input: …, output: …}}  in its row (US dollars per million tokens; zeros if it is "
          "free)",
          model.where.file,
          model.where.line,
          model.where.column,
          model.name));
    }
  }
  return {};
}

Budget read_budget(const Node& node, Problems& problems) {
  Mapping mapping(node, "budget", problems);
  Budget budget;
  budget.max_cost_usd = read_with(mapping.get("max_cost"), "max_cost", parse_cost, problems);
  budget.max_tokens = read_with(mapping.get("max_tokens"), "max_tokens", parse_tokens, problems);
  budget.deadline = read_with(mapping.get("deadline"), "deadline", parse_deadline, problems);
  mapping.finish();
  return budget;
}

}  // namespace sortie::spec
