#include "sortie/analysis/cells.h"
#include "sortie/analysis/text_table.h"
#include "sortie/app/campaign_setup.h"
#include "sortie/app/command.h"
#include "sortie/app/detectable.h"
#include "sortie/app/key_memory.h"
#include "sortie/app/reuse_options.h"
#include "sortie/app/run_options.h"
#include "sortie/base/check.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/engine/history.h"
#include "sortie/engine/reuse.h"
#include "sortie/ledger/reader.h"
#include "sortie/sched/bound.h"
#include "sortie/sched/scheduler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct PlanOptions {
  std::string campaign;
  SelectionOptions selection;
  std::vector<std::string> reuse;
  bool json = false;
};

/// What a request of a model is expected to cost, before or after some have been made.
struct RequestShape {
  double turns =
      10;  // of a dialogue; these four are the size of a pilot dialogue (docs/design/benchmark.md)
  double input = 3200;  // tokens
  double output = 150;  // tokens
  double service_seconds = 2;
  bool measured = false;
};

struct ModelPlan {
  std::string model;
  bool simulated = false;
  std::size_t cells = 0;
  std::uint64_t trials = 0;
  std::uint64_t done = 0;
  std::uint64_t reused = 0;  // that other runs would give
  std::vector<std::string> routes;
  RequestShape shape;
  double requests = 0;
  double cost_usd = 0;
};

struct Plan {
  std::string name;
  std::string run_directory;
  std::vector<ModelPlan> models;
  std::uint64_t trials = 0;
  std::uint64_t done = 0;
  engine::ReusePlan reuse;
  std::size_t cells = 0;
  std::vector<Detectable> detectable;
  double input_tokens = 0;
  double output_tokens = 0;
  double cost_usd = 0;
  sched::Bound bound;
  std::vector<ledger::RememberedLimit> remembered;  // that the bound rests on
  std::vector<std::string> unknown;                 // routes of which no limit is known
  double dialogue_seconds = 0;
  double open_seconds = 0;  // that dialogues need who wait for one another's places

  [[nodiscard]] double least_seconds() const { return std::max(bound.seconds, dialogue_seconds); }

  /// Where the limits bind, a run reaches 95 % of their rate; where there are none, dialogues wait
  /// for one another's places.
  [[nodiscard]] double expected_seconds() const {
    return std::max(least_seconds() / 0.95, open_seconds);
  }
};

/// How many dialogues of a model are open at once at most.
double open_max(const spec::Topology& topology, std::size_t model) {
  const bool undeclared = std::ranges::any_of(topology.routes_of(model), [&](std::size_t route) {
    return std::ranges::all_of(topology.routes[route].domains, [&](std::size_t domain) {
      return topology.domains[domain].limits.empty();
    });
  });
  return static_cast<double>(undeclared ? sched::kOpenMaxUndeclared : kOpenDialoguesMax);
}

/// Of a model that the campaign uses.
ModelPlan& plan_of(Plan& plan, const CampaignSetup& setup, std::size_t cell) {
  const std::string& name = setup.topology.models[setup.campaign.cells[cell].model].name;
  const auto found = std::ranges::find(plan.models, name, &ModelPlan::model);
  CHECK(found != plan.models.end());
  return *found;
}

/// Replaces the expectations by what the run has measured so far.
base::Status measure(ledger::Reader& reader, Plan& plan) {
  return reader.scan(
      "SELECT a.requested_model, avg(e.input_tokens), avg(e.output_tokens), avg(e.duration_us) / "
      "1e6, "
      "count(*) * 1.0 / count(DISTINCT a.trial) FROM attempt AS a JOIN attempt_end AS e ON "
      "e.attempt = a.id "
      "WHERE e.cause = 'answered' AND a.trial NOT IN (SELECT trial FROM reuse) GROUP BY 1 HAVING "
      "count(*) >= 100",
      [&](std::span<const ledger::Cell> row) {
        for (ModelPlan& model : plan.models) {
          if (model.model == analysis::text_of(row[0])) {
            model.shape = {.turns = analysis::double_of(row[4]),
                           .input = analysis::double_of(row[1]),
                           .output = analysis::double_of(row[2]),
                           .service_seconds = analysis::double_of(row[3]),
                           .measured = true};
          }
        }
        return true;
      });
}

