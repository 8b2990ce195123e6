#include "sortie/analysis/validity_tables.h"

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
Value sent_value(const std::optional<T>& value) {
  return text_value(value.has_value() ? fmt::to_string(*value) : "not sent");
}

void add_sent(Row& row, const SentParameters& sent) {
  row.values.push_back(sent_value(sent.temperature));
  row.values.push_back(sent_value(sent.top_p));
  row.values.push_back(sent_value(sent.max_tokens));
  row.values.push_back(text_value(sent.max_tokens.has_value() ? sent.token_limit_parameter : ""));
  row.values.push_back(text_value(sent.seed ? "from the trial's key" : "not sent"));
}

void mark_simulated(Row& row, bool simulated) {
  if (simulated) {
    row.marks.emplace_back("simulated");
  }
}

}  // namespace

ResultTable sent_table(const ReportData& data) {
  ResultTable table{.id = "validity/sent",
                    .scenario = {},
                    .title = "What was sent, per model",
                    .columns = {{.key = "model", .title = "model"},
                                {.key = "protocols", .title = "protocols"},
                                {.key = "temperature", .title = "temperature"},
                                {.key = "top_p", .title = "top_p"},
                                {.key = "max_tokens", .title = "max tokens"},
                                {.key = "token_limit_parameter", .title = "sent as"},
                                {.key = "seed", .title = "seed"}},
                    .rows = {},
                    .notes = {}};
  bool refused = false;
  bool unknown = false;
  for (const auto& [model, use] : models_of(data.summary)) {
    const std::vector<std::string> protocols(use.protocols.begin(), use.protocols.end());
    Row row{.values = {text_value(model), text_value(base::join(protocols, ", "))}, .marks = {}};
    mark_simulated(row, use.simulated);
    const auto declared = data.declared.models.find(model);
    if (declared != data.declared.models.end() && declared->second.sent.has_value()) {
      const SentParameters& sent = *declared->second.sent;
      add_sent(row, sent);
      refused = refused || !sent.temperature.has_value() || !sent.top_p.has_value() ||
                !sent.max_tokens.has_value() || !sent.seed;
    } else {
      unknown = true;
      row.values.resize(table.columns.size());
    }
    table.rows.push_back(std::move(row));
  }
  if (refused) {
    table.notes.emplace_back("Not sent: the model refuses it, as its endpoints file declares.");
  }
  if (unknown) {
    table.notes.emplace_back(
        "Models without parameters are of a run that an earlier version wrote, which kept none.");
  }
  return table;
}

ResultTable names_table(const ReportData& data) {
  ResultTable table{.id = "validity/names",
                    .scenario = {},
                    .title = "Which model was asked for and which answered, per route",
                    .columns = {{.key = "route", .title = "route"},
                                {.key = "model", .title = "model"},
                                {.key = "api_name", .title = "sent as"},
                                {.key = "served", .title = "served as"}},
                    .rows = {},
                    .notes = {}};
  for (const RouteUse& use : data.routes) {
    Row row{.values = {text_value(use.route),
                       text_value(use.model),
                       text_value(use.api_name),
                       text_value(use.served)},
            .marks = {}};
    mark_simulated(row, use.simulated);
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace sortie::analysis
