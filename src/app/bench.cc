#include "sortie/app/command.h"
#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/testbed/policy.h"
#include "sortie/testbed/run.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/scenarios.h"
#include "sortie/testbed/tables.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

using testbed::Instance;
using testbed::Outcome;
using testbed::PolicySpec;
using testbed::Scenario;

struct ScheduleOptions {
  std::string table = "policies";
  std::vector<std::string> scenarios;
  std::vector<std::string> policies;
  std::size_t seeds = 10;
  std::uint64_t first_seed = 1;
  double scale = 1;
  double length_sigma = testbed::kLengthSigma;
  bool json = false;
};

double cpu_now() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// A policy in a scenario under all seeds.
struct Measured {
  std::vector<Outcome> outcomes;
  double cpu_seconds = 0;  // of all

  void play(const Instance& instance, const PolicySpec& policy) {
    const double before = cpu_now();
    outcomes.push_back(testbed::play(instance, policy));
    cpu_seconds += cpu_now() - before;
  }

  [[nodiscard]] double median_of(const std::function<double(const Outcome&)>& of) const {
    std::vector<double> values;
    std::transform(outcomes.begin(), outcomes.end(), std::back_inserter(values), of);
    return testbed::median(std::move(values));
  }

  [[nodiscard]] double most_of(const std::function<double(const Outcome&)>& of) const {
    double most = of(outcomes.front());
    for (const Outcome& outcome : outcomes) {
      most = std::max(most, of(outcome));
    }
    return most;
  }

  [[nodiscard]] bool is_impossible() const {
    return std::any_of(outcomes.begin(), outcomes.end(), [](const Outcome& outcome) {
      return outcome.is_impossible();
    });
  }
};

template <class Item>
std::string names_of(const std::vector<Item>& items) {
  std::string names;
  for (const Item& item : items) {
    names += (names.empty() ? "" : ", ") + item.name;
  }
  return names;
}

base::Result<Scenario> scenario_named(const std::string& name, double scale) {
  const Scenario* found = testbed::find_scenario(name);
  if (found == nullptr) {
    return base::bad_input(fmt::format(
        "--scenario: there is no '{}'; there are {}", name, names_of(testbed::scenarios())));
  }
  return testbed::scaled(*found, scale);
}

base::Result<PolicySpec> policy_named(const std::string& name) {
  const PolicySpec* found = testbed::find_policy(name);
  if (found == nullptr) {
    return base::bad_input(fmt::format(
        "--policy: there is no '{}'; there are {}", name, names_of(testbed::policies())));
  }
  return *found;
}

int impossible(bool json) {
  return fail(base::failure(base::Remedy::fail_campaign,
                            base::ErrorCode::integrity,
                            "a campaign ended before its lower bound: the bound or the simulated "
                            "server is wrong")
                  .error(),
              json);
}

// --- Policies

struct Line {
  std::string scenario;
  std::string policy;
  Measured runs;
};

base::Result<std::vector<Line>> measure_policies(const ScheduleOptions& options) {
  std::vector<std::string> scenarios = options.scenarios;
  std::vector<std::string> policies = options.policies;
  if (scenarios.empty()) {
    scenarios = {"A", "B", "C", "D", "E", "F", "G", "faults"};
  }
  for (const PolicySpec& policy : testbed::policies()) {
    if (options.policies.empty()) {
      policies.push_back(policy.name);
    }
  }
  std::vector<Line> lines;
  for (const std::string& name : scenarios) {
    TRY_ASSIGN(const Scenario scenario, scenario_named(name, options.scale));
    const std::size_t first = lines.size();
    for (const std::string& policy : policies) {
      lines.push_back({.scenario = name, .policy = policy, .runs = {}});
    }
    for (std::size_t i = 0; i < options.seeds; ++i) {
      TRY_ASSIGN(const Instance instance,
                 testbed::draw(scenario, options.first_seed + i, options.length_sigma));
      for (std::size_t p = 0; p < policies.size(); ++p) {
        TRY_ASSIGN(const PolicySpec policy, policy_named(policies[p]));
        lines[first + p].runs.play(instance, policy);
      }
    }
  }
  return lines;
}