std::vector<ModelPlan> models_of(const CampaignSetup& setup) {
  std::vector<ModelPlan> models;
  for (std::size_t m = 0; m < setup.topology.models.size(); ++m) {
    ModelPlan plan;
    plan.model = setup.topology.models[m].name;
    plan.simulated = setup.topology.models[m].simulated;
    for (const spec::Cell& cell : setup.campaign.cells) {
      if (cell.model == m) {
        ++plan.cells;
        plan.trials += cell.size();
      }
    }
    if (plan.cells == 0) {
      continue;
    }
    for (const std::size_t route : setup.topology.routes_of(m)) {
      plan.routes.push_back(setup.topology.routes[route].name);
    }
    models.push_back(std::move(plan));
  }
  return models;
}

/// The declared limits and, where nothing is declared, those that earlier runs learned.
spec::Topology with_remembered(const CampaignSetup& setup, Plan& plan) {
  spec::Topology topology = setup.topology;
  // Without a memory the bound rests on what is declared alone.
  const auto remembered =
      recall_limits(topology, secrets_at_hand(topology), base::SystemClock().wall());
  const std::vector<ledger::RememberedLimit> none;
  for (const ledger::RememberedLimit& limit : remembered.has_value() ? *remembered : none) {
    if (add_remembered({limit}, topology) > 0) {
      plan.remembered.push_back(limit);
    }
  }
  const std::vector<bool> used = models_used(topology, setup.campaign);
  for (const spec::Route& route : topology.routes) {
    const bool is_limited = std::ranges::any_of(route.domains, [&](std::size_t domain) {
      return !topology.domains[domain].limits.empty();
    });
    if (used[route.model] && !is_limited) {
      plan.unknown.push_back(route.name);
    }
  }
  return topology;
}

base::Status estimate(const CampaignSetup& setup, Plan& plan) {
  std::vector<sched::WorkClass> work;
  for (ModelPlan& model : plan.models) {
    const std::optional<std::size_t> index = setup.topology.find_model(model.model);
    CHECK(index.has_value());
    const spec::Model& declared = setup.topology.models[*index];
    model.requests =
        static_cast<double>(model.trials - model.done - model.reused) * model.shape.turns;
    model.cost_usd =
        model.requests *
        (model.shape.input * declared.price.input + model.shape.output * declared.price.output) /
        1e6;
    plan.input_tokens += model.requests * model.shape.input;
    plan.output_tokens += model.requests * model.shape.output;
    plan.cost_usd += model.cost_usd;
    plan.open_seconds =
        std::max(plan.open_seconds,
                 model.requests * model.shape.service_seconds / open_max(setup.topology, *index));
    plan.trials += model.trials;
    plan.done += model.done;
    plan.cells += model.cells;
    const double dialogue =
        model.requests > 0 ? model.shape.turns * model.shape.service_seconds : 0;
    plan.dialogue_seconds = std::max(plan.dialogue_seconds, dialogue);
    work.push_back(
        {.model = *index,
         .requests = model.requests,
         .input_tokens = model.shape.input,
         .output_tokens = model.shape.output,
         .max_output_tokens = static_cast<double>(declared.sampling.max_tokens.value_or(0)),
         .service_seconds = model.shape.service_seconds,
         .dialogue_seconds = dialogue});
  }
  TRY_ASSIGN(plan.bound, sched::lower_bound(with_remembered(setup, plan), work));
  return {};
}

/// What the runs after --reuse would give to this campaign as it stands.
base::Status find_reuse(const PlanOptions& options,
                        const CampaignSetup& setup,
                        const engine::RunHistory& history,
                        Plan& plan) {
  if (options.reuse.empty()) {
    return {};
  }
  const std::array own = {plan.run_directory};
  TRY_ASSIGN(const auto sources, open_reuse(options.reuse, own));
  TRY_ASSIGN(plan.reuse, engine::plan_reuse(setup.context(), history, sources));
  for (const engine::ReusableTrial& trial : plan.reuse.trials) {
    ++plan_of(plan, setup, trial.cell).reused;
  }
  return {};
}

