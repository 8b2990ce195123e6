#include "sortie/monitor/web_query.h"

#include "sortie/analysis/answer_count.h"
#include "sortie/analysis/cells.h"
#include "sortie/analysis/reused.h"
#include "sortie/analysis/speeds.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::monitor {

namespace {

constexpr std::size_t kPageDefault = 50;
constexpr std::size_t kPageMax = 200;
constexpr std::size_t kEventsMax = 100;
constexpr std::size_t kManifestValueMax = 200;

json::Value time_or_null(std::int64_t microseconds) {
  return microseconds == 0 ? json::Value(nullptr)
                           : json::Value(base::to_iso8601(
                                 base::WallTime(std::chrono::microseconds(microseconds))));
}

json::Value seconds_or_null(const std::optional<base::Duration>& duration) {
  return duration.has_value() ? json::Value(base::seconds(*duration)) : json::Value(nullptr);
}

/// Seconds per answer; 0 without one.
double latency_of(const IndexedTrial& trial) {
  return trial.answered == 0 ? 0 : static_cast<double>(trial.answer_seconds) / trial.answered;
}

struct Counts {
  std::uint64_t planned = 0;
  std::uint64_t begun = 0;
  std::uint64_t scored = 0;
  std::uint64_t succeeded = 0;
  std::uint64_t lost = 0;
  std::uint64_t repaired = 0;  // trials with a repaired turn
  double progress = 0;         // sum
  std::int64_t cost = 0;
  std::int64_t tokens = 0;

  void add(const IndexedTrial& trial, std::uint8_t scored_outcome) {
    ++begun;
    cost += trial.cost;
    tokens += trial.tokens;
    if (trial.outcome == scored_outcome) {
      ++scored;
      succeeded += trial.success ? 1U : 0U;
      repaired += trial.repaired > 0 ? 1U : 0U;
      progress += static_cast<double>(trial.progress);
    } else if (trial.outcome != 0) {
      ++lost;
    }
  }

  void write(json::Object& object) const {
    object["planned"] = planned;
    object["scored"] = scored;
    object["succeeded"] = succeeded;
    object["lost"] = lost;
    object["open"] = planned > scored + lost ? planned - scored - lost : 0;
    object["repaired"] = repaired;
    object["progress"] =
        scored == 0 ? json::Value(nullptr) : json::Value(progress / static_cast<double>(scored));
    object["cost_micro_usd"] = cost;
    object["tokens"] = tokens;
  }
};

std::uint8_t scored_outcome(const TrialIndex& index) {
  return static_cast<std::uint8_t>(index.outcomes().find("scored"));
}

std::vector<Counts> counts_of_cells(const TrialIndex& index) {
  std::vector<Counts> counts(index.cells().size());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    counts[i].planned = index.cells()[i].planned;
  }
  const std::uint8_t scored = scored_outcome(index);
  for (const IndexedTrial& trial : index.trials()) {
    if (trial.exists) {
      counts[trial.cell].add(trial, scored);
    }
  }
  return counts;
}

void add_up(Counts& sum, const Counts& part) {
  sum.planned += part.planned;
  sum.begun += part.begun;
  sum.scored += part.scored;
  sum.succeeded += part.succeeded;
  sum.lost += part.lost;
  sum.repaired += part.repaired;
  sum.progress += part.progress;
  sum.cost += part.cost;
  sum.tokens += part.tokens;
}

json::Array models_json(const TrialIndex& index, const std::vector<Counts>& cells) {
  std::map<std::string, std::pair<Counts, bool>> models;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    auto& [counts, simulated] = models[index.models().text(index.cells()[i].model)];
    add_up(counts, cells[i]);
    simulated = index.cells()[i].simulated;
  }
  json::Array array;
  for (const auto& [name, model] : models) {
    json::Object object{{"model", name}, {"simulated", model.second}};
    model.first.write(object);
    array.push_back(std::move(object));
  }
  return array;
}

