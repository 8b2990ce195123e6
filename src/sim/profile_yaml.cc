#include "sortie/base/error.h"
#include "sortie/base/secret.h"
#include "sortie/base/text.h"
#include "sortie/http/certificate.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/skill.h"
#include "sortie/sim/skill_yaml.h"
#include "sortie/spec/file.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"
#include "sortie/spec/node.h"
#include "sortie/spec/reader.h"
#include "sortie/spec/secret_ref.h"
#include "sortie/suite/suite.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::sim {

namespace {

using spec::Mapping;
using spec::Node;
using spec::NodeEntry;
using spec::Problems;
using spec::Range;

constexpr Range kShare{.min = 0, .max = 1};
constexpr Range kPositive{.min = 0, .max = 1e12, .above_min = true};
constexpr Range kNotNegative{.min = 0, .max = 1e12};
constexpr std::int64_t kConcurrencyMax = 1'000'000;
constexpr std::size_t kFaultsMax = 48;  // each has a draw of its own in a turn's 64
constexpr std::size_t kFileBytesMax = spec::kYamlBytesMax;
constexpr std::size_t kPemBytesMax = 1024UL * 1024;

template <class Value>
void assign(Value& target, std::optional<Value> value) {
  if (value.has_value()) {
    target = std::move(*value);
  }
}

/// The entries of a mapping whose keys are names of the user's.
const std::vector<NodeEntry>& named_entries(const Node& node,
                                            std::string_view what,
                                            Problems& problems) {
  static const std::vector<NodeEntry> none;
  if (node.kind != Node::Kind::mapping) {
    problems.add(
        node.mark,
        fmt::format("{}: expected a mapping from names, found {}", what, spec::kind_name(node)));
    return none;
  }
  for (const NodeEntry& entry : node.entries) {
    spec::check_name(entry.key, entry.mark, "/:@", problems);
  }
  return node.entries;
}

/// One of a closed set of words.
template <class Value, std::size_t kCount>
void read_word(Mapping& mapping,
               std::string_view key,
               const std::array<std::pair<std::string_view, Value>, kCount>& words,
               Value& target,
               Problems& problems) {
  const auto text = mapping.text(key);
  if (!text.has_value()) {
    return;
  }
  std::vector<std::string> names;
  for (const auto& [name, value] : words) {
    if (name == *text) {
      target = value;
      return;
    }
    names.emplace_back(name);
  }
  spec::report_unknown(key, {.text = *text, .mark = mapping.get(key)->mark}, names, problems);
}

ModelProfile read_model(const NodeEntry& entry, const SkillBook& book, Problems& problems) {
  ModelProfile model;
  model.name = entry.key;
  Mapping mapping(entry.value, fmt::format("model '{}'", entry.key), problems);
  assign(model.served_as, mapping.text("served_as"));
  if (const Node* skill = mapping.require("skill")) {
    model.skill = read_skill(*skill, book, problems);
  }
  read_law(mapping, "ttft_ms", model.ttft_ms, problems);
  read_law(mapping, "ms_per_output_token", model.ms_per_output_token, problems);
  read_law(mapping, "prose_tokens", model.skill.verbosity, problems);
  assign(model.price_input, mapping.number("price_input", kNotNegative));
  assign(model.price_output, mapping.number("price_output", kNotNegative));
  assign(model.keep_alive, mapping.boolean("keep_alive"));
  mapping.finish();
  return model;
}

/// A simulated key may stand in the file as it is: it opens nothing. env: and file: work as in an
/// endpoints file.
base::Secret read_key_secret(const Node& node, Problems& problems) {
  const auto text = spec::read_text(node, "key", problems);
  if (!text.has_value()) {
    return {};
  }
  if (!text->starts_with("env:") && !text->starts_with("file:")) {
    return base::Secret(*text);
  }
  const spec::SecretRef reference = spec::read_secret_ref(node, problems);
  auto secret = spec::resolve_secret(reference, problems.file());
  if (!secret) {
    // The message begins with the place, which `problems` adds.
    const spec::Position& at = reference.where;
    std::string_view message = secret.error().message;
    const std::string place = fmt::format("{}:{}:{}: ", at.file, at.line, at.column);
    if (message.starts_with(place)) {
      message.remove_prefix(place.size());
    }
    problems.add(node.mark, std::string(message));
    return {};
  }
  return std::move(*secret);
}

KeyProfile read_key(const NodeEntry& entry, Problems& problems) {
  KeyProfile key;
  key.name = entry.key;
  Mapping mapping(entry.value, fmt::format("key '{}'", entry.key), problems);
  if (const Node* secret = mapping.require("key")) {
    key.secret = read_key_secret(*secret, problems);
  }
  assign(key.account, mapping.text("account"));
  mapping.finish();
  return key;
}

std::vector<std::string> known_names(Mapping& mapping,
                                     std::string_view key,
                                     const std::vector<std::string>& known,
                                     Problems& problems) {
  std::vector<std::string> out;
  const Node* node = mapping.get(key);
  if (node == nullptr) {
    return out;
  }
  for (const spec::Name& name : spec::read_names(*node, key, problems)) {
    if (std::ranges::find(known, name.text) == known.end()) {
      spec::report_unknown(key, name, known, problems);
    }
    out.push_back(name.text);
  }
  return out;
}

/// The names that limits and faults may refer to.
struct KnownNames {
  std::vector<std::string> models;
  std::vector<std::string> keys;
};

/// requests_per_minute, tokens_per_minute, requests, tokens or concurrency: exactly one.
void read_quota(Mapping& mapping, LimitProfile& limit, spec::Mark mark, Problems& problems) {
  struct Form {
    std::string_view key;
    Dimension dimension;
    bool per_minute;
  };

  constexpr std::array<Form, 5> kForms = {{{"requests_per_minute", Dimension::requests, true},
                                           {"tokens_per_minute", Dimension::tokens, true},
                                           {"requests", Dimension::requests, false},
                                           {"tokens", Dimension::tokens, false},
                                           {"concurrency", Dimension::concurrency, true}}};
  int given = 0;
  bool needs_window = false;
  for (const Form& form : kForms) {
    if (mapping.get(form.key) == nullptr) {
      continue;
    }
    ++given;
    needs_window = !form.per_minute;
    limit.dimension = form.dimension;
    const bool whole = form.dimension == Dimension::concurrency;
    limit.quota =
        whole ? static_cast<double>(mapping.integer(form.key, 1, kConcurrencyMax).value_or(1))
              : mapping.number(form.key, kPositive).value_or(1);
  }
  const auto window = mapping.duration("window");
  assign(limit.window, window);
  if (given != 1) {
    problems.add(mark,
                 "a limit has exactly one of requests_per_minute, tokens_per_minute, requests, "
                 "tokens, concurrency");
  } else if (needs_window != window.has_value()) {
    problems.add(mark, "window: belongs to requests or tokens, and they need it");
  }
}

void read_pooling(Mapping& mapping, LimitProfile& limit, Problems& problems) {
  const Node* per = mapping.get("per");
  if (per == nullptr) {
    return;
  }
  limit.per_key = false;
  for (const spec::Name& name : spec::read_names(*per, "per", problems)) {
    if (name.text == "key") {
      limit.per_key = true;
    } else if (name.text == "account") {
      limit.per_account = true;
    } else if (name.text == "model") {
      limit.per_model = true;
    } else if (name.text != "provider") {
      const std::vector<std::string> words = {"key", "account", "model", "provider"};
      spec::report_unknown("pooling", name, words, problems);
    }
  }
}

LimitProfile read_limit(const Node& node,
                        std::size_t position,
                        const KnownNames& known,
                        Problems& problems) {
  constexpr std::array<std::pair<std::string_view, Shape>, 4> kShapes = {
      {{"sliding", Shape::sliding},
       {"token_bucket", Shape::token_bucket},
       {"fixed_aligned", Shape::fixed_aligned},
       {"fixed_first_use", Shape::fixed_first_use}}};
  constexpr std::array<std::pair<std::string_view, TokenCost>, 5> kCosts = {
      {{"input", TokenCost::input},
       {"output", TokenCost::output},
       {"input_output", TokenCost::input_output},
       {"input_and_max_tokens", TokenCost::input_and_max_tokens},
       {"larger_of_max_tokens_and_input", TokenCost::larger_of_max_tokens_and_input}}};
  constexpr std::array<std::pair<std::string_view, Settle>, 2> kSettles = {
      {{"none", Settle::none}, {"at_end", Settle::at_end}}};
  LimitProfile limit;
  Mapping mapping(node, fmt::format("limit {}", position + 1), problems);
  limit.name = mapping.text("name").value_or(fmt::format("limit-{}", position + 1));
  read_quota(mapping, limit, node.mark, problems);
  read_word(mapping, "shape", kShapes, limit.shape, problems);
  read_word(mapping, "cost", kCosts, limit.cost, problems);
  read_word(mapping, "settle", kSettles, limit.settle, problems);
  assign(limit.burst, mapping.number("burst", kPositive));
  if (const auto window = mapping.duration("enforced_over")) {
    limit.enforced_over = window;
  }
  read_pooling(mapping, limit, problems);
  limit.models = known_names(mapping, "models", known.models, problems);
  limit.keys = known_names(mapping, "keys", known.keys, problems);
  assign(limit.headers, mapping.boolean("headers"));
  assign(limit.refused_count, mapping.boolean("refused_count"));
  assign(limit.release_grace, mapping.duration("release_grace"));
  mapping.finish();
  return limit;
}

/// What a fault of connections takes instead of a share of the requests: a while.
void read_while(Mapping& mapping, FaultProfile& fault, Problems& problems) {
  assign(fault.from, mapping.duration("from"));
  if (const auto until = mapping.duration("until")) {
    fault.until = until;
    if (*until <= fault.from) {
      problems.add(mapping.mark_of("until"), "until: expected a time after `from`");
    }
  }
  const bool of_connections = is_connection_fault(fault.kind);
  const std::initializer_list<std::string_view> misplaced =
      of_connections ? std::initializer_list<std::string_view>{"probability",
                                                               "from_request",
                                                               "until_request",
                                                               "models",
                                                               "keys"}
                     : std::initializer_list<std::string_view>{"from", "until"};
  for (const std::string_view key : misplaced) {
    if (mapping.get(key) != nullptr) {
      problems.add(
          mapping.mark_of(key),
          of_connections
              ? fmt::format("{}: {} befalls connections, before any request; use from and until "
                            "(times since the start)",
                            key,
                            to_string(fault.kind))
              : fmt::format("{}: {} befalls requests; use from_request and until_request",
                            key,
                            to_string(fault.kind)));
    }
  }
}

FaultProfile read_fault(const Node& node,
                        std::size_t position,
                        const KnownNames& known,
                        Problems& problems) {
  FaultProfile fault;
  Mapping mapping(node, fmt::format("fault {}", position + 1), problems);
  if (const Node* kind = mapping.require("kind")) {
    const std::string text = spec::read_text(*kind, "kind", problems).value_or("");
    if (const auto known_kind = fault_kind_from(text)) {
      fault.kind = *known_kind;
    } else {
      spec::report_unknown(
          "fault", {.text = text, .mark = kind->mark}, fault_kind_names(), problems);
    }
  }
  assign(fault.probability, mapping.number("probability", kShare));
  constexpr std::int64_t kRequestMax = std::numeric_limits<std::int64_t>::max();
  if (const auto from = mapping.integer("from_request", 1, kRequestMax)) {
    fault.from_request = static_cast<std::uint64_t>(*from);
  }
  if (const auto until = mapping.integer("until_request", 1, kRequestMax)) {
    fault.until_request = static_cast<std::uint64_t>(*until);
  }
  fault.models = known_names(mapping, "models", known.models, problems);
  fault.keys = known_names(mapping, "keys", known.keys, problems);
  assign(fault.served_as, mapping.text("served_as"));
  assign(fault.retry_after, mapping.duration("retry_after"));
  assign(fault.every, mapping.duration("every"));
  read_while(mapping, fault, problems);
  if (is_content_fault(fault.kind)) {
    for (const std::string_view key : {"from_request", "until_request", "keys"}) {
      if (mapping.get(key) != nullptr) {
        problems.add(mapping.mark_of(key),
                     fmt::format("{}: {} becomes part of a dialogue, so it cannot depend on the "
                                 "order of requests or on "
                                 "the key; use probability",
                                 key,
                                 to_string(fault.kind)));
      }
    }
  }
  mapping.finish();
  return fault;
}

/// A file that the profile names, beside it.
std::optional<std::string> read_named_file(const Node& node,
                                           std::string_view what,
                                           Problems& problems) {
  const auto name = spec::read_text(node, what, problems);
  if (!name.has_value()) {
    return std::nullopt;
  }
  auto text = spec::read_file(spec::resolve_path(*name, problems.file()), kPemBytesMax);
  if (!text.has_value()) {
    problems.add(node.mark, fmt::format("{}: {}", what, text.error().message));
    return std::nullopt;
  }
  return std::move(*text);
}

void read_identity(const Node& certificate, const Node& key, TlsProfile& tls, Problems& problems) {
  const auto certificates = read_named_file(certificate, "certificate", problems);
  const auto secret = read_named_file(key, "key", problems);
  if (!certificates.has_value() || !secret.has_value()) {
    return;
  }
  if (const auto readable = http::check_certificates(*certificates); !readable.has_value()) {
    problems.add(certificate.mark, "certificate: " + readable.error().message);
    return;
  }
  const http::TlsIdentity identity{.certificate = *certificates, .key = base::Secret(*secret)};
  if (const auto fits = http::check_identity(identity); !fits.has_value()) {
    problems.add(key.mark, "key: " + fits.error().message);
    return;
  }
  tls.identity = std::make_shared<const http::TlsIdentity>(identity);
}

/// A certificate with its key, or a file for the authority of one that is made.
void read_tls(const Node& node, ProviderProfile& provider, Problems& problems) {
  Mapping mapping(node, "tls", problems);
  const Node* certificate = mapping.get("certificate");
  const Node* key = mapping.get("key");
  const auto authority = mapping.text("throw_away");
  TlsProfile tls;
  if (authority.has_value() && certificate == nullptr && key == nullptr) {
    tls.authority_file = spec::resolve_path(*authority, problems.file());
  } else if (!authority.has_value() && certificate != nullptr && key != nullptr) {
    read_identity(*certificate, *key, tls, problems);
  } else {
    problems.add(node.mark,
                 "tls: expected {certificate: FILE, key: FILE}, or {throw_away: FILE} for one that "
                 "is made at the start, whose authority is written to FILE");
  }
  mapping.finish();
  provider.tls = std::move(tls);
}

void check_handshakes(const Node& fault, const ProviderProfile& provider, Problems& problems) {
  if (provider.faults.back().kind == FaultKind::slow_handshake && !provider.tls.has_value()) {
    problems.add(fault.mark, "slow_handshake: needs `tls:` of the provider");
  }
}

void read_listen(Mapping& mapping, ProviderProfile& provider, Problems& problems) {
  const Node* node = mapping.require("listen");
  if (node == nullptr) {
    return;
  }
  const std::string text = spec::read_text(*node, "listen", problems).value_or("");
  const std::size_t colon = text.rfind(':');
  unsigned port = 0;
  bool valid = colon != std::string::npos && colon > 0;
  if (valid) {
    const auto [end, error] =
        std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
    valid = error == std::errc{} && end == text.data() + text.size() &&
            port <= std::numeric_limits<std::uint16_t>::max();
  }
  if (!valid) {
    problems.add(node->mark,
                 "listen: expected HOST:PORT with 127.0.0.1 or localhost, such as 127.0.0.1:18801 "
                 "(port 0: any free one)");
    return;
  }
  provider.host = text.substr(0, colon);
  provider.port = static_cast<std::uint16_t>(port);
}

template <class Profile>
std::vector<std::string> names_of(const std::vector<Profile>& profiles) {
  std::vector<std::string> names;
  for (const Profile& profile : profiles) {
    names.push_back(profile.name);
  }
  return names;
}

ProviderProfile read_provider(const NodeEntry& entry, const SkillBook& book, Problems& problems) {
  ProviderProfile provider;
  provider.name = entry.key;
  Mapping mapping(entry.value, fmt::format("provider '{}'", entry.key), problems);
  read_listen(mapping, provider, problems);
  assign(provider.path, mapping.text("path"));
  if (const Node* tls = mapping.get("tls")) {
    read_tls(*tls, provider, problems);
  }
  constexpr double kBiasMax = 0.5;
  assign(provider.token_bias, mapping.number("token_bias", {.min = -kBiasMax, .max = kBiasMax}));
  if (const Node* models = mapping.require("models")) {
    for (const NodeEntry& model : named_entries(*models, "models", problems)) {
      provider.models.push_back(read_model(model, book, problems));
    }
    if (models->kind == Node::Kind::mapping && models->entries.empty()) {
      problems.add(models->mark, "models: expected at least one model");
    }
  }
  if (const Node* keys = mapping.get("keys")) {
    for (const NodeEntry& key : named_entries(*keys, "keys", problems)) {
      provider.keys.push_back(read_key(key, problems));
    }
  }
  const KnownNames known{.models = names_of(provider.models), .keys = names_of(provider.keys)};
  if (const Node* limits = mapping.get("limits")) {
    std::set<std::string> names;
    for (const Node& limit : spec::items_of(*limits)) {
      provider.limits.push_back(read_limit(limit, provider.limits.size(), known, problems));
      if (!names.insert(provider.limits.back().name).second) {
        problems.add(
            limit.mark,
            fmt::format("the name '{}' is taken by another limit", provider.limits.back().name));
      }
    }
  }
  if (const Node* faults = mapping.get("faults")) {
    for (const Node& fault : spec::items_of(*faults)) {
      provider.faults.push_back(read_fault(fault, provider.faults.size(), known, problems));
      check_handshakes(fault, provider, problems);
    }
    if (provider.faults.size() > kFaultsMax) {
      problems.add(faults->mark, fmt::format("faults: at most {} are possible", kFaultsMax));
    }
  }
  mapping.finish();
  return provider;
}

void read_providers(const Node& node, const SkillBook& book, Profile& profile, Problems& problems) {
  for (const NodeEntry& entry : named_entries(node, "providers", problems)) {
    profile.providers.push_back(read_provider(entry, book, problems));
  }
  if (node.kind == Node::Kind::mapping && node.entries.empty()) {
    problems.add(node.mark, "providers: expected at least one provider");
  }
}

}  // namespace

base::Result<Profile> parse_profile(const std::string& source, std::string_view text) {
  Problems problems(source, text);
  Profile profile;
  if (const auto root = spec::parse_yaml(text, problems)) {
    Mapping top(*root, "simulator profile", problems);
    if (spec::check_version(*root, top, problems)) {
      if (const auto seed = top.integer("seed", 0, std::numeric_limits<std::int64_t>::max())) {
        profile.seed = static_cast<std::uint64_t>(*seed);
      }
      if (const auto suite = top.text("suite"); suite && *suite != suite::kBuiltInSuite) {
        profile.suite = spec::resolve_path(*suite, source);
      }
      SkillBook book = shipped_skills();
      if (const Node* skills = top.get("skills")) {
        read_skill_book(*skills, book, problems);
      }
      if (const Node* providers = top.require("providers")) {
        read_providers(*providers, book, profile, problems);
      }
      top.finish();
    }
  }
  if (problems.any()) {
    return std::unexpected(problems.error());
  }
  return profile;
}

base::Result<Profile> load_profile(const std::string& path) {
  TRY_ASSIGN(const std::string text, spec::read_file(path, kFileBytesMax));
  return parse_profile(path, text);
}

}  // namespace sortie::sim
