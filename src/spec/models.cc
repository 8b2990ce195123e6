#include "sortie/spec/models.h"

#include "sortie/provider/dialect.h"
#include "sortie/spec/model.h"
#include "sortie/spec/node.h"
#include "sortie/spec/reader.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::spec {
namespace {

constexpr double kTemperature = 0.6;
constexpr double kTopP = 0.95;
constexpr std::int64_t kMaxTokens = 4'096;
constexpr std::int64_t kMaxTokensReasoning = 16'384;
constexpr std::int64_t kMaxTokensLimit = 10'000'000;
constexpr double kPriceMax = 1'000'000;

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

provider::Capability read_parameters(const Node& node, Problems& problems) {
  Mapping mapping(node, "parameters", problems);
  provider::Capability capability;
  if (const Node* limit = mapping.get("token_limit")) {
    const std::vector<std::string> names = {"max_tokens", "max_completion_tokens"};
    const auto name = read_text(*limit, "token_limit", problems);
    if (name == names[0] || name == names[1]) {
      capability.token_limit_parameter = *name;
    } else if (name) {
      report_unknown("token_limit", {.text = *name, .mark = limit->mark}, names, problems);
    }
  }
  capability.accepts_temperature = mapping.boolean("temperature").value_or(true);
  capability.accepts_top_p = mapping.boolean("top_p").value_or(true);
  capability.accepts_seed = mapping.boolean("seed").value_or(true);
  mapping.finish();
  return capability;
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
  refuse_contradiction(mapping,
                       mapping.get("temperature"),
                       "temperature",
                       model.capability.accepts_temperature,
                       problems);
  refuse_contradiction(
      mapping, mapping.get("top_p"), "top_p", model.capability.accepts_top_p, problems);
  if (const auto temperature = mapping.number("temperature", {.min = 0, .max = 5})) {
    model.sampling.temperature = temperature;
  }
  if (const auto top_p = mapping.number("top_p", {.min = 0, .max = 1, .above_min = true})) {
    model.sampling.top_p = top_p;
  }
  if (const auto max_tokens = mapping.integer("max_tokens", 1, kMaxTokensLimit)) {
    model.sampling.max_tokens = max_tokens;
  }
  mapping.finish();
}

Model read_model(const NodeEntry& entry, Problems& problems) {
  Model model;
  model.name = entry.key;
  model.where = problems.position(entry.mark);
  if (entry.value.kind == Node::Kind::nothing) {
    // "gpt-4o-mini:" alone declares a model of which everything is the default.
    model.sampling = {
        .temperature = kTemperature, .top_p = kTopP, .max_tokens = kMaxTokens, .seed = {}};
    return model;
  }
  Mapping mapping(entry.value, fmt::format("model '{}'", entry.key), problems);
  model.family = mapping.text("family").value_or("");
  model.revision = mapping.text("revision").value_or("");
  model.size_b = mapping.number("size_b", {.min = 0, .max = 1e6, .above_min = true});
  model.reasoning = mapping.boolean("reasoning").value_or(false);
  model.commands_from_reasoning = mapping.boolean("commands_from_reasoning").value_or(false);
  if (const Node* price = mapping.get("price")) {
    model.price = read_price(*price, problems);
    model.priced = true;
  }
  if (const Node* parameters = mapping.get("parameters")) {
    model.capability = read_parameters(*parameters, problems);
  }
  if (model.capability.accepts_temperature) {
    model.sampling.temperature = kTemperature;
  }
  if (model.capability.accepts_top_p) {
    model.sampling.top_p = kTopP;
  }
  model.sampling.max_tokens = model.reasoning ? kMaxTokensReasoning : kMaxTokens;
  if (const Node* sampling = mapping.get("sampling")) {
    read_sampling(*sampling, model, problems);
  }
  mapping.finish();
  return model;
}

}  // namespace

std::vector<Model> read_models(const Node& node, Problems& problems) {
  std::vector<Model> models;
  if (node.kind != Node::Kind::mapping || node.entries.empty()) {
    problems.add(node.mark,
                 fmt::format("models: expected a mapping of model names, found {}",
                             node.kind == Node::Kind::mapping ? "an empty one" : kind_name(node)));
    return models;
  }
  for (const NodeEntry& entry : node.entries) {
    if (check_name(entry.key, entry.mark, "/:@+", problems)) {
      models.push_back(read_model(entry, problems));
    }
  }
  return models;
}

}  // namespace sortie::spec
