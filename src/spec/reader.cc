#include "sortie/spec/reader.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/spec/node.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::spec {
namespace {

constexpr std::size_t kTextShownMax = 60;
constexpr std::size_t kTextBytesMax = 4'096;
constexpr std::size_t kNameBytesMax = 128;

/// For messages: what stands there, with the text of a scalar.
std::string found(const Node& node) {
  if (node.kind != Node::Kind::scalar) {
    return std::string(kind_name(node));
  }
  return fmt::format(
      "{}\"{}\"", node.quoted ? "the quoted text " : "", base::shortened(node.text, kTextShownMax));
}

void report_type(const Node& node,
                 std::string_view label,
                 std::string_view expected,
                 Problems& problems) {
  problems.add(node.mark, fmt::format("{}: expected {}, found {}", label, expected, found(node)));
}

template <class Number>
std::optional<Number> parse_whole(std::string_view text) {
  Number value{};
  if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::string range_text(Range range) {
  return fmt::format("{} {} and at most {}",
                     range.above_min ? "greater than" : "at least",
                     json::number_text(range.min),
                     json::number_text(range.max));
}

bool is_plain_scalar(const Node& node) {
  return node.kind == Node::Kind::scalar && !node.quoted;
}

}  // namespace

std::optional<std::string> read_text(const Node& node, std::string_view label, Problems& problems) {
  if (node.kind != Node::Kind::scalar) {
    report_type(node, label, "a text", problems);
    return std::nullopt;
  }
  if (node.text.size() > kTextBytesMax) {
    problems.add(node.mark, fmt::format("{}: longer than {} bytes", label, kTextBytesMax));
    return std::nullopt;
  }
  const bool control =
      std::ranges::any_of(node.text, [](char c) { return (c >= 0 && c < ' ') || c == '\x7F'; });
  if (control) {
    problems.add(node.mark,
                 fmt::format("{}: control characters and line breaks are not allowed", label));
    return std::nullopt;
  }
  return node.text;
}

std::optional<double> read_number(const Node& node,
                                  std::string_view label,
                                  Range range,
                                  Problems& problems) {
  const std::optional<double> value =
      is_plain_scalar(node) ? parse_whole<double>(node.text) : std::nullopt;
  if (!value || !std::isfinite(*value)) {
    report_type(node, label, "a number", problems);
    return std::nullopt;
  }
  if (*value < range.min || *value > range.max || (range.above_min && *value == range.min)) {
    problems.add(node.mark,
                 fmt::format("{}: must be {}, found {}", label, range_text(range), node.text));
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> read_integer(const Node& node,
                                         std::string_view label,
                                         std::int64_t min,
                                         std::int64_t max,
                                         Problems& problems) {
  const std::optional<std::int64_t> value =
      is_plain_scalar(node) ? parse_whole<std::int64_t>(node.text) : std::nullopt;
  if (!value) {
    report_type(node, label, "a whole number", problems);
    return std::nullopt;
  }
  if (*value < min || *value > max) {
    problems.add(
        node.mark,
        fmt::format(
            "{}: must be at least {} and at most {}, found {}", label, min, max, node.text));
    return std::nullopt;
  }
  return value;
}

std::optional<bool> read_bool(const Node& node, std::string_view label, Problems& problems) {
  if (is_plain_scalar(node) && (node.text == "true" || node.text == "false")) {
    return node.text == "true";
  }
  report_type(node, label, "true or false", problems);
  return std::nullopt;
}

std::optional<base::Duration> read_duration(const Node& node,
                                            std::string_view label,
                                            Problems& problems) {
  struct Unit {
    std::string_view name;
    double seconds;
  };

  constexpr std::array kUnits = {Unit{"ms", 1e-3}, Unit{"s", 1}, Unit{"m", 60}, Unit{"h", 3'600}};
  constexpr double kSecondsMax = 10 * 86'400;
  if (node.kind == Node::Kind::scalar) {
    for (const Unit& unit : kUnits) {
      if (!node.text.ends_with(unit.name)) {
        continue;
      }
      const auto number = parse_whole<double>(
          std::string_view(node.text).substr(0, node.text.size() - unit.name.size()));
      if (number && *number > 0 && *number * unit.seconds <= kSecondsMax) {
        return base::from_seconds(*number * unit.seconds);
      }
    }
  }
  report_type(node, label, "a time such as 250ms, 10s, 5m or 24h (at most 240h)", problems);
  return std::nullopt;
}

std::span<const Node> items_of(const Node& node) {
  if (node.kind == Node::Kind::list) {
    return node.items;
  }
  return {&node, 1};
}

std::vector<Name> read_names(const Node& node, std::string_view label, Problems& problems) {
  std::vector<Name> names;
  if (node.kind == Node::Kind::mapping || node.kind == Node::Kind::nothing) {
    report_type(node, label, "a list of names", problems);
    return names;
  }
  if (node.kind == Node::Kind::list && node.items.empty()) {
    problems.add(node.mark, fmt::format("{}: the list is empty", label));
  }
  std::set<std::string_view> seen;
  for (const Node& item : items_of(node)) {
    std::optional<std::string> text = read_text(item, label, problems);
    if (!text) {
      continue;
    }
    if (!seen.insert(item.text).second) {
      problems.add(
          item.mark,
          fmt::format("{}: '{}' stands here twice", label, base::shortened(*text, kTextShownMax)));
      continue;
    }
    names.push_back({.text = std::move(*text), .mark = item.mark});
  }
  return names;
}

bool check_name(std::string_view name, Mark where, std::string_view extra, Problems& problems) {
  const auto allowed = [extra](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || extra.contains(c);
  };
  if (!name.empty() && name.size() <= kNameBytesMax && name[0] != '.' && name[0] != '-' &&
      std::ranges::all_of(name, allowed)) {
    return true;
  }
  std::string characters;
  for (const char c : extra) {
    characters += fmt::format(" {}", c);
  }
  problems.add(where,
               fmt::format("a name here has 1 to {} characters: letters, digits, and . _ -{}; the "
                           "first is no . or -",
                           kNameBytesMax,
                           characters));
  return false;
}

void report_unknown(std::string_view what,
                    const Name& name,
                    std::span<const std::string> candidates,
                    Problems& problems) {
  problems.add(name.mark,
               fmt::format("unknown {} '{}'{}",
                           what,
                           base::shortened(name.text, kTextShownMax),
                           base::suggestion(name.text, candidates)));
}

Mapping::Mapping(const Node& node, std::string what, Problems& problems)
    : node_(&node),
      what_(std::move(what)),
      problems_(&problems),
      is_mapping_(node.kind == Node::Kind::mapping) {
  if (!is_mapping_) {
    problems_->add(node.mark,
                   fmt::format("{}: expected a mapping, found {}", what_, kind_name(node)));
  }
}

const Node* Mapping::get(std::string_view key) {
  if (std::ranges::find(known_, key) == known_.end()) {
    known_.emplace_back(key);
  }
  const auto entry = std::ranges::find(node_->entries, key, &NodeEntry::key);
  return entry == node_->entries.end() ? nullptr : &entry->value;
}

const Node* Mapping::require(std::string_view key) {
  const Node* value = get(key);
  if (value == nullptr && is_mapping_) {
    problems_->add(node_->mark, fmt::format("{}: '{}' is missing", what_, key));
  }
  return value;
}

std::optional<std::string> Mapping::text(std::string_view key) {
  const Node* value = get(key);
  return value == nullptr ? std::nullopt : read_text(*value, key, *problems_);
}

std::optional<double> Mapping::number(std::string_view key, Range range) {
  const Node* value = get(key);
  return value == nullptr ? std::nullopt : read_number(*value, key, range, *problems_);
}

std::optional<std::int64_t> Mapping::integer(std::string_view key,
                                             std::int64_t min,
                                             std::int64_t max) {
  const Node* value = get(key);
  return value == nullptr ? std::nullopt : read_integer(*value, key, min, max, *problems_);
}

std::optional<bool> Mapping::boolean(std::string_view key) {
  const Node* value = get(key);
  return value == nullptr ? std::nullopt : read_bool(*value, key, *problems_);
}

std::optional<base::Duration> Mapping::duration(std::string_view key) {
  const Node* value = get(key);
  return value == nullptr ? std::nullopt : read_duration(*value, key, *problems_);
}

Mark Mapping::mark_of(std::string_view key) const {
  const auto entry = std::ranges::find(node_->entries, key, &NodeEntry::key);
  return entry == node_->entries.end() ? node_->mark : entry->mark;
}

void Mapping::finish() {
  for (const NodeEntry& entry : node_->entries) {
    if (std::ranges::find(known_, entry.key) == known_.end()) {
      problems_->add(entry.mark,
                     fmt::format("{}: unknown key '{}'{}",
                                 what_,
                                 base::shortened(entry.key, kTextShownMax),
                                 base::suggestion(entry.key, known_)));
    }
  }
}

bool check_version(const Node& root, Mapping& top, Problems& problems) {
  if (root.kind != Node::Kind::mapping) {
    return false;
  }
  const Node* version = top.require("version");
  if (version == nullptr) {
    return false;
  }
  const std::optional<std::int64_t> number =
      read_integer(*version, "version", 0, 1'000'000, problems);
  if (number && *number != 1) {
    problems.add(version->mark,
                 fmt::format("version: this program reads version 1, found {}", *number));
  }
  return number == 1;
}

}  // namespace sortie::spec
