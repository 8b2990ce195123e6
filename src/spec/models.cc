#include "sortie/spec/models.h"

#include "sortie/base/check.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/signals.h"
#include "sortie/spec/model.h"
#include "sortie/spec/node.h"
#include "sortie/spec/reader.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

// models.yaml, linked into the binary.
extern "C" {
extern const char sortie_spec_models_begin[];
extern const char sortie_spec_models_end[];
}

namespace sortie::spec {
namespace {

constexpr double kTemperature = 0.6;
constexpr double kTopP = 0.95;
constexpr std::int64_t kMaxTokens = 4'096;
constexpr std::int64_t kMaxTokensReasoning = 16'384;
constexpr std::int64_t kMaxTokensLimit = 10'000'000;
constexpr double kPriceMax = 1'000'000;
constexpr double kTemperatureMax = 5;
constexpr std::int64_t kContextMax = 1'000'000'000;
constexpr std::size_t kRowsMax = 1'000;

Price read_price(const Node& node, Problems& problems) {
  const Range range = {.min = 0, .max = kPriceMax};
  Mapping mapping(node, "price", problems);
  Price price;
  price.input = mapping.number("input", range).value_or(0);
  price.output = mapping.number("output", range).value_or(0);
  price.cached_input = mapping.number("cached_input", range).value_or(price.input);
  mapping.finish();
  return price;
}

/// Changes what is given; the rest stays as the row of the capability table has it.
void read_parameters(const Node& node, provider::Capability& capability, Problems& problems) {
  Mapping mapping(node, "parameters", problems);
  if (const Node* limit = mapping.get("token_limit")) {
    const std::vector<std::string> names = {"max_tokens", "max_completion_tokens"};
    const auto name = read_text(*limit, "token_limit", problems);
    if (name == names[0] || name == names[1]) {
      capability.token_limit_parameter = *name;
    } else if (name) {
      report_unknown("token_limit", {.text = *name, .mark = limit->mark}, names, problems);
    }
  }
  const auto read = [&](std::string_view name, bool& value) {
    value = mapping.boolean(name).value_or(value);
  };
  read("temperature", capability.accepts_temperature);
  read("top_p", capability.accepts_top_p);
  read("seed", capability.accepts_seed);
  read("tools", capability.native_tools);
  read("stream_usage", capability.stream_usage);
  read("opaque_parts", capability.opaque_parts);
  capability.temperature_min = mapping.number("temperature_min", {.min = 0, .max = kTemperatureMax})
                                   .value_or(capability.temperature_min);
  mapping.finish();
}

/// A value for a parameter that the model refuses would silently not be sent.
void refuse_contradiction(const Mapping& mapping,
                          const Node* value,
                          std::string_view name,
                          bool accepted,
                          Problems& problems) {
  if (value != nullptr && !accepted) {
    problems.add(
        mapping.mark_of(name),
        fmt::format("sampling: {} has a value, but parameters say that the model refuses it",
                    name));
  }
}

void read_sampling(const Node& node, Model& model, Problems& problems) {
  Mapping mapping(node, "sampling", problems);
  const provider::Capability& capability = model.capability;
  refuse_contradiction(
      mapping, mapping.get("temperature"), "temperature", capability.accepts_temperature, problems);
  refuse_contradiction(mapping, mapping.get("top_p"), "top_p", capability.accepts_top_p, problems);
  if (const auto temperature = mapping.number("temperature", {.min = 0, .max = kTemperatureMax})) {
    model.sampling.temperature = temperature;
    if (*temperature < capability.temperature_min) {
      problems.add(mapping.mark_of("temperature"),
                   fmt::format("sampling: {} refuses temperatures below {}; give it that, or say "
                               "under parameters: which one it takes (temperature_min)",
                               model.name,
                               capability.temperature_min));
    }
  }
  if (const auto top_p = mapping.number("top_p", {.min = 0, .max = 1, .above_min = true})) {
    model.sampling.top_p = top_p;
  }
  if (const auto max_tokens = mapping.integer("max_tokens", 1, kMaxTokensLimit)) {
    model.sampling.max_tokens = max_tokens;
    if (model.context && *max_tokens > *model.context) {
      problems.add(mapping.mark_of("max_tokens"),
                   fmt::format("sampling: max_tokens of {} is more than the model's context of {}",
                               *max_tokens,
                               *model.context));
    }
  }
  mapping.finish();
}

/// What a row of the capability table and a declaration of a model have in common.
void read_abilities(Mapping& mapping, Model& model, Problems& problems) {
  if (auto family = mapping.text("family")) {
    model.family = std::move(*family);
  }
  if (const auto size = mapping.number("size_b", {.min = 0, .max = 1e6, .above_min = true})) {
    model.size_b = size;
  }
  model.reasoning = mapping.boolean("reasoning").value_or(model.reasoning);
  model.commands_from_reasoning =
      mapping.boolean("commands_from_reasoning").value_or(model.commands_from_reasoning);
  if (const Node* field = mapping.get("reasoning_field")) {
    const std::vector<std::string> names = {"reasoning_content", "reasoning", "none"};
    const auto name = read_text(*field, "reasoning_field", problems);
    if (name && std::ranges::find(names, *name) == names.end()) {
      report_unknown("reasoning_field", {.text = *name, .mark = field->mark}, names, problems);
    }
    model.reasoning_field = name.value_or("");
  }
  if (model.reasoning_field == "none" && model.commands_from_reasoning) {
    problems.add(mapping.mark_of("reasoning_field"),
                 "reasoning_field: none, but commands_from_reasoning asks for what stands there");
  }
  if (const auto context = mapping.integer("context", 1, kContextMax)) {
    model.context = context;
  }
  if (const Node* price = mapping.get("price")) {
    model.price = read_price(*price, problems);
    model.priced = true;
  }
  if (const Node* parameters = mapping.get("parameters")) {
    read_parameters(*parameters, model.capability, problems);
  }
}

/// The defaults of the workload, as far as the model takes them.
void resolve_sampling(Model& model) {
  const provider::Capability& capability = model.capability;
  model.sampling = {};
  if (capability.accepts_temperature) {
    model.sampling.temperature = std::max(kTemperature, capability.temperature_min);
  }
  if (capability.accepts_top_p) {
    model.sampling.top_p = kTopP;
  }
  model.sampling.max_tokens = model.reasoning ? kMaxTokensReasoning : kMaxTokens;
  if (model.context) {
    model.sampling.max_tokens = std::min(*model.sampling.max_tokens, *model.context);
  }
}

Model read_model(const NodeEntry& entry, const CapabilityTable& table, Problems& problems) {
  Model model = table.defaults_of(entry.key);
  model.name = entry.key;
  model.where = problems.position(entry.mark);
  if (entry.value.kind == Node::Kind::nothing) {
    // "gpt-4o-mini:" alone declares a model of which everything is the default.
    resolve_sampling(model);
    return model;
  }
  Mapping mapping(entry.value, fmt::format("model '{}'", entry.key), problems);
  model.revision = mapping.text("revision").value_or("");
  read_abilities(mapping, model, problems);
  resolve_sampling(model);
  if (const Node* sampling = mapping.get("sampling")) {
    read_sampling(*sampling, model, problems);
  }
  mapping.finish();
  return model;
}

CapabilityTable read_shipped() {
  const std::string_view text(sortie_spec_models_begin, sortie_spec_models_end);
  Problems problems("models.yaml", text);
  const std::optional<Node> root = parse_yaml(text, problems);
  CHECK(root.has_value());
  Mapping top(*root, "models file", problems);
  CHECK(check_version(*root, top, problems));
  const Node* rows = top.require("capabilities");
  CHECK(rows != nullptr);
  top.finish();
  CapabilityTable table;
  table.rows = read_capabilities(*rows, problems);
  CHECK(!problems.any());
  return table;
}

}  // namespace

Model CapabilityTable::defaults_of(std::string_view name) const {
  const auto found = std::ranges::find_if(rows, [&](const CapabilityRow& row) {
    return std::ranges::any_of(row.match, [&](const std::string& pattern) {
      return provider::matches_pattern(pattern, name);
    });
  });
  return found == rows.end() ? Model{} : found->model;
}

const CapabilityTable& shipped_capabilities() {
  static const CapabilityTable table = read_shipped();
  return table;
}

std::vector<CapabilityRow> read_capabilities(const Node& node, Problems& problems) {
  std::vector<CapabilityRow> rows;
  if (node.kind != Node::Kind::list || node.items.size() > kRowsMax) {
    problems.add(node.mark,
                 fmt::format("capabilities: expected a list of at most {} rows, found {}",
                             kRowsMax,
                             kind_name(node)));
    return rows;
  }
  for (const Node& item : node.items) {
    Mapping mapping(item, "capabilities", problems);
    CapabilityRow row;
    if (const Node* match = mapping.require("match")) {
      for (Name& name : read_names(*match, "match", problems)) {
        row.match.push_back(std::move(name.text));
      }
    }
    row.model.name = row.match.empty() ? "" : row.match.front();
    read_abilities(mapping, row.model, problems);
    mapping.finish();
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<Model> read_models(const Node& node, const CapabilityTable& table, Problems& problems) {
  std::vector<Model> models;
  if (node.kind != Node::Kind::mapping || node.entries.empty()) {
    problems.add(node.mark,
                 fmt::format("models: expected a mapping of model names, found {}",
                             node.kind == Node::Kind::mapping ? "an empty one" : kind_name(node)));
    return models;
  }
  for (const NodeEntry& entry : node.entries) {
    if (check_name(entry.key, entry.mark, "/:@+", problems)) {
      models.push_back(read_model(entry, table, problems));
    }
  }
  return models;
}

}  // namespace sortie::spec
