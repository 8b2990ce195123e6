#include "sortie/spec/signals_file.h"

#include "sortie/base/check.h"
#include "sortie/provider/signals.h"
#include "sortie/quota/signal.h"
#include "sortie/spec/node.h"
#include "sortie/spec/reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

// signals.yaml, linked into the binary.
extern "C" {
extern const char sortie_spec_signals_begin[];
extern const char sortie_spec_signals_end[];
}

namespace sortie::spec {
namespace {

using provider::Until;
using quota::Dimension;
using quota::SignalClass;

constexpr int kStatusMax = 999;
constexpr std::size_t kRowsMax = 1'000;

constexpr std::array kClasses = {SignalClass::throttle,
                                 SignalClass::concurrency,
                                 SignalClass::daily_cap,
                                 SignalClass::out_of_money,
                                 SignalClass::ramp,
                                 SignalClass::overload,
                                 SignalClass::transient,
                                 SignalClass::auth,
                                 SignalClass::wrong_name,
                                 SignalClass::bad_request};
constexpr std::array kDimensions = {
    Dimension::unknown, Dimension::requests, Dimension::tokens, Dimension::concurrency};

struct UntilName {
  std::string_view name;
  Until until;
};

constexpr std::array<UntilName, 4> kUntils = {{{"midnight_utc", Until::midnight_utc},
                                               {"midnight_pacific", Until::midnight_pacific},
                                               {"month_utc", Until::month_utc},
                                               {"stated_beijing", Until::stated_beijing}}};

std::optional<int> status_of(std::string_view text) {
  int status = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && status >= 100 && status <= kStatusMax ? std::optional(status) : std::nullopt;
}

/// "429", "400-422" or "400+".
void read_status(const Node& node, provider::SignalRow& row, Problems& problems) {
  const std::string_view text = node.text;
  const std::size_t dash = text.find('-');
  std::optional<int> first;
  std::optional<int> last;
  if (dash != std::string_view::npos) {
    first = status_of(text.substr(0, dash));
    last = status_of(text.substr(dash + 1));
  } else if (text.ends_with('+')) {
    first = status_of(text.substr(0, text.size() - 1));
    last = kStatusMax;
  } else {
    first = last = status_of(text);
  }
  if (node.kind != Node::Kind::scalar || !first || !last || *first > *last) {
    problems.add(node.mark, "status: expected an HTTP status such as 429, 400-422 or 500+");
    return;
  }
  row.status_min = *first;
  row.status_max = *last;
}

/// One text or several, as the alternatives of a row.
std::string read_alternatives(const Node* node, std::string_view label, Problems& problems) {
  std::string out;
  if (node == nullptr) {
    return out;
  }
  for (const Name& name : read_names(*node, label, problems)) {
    if (name.text.empty() || name.text.contains('|')) {
      problems.add(name.mark, fmt::format("{}: expected a text without '|'", label));
      continue;
    }
    out += (out.empty() ? "" : "|") + name.text;
  }
  return out;
}

template <class Value, std::size_t Size>
std::optional<Value> read_choice(const Node* node,
                                 std::string_view label,
                                 const std::array<Value, Size>& values,
                                 Problems& problems) {
  if (node == nullptr) {
    return std::nullopt;
  }
  const std::optional<std::string> name = read_text(*node, label, problems);
  if (!name) {
    return std::nullopt;
  }
  std::vector<std::string> known;
  for (const Value value : values) {
    known.emplace_back(to_string(value));
    if (known.back() == *name) {
      return value;
    }
  }
  report_unknown(label, {.text = *name, .mark = node->mark}, known, problems);
  return std::nullopt;
}

Until read_until(const Node* node, Problems& problems) {
  if (node == nullptr) {
    return Until::hint;
  }
  const std::optional<std::string> name = read_text(*node, "until", problems);
  const auto found = std::ranges::find(kUntils, name.value_or(""), &UntilName::name);
  if (found == kUntils.end()) {
    problems.add(node->mark,
                 "until: expected midnight_utc, midnight_pacific, month_utc or stated_beijing");
    return Until::hint;
  }
  return found->until;
}

provider::SignalRow read_row(const Node& node, Problems& problems) {
  Mapping mapping(node, "signal", problems);
  provider::SignalRow row;
  row.provider = read_alternatives(mapping.get("provider"), "provider", problems);
  if (const Node* status = mapping.get("status")) {
    read_status(*status, row, problems);
  }
  row.code = read_alternatives(mapping.get("code"), "code", problems);
  row.text = read_alternatives(mapping.get("text"), "text", problems);
  row.header = mapping.text("header").value_or("");
  row.wait_over = mapping.duration("wait_over").value_or(base::Duration{});
  if (const auto kind = read_choice(mapping.require("class"), "class", kClasses, problems)) {
    row.kind = *kind;
  }
  row.dimension = read_choice(mapping.get("dimension"), "dimension", kDimensions, problems)
                      .value_or(Dimension::unknown);
  row.maybe_billed = mapping.boolean("billed").value_or(false);
  row.code_as = mapping.text("as").value_or("");
  row.until = read_until(mapping.get("until"), problems);
  row.guess = mapping.boolean("guess").value_or(false);
  mapping.finish();
  return row;
}

provider::ProviderRow read_provider(const NodeEntry& entry, Problems& problems) {
  Mapping mapping(entry.value, fmt::format("provider '{}'", entry.key), problems);
  provider::ProviderRow row;
  row.name = entry.key;
  if (const Node* hosts = mapping.require("hosts")) {
    for (Name& host : read_names(*hosts, "hosts", problems)) {
      row.hosts.push_back(std::move(host.text));
    }
  }
  if (const auto headers = mapping.text("request_headers")) {
    row.ignore_request_headers = *headers == "ignore";
    if (!row.ignore_request_headers) {
      problems.add(mapping.mark_of("request_headers"), "request_headers: expected ignore");
    }
  }
  mapping.finish();
  return row;
}

provider::SignalTable read_shipped() {
  const std::string_view text(sortie_spec_signals_begin, sortie_spec_signals_end);
  Problems problems("signals.yaml", text);
  provider::SignalTable table;
  const std::optional<Node> root = parse_yaml(text, problems);
  CHECK(root.has_value());
  Mapping top(*root, "signals file", problems);
  CHECK(check_version(*root, top, problems));
  const Node* providers = top.require("providers");
  const Node* signals = top.require("signals");
  CHECK(providers != nullptr && signals != nullptr);
  top.finish();
  for (const NodeEntry& entry : providers->entries) {
    table.providers.push_back(read_provider(entry, problems));
  }
  table.rows = read_signal_rows(*signals, problems);
  CHECK(!problems.any());
  return table;
}

}  // namespace

std::vector<provider::SignalRow> read_signal_rows(const Node& node, Problems& problems) {
  std::vector<provider::SignalRow> rows;
  if (node.kind != Node::Kind::list || node.items.size() > kRowsMax) {
    problems.add(
        node.mark,
        fmt::format(
            "signals: expected a list of at most {} rows, found {}", kRowsMax, kind_name(node)));
    return rows;
  }
  rows.reserve(node.items.size());
  for (const Node& item : node.items) {
    rows.push_back(read_row(item, problems));
  }
  return rows;
}

const provider::SignalTable& shipped_signals() {
  static const provider::SignalTable table = read_shipped();
  return table;
}

}  // namespace sortie::spec
