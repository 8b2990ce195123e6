#include "sortie/analysis/answer_count.h"
#include "sortie/analysis/costs.h"
#include "sortie/analysis/report_data.h"
#include "sortie/analysis/result_table.h"
#include "sortie/analysis/speeds.h"
#include "sortie/analysis/summary.h"
#include "sortie/analysis/text_table.h"
#include "sortie/analysis/validity_tables.h"
#include "sortie/app/command.h"
#include "sortie/app/live_run.h"
#include "sortie/base/printable.h"
#include "sortie/base/text.h"
#include "sortie/ledger/reader.h"
#include "sortie/monitor/status_levels.h"
#include "sortie/monitor/status_read.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct StatusOptions {
  std::string run;
  bool cells = false;
  bool json = false;
};

struct ModelStatus {
  bool simulated = false;
  std::uint64_t planned = 0;
  std::uint64_t scored = 0;
  analysis::Losses lost;
  std::uint64_t open = 0;
};

std::map<std::string, ModelStatus> by_model(const analysis::Summary& summary) {
  std::map<std::string, ModelStatus> models;
  for (const analysis::CellSummary& cell : summary.cells) {
    ModelStatus& model = models[cell.factors.model];
    model.simulated = cell.factors.simulated;
    model.planned += cell.planned;
    model.scored += cell.tally.scored;
    for (const auto& [outcome, count] : cell.lost) {
      model.lost[outcome] += count;
    }
    model.open += cell.open;
  }
  return models;
}

json::Object by_outcome(const analysis::Losses& lost) {
  json::Object object;
  for (const auto& [outcome, count] : lost) {
    object[outcome] = count;
  }
  return object;
}

json::Value to_json(const analysis::ReportData& data) {
  json::Array models;
  for (const auto& [name, model] : by_model(data.summary)) {
    models.push_back(json::Object{{"model", name},
                                  {"simulated", model.simulated},
                                  {"planned", model.planned},
                                  {"scored", model.scored},
                                  {"lost", analysis::total(model.lost)},
                                  {"lost_by_outcome", by_outcome(model.lost)},
                                  {"open", model.open}});
  }
  json::Array routes;
  for (const analysis::RouteUse& use : data.routes) {
    routes.push_back(json::Object{{"route", use.route},
                                  {"model", use.model},
                                  {"simulated", use.simulated},
                                  {"api_name", use.api_name},
                                  {"served", use.served},
                                  {"attempts", use.attempts},
                                  {"answered", use.answered},
                                  {"throttled", use.throttled},
                                  {"failed", use.failed},
                                  {"unknown", use.unknown},
                                  {"answers", use.answers.all},
                                  {"empty_answers", use.answers.empty},
                                  {"suspect", use.answers.suspect()},
                                  {"input_tokens", use.input_tokens},
                                  {"output_tokens", use.output_tokens},
                                  {"cost_micro_usd", use.cost},
                                  {"reserved_micro_usd", use.reserved}});
  }
  return json::Object{
      {"run", data.summary.run},
      {"first_attempt", data.started},
      {"last_answer", data.ended},
      {"models", std::move(models)},
      {"sent", analysis::to_json(analysis::sent_table(data)).at("rows")},
      {"routes", std::move(routes)},
      {"costs", analysis::to_json(data.costs)},
      {"reused", analysis::to_json(data.reused)},
      {"speeds", analysis::to_json(speed_table(data.speeds, data.language)).at("rows")},
      {"events", json::Array(data.events.begin(), data.events.end())}};
}

