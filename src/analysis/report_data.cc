#include "sortie/analysis/report_data.h"

#include "sortie/analysis/agent_rates.h"
#include "sortie/analysis/cells.h"
#include "sortie/analysis/columns_cache.h"
#include "sortie/analysis/diagnosis.h"
#include "sortie/analysis/own_tables.h"
#include "sortie/analysis/report_cache.h"
#include "sortie/analysis/run_columns.h"
#include "sortie/analysis/run_suite.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

using ledger::Cell;

constexpr std::size_t kManifestValueMax = 200;

std::string when(std::int64_t microseconds) {
  return microseconds == 0
             ? std::string()
             : base::to_iso8601(base::WallTime(std::chrono::microseconds(microseconds)));
}

/// By name.
std::vector<RouteUse> routes_of(const RequestColumns& requests) {
  std::map<std::string, RouteUse> routes;
  for (const auto& [kind, sums] : requests.sums) {
    const std::string& name = requests.routes.text(kind.route);
    const std::string& model = requests.models.text(kind.model);
    const std::string& api_name = requests.api_names.text(kind.api_name);
    RouteUse& use = routes[name];
    use.model = use.attempts == 0 ? model : std::min(use.model, model);
    use.api_name = use.attempts == 0 ? api_name : std::min(use.api_name, api_name);
    use.route = name;
    use.attempts += sums.attempts;
    use.answered += sums.answered;
    use.throttled += sums.throttled;
    use.wrong_model += sums.wrong_model;
    use.unknown += sums.attempts - sums.ended;
    use.failed += sums.ended - sums.answered - sums.throttled;
    use.input_tokens += sums.input_tokens;
    use.output_tokens += sums.output_tokens;
    use.cost += sums.cost;
    use.reserved += sums.reserved;
  }
  std::vector<RouteUse> list;
  for (auto& [name, use] : routes) {
    list.push_back(std::move(use));
  }
  return list;
}

RouteUse* find_route(std::vector<RouteUse>& routes, const std::string& name) {
  const auto found = std::ranges::find(routes, name, &RouteUse::route);
  return found == routes.end() ? nullptr : &*found;
}

void add_served_names(const RequestColumns& requests, std::vector<RouteUse>& routes) {
  std::set<std::pair<std::string, std::string>> names;
  for (const auto& [route, served] : requests.served) {
    names.emplace(requests.routes.text(route), requests.served_models.text(served));
  }
  for (const auto& [route, served] : names) {
    RouteUse* use = find_route(routes, route);
    if (use != nullptr && !served.empty()) {
      use->served += (use->served.empty() ? "" : ", ") + served;
    }
  }
}

/// The lower one of two in the middle.
void add_medians(RequestColumns& requests, std::vector<RouteUse>& routes) {
  for (auto& [route, durations] : requests.durations) {
    const auto middle = durations.begin() + static_cast<std::ptrdiff_t>((durations.size() - 1) / 2);
    std::ranges::nth_element(durations, middle);
    if (RouteUse* use = find_route(routes, requests.routes.text(route))) {
      use->latency_median_s = static_cast<double>(*middle) / 1e6;
    }
  }
}

void add_answers(const RequestColumns& requests, std::vector<RouteUse>& routes) {
  for (const auto& [route, answers] : requests.turns) {
    if (RouteUse* use = find_route(routes, requests.routes.text(route))) {
      use->answers = answers;
    }
  }
}

std::map<std::string, CellTimes> times_of(const TrialColumns& trials,
                                          const RequestColumns& requests) {
  std::map<std::uint32_t, std::pair<std::int64_t, std::int64_t>> times;
  for (const auto& [kind, sums] : requests.sums) {
    auto& [first, last] = times.try_emplace(kind.cell, sums.first_at, sums.last_at).first->second;
    first = std::min(first, sums.first_at);
    last = std::max(last, sums.last_at);
  }
  std::map<std::string, CellTimes> named;
  for (const auto& [cell, time] : times) {
    named.emplace(trials.cells.text(cell),
                  CellTimes{.first = when(time.first), .last = when(time.second)});
  }
  return named;
}

/// The first request and the last end of one.
void add_span(const RequestColumns& requests, ReportData& data) {
  std::optional<std::int64_t> first;
  std::optional<std::int64_t> last;
  for (const auto& [kind, sums] : requests.sums) {
    first = std::min(first.value_or(sums.first_at), sums.first_at);
    if (sums.ended > 0) {
      last = std::max(last.value_or(sums.last_ended), sums.last_ended);
    }
  }
  data.started = when(first.value_or(0));
  data.ended = when(last.value_or(0));
}