base::Result<Plan> make_plan(const PlanOptions& options) {
  TRY_ASSIGN(const auto setup, load_setup(options.campaign, options.selection.overrides()));
  Plan plan;
  plan.name = setup->campaign.name;
  plan.run_directory = options.selection.directory_for(setup->campaign);
  plan.models = models_of(*setup);
  plan.detectable = detectable(*setup);
  engine::RunHistory history;
  history.cells.resize(setup->campaign.cells.size());
  if (const auto reader = ledger::Reader::open(plan.run_directory)) {
    TRY_ASSIGN(history, engine::read_history(setup->context(), **reader, false));
    TRY(measure(**reader, plan));
  }
  for (std::size_t cell = 0; cell < history.cells.size(); ++cell) {
    plan_of(plan, *setup, cell).done += history.cells[cell].scored;
  }
  TRY(find_reuse(options, *setup, history, plan));
  TRY(estimate(*setup, plan));
  return plan;
}

json::Array remembered_json(const Plan& plan) {
  json::Array limits;
  for (const ledger::RememberedLimit& limit : plan.remembered) {
    limits.push_back(json::Object{{"domain", limit.domain},
                                  {"kind", limit.kind},
                                  {"value", limit.value},
                                  {"window_seconds", limit.window_seconds},
                                  {"confidence", limit.confidence},
                                  {"at", base::to_iso8601(limit.at)}});
  }
  return limits;
}

json::Array reuse_json(const engine::ReusePlan& plan) {
  json::Array sources;
  for (const engine::ReuseSummary& source : plan.sources) {
    sources.push_back(json::Object{{"run", source.directory},
                                   {"trials", source.trials},
                                   {"cost_micro_usd", source.cost},
                                   {"scored", source.scored},
                                   {"had_already", source.had_already},
                                   {"other_served", source.other_served}});
  }
  return sources;
}

json::Value to_json(const Plan& plan) {
  json::Array models;
  for (const ModelPlan& model : plan.models) {
    models.push_back(json::Object{{"model", model.model},
                                  {"simulated", model.simulated},
                                  {"cells", model.cells},
                                  {"trials", model.trials},
                                  {"done", model.done},
                                  {"reused", model.reused},
                                  {"routes", json::Array(model.routes.begin(), model.routes.end())},
                                  {"requests", model.requests},
                                  {"cost_usd", model.cost_usd},
                                  {"measured", model.shape.measured}});
  }
  json::Array bottlenecks;
  for (const sched::Bottleneck& bottleneck : plan.bound.bottlenecks) {
    bottlenecks.push_back(
        json::Object{{"domain", bottleneck.domain},
                     {"limit", bottleneck.limit},
                     {"saving_of_ten_percent", bottleneck.saving_of_ten_percent}});
  }
  json::Array detects;
  for (const Detectable& family : plan.detectable) {
    detects.push_back(json::Object{{"family", family.family},
                                   {"comparisons", family.comparisons},
                                   {"tasks", family.tasks},
                                   {"points_20", family.points_20},
                                   {"points_30", family.points_30}});
  }
  return json::Object{
      {"campaign", plan.name},
      {"run", plan.run_directory},
      {"cells", plan.cells},
      {"trials", plan.trials},
      {"done", plan.done},
      {"reuse", reuse_json(plan.reuse)},
      {"models", std::move(models)},
      {"lower_bound_seconds", plan.bound.seconds},
      {"expected_seconds", plan.expected_seconds()},
      {"bottlenecks", std::move(bottlenecks)},
      {"estimated_bound", !plan.remembered.empty()},
      {"remembered_limits", remembered_json(plan)},
      {"routes_without_known_limit", json::Array(plan.unknown.begin(), plan.unknown.end())},
      {"input_tokens", plan.input_tokens},
      {"output_tokens", plan.output_tokens},
      {"cost_usd", plan.cost_usd},
      {"detectable", std::move(detects)}};
}

/// What the bound rests on, and what it does not know.
std::string knowledge_text(const Plan& plan) {
  constexpr std::size_t kShown = 4;
  std::string text;
  if (!plan.remembered.empty()) {
    text += "\n          estimated bound: it counts limits that earlier runs learned:";
    for (const ledger::RememberedLimit& limit : plan.remembered) {
      text += fmt::format("\n            {} of {}: {:.0f}{}, {:.0f} % sure, {}",
                          limit.kind,
                          limit.domain,
                          limit.value,
                          limit.kind == "concurrency"
                              ? " at once"
                              : fmt::format(" per {:.0f} s", limit.window_seconds),
                          100 * limit.confidence,
                          base::to_iso8601(limit.at).substr(0, 10));
    }
  }
  if (!plan.unknown.empty()) {
    const std::size_t shown = std::min(kShown, plan.unknown.size());
    const std::vector<std::string> names(plan.unknown.begin(),
                                         plan.unknown.begin() + static_cast<std::ptrdiff_t>(shown));
    text += fmt::format(
        "\n          not known: the limits of {} route{} ({}{}): neither declared nor learned, so "
        "the bound takes {} as unlimited",
        plan.unknown.size(),
        plan.unknown.size() > 1 ? "s" : "",
        base::join(names, ", "),
        shown < plan.unknown.size() ? ", …" : "",
        plan.unknown.size() > 1 ? "them" : "it");
  }
  return text;
}