json::Array routes_json(const TrialIndex& index) {
  json::Array array;
  for (std::uint32_t i = 0; i < index.route_uses().size(); ++i) {
    const IndexedRoute& route = index.route_uses()[i];
    const auto answered = static_cast<double>(route.answered);
    array.push_back(json::Object{
        {"route", index.routes().text(i)},
        {"model", index.models().text(route.model)},
        {"attempts", route.attempts},
        {"answered", route.answered},
        {"throttled", route.throttled},
        {"failed", route.failed},
        {"unfinished", route.attempts - route.answered - route.throttled - route.failed},
        {"tokens", route.tokens},
        {"cost_micro_usd", route.cost},
        {"empty_answers", route.empty},
        {"suspect", analysis::AnswerCount{.all = route.answered, .empty = route.empty}.suspect()},
        {"latency_seconds",
         route.answered == 0 ? json::Value(nullptr) : json::Value(route.answer_seconds / answered)},
        {"latency_p50_seconds", seconds_or_null(route.latency.quantile(0.5))},
        {"latency_p95_seconds", seconds_or_null(route.latency.quantile(0.95))}});
  }
  return array;
}

/// How many trials have each outcome, and how many failures each label.
std::pair<json::Object, json::Object> tallies_json(const TrialIndex& index) {
  std::array<std::uint64_t, 256> outcomes{};
  std::array<std::uint64_t, 256> labels{};
  for (const IndexedTrial& trial : index.trials()) {
    if (trial.exists) {
      ++outcomes[trial.outcome];
      labels[trial.label] += trial.level != 0 && !trial.success ? 1U : 0U;
    }
  }
  const auto named = [](const Names& names, const std::array<std::uint64_t, 256>& counts) {
    json::Object object;
    for (std::uint32_t i = 1; i < names.texts().size() && i < 256; ++i) {
      if (counts[i] > 0) {
        object[names.text(i)] = counts[i];
      }
    }
    return object;
  };
  return {named(index.outcomes(), outcomes), named(index.labels(), labels)};
}

base::Result<json::Array> events_json(ledger::Reader& reader) {
  json::Array events;
  TRY(reader.scan(fmt::format("SELECT at, kind, subject, detail FROM event WHERE kind <> "
                              "'run_speed' ORDER BY id DESC LIMIT {}",
                              kEventsMax),
                  [&](std::span<const ledger::Cell> row) {
                    events.push_back(json::Object{
                        {"at", time_or_null(analysis::int_of(row[0]))},
                        {"kind", analysis::text_of(row[1])},
                        {"subject", analysis::text_of(row[2])},
                        {"detail", json::parse(analysis::text_of(row[3])).value_or(nullptr)}});
                    return true;
                  }));
  return events;
}

/// Newest values, short ones only.
base::Result<json::Object> manifest_json(ledger::Reader& reader) {
  json::Object manifest;
  TRY(reader.scan(fmt::format("SELECT name, value FROM manifest WHERE length(value) <= {} ORDER BY "
                              "generation, name",
                              kManifestValueMax),
                  [&](std::span<const ledger::Cell> row) {
                    manifest[analysis::text_of(row[0])] = analysis::text_of(row[1]);
                    return true;
                  }));
  return manifest;
}

struct Page {
  std::size_t offset = 0;
  std::size_t limit = kPageDefault;

  [[nodiscard]] static Page of(const Target& query) {
    const double offset = std::clamp(query.number("offset").value_or(0), 0.0, 1e9);
    const double limit = std::clamp(query.number("limit").value_or(kPageDefault), 1.0, 200.0);
    return {.offset = static_cast<std::size_t>(offset),
            .limit = std::min(static_cast<std::size_t>(limit), kPageMax)};
  }
};

// --- Filters

using Test = std::function<bool(const IndexedTrial&)>;

/// A factor of the trial's cell, as the cells that have the value.
void add_cell_test(std::vector<Test>& tests,
                   const TrialIndex& index,
                   const std::function<bool(const IndexedCell&)>& wanted) {
  std::vector<bool> cells;
  for (const IndexedCell& cell : index.cells()) {
    cells.push_back(wanted(cell));
  }
  tests.emplace_back(
      [cells = std::move(cells)](const IndexedTrial& trial) { return cells[trial.cell]; });
}

void add_cell_tests(std::vector<Test>& tests, const TrialIndex& index, const Target& query) {
  if (const auto model = query.text("model")) {
    const std::uint32_t number = index.models().find(*model);
    add_cell_test(tests, index, [&](const IndexedCell& cell) { return cell.model == number; });
  }
  if (const auto id = query.text("cell")) {
    add_cell_test(tests, index, [&](const IndexedCell& cell) { return cell.id == *id; });
  }
  if (const auto prompt = query.text("prompt")) {
    add_cell_test(tests, index, [&](const IndexedCell& cell) { return cell.prompt == *prompt; });
  }
  if (const auto level = query.text("difficulty")) {
    add_cell_test(tests, index, [&](const IndexedCell& cell) { return cell.difficulty == *level; });
  }
}