void mark_simulated(const Summary& summary, std::vector<RouteUse>& routes) {
  std::set<std::string> simulated;
  for (const CellSummary& cell : summary.cells) {
    if (cell.factors.simulated) {
      simulated.insert(cell.factors.model);
    }
  }
  for (RouteUse& route : routes) {
    route.simulated = simulated.contains(route.model);
  }
}

base::Status read_manifest(ledger::Reader& reader, ReportData& data) {
  return reader.scan(
      "SELECT name, value, max(generation) FROM manifest GROUP BY name ORDER BY name",
      [&](std::span<const Cell> row) {
        std::string value = text_of(row[1]);
        if (value.size() <= kManifestValueMax) {
          data.manifest.emplace_back(text_of(row[0]), std::move(value));
        }
        return true;
      });
}

/// What seemed to be one limit, and the lines that declare it.
std::string shared_text(const std::string& at, const json::Value& detail, const Phrases& say) {
  const std::string_view subject = json::get_string(detail, "subject").value_or("");
  if (json::get_bool(detail, "over").value_or(false)) {
    return say("event.unshared", fmt::arg("at", at), fmt::arg("subject", subject));
  }
  std::string text = say("event.shared", fmt::arg("at", at), fmt::arg("subject", subject));
  if (const json::Array* lines = json::get_array(detail, "declare")) {
    for (const json::Value& line : *lines) {
      text += fmt::format("\n      {}", line.is_string() ? json::view(line.as_string()) : "");
    }
  }
  return text;
}

/// A person's change says who, what and why; other events as they stand.
std::string event_text(std::span<const Cell> row, const Phrases& say) {
  const std::string kind = text_of(row[1]);
  const std::string at = when(int_of(row[0]));
  const auto detail = json::parse(text_of(row[3]));
  if (kind == "pools_shared" && detail.has_value()) {
    return shared_text(at, *detail, say);
  }
  if (kind != "control" || !detail.has_value()) {
    return fmt::format("{} {} {} {}", at, kind, text_of(row[2]), text_of(row[3]));
  }
  std::vector<std::string> changes;
  if (const json::Array* array = json::get_array(*detail, "changes")) {
    for (const json::Value& change : *array) {
      changes.emplace_back(change.is_string() ? json::view(change.as_string()) : "");
    }
  }
  const std::string_view reason = json::get_string(*detail, "reason").value_or("");
  const auto author = json::get_string(*detail, "author");
  return say("event.by",
             fmt::arg("at", at),
             fmt::arg("changes", base::join(changes, "; ")),
             fmt::arg("author", author.has_value() ? std::string(*author) : say("event.unknown"))) +
         (reason.empty() ? "" : say("event.reason", fmt::arg("reason", reason)));
}

base::Status read_history(ledger::Reader& reader, ReportData& data) {
  return reader.scan(
      "SELECT at, kind, subject, detail FROM event WHERE kind NOT LIKE 'run_%' ORDER BY id LIMIT "
      "100",
      [&](std::span<const Cell> row) {
        data.events.push_back(event_text(row, phrases_in(data.language)));
        return true;
      });
}

std::size_t size_of(const PlayBook& book) {
  std::size_t size = 0;
  for (const auto& [factors, plays] : book.plays) {
    size += plays.places.size();
  }
  return size;
}

/// Played, but for those dialogues that are kept in `cache` (a directory, or empty).
base::Result<std::vector<ReferenceRates>> rates_of_agents(ledger::Reader& reader,
                                                          const std::string& cache,
                                                          const RunRows& rows) {
  TRY_ASSIGN(const suite::Suite suite, suite_of(reader));
  TRY_ASSIGN(const auto text, reader.manifest("seed"));
  std::uint64_t seed = 0;
  if (text.has_value()) {
    std::from_chars(text->data(), text->data() + text->size(), seed);
  }
  if (cache.empty()) {
    return agent_rates(rows, suite, seed);
  }
  TRY_ASSIGN(const auto suite_text, reader.manifest("suite_text"));
  const std::string about = base::FieldHasher("sortie.plays.v1")
                                .field("suite", suite.name())
                                .field("text", suite_text.value_or(""))
                                .field("seed", text.value_or(""))
                                .finish()
                                .hex();
  PlayBook book = load_plays(cache, about);
  const std::size_t known = size_of(book);
  auto rates = agent_rates(rows, suite, seed, book);
  if (size_of(book) != known) {
    store_plays(cache, about, book);
  }
  return rates;
}

/// What the suite's card says of its texts, beside the versions.
base::Status add_review(ledger::Reader& reader, ReportData& data) {
  TRY_ASSIGN(const suite::Suite suite, suite_of(reader));
  std::vector<std::string> levels;
  for (const suite::Difficulty level : suite::not_reviewed(suite)) {
    levels.emplace_back(suite::to_string(level));
  }
  if (!levels.empty()) {
    data.manifest.emplace_back(phrases_in(data.language)("provenance.not_reviewed"),
                               base::join(levels, ", "));
  }
  return {};
}