std::string bound_text(const Plan& plan) {
  std::string text =
      fmt::format("{} at least", base::human(base::from_seconds(plan.least_seconds())));
  bool limited = false;
  for (const sched::Bottleneck& bottleneck : plan.bound.bottlenecks) {
    if (bottleneck.domain.empty() || bottleneck.saving_of_ten_percent <= 0) {
      continue;
    }
    limited = true;
    const auto alike = std::ranges::count_if(plan.bound.bottlenecks, [&](const auto& other) {
      return other.limit == bottleneck.limit &&
             std::abs(other.saving_of_ten_percent - bottleneck.saving_of_ten_percent) < 1e-4;
    });
    text += fmt::format("; bottleneck: {} of {}{}; 10 % more there saves {:.0f} %",
                        bottleneck.limit,
                        bottleneck.domain,
                        alike > 1 ? fmt::format(" (and {} more alike)", alike - 1) : std::string(),
                        100 * bottleneck.saving_of_ten_percent);
    break;
  }
  if (!limited && plan.least_seconds() > 0) {
    text += "; the longest dialogue decides, no known limit does";
  }
  text += knowledge_text(plan);
  text += fmt::format("\n          expected about {}",
                      base::human(base::from_seconds(plan.expected_seconds())));
  if (plan.open_seconds > plan.least_seconds()) {
    text += fmt::format(" (a model without declared limits has {} dialogues open at once)",
                        sched::kOpenMaxUndeclared);
  }
  return text;
}

std::string to_text(const Plan& plan) {
  analysis::TextTable table(
      {"model", "cells", "trials", "done", "requests to come", "cost $", "routes"});
  bool guessed = false;
  for (const ModelPlan& model : plan.models) {
    guessed = guessed || !model.shape.measured;
    table.add({model.model + (model.simulated ? " (simulated)" : ""),
               fmt::to_string(model.cells),
               fmt::to_string(model.trials),
               fmt::to_string(model.done),
               fmt::format("{:.0f}", model.requests),
               fmt::format("{:.2f}", model.cost_usd),
               base::join(model.routes, " ")});
  }
  return fmt::format(
      "{}: {} trials in {} cells, {} done; run directory {}\n{}\n{}\ntime      {}\ntokens    about "
      "{} in, {} out\n"
      "cost      about ${:.2f}\ndetects   {}\n{}",
      plan.name,
      base::with_thousands(static_cast<long long>(plan.trials)),
      plan.cells,
      base::with_thousands(static_cast<long long>(plan.done)),
      plan.run_directory,
      engine::to_text(plan.reuse),
      table.render(),
      bound_text(plan),
      base::with_thousands(std::llround(plan.input_tokens)),
      base::with_thousands(std::llround(plan.output_tokens)),
      plan.cost_usd,
      detects_text(plan.detectable),
      guessed ? "Requests, tokens and times are those of a typical pilot dialogue until the run "
                "has measured its own.\n"
              : "");
}

int plan(const PlanOptions& options) {
  const auto made = make_plan(options);
  if (!made.has_value()) {
    return fail(made.error(), options.json);
  }
  if (options.json) {
    print_json(to_json(*made));
  } else {
    print_text(to_text(*made));
  }
  return kDone;
}

}  // namespace

void add_plan(CLI::App& root, Action& action) {
  const auto options = std::make_shared<PlanOptions>();  // owned by the callbacks below
  CLI::App* command =
      root.add_subcommand("plan", "Cells, trials done, routes, time, tokens, cost: sends nothing");
  command->add_option("CAMPAIGN", options->campaign, "Campaign file")->required();
  add_selection(*command, options->selection);
  add_reuse(*command, options->reuse);
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:  sortie plan sortie.yaml --only baseline --limit 5");
  command->callback([&action, options] { action = [options] { return plan(*options); }; });
}

}  // namespace sortie::app
