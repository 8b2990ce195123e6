#include "sortie/analysis/validity_tables.h"

#include "sortie/analysis/answer_count.h"
#include "sortie/analysis/phrases.h"
#include "sortie/base/text.h"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

struct ModelUse {
  bool simulated = false;
  std::set<std::string, std::greater<>> protocols;  // text before native
};

std::map<std::string, ModelUse> models_of(const Summary& summary) {
  std::map<std::string, ModelUse> models;
  for (const CellSummary& cell : summary.cells) {
    ModelUse& use = models[cell.factors.model];
    use.simulated = cell.factors.simulated;
    use.protocols.insert(cell.factors.protocol);
  }
  return models;
}

template <typename T>
Value sent_value(const std::optional<T>& value, const Phrases& say) {
  return text_value(value.has_value() ? fmt::to_string(*value) : say("validity.not_sent"));
}

void add_sent(Row& row, const SentParameters& sent, const Phrases& say) {
  row.values.push_back(sent_value(sent.temperature, say));
  row.values.push_back(sent_value(sent.top_p, say));
  row.values.push_back(sent_value(sent.max_tokens, say));
  row.values.push_back(text_value(sent.max_tokens.has_value() ? sent.token_limit_parameter : ""));
  row.values.push_back(text_value(say(sent.seed ? "validity.trial_key" : "validity.not_sent")));
}

void mark_simulated(Row& row, bool simulated) {
  if (simulated) {
    row.marks.emplace_back("simulated");
  }
}

}  // namespace

ResultTable sent_table(const ReportData& data) {
  const Phrases& say = phrases_in(data.language);
  ResultTable table{.id = "validity/sent",
                    .scenario = {},
                    .title = say("validity.sent"),
                    .columns = {{.key = "model", .title = say("column.model")},
                                {.key = "protocols", .title = say("column.protocols")},
                                {.key = "temperature", .title = say("validity.temperature")},
                                {.key = "top_p", .title = "top_p"},
                                {.key = "max_tokens", .title = say("validity.max_tokens")},
                                {.key = "token_limit_parameter", .title = say("validity.sent_as")},
                                {.key = "seed", .title = say("validity.seed")}},
                    .rows = {},
                    .notes = {},
                    .language = data.language};
  bool refused = false;
  bool unknown = false;
  for (const auto& [model, use] : models_of(data.summary)) {
    const std::vector<std::string> protocols(use.protocols.begin(), use.protocols.end());
    Row row{.values = {text_value(model), text_value(base::join(protocols, ", "))}, .marks = {}};
    mark_simulated(row, use.simulated);
    const auto declared = data.declared.models.find(model);
    const std::optional<SentParameters> sent =
        declared == data.declared.models.end() ? std::nullopt : declared->second.sent;
    if (sent.has_value()) {
      add_sent(row, *sent, say);
      refused = refused || !sent->temperature.has_value() || !sent->top_p.has_value() ||
                !sent->max_tokens.has_value() || !sent->seed;
    } else {
      unknown = true;
      row.values.resize(table.columns.size());
    }
    table.rows.push_back(std::move(row));
  }
  if (refused) {
    table.notes.push_back(say("validity.refused"));
  }
  if (unknown) {
    table.notes.push_back(say("validity.unknown"));
  }
  return table;
}

ResultTable names_table(const ReportData& data) {
  const Phrases& say = phrases_in(data.language);
  ResultTable table{.id = "validity/names",
                    .scenario = {},
                    .title = say("validity.names"),
                    .columns = {{.key = "route", .title = say("column.route")},
                                {.key = "model", .title = say("column.model")},
                                {.key = "api_name", .title = say("validity.sent_as")},
                                {.key = "served", .title = say("validity.served_as")}},
                    .rows = {},
                    .notes = {},
                    .language = data.language};
  for (const RouteUse& use : data.routes) {
    Row row{.values = {text_value(use.route),
                       text_value(use.model),
                       text_value(use.api_name),
                       text_value(use.served)},
            .marks = {}};
    mark_simulated(row, use.simulated);
    table.rows.push_back(std::move(row));
    if (use.answers.suspect()) {
      table.notes.push_back(use.route + ": " + suspicion(use.answers, say));
    }
  }
  return table;
}

}  // namespace sortie::analysis