json::Object numbers_of(const Measured& runs) {
  const auto median = [&](const std::function<double(const Outcome&)>& of) {
    return runs.median_of(of);
  };
  const auto most = [&](const std::function<double(const Outcome&)>& of) {
    return runs.most_of(of);
  };
  return {{"bound_seconds", median([](const Outcome& o) { return o.bound; })},
          {"makespan_seconds", median([](const Outcome& o) { return o.makespan; })},
          {"eta", median([](const Outcome& o) { return o.eta(); })},
          {"eta_worst", -most([](const Outcome& o) { return -o.eta(); })},
          {"rejected_per_accepted", median([](const Outcome& o) { return o.rejection_rate(); })},
          {"rejected_first_per_accepted",
           median([](const Outcome& o) { return o.first_rejection_rate(); })},
          {"spread", median([](const Outcome& o) { return o.spread(); })},
          {"waste", median([](const Outcome& o) { return o.waste; })},
          {"overrun_max", most([](const Outcome& o) { return o.overrun; })},
          {"gate_violations_max",
           most([](const Outcome& o) { return static_cast<double>(o.gate_violations); })},
          {"over_declared_max",
           most([](const Outcome& o) { return static_cast<double>(o.over_declared); })},
          {"lost_max", most([](const Outcome& o) { return static_cast<double>(o.lost); })},
          {"accepted", median([](const Outcome& o) { return static_cast<double>(o.accepted); })},
          {"decisions", median([](const Outcome& o) { return static_cast<double>(o.decisions); })},
          {"cpu_seconds", runs.cpu_seconds / static_cast<double>(runs.outcomes.size())}};
}

std::string text_of(const Line& line) {
  const json::Object numbers = numbers_of(line.runs);
  const auto of = [&](std::string_view name) { return numbers.at(name).to_number<double>(); };
  return fmt::format(
      "{:<13}{:<15}{:>7.0f} {:>7.0f} {:>6.3f} {:>6.3f} {:>9.2f} {:>8.2f} {:>7.3f} {:>8.3f} "
      "{:>6.0f} {:>6.0f} {:>5.0f} {:>6.2f} {:>6.2f}\n",
      line.scenario,
      line.policy,
      of("bound_seconds"),
      of("makespan_seconds"),
      of("eta"),
      of("eta_worst"),
      100 * of("rejected_per_accepted"),
      100 * of("rejected_first_per_accepted"),
      of("spread"),
      of("overrun_max"),
      of("gate_violations_max"),
      of("over_declared_max"),
      of("lost_max"),
      100 * of("waste"),
      of("cpu_seconds"));
}

base::Result<int> print_policies(const ScheduleOptions& options) {
  TRY_ASSIGN(const std::vector<Line> lines, measure_policies(options));
  json::Array rows;
  std::string text =
      "scenario     policy           bound    time    eta  worst rejected%   first%  spread  "
      "overrun  gates   over  lost waste%  CPU s\n";
  bool is_impossible = false;
  for (const Line& line : lines) {
    is_impossible = is_impossible || line.runs.is_impossible();
    text += text_of(line);
    json::Object row{{"scenario", line.scenario}, {"policy", line.policy}};
    for (const auto& [name, value] : numbers_of(line.runs)) {
      row[name] = value;
    }
    rows.push_back(std::move(row));
  }
  options.json ? print_json(json::Object{{"policies", std::move(rows)}}) : print_text(text);
  return is_impossible ? impossible(options.json) : kDone;
}

// --- Multiples

struct Pair {
  Measured few;
  Measured many;

  [[nodiscard]] double factor(double work) const {
    const auto makespan = [](const Outcome& o) { return o.makespan; };
    return work * few.median_of(makespan) / many.median_of(makespan);
  }
};

base::Result<int> print_multiples(const ScheduleOptions& options) {
  json::Array rows;
  std::string text = fmt::format("{:<52}{:>8}{:>9}{:>9}\n", "", "before", "now", "target");
  bool is_impossible = false;
  for (const testbed::Multiple& row : testbed::multiples()) {
    Pair now;
    Pair before;
    TRY_ASSIGN(const PolicySpec policy_few, policy_named(row.policy_few));
    TRY_ASSIGN(const PolicySpec policy_many, policy_named(row.policy_many));
    for (std::size_t i = 0; i < options.seeds; ++i) {
      const std::uint64_t seed = options.first_seed + i;
      TRY_ASSIGN(
          const Instance few,
          testbed::draw(testbed::scaled(row.few, options.scale), seed, options.length_sigma));
      TRY_ASSIGN(
          const Instance many,
          testbed::draw(testbed::scaled(row.many, options.scale), seed, options.length_sigma));
      now.few.play(few, policy_few);
      now.many.play(many, policy_many);
      if (row.before) {
        before.few.play(few, *row.before);
        before.many.play(many, *row.before);
      }
    }
    is_impossible = is_impossible || now.few.is_impossible() || now.many.is_impossible();
    const double factor = now.factor(row.work);
    const std::string old = row.before ? fmt::format("{:.2f}", before.factor(row.work)) : "";
    text += fmt::format("{:<52}{:>8}{:>9.2f}{:>9.1f}  {}\n",
                        row.name,
                        old,
                        factor,
                        row.at_least,
                        factor >= row.at_least ? "met" : "missed");
    json::Object object{{"name", row.name}, {"factor", factor}, {"target", row.at_least}};
    object["before"] = row.before ? json::Value(before.factor(row.work)) : json::Value();
    rows.push_back(std::move(object));
  }
  options.json ? print_json(json::Object{{"multiples", std::move(rows)}}) : print_text(text);
  return is_impossible ? impossible(options.json) : kDone;
}