base::Status add_tables(ledger::Reader& reader,
                        const ReportOptions& options,
                        const RunRows& rows,
                        ReportData& data) {
  std::vector<ReferenceRates> agents;
  if (options.scripted_agents) {
    TRY_ASSIGN(agents, rates_of_agents(reader, options.cache_directory, rows));
  }
  const TableInputs inputs{.rows = &rows,
                           .summary = &data.summary,
                           .declared = &data.declared,
                           .agents = std::move(agents),
                           .language = data.language};
  data.tables = scenario_tables(inputs);
  std::ranges::move(own_scenario_tables(inputs), std::back_inserter(data.tables));
  TRY_ASSIGN(data.diagnoses, diagnose_cells(reader, data.summary, phrases_in(data.language)));
  return {};
}

/// A baseline that is chosen with the results in view: whatever was declared of the comparisons of
/// models is not of these.
base::Status choose_baseline(const std::string& model, ReportData& data) {
  if (model.empty()) {
    return {};
  }
  std::set<std::string> known;
  for (const CellSummary& cell : data.summary.cells) {
    known.insert(cell.factors.model);
  }
  if (!known.contains(model)) {
    const std::vector<std::string> names(known.begin(), known.end());
    return base::bad_input(fmt::format(
        "--baseline {}: this run has no such model{}", model, base::suggestion(model, names)));
  }
  if (data.declared.all_pairs || data.declared.baseline_model != model) {
    data.declared.baseline_model = model;
    data.declared.all_pairs = false;
    std::erase_if(data.declared.primary,
                  [](const std::string& family) { return family.starts_with("baseline/"); });
  }
  return {};
}

base::Status add_requests(ledger::Reader& reader, RunColumns& columns, ReportData& data) {
  RequestColumns& requests = columns.requests;
  requests.add_open();
  data.times = times_of(columns.trials, requests);
  data.routes = routes_of(requests);
  mark_simulated(data.summary, data.routes);
  add_served_names(requests, data.routes);
  add_medians(requests, data.routes);
  add_answers(requests, data.routes);
  add_span(requests, data);
  TRY_ASSIGN(data.costs, costs_of(reader, columns.trials, requests, phrases_in(data.language)));
  return {};
}

base::Result<ReportData> collect(ledger::Reader& reader, const ReportOptions& options) {
  ReportData data;
  data.language = options.language;
  TRY_ASSIGN(RunColumns columns,
             options.cache_directory.empty() ? read_columns(reader)
                                             : cached_columns(reader, options.cache_directory));
  {
    TRY_ASSIGN(const RunRows rows, rows_of(reader, columns.trials));
    TRY_ASSIGN(data.summary, summarize(reader, rows, {.intervals = options.tables}));
    TRY_ASSIGN(data.declared, read_declared(reader));
    TRY(choose_baseline(options.baseline_model, data));
    if (options.tables) {
      TRY(add_tables(reader, options, rows, data));
    }
  }
  TRY(add_requests(reader, columns, data));
  TRY_ASSIGN(data.speeds, read_speeds(reader));
  TRY_ASSIGN(data.reused, read_reused(reader));
  TRY(read_manifest(reader, data));
  if (options.tables) {
    TRY(add_review(reader, data));
  }
  TRY(read_history(reader, data));
  return data;
}

base::Result<ReportData> collect_or_load(ledger::Reader& reader, ReportOptions options) {
  std::int64_t facts = 0;
  std::string key;
  TRY(reader.scan("SELECT facts, key FROM run", [&](std::span<const Cell> row) {
    facts = int_of(row[0]);
    key = text_of(row[1]);
    return false;
  }));
  if (facts < options.cached_facts_min) {
    options.cache_directory.clear();
  }
  if (options.cache_directory.empty() || !options.tables) {
    return collect(reader, options);
  }
  TRY_ASSIGN(const std::string mark, reader.high_water_mark());
  const base::Digest stamp =
      report_stamp(fmt::format("tables {}, agents {}, baseline {}, language {}",
                               options.tables,
                               options.scripted_agents,
                               options.baseline_model,
                               html_code(options.language)),
                   key,
                   mark);
  if (auto known = load_report(options.cache_directory, stamp)) {
    return std::move(*known);
  }
  auto data = collect(reader, options);
  if (data.has_value()) {
    store_report(options.cache_directory, stamp, *data);
  }
  return data;
}

}  // namespace

base::Result<ReportData> collect_report(ledger::Reader& reader, ReportOptions options) {
  TRY(reader.begin());
  auto data = collect_or_load(reader, std::move(options));
  reader.end();
  return data;
}

}  // namespace sortie::analysis