void add_word_test(std::vector<Test>& tests,
                   const Names& names,
                   const std::optional<std::string>& value,
                   std::uint8_t IndexedTrial::* member) {
  if (value.has_value()) {
    const std::uint32_t number = names.find(*value == "open" ? "" : std::string_view(*value));
    tests.emplace_back(
        [number, member](const IndexedTrial& trial) { return trial.*member == number; });
  }
}

void add_least(std::vector<Test>& tests,
               const std::optional<double>& least,
               double (*value)(const IndexedTrial&)) {
  if (least.has_value()) {
    tests.emplace_back(
        [at_least = *least, value](const IndexedTrial& trial) { return value(trial) >= at_least; });
  }
}

double turns_of(const IndexedTrial& trial) {
  return trial.turns;
}

double repairs_of(const IndexedTrial& trial) {
  return trial.repaired;
}

double injected_of(const IndexedTrial& trial) {
  return trial.injected;
}

double progress_of(const IndexedTrial& trial) {
  return static_cast<double>(trial.progress);
}

double cost_of(const IndexedTrial& trial) {
  return static_cast<double>(trial.cost) / 1e6;
}

std::vector<Test> tests_of(const TrialIndex& index, const Target& query) {
  std::vector<Test> tests;
  add_cell_tests(tests, index, query);
  if (const auto task = query.text("task")) {
    tests.emplace_back([number = index.tasks().find(*task)](const IndexedTrial& trial) {
      return trial.task == number;
    });
  }
  if (const auto type = query.text("task_type")) {
    std::vector<bool> tasks;
    for (std::uint32_t i = 0; i < index.tasks().texts().size(); ++i) {
      tasks.push_back(index.task_type(i) == *type);
    }
    tests.emplace_back(
        [tasks = std::move(tasks)](const IndexedTrial& trial) { return tasks[trial.task]; });
  }
  add_word_test(tests, index.outcomes(), query.text("outcome"), &IndexedTrial::outcome);
  add_word_test(tests, index.levels(), query.text("level"), &IndexedTrial::level);
  add_word_test(tests, index.labels(), query.text("label"), &IndexedTrial::label);
  if (const auto success = query.number("success")) {
    tests.emplace_back([wanted = *success != 0](const IndexedTrial& trial) {
      return trial.level != 0 && trial.success == wanted;
    });
  }
  add_least(tests, query.number("repairs_min"), repairs_of);
  add_least(tests, query.number("injected_min"), injected_of);
  add_least(tests, query.number("turns_min"), turns_of);
  add_least(tests, query.number("cost_min"), cost_of);
  add_least(tests, query.number("latency_min"), latency_of);
  return tests;
}

using Value = double (*)(const IndexedTrial&);

base::Result<Value> sort_value(const std::string& name) {
  const std::map<std::string, Value> values = {{"id", nullptr},
                                               {"turns", turns_of},
                                               {"repairs", repairs_of},
                                               {"progress", progress_of},
                                               {"cost", cost_of},
                                               {"latency", latency_of}};
  const auto found = values.find(name);
  if (found == values.end()) {
    return base::bad_input(fmt::format(
        "cannot sort by '{}': expected id, turns, repairs, progress, cost or latency", name));
  }
  return found->second;
}

/// Puts the page's ids in order; the others stay as they are.
void sort_page(const TrialIndex& index,
               Value value,
               bool descending,
               Page page,
               std::vector<std::size_t>& ids) {
  const auto before = [&](std::size_t a, std::size_t b) {
    if (value != nullptr) {
      const double left = value(index.trials()[a]);
      const double right = value(index.trials()[b]);
      if (left != right) {
        return descending ? left > right : left < right;
      }
    }
    return value == nullptr && descending ? a > b : a < b;
  };
  const auto end =
      ids.begin() + static_cast<std::ptrdiff_t>(std::min(page.offset + page.limit, ids.size()));
  std::ranges::partial_sort(ids, end, before);
}

// --- Two models

/// What two trials share that can be compared: everything but the model.
std::string factors_of(const IndexedCell& cell) {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}",
                     cell.prompt,
                     cell.severity,
                     cell.difficulty,
                     cell.protocol,
                     cell.tool_success_rate,
                     cell.max_turns);
}

struct PairKey {
  std::uint32_t factors = 0;
  std::uint32_t task = 0;
  std::uint32_t repeat = 0;

  auto operator<=>(const PairKey&) const = default;
};

struct TrialPair {
  std::size_t a = 0;
  std::size_t b = 0;
};

