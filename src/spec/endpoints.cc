#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/signals.h"
#include "sortie/spec/file.h"
#include "sortie/spec/limits.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"
#include "sortie/spec/models.h"
#include "sortie/spec/node.h"
#include "sortie/spec/node_json.h"
#include "sortie/spec/reader.h"
#include "sortie/spec/routes.h"
#include "sortie/spec/secret_ref.h"
#include "sortie/spec/signals_file.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::spec {
namespace {

constexpr std::int64_t kConnectionsMax = 65'536;

/// The key of an endpoint that declares none: routes need one to refer to.
constexpr std::string_view kNoKey = "no-key";

/// "127.0.0.1" of "http://127.0.0.1:8000/v1"; empty if there is none.
std::string_view host_of(std::string_view url) {
  const std::size_t start = url.find("://");
  if (start == std::string_view::npos) {
    return {};
  }
  std::string_view host = url.substr(start + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (host.starts_with('[')) {
    return host.substr(0, host.find(']') + 1);
  }
  return host.substr(0, host.find(':'));
}

/// Names that cannot leave the machine. 127.0.0.0/8 only as four numbers: "127.evil.example" is
/// somebody else's.
bool is_loopback(std::string_view host) {
  const bool numeric =
      std::ranges::all_of(host, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  return base::equals_ignoring_case(host, "localhost") || host == "[::1]" ||
         (numeric && host.starts_with("127.") && std::ranges::count(host, '.') == 3);
}

/// The URL without slashes at its end.
std::string read_base_url(const Node& node, Problems& problems) {
  const std::optional<std::string> url = read_text(node, "base_url", problems);
  if (!url) {
    return {};
  }
  const bool known_scheme = url->starts_with("http://") || url->starts_with("https://");
  const std::string_view host = host_of(*url);
  if (!known_scheme || host.empty() || url->find_first_of(" \\\"<>^`{|}") != std::string::npos) {
    problems.add(
        node.mark,
        "base_url: expected http://host… or https://host…, such as https://api.example.com/v1");
    return {};
  }
  if (url->find_first_of("@?#") != std::string::npos) {
    problems.add(
        node.mark,
        "base_url: a user, a query or a fragment is not allowed; keys are named under keys:");
    return {};
  }
  std::string_view trimmed = *url;
  while (trimmed.ends_with('/')) {
    trimmed.remove_suffix(1);
  }
  return std::string(trimmed);
}

void read_http_version(const Node& node, wire::Access& access, Problems& problems) {
  const std::string text = read_text(node, "http", problems).value_or("auto");
  if (text == "auto") {
    access.http = wire::Access::HttpVersion::automatic;
  } else if (text == "http1") {
    access.http = wire::Access::HttpVersion::http1;
  } else if (text == "http2") {
    access.http = wire::Access::HttpVersion::http2;
  } else {
    const std::vector<std::string> words = {"auto", "http1", "http2"};
    report_unknown("HTTP version", {.text = text, .mark = node.mark}, words, problems);
  }
}

void read_proxy(const Node& node, wire::Access& access, Problems& problems) {
  const std::string text = read_text(node, "proxy", problems).value_or("none");
  const std::size_t host = text.find("://");
  const bool known = text == "none" || text.starts_with("http://") ||
                     text.starts_with("https://") || text.starts_with("socks5h://");
  if (!known || (text != "none" && text.size() == host + 3) ||
      text.find_first_of(" \\\"<>^`{|}?#") != std::string::npos) {
    problems.add(
        node.mark,
        "proxy: expected none, http://HOST:PORT, https://HOST:PORT or socks5h://HOST:PORT");
  } else if (text.contains('@')) {
    problems.add(node.mark,
                 "proxy: a user is not allowed in a file; leave proxy out and set HTTPS_PROXY in "
                 "the environment");
  } else {
    access.proxy = text;
  }
}

/// How the endpoint is reached.
void read_access(Mapping& mapping,
                 const std::string& file,
                 Endpoint& endpoint,
                 Problems& problems) {
  if (const Node* http = mapping.get("http")) {
    read_http_version(*http, endpoint.access, problems);
  }
  if (const auto authorities = mapping.text("ca_file")) {
    endpoint.access.ca_file = resolve_path(*authorities, file);
  }
  if (const Node* proxy = mapping.get("proxy")) {
    read_proxy(*proxy, endpoint.access, problems);
  }
}

Key read_key(const NodeEntry& entry, Problems& problems) {
  Key key;
  key.name = entry.key;
  const bool is_pair = entry.value.kind == Node::Kind::mapping &&
                       !(entry.value.entries.size() == 1 && entry.value.entries[0].key == "cmd");
  if (!is_pair) {
    key.secret = read_secret_ref(entry.value, problems);
    return key;
  }
  Mapping mapping(entry.value, "key", problems);
  if (const Node* secret = mapping.require("secret")) {
    key.secret = read_secret_ref(*secret, problems);
  }
  if (const auto account = mapping.text("account")) {
    if (check_name(*account, mapping.mark_of("account"), "", problems)) {
      key.account = *account;
    }
  }
  mapping.finish();
  return key;
}

std::vector<Key> read_keys(const Node* node, Problems& problems) {
  std::vector<Key> keys;
  if (node == nullptr) {
    keys.push_back({.name = std::string(kNoKey), .account = {}, .secret = {}});
    return keys;
  }
  if (node->kind != Node::Kind::mapping || node->entries.empty()) {
    problems.add(
        node->mark,
        fmt::format(
            "keys: expected a mapping of key names, found {}; leave keys out for a server without",
            node->kind == Node::Kind::mapping ? "an empty one" : kind_name(*node)));
    return keys;
  }
  for (const NodeEntry& entry : node->entries) {
    if (check_name(entry.key, entry.mark, "", problems)) {
      keys.push_back(read_key(entry, problems));
    }
  }
  return keys;
}

void read_dialect(const Node* node, Endpoint& endpoint, Problems& problems) {
  const auto name = node != nullptr ? read_text(*node, "dialect", problems) : std::nullopt;
  if (!name) {
    return;
  }
  endpoint.dialect = *name;
  if (provider::find_dialect(*name) == nullptr) {
    report_unknown(
        "dialect", {.text = *name, .mark = node->mark}, provider::dialect_names(), problems);
  }
}

/// Whose errors these are: as the file says, or by the host.
void read_provider(const Node* node,
                   const provider::SignalTable& table,
                   Endpoint& endpoint,
                   Problems& problems) {
  if (node == nullptr) {
    const provider::ProviderRow* known = table.provider_at(host_of(endpoint.base_url));
    endpoint.provider = known != nullptr ? known->name : "";
    return;
  }
  const auto name = read_text(*node, "provider", problems);
  if (!name) {
    return;
  }
  endpoint.provider = *name;
  if (table.find_provider(*name) == nullptr) {
    std::vector<std::string> names;
    std::ranges::transform(
        table.providers, std::back_inserter(names), &provider::ProviderRow::name);
    report_unknown("provider", {.text = *name, .mark = node->mark}, names, problems);
  }
}

/// What stands in a URL or a header field as it is.
std::string read_word(Mapping& mapping, std::string_view key, Problems& problems) {
  const std::optional<std::string> word = mapping.text(key);
  if (word && !check_name(*word, mapping.mark_of(key), "", problems)) {
    return {};
  }
  return word.value_or("");
}

/// A secret never travels in plain text.
void check_transport(const Endpoint& endpoint, Mark base_url, Problems& problems) {
  const bool has_secret = std::ranges::any_of(
      endpoint.keys, [](const Key& key) { return key.secret.kind != SecretRef::Kind::none; });
  if (has_secret && endpoint.base_url.starts_with("http://") &&
      !is_loopback(host_of(endpoint.base_url))) {
    problems.add(
        base_url,
        fmt::format(
            "base_url: http:// would send the keys of '{}' in plain text to {}; use https://",
            endpoint.name,
            host_of(endpoint.base_url)));
  }
}

void read_endpoint(const NodeEntry& entry, Topology& topology, Problems& problems) {
  Mapping mapping(entry.value, fmt::format("endpoint '{}'", entry.key), problems);
  Endpoint endpoint;
  endpoint.name = entry.key;
  endpoint.where = problems.position(entry.mark);
  read_dialect(mapping.require("dialect"), endpoint, problems);
  if (const Node* url = mapping.require("base_url")) {
    endpoint.base_url = read_base_url(*url, problems);
  }
  read_access(mapping, topology.file, endpoint, problems);
  read_provider(mapping.get("provider"), topology.signals, endpoint, problems);
  endpoint.simulated = mapping.boolean("simulated").value_or(false);
  endpoint.stream = mapping.boolean("stream").value_or(false);
  endpoint.api_version = read_word(mapping, "api_version", problems);
  endpoint.organization = read_word(mapping, "organization", problems);
  endpoint.project = read_word(mapping, "project", problems);
  if (const auto connections = mapping.integer("connections_max", 1, kConnectionsMax)) {
    endpoint.access.connections_max = static_cast<std::size_t>(*connections);
  }
  if (const auto first_byte = mapping.duration("first_byte_timeout")) {
    endpoint.first_byte_seconds = base::seconds(*first_byte);
  }
  endpoint.keys = read_keys(mapping.get("keys"), problems);
  check_transport(endpoint, mapping.mark_of("base_url"), problems);
  const Node* routes = mapping.require("routes");
  const Node* limits = mapping.get("limits");
  mapping.finish();
  if (limits != nullptr) {
    endpoint.limits = json::to_text(to_json(*limits));
  }

  const std::size_t position = topology.endpoints.size();
  topology.endpoints.push_back(std::move(endpoint));
  if (routes != nullptr) {
    read_routes(*routes, position, topology, problems);
  }
  if (limits != nullptr) {
    read_limits(*limits, position, topology, problems);
  }
}

void read_endpoints(const Node& node, Topology& topology, Problems& problems) {
  if (node.kind != Node::Kind::mapping || node.entries.empty()) {
    problems.add(node.mark,
                 fmt::format("endpoints: expected a mapping of endpoint names, found {}",
                             node.kind == Node::Kind::mapping ? "an empty one" : kind_name(node)));
    return;
  }
  for (const NodeEntry& entry : node.entries) {
    if (check_name(entry.key, entry.mark, "", problems)) {
      read_endpoint(entry, topology, problems);
    }
  }
}

/// The file's own rows before the shipped ones.
CapabilityTable capabilities_in(const Node* node, Problems& problems) {
  CapabilityTable table;
  if (node != nullptr) {
    table.rows = read_capabilities(*node, problems);
  }
  const std::vector<CapabilityRow>& shipped = shipped_capabilities().rows;
  table.rows.insert(table.rows.end(), shipped.begin(), shipped.end());
  return table;
}

provider::SignalTable signals_in(const Node* node, Problems& problems) {
  provider::SignalTable table = shipped_signals();
  if (node != nullptr) {
    std::vector<provider::SignalRow> rows = read_signal_rows(*node, problems);
    table.rows.insert(table.rows.begin(), rows.begin(), rows.end());
  }
  return table;
}

/// A model is simulated if all who serve it are.
void mark_simulated(Topology& topology) {
  for (const Route& route : topology.routes) {
    topology.models[route.model].simulated = topology.endpoints[route.endpoint].simulated;
  }
}

/// A conversation that holds parts which only their own dialect understands cannot go on over a
/// route of another one.
base::Status check_opaque_parts(const Topology& topology) {
  std::vector<const Endpoint*> first(topology.models.size(), nullptr);
  for (const Route& route : topology.routes) {
    const Model& model = topology.models[route.model];
    const Endpoint& endpoint = topology.endpoints[route.endpoint];
    const Endpoint*& known = first[route.model];
    if (known == nullptr) {
      known = &endpoint;
    }
    const auto family = [](const Endpoint& of) {
      return of.dialect.starts_with("azure") ? std::string_view("openai")
                                             : std::string_view(of.dialect);
    };
    if (model.capability.opaque_parts && family(*known) != family(endpoint)) {
      return base::bad_input(fmt::format(
          "{}:{}:{}: model '{}' is served in the dialects of '{}' ({}) and '{}' ({}), but its "
          "answers may hold parts that only one of them can send back; give the routes of the "
          "other a model of their own, or say parameters: {{opaque_parts: false}}",
          model.where.file,
          model.where.line,
          model.where.column,
          model.name,
          known->name,
          known->dialect,
          endpoint.name,
          endpoint.dialect));
    }
  }
  return {};
}

}  // namespace

base::Result<Topology> parse_endpoints(std::string_view text, const std::string& file_name) {
  Topology topology;
  topology.file = file_name;
  topology.text = text;
  topology.file_hash = base::digest_of(text);
  Problems problems(file_name, text);
  if (const std::optional<Node> root = parse_yaml(text, problems)) {
    Mapping top(*root, "endpoints file", problems);
    if (check_version(*root, top, problems)) {
      const Node* models = top.require("models");
      const Node* endpoints = top.require("endpoints");
      const CapabilityTable capabilities = capabilities_in(top.get("capabilities"), problems);
      topology.signals = signals_in(top.get("signals"), problems);
      top.finish();
      if (models != nullptr) {
        topology.models = read_models(*models, capabilities, problems);
      }
      if (endpoints != nullptr) {
        read_endpoints(*endpoints, topology, problems);
      }
    }
  }
  if (problems.any()) {
    return std::unexpected(problems.error());
  }
  mark_simulated(topology);
  TRY(check_opaque_parts(topology));
  return topology;
}

base::Result<Topology> load_endpoints(const std::string& path) {
  TRY_ASSIGN(const std::string text, read_file(path, kYamlBytesMax));
  return parse_endpoints(text, path);
}

}  // namespace sortie::spec