// --- Targets

base::Result<int> print_targets(const ScheduleOptions& options) {
  std::map<std::pair<std::string, std::string>, Measured> measured;
  json::Array rows;
  std::string text;
  bool is_impossible = false;
  for (const testbed::Target& target : testbed::targets()) {
    Measured& runs = measured[{target.scenario, target.policy}];
    if (runs.outcomes.empty()) {
      TRY_ASSIGN(const Scenario scenario, scenario_named(target.scenario, options.scale));
      TRY_ASSIGN(const PolicySpec policy, policy_named(target.policy));
      for (std::size_t i = 0; i < options.seeds; ++i) {
        TRY_ASSIGN(const Instance instance,
                   testbed::draw(scenario, options.first_seed + i, options.length_sigma));
        runs.play(instance, policy);
      }
      is_impossible = is_impossible || runs.is_impossible();
    }
    const double value = testbed::value_of(target.metric, runs.outcomes);
    const bool is_met = target.is_met_by(value);
    text += fmt::format("{:<13}{:<15}{:<36}{:>10.4f}  {} {:<6}  {}\n",
                        target.scenario,
                        target.policy,
                        testbed::to_string(target.metric),
                        value,
                        target.metric == testbed::Metric::eta ? "≥" : "≤",
                        target.limit,
                        is_met ? "met" : "missed");
    rows.push_back(json::Object{{"scenario", target.scenario},
                                {"policy", target.policy},
                                {"metric", std::string(testbed::to_string(target.metric))},
                                {"value", value},
                                {"limit", target.limit},
                                {"met", is_met}});
  }
  options.json ? print_json(json::Object{{"targets", std::move(rows)}}) : print_text(text);
  return is_impossible ? impossible(options.json) : kDone;
}

// --- Sharing

/// One scenario without looking for shared limits, and with it.
struct SharingRow {
  std::string scenario;
  testbed::Sharing sum;
  std::optional<double> after;  // seconds, median
  double eta_apart = 0;
  double eta_found = 0;
  double rejected_apart = 0;
  double rejected_found = 0;
};

SharingRow sharing_row(const Line& apart, const Line& found) {
  const auto eta = [](const Outcome& o) { return o.eta(); };
  const auto rejected = [](const Outcome& o) { return o.rejection_rate(); };
  SharingRow row{.scenario = apart.scenario,
                 .sum = {},
                 .after = {},
                 .eta_apart = apart.runs.median_of(eta),
                 .eta_found = found.runs.median_of(eta),
                 .rejected_apart = apart.runs.median_of(rejected),
                 .rejected_found = found.runs.median_of(rejected)};
  std::vector<double> after;
  for (const Outcome& outcome : found.runs.outcomes) {
    row.sum.pairs += outcome.sharing.pairs;
    row.sum.found += outcome.sharing.found;
    row.sum.wrong += outcome.sharing.wrong;
    if (outcome.sharing.first_seconds) {
      after.push_back(*outcome.sharing.first_seconds);
    }
  }
  if (!after.empty()) {
    row.after = testbed::median(after);
  }
  return row;
}

std::string to_text(const SharingRow& row) {
  return fmt::format("{:<14}{:>6}{:>7}{:>7}{:>9}{:>14.3f}{:>7.3f}{:>20.2f}{:>7.2f}\n",
                     row.scenario,
                     row.sum.pairs,
                     row.sum.found,
                     row.sum.wrong,
                     row.after.has_value() ? fmt::format("{:.0f}", *row.after) : "–",
                     row.eta_apart,
                     row.eta_found,
                     100 * row.rejected_apart,
                     100 * row.rejected_found);
}

