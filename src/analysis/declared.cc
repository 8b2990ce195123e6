#include "sortie/analysis/declared.h"

#include "sortie/base/json.h"

#include <optional>
#include <set>
#include <string>
#include <utility>

namespace sortie::analysis {

namespace {

template <typename T>
json::Value or_null(const std::optional<T>& value) {
  return value.has_value() ? json::Value(*value) : json::Value(nullptr);
}

/// null: not sent.
json::Object sent_json(const spec::Model& model) {
  return {{"temperature", or_null(model.sampling.temperature)},
          {"top_p", or_null(model.sampling.top_p)},
          {"max_tokens", or_null(model.sampling.max_tokens)},
          {"token_limit_parameter", model.capability.token_limit_parameter},
          {"seed", model.capability.accepts_seed}};
}

std::optional<SentParameters> sent_of(const json::Value& model) {
  const json::Value* sent = json::find(model, "sent");
  if (sent == nullptr) {
    return std::nullopt;
  }
  return SentParameters{.temperature = json::get_double(*sent, "temperature"),
                        .top_p = json::get_double(*sent, "top_p"),
                        .max_tokens = json::get_int(*sent, "max_tokens"),
                        .token_limit_parameter = std::string(
                            json::get_string(*sent, "token_limit_parameter").value_or("")),
                        .seed = json::get_bool(*sent, "seed").value_or(false)};
}

}  // namespace

std::string declared_text(const spec::Campaign& campaign, const spec::Topology& topology) {
  std::set<std::size_t> used;
  for (const spec::Cell& cell : campaign.cells) {
    used.insert(cell.model);
  }
  json::Array models;
  for (const std::size_t index : used) {
    const spec::Model& model = topology.models[index];
    json::Object entry{{"model", model.name}, {"family", model.family}, {"sent", sent_json(model)}};
    if (model.size_b.has_value()) {
      entry["size_b"] = *model.size_b;
    }
    models.push_back(std::move(entry));
  }
  const spec::Comparisons& comparisons = campaign.comparisons;
  return json::canonical(
      json::Object{{"baseline_model", comparisons.baseline_model},
                   {"all_pairs", comparisons.all_pairs},
                   {"primary", json::Array(comparisons.primary.begin(), comparisons.primary.end())},
                   {"models", std::move(models)}});
}

base::Result<Declared> read_declared(ledger::Reader& reader) {
  Declared declared;
  TRY_ASSIGN(const auto suite, reader.manifest("suite"));
  declared.suite = suite.value_or("");
  TRY_ASSIGN(const auto text, reader.manifest(kDeclaredEntry));
  if (!text.has_value()) {
    return declared;
  }
  TRY_ASSIGN(const json::Value value, json::parse(*text));
  declared.baseline_model = json::get_string(value, "baseline_model").value_or("");
  declared.all_pairs = json::get_bool(value, "all_pairs").value_or(false);
  if (const json::Array* primary = json::get_array(value, "primary")) {
    for (const json::Value& name : *primary) {
      if (name.is_string()) {
        declared.primary.emplace(json::view(name.get_string()));
      }
    }
  }
  if (const json::Array* models = json::get_array(value, "models")) {
    for (const json::Value& model : *models) {
      declared.models.emplace(
          json::get_string(model, "model").value_or(""),
          DeclaredModel{.family = std::string(json::get_string(model, "family").value_or("")),
                        .size_b = json::get_double(model, "size_b"),
                        .sent = sent_of(model)});
    }
  }
  return declared;
}

}  // namespace sortie::analysis