std::vector<std::pair<PairKey, std::size_t>> scored_trials(const TrialIndex& index,
                                                           std::uint32_t model,
                                                           Names& factors) {
  std::vector<std::uint32_t> factors_of_cell;
  for (const IndexedCell& cell : index.cells()) {
    factors_of_cell.push_back(factors.of(factors_of(cell)));
  }
  std::vector<std::pair<PairKey, std::size_t>> found;
  for (std::size_t id = 0; id < index.trials().size(); ++id) {
    const IndexedTrial& trial = index.trials()[id];
    if (trial.exists && trial.level != 0 && index.cells()[trial.cell].model == model) {
      found.emplace_back(
          PairKey{
              .factors = factors_of_cell[trial.cell], .task = trial.task, .repeat = trial.repeat},
          id);
    }
  }
  std::ranges::sort(found);
  return found;
}

std::vector<TrialPair> pairs_of(const TrialIndex& index, std::uint32_t a, std::uint32_t b) {
  Names factors;
  const auto left = scored_trials(index, a, factors);
  const auto right = scored_trials(index, b, factors);
  std::vector<TrialPair> pairs;
  auto other = right.begin();
  for (const auto& [key, id] : left) {
    other = std::find_if(other, right.end(), [&](const auto& entry) { return entry.first >= key; });
    if (other != right.end() && other->first == key) {
      pairs.push_back({.a = id, .b = other->second});
    }
  }
  return pairs;
}

}  // namespace

json::Value trial_json(const TrialIndex& index, std::size_t id) {
  const IndexedTrial& trial = index.trials()[id];
  const IndexedCell& cell = index.cells()[trial.cell];
  const bool scored = trial.level != 0;
  return json::Object{{"trial", id},
                      {"model", index.models().text(cell.model)},
                      {"cell", cell.id},
                      {"task", index.tasks().text(trial.task)},
                      {"task_type", index.task_type(trial.task)},
                      {"repeat", trial.repeat},
                      {"prompt", cell.prompt},
                      {"severity", cell.severity},
                      {"difficulty", cell.difficulty},
                      {"protocol", cell.protocol},
                      {"tool_success_rate", cell.tool_success_rate},
                      {"max_turns", cell.max_turns},
                      {"outcome", index.outcomes().text(trial.outcome)},
                      {"success", scored ? json::Value(trial.success) : json::Value(nullptr)},
                      {"progress", scored ? json::Value(progress_of(trial)) : json::Value(nullptr)},
                      {"level", index.levels().text(trial.level)},
                      {"label", index.labels().text(trial.label)},
                      {"turns", trial.turns},
                      {"repaired", trial.repaired},
                      {"injected", trial.injected},
                      {"attempts", trial.attempts},
                      {"tokens", trial.tokens},
                      {"cost_micro_usd", trial.cost},
                      {"latency_seconds",
                       trial.answered == 0 ? json::Value(nullptr) : json::Value(latency_of(trial))},
                      {"begun", time_or_null(trial.first_attempt)}};
}

base::Result<json::Value> overview_json(TrialIndex& index, const std::string& run) {
  const std::vector<Counts> cells = counts_of_cells(index);
  Counts total;
  for (const Counts& cell : cells) {
    add_up(total, cell);
  }
  TRY_ASSIGN(const auto speeds, analysis::read_speeds(index.reader()));
  json::Array speed_rows;
  for (const analysis::StartSpeed& speed : speeds) {
    speed_rows.push_back(json::Object{{"ended", speed.ended}, {"speed", speed.detail}});
  }
  TRY_ASSIGN(json::Array events, events_json(index.reader()));
  TRY_ASSIGN(const auto reused, analysis::read_reused(index.reader()));
  TRY_ASSIGN(json::Object manifest, manifest_json(index.reader()));
  auto [outcomes, labels] = tallies_json(index);
  json::Object object{{"version", 1}, {"run", run}};
  total.write(object);
  object["first_attempt"] = time_or_null(index.timeline_start());
  object["last_end"] = time_or_null(index.last_end());
  object["models"] = models_json(index, cells);
  object["routes"] = routes_json(index);
  object["outcomes"] = std::move(outcomes);
  object["labels"] = std::move(labels);
  object["speeds"] = std::move(speed_rows);
  object["events"] = std::move(events);
  object["reused"] = analysis::to_json(reused);
  object["manifest"] = std::move(manifest);
  return object;
}