json::Object to_json(const SharingRow& row) {
  return {{"scenario", row.scenario},
          {"pairs", row.sum.pairs},
          {"found", row.sum.found},
          {"wrong", row.sum.wrong},
          {"eta_apart", row.eta_apart},
          {"eta_found", row.eta_found},
          {"rejected_apart", row.rejected_apart},
          {"rejected_found", row.rejected_found},
          {"first_seconds", row.after.has_value() ? json::Value(*row.after) : json::Value()}};
}

/// Keys that share a limit which nobody declared: whether that is found, and what it is worth.
base::Result<int> print_sharing(const ScheduleOptions& options) {
  ScheduleOptions what = options;
  if (what.scenarios.empty()) {
    what.scenarios = {"pair",
                      "throttle-400",
                      "two-models",
                      "urgent",
                      "rights",
                      "long-hints",
                      "A",
                      "B",
                      "C",
                      "E",
                      "F",
                      "G",
                      "faults",
                      "halved",
                      "dead",
                      "daily"};
  }
  what.policies = {"sortie-apart", "sortie-joined"};
  TRY_ASSIGN(const std::vector<Line> lines, measure_policies(what));
  json::Array rows;
  std::string text = fmt::format("{:<14}{:>6}{:>7}{:>7}{:>9}{:>14}{:>7}{:>20}{:>7}\n",
                                 "scenario",
                                 "pairs",
                                 "found",
                                 "wrong",
                                 "after s",
                                 "eta, apart",
                                 "found",
                                 "rejected %, apart",
                                 "found");
  bool is_impossible = false;
  for (std::size_t i = 0; i + 1 < lines.size(); i += 2) {
    is_impossible =
        is_impossible || lines[i].runs.is_impossible() || lines[i + 1].runs.is_impossible();
    const SharingRow row = sharing_row(lines[i], lines[i + 1]);
    text += to_text(row);
    rows.push_back(to_json(row));
  }
  options.json ? print_json(json::Object{{"sharing", std::move(rows)}}) : print_text(text);
  return is_impossible ? impossible(options.json) : kDone;
}

int schedule(const ScheduleOptions& options) {
  base::Result<int> code = options.table == "multiples" ? print_multiples(options)
                           : options.table == "targets" ? print_targets(options)
                           : options.table == "sharing" ? print_sharing(options)
                                                        : print_policies(options);
  return code.has_value() ? *code : fail(code.error(), options.json);
}

std::string footer() {
  std::string text = "Scenarios:\n";
  for (const Scenario& scenario : testbed::scenarios()) {
    text += fmt::format("  {:<14}{}\n", scenario.name, scenario.summary);
  }
  text += "Policies:\n";
  for (const PolicySpec& policy : testbed::policies()) {
    text += fmt::format("  {:<14}{}\n", policy.name, policy.summary);
  }
  text +=
      "eta is the shortest time that the true limits allow, divided by the time taken; rejections "
      "are per accepted request.\n"
      "Example:  sortie bench schedule --scenario A,D --policy pool-30,sortie --seeds 3";
  return text;
}

}  // namespace

void add_bench(CLI::App& root, Action& action) {
  const auto options = std::make_shared<ScheduleOptions>();  // owned by the callbacks below
  CLI::App* bench = root.add_subcommand("bench", "Measure Sortie itself");
  bench->require_subcommand(1);
  CLI::App* command = bench->add_subcommand(
      "schedule", "Compare schedulers in virtual time with the shortest time that limits allow");
  command->add_option("--table", options->table, "What is printed")
      ->check(CLI::IsMember({"policies", "multiples", "targets", "sharing"}))
      ->capture_default_str();
  command
      ->add_option("--scenario",
                   options->scenarios,
                   "Table policies: only these, separated by commas (A to G and faults)")
      ->delimiter(',');
  command
      ->add_option(
          "--policy", options->policies, "Table policies: only these, separated by commas (all)")
      ->delimiter(',');
  command->add_option("--seeds", options->seeds, "Workloads drawn for each scenario")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command->add_option("--first-seed", options->first_seed, "Of the workloads")
      ->capture_default_str();
  command->add_option("--scale", options->scale, "Times as many dialogues")
      ->check(CLI::Range(1e-3, 1e4))
      ->capture_default_str();
  command
      ->add_option("--length-sigma",
                   options->length_sigma,
                   "Error about the lengths of dialogues, σ of its logarithm")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  command->add_flag("--json", options->json, "One JSON document");
  command->footer(footer());
  command->callback([&action, options] { action = [options] { return schedule(*options); }; });
}

}  // namespace sortie::app