std::string to_text(const analysis::ReportData& data, bool cells) {
  analysis::TextTable models({"model", "planned", "scored", "lost", "open"});
  for (const auto& [name, model] : by_model(data.summary)) {
    models.add({name + (model.simulated ? " (simulated)" : ""),
                fmt::to_string(model.planned),
                fmt::to_string(model.scored),
                analysis::lost_text(model.lost),
                fmt::to_string(model.open)});
  }
  analysis::TextTable routes(
      {"route", "attempts", "answered", "throttled", "failed", "unknown", "empty", "cost $"});
  std::string suspects;
  for (const analysis::RouteUse& use : data.routes) {
    routes.add({use.route,
                fmt::to_string(use.attempts),
                fmt::to_string(use.answered),
                fmt::to_string(use.throttled),
                fmt::to_string(use.failed),
                fmt::to_string(use.unknown),
                fmt::format("{}{}", use.answers.empty, use.answers.suspect() ? " suspect" : ""),
                fmt::format("{:.4f}", static_cast<double>(use.cost) / 1e6)});
    if (use.answers.suspect()) {
      suspects += fmt::format("suspect  {}: {}\n",
                              base::printable_line(use.route),
                              suspicion(use.answers, analysis::phrases_in(data.language)));
    }
  }
  const std::string lived =
      data.started.empty() ? "no attempt yet"
                           : fmt::format("first attempt {}, last answer {}",
                                         data.started,
                                         data.ended.empty() ? std::string("none yet") : data.ended);
  std::string text =
      fmt::format("{}: {}\n\n{}\n{}{}\n{}\n{}",
                  data.summary.run.empty() ? "a run without a name" : data.summary.run,
                  lived,
                  models.render(),
                  routes.render(),
                  suspects,
                  to_text(cost_table("model", data.costs.models, data.language)),
                  to_text(cost_table("key", data.costs.keys, data.language)));
  if (cells) {
    text += "\n" + to_text(cost_table("cell", data.costs.cells, data.language));
  }
  if (!data.reused.empty()) {
    text += "\n" + to_text(reused_table(data.reused, data.language));
  }
  if (!data.speeds.empty()) {
    text += "\n" + to_text(speed_table(data.speeds, data.language));
  }
  if (!data.events.empty()) {
    text += "\nEvents\n" + base::join(data.events, "\n") + "\n";
  }
  return text;
}

/// What the run itself says, while it goes on; nothing when none does.
std::optional<std::string> live(const std::string& directory, bool as_json) {
  const auto response = ask_run(
      directory, wire::Method::get, "/v1/status", {}, as_json ? "application/json" : "text/plain");
  if (!response.has_value() || response->status != 200) {
    return std::nullopt;
  }
  return response->body;
}

/// "live": the run's own status, and "levels": the same by provider, instance, cell range and what
/// is in flight. Both null when no run goes on.
void add_live(json::Object& document, const std::optional<std::string>& running) {
  document["live"] = nullptr;
  document["levels"] = nullptr;
  if (!running.has_value()) {
    return;
  }
  const json::Value live = json::parse(*running).value_or(nullptr);
  if (const auto status = monitor::status_from_json(live)) {
    document["levels"] = monitor::levels_json(*status);
  }
  document["live"] = live;
}

int status(const StatusOptions& options) {
  const auto directory = run_directory(options.run);
  if (!directory.has_value()) {
    return fail(directory.error(), options.json);
  }
  const auto reader = ledger::Reader::open(*directory);
  if (!reader.has_value()) {
    return fail(reader.error(), options.json);
  }
  const auto data = analysis::collect_report(
      **reader,
      {.tables = false, .cache_directory = (std::filesystem::path(*directory) / "cache").string()});
  if (!data.has_value()) {
    return fail(data.error(), options.json);
  }
  const auto running = live(*directory, options.json);
  if (options.json) {
    json::Value document = to_json(*data);
    add_live(document.as_object(), running);
    print_json(document);
  } else {
    print_text(to_text(*data, options.cells) + (running.has_value() ? "\n" + *running : ""));
  }
  return kDone;
}

}  // namespace

void add_status(CLI::App& root, Action& action) {
  const auto options = std::make_shared<StatusOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand(
      "status",
      "What a running or finished run has done and cost; a running one also how it goes on");
  command->add_option("RUN", options->run, "Run directory, or its name under runs/")->required();
  command->add_flag("--cells", options->cells, "Also what each cell cost");
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:  sortie status quickstart");
  command->callback([&action, options] { action = [options] { return status(*options); }; });
}

}  // namespace sortie::app