json::Value cells_json(const TrialIndex& index) {
  const std::vector<Counts> counts = counts_of_cells(index);
  json::Array array;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const IndexedCell& cell = index.cells()[i];
    json::Object object{{"cell", cell.id},
                        {"model", index.models().text(cell.model)},
                        {"simulated", cell.simulated},
                        {"scenarios", cell.scenarios},
                        {"prompt", cell.prompt},
                        {"severity", cell.severity},
                        {"difficulty", cell.difficulty},
                        {"protocol", cell.protocol},
                        {"tool_success_rate", cell.tool_success_rate},
                        {"max_turns", cell.max_turns}};
    counts[i].write(object);
    array.push_back(std::move(object));
  }
  return json::Object{{"version", 1}, {"cells", std::move(array)}};
}

json::Value timeline_json(const TrialIndex& index) {
  json::Array routes;
  for (std::uint32_t i = 0; i < index.route_uses().size(); ++i) {
    json::Array answered;
    json::Array throttled;
    json::Array failed;
    for (const TimelineBucket& bucket : index.route_uses()[i].buckets) {
      answered.emplace_back(bucket.answered);
      throttled.emplace_back(bucket.throttled);
      failed.emplace_back(bucket.failed);
    }
    routes.push_back(json::Object{{"route", index.routes().text(i)},
                                  {"answered", std::move(answered)},
                                  {"throttled", std::move(throttled)},
                                  {"failed", std::move(failed)}});
  }
  return json::Object{{"version", 1},
                      {"start", time_or_null(index.timeline_start())},
                      {"bucket_seconds", index.bucket_seconds()},
                      {"routes", std::move(routes)}};
}

base::Result<json::Value> trials_json(const TrialIndex& index, const Target& query) {
  TRY_ASSIGN(const Value value, sort_value(query.text("sort").value_or("id")));
  const std::vector<Test> tests = tests_of(index, query);
  std::vector<std::size_t> ids;
  for (std::size_t id = 0; id < index.trials().size(); ++id) {
    const IndexedTrial& trial = index.trials()[id];
    if (trial.exists &&
        std::ranges::all_of(tests, [&](const Test& matches) { return matches(trial); })) {
      ids.push_back(id);
    }
  }
  const Page page = Page::of(query);
  sort_page(index, value, query.text("order") == "desc", page, ids);
  json::Array rows;
  for (std::size_t i = page.offset; i < std::min(page.offset + page.limit, ids.size()); ++i) {
    rows.push_back(trial_json(index, ids[i]));
  }
  return json::Object{{"version", 1},
                      {"total", ids.size()},
                      {"offset", page.offset},
                      {"limit", page.limit},
                      {"trials", std::move(rows)}};
}

base::Result<json::Value> compare_json(const TrialIndex& index, const Target& query) {
  std::array<std::uint32_t, 2> models{};
  for (const std::size_t side : {0U, 1U}) {
    const std::string name = query.text(side == 0 ? "a" : "b").value_or("");
    models.at(side) = index.models().find(name);
    if (models.at(side) == Names::kNever) {
      return base::bad_input(fmt::format(
          "this run has no model '{}'{}", name, base::suggestion(name, index.models().texts())));
    }
  }
  std::vector<TrialPair> pairs = pairs_of(index, models[0], models[1]);
  std::array<std::uint64_t, 4> solved{};  // neither, only a, only b, both
  const auto solved_by = [&](const TrialPair& pair) {
    return (index.trials()[pair.a].success ? 1U : 0U) + (index.trials()[pair.b].success ? 2U : 0U);
  };
  for (const TrialPair& pair : pairs) {
    ++solved.at(solved_by(pair));
  }
  if (query.number("differ").value_or(0) != 0) {
    std::erase_if(
        pairs, [&](const TrialPair& pair) { return solved_by(pair) == 0 || solved_by(pair) == 3; });
  }
  const Page page = Page::of(query);
  json::Array rows;
  for (std::size_t i = page.offset; i < std::min(page.offset + page.limit, pairs.size()); ++i) {
    rows.push_back(
        json::Object{{"a", trial_json(index, pairs[i].a)}, {"b", trial_json(index, pairs[i].b)}});
  }
  return json::Object{{"version", 1},
                      {"total", pairs.size()},
                      {"offset", page.offset},
                      {"limit", page.limit},
                      {"neither", solved[0]},
                      {"only_a", solved[1]},
                      {"only_b", solved[2]},
                      {"both", solved[3]},
                      {"pairs", std::move(rows)}};
}

}  // namespace sortie::monitor
