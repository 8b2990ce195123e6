#include "sortie/testbed/tables.h"

#include "sortie/testbed/building_blocks.h"
#include "sortie/testbed/policy.h"
#include "sortie/testbed/run.h"
#include "sortie/testbed/scenario.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::testbed {

namespace {

constexpr double kKeyRpm = 350;

Scenario with_cells(Scenario scenario, std::size_t cells) {
  scenario.models[0].work.cells = cells;
  return scenario;
}

Scenario with_dialogues(Scenario scenario, std::size_t dialogues) {
  scenario.models[0].work.dialogues = dialogues;
  return scenario;
}

PolicySpec as_before(KeyChoice choice) {
  return {.name = "before",
          .summary = {},
          .kind = PolicyKind::common,
          .lengths = Lengths::unknown,
          .common = {.choice = choice, .workers = 100}};
}

/// One model on one key and on three, in a scenario of the pilot benchmark with so many cells.
Multiple three_keys(std::string name, std::size_t cells, KeyChoice before) {
  return {.name = std::move(name),
          .few = with_cells(one_model("one-key", {}, {rpm(kKeyRpm)}), cells),
          .many = with_cells(
              one_model("three-keys", {}, {rpm(kKeyRpm), rpm(kKeyRpm), rpm(kKeyRpm)}), cells),
          .before = as_before(before),
          .at_least = 2.9};
}

/// Five models on three keys, each pair with a limit of its own.
Scenario five_models() {
  Scenario scenario = one_model("five-models", {}, {});
  scenario.keys = keys(3);
  const WorkloadShape work = scenario.models[0].work;
  scenario.models.clear();
  for (const char* name : {"first", "second", "third", "fourth", "fifth"}) {
    scenario.models.push_back({.name = name, .work = work, .keys = {}});
  }
  scenario.limits = {of_key_and_model(rpm(kKeyRpm))};
  return scenario;
}

std::vector<Multiple> all_multiples() {
  std::vector<Multiple> all;
  all.push_back(
      three_keys("5.1 baseline, before: a third of the list per key", 1, KeyChoice::task));
  all.push_back(three_keys("5.2 scale, before: prompt → key", 2, KeyChoice::cell));
  all.push_back(three_keys("5.3 flawed plans, before: flaw group → key", 7, KeyChoice::cell));
  all.push_back(three_keys("5.4 tool reliability, before: rate → key", 3, KeyChoice::cell));
  all.push_back(three_keys("5.5 prompts, before: prompt → key", 2, KeyChoice::cell));
  all.push_back({.name = "1 in flight → three keys × 5 in flight",
                 .few = one_model("one-at-once", {}, {slots(5)}),
                 .many = one_model("five-at-once", {}, {slots(5), slots(5), slots(5)}),
                 .policy_few = "serial",
                 .before = {},
                 .at_least = 14.5});
  all.push_back({.name = "one model on one key → five models × three keys",
                 .few = one_model("one-key", {}, {rpm(kKeyRpm)}),
                 .many = five_models(),
                 .before = {},
                 .work = 5,
                 .at_least = 14.5});
  all.push_back(
      {.name = "one deployment × 100 in flight → three",
       .few = with_dialogues(one_model("one-deployment", {}, {slots(100)}), 9000),
       .many = with_dialogues(
           one_model("three-deployments", {}, {slots(100), slots(100), slots(100)}), 9000),
       .before = {},
       .at_least = 2.9});
  all.push_back({.name = "one deployment, 200 in flight → 600",
                 .few = with_dialogues(one_model("200-at-once", {}, {slots(200)}), 18'000),
                 .many = with_dialogues(one_model("600-at-once", {}, {slots(600)}), 18'000),
                 .before = {},
                 .at_least = 2.9});
  return all;
}

std::vector<Target> all_targets() {
  std::vector<Target> all;
  for (const char* scenario : {"A", "B", "C", "D", "E", "F", "G"}) {
    all.push_back({scenario, "sortie", Metric::eta, 0.97});
    all.push_back({scenario, "sortie", Metric::rejections, 0.001});
    all.push_back({scenario, "sortie", Metric::audit, 0});
    all.push_back({scenario, "sortie-hidden", Metric::eta, 0.93});
    all.push_back({scenario, "sortie-hidden", Metric::rejections, 0.01});
    all.push_back({scenario, "sortie-hidden", Metric::first_rejections, 0.01});
    all.push_back({scenario, "sortie-hidden", Metric::lost, 0});
  }
  for (const char* policy : {"sortie", "sortie-hidden"}) {
    all.push_back({"faults", policy, Metric::eta, 0.90});
    all.push_back({"faults", policy, Metric::rejections, 0.01});
    all.push_back({"faults", policy, Metric::lost, 0});
  }
  for (const char* scenario : {"slow-slots", "slow-rpm", "dead"}) {
    all.push_back({scenario, "sortie", Metric::eta, 0.95});
    all.push_back({scenario, "sortie", Metric::audit, 0});
    all.push_back({scenario, "sortie", Metric::lost, 0});
  }
  for (const char* scenario : {"told-sliding", "told-fixed", "told-tokens"}) {
    all.push_back({scenario, "sortie", Metric::audit, 0});
  }
  all.push_back({"collapse", "sortie-hidden", Metric::eta, 0.90});
  all.push_back({"long-hints", "sortie", Metric::lost, 0});
  all.push_back({"long-hints", "sortie-hidden", Metric::lost, 0});
  all.push_back({"throttle-400", "sortie-hidden", Metric::rejections, 0.01});
  all.push_back({"throttle-400", "sortie-hidden", Metric::lost, 0});
  all.push_back({"two-models", "sortie", Metric::model_gap, 0.05});
  // Served by weight × work left, the urgent model has a third of the limit at first, and its last
  // requests go at half of the time.
  all.push_back({"urgent", "sortie", Metric::last_model_end, 0.6});
  all.push_back({"held", "sortie", Metric::overrun, 0});
  all.push_back({"held", "sortie", Metric::rejections, 0});
  all.push_back({"held", "sortie", Metric::eta, 0.97});
  return all;
}

template <class Of>
std::vector<double> each(const std::vector<Outcome>& outcomes, Of of) {
  std::vector<double> values;
  values.reserve(outcomes.size());
  for (const Outcome& outcome : outcomes) {
    values.push_back(of(outcome));
  }
  return values;
}

double model_gap(const Outcome& outcome) {
  const auto [first, last] =
      std::minmax_element(outcome.model_finished.begin(), outcome.model_finished.end());
  return (*last - *first) / outcome.makespan;
}

}  // namespace

std::string_view to_string(Metric metric) {
  switch (metric) {
    case Metric::eta:
      return "eta";
    case Metric::rejections:
      return "rejections per accepted";
    case Metric::first_rejections:
      return "rejections before a first recovery";
    case Metric::audit:
      return "audit violations";
    case Metric::overrun:
      return "overrun";
    case Metric::lost:
      return "lost dialogues";
    case Metric::last_model_end:
      return "end of the urgent model";
    case Metric::model_gap:
      break;
  }
  return "gap between models";
}

const std::vector<Multiple>& multiples() {
  static const std::vector<Multiple> all = all_multiples();
  return all;
}

const std::vector<Target>& targets() {
  static const std::vector<Target> all = all_targets();
  return all;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) {
    return *middle;
  }
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

double value_of(Metric metric, const std::vector<Outcome>& outcomes) {
  const auto most = [](const std::vector<double>& values) {
    return *std::max_element(values.begin(), values.end());
  };
  switch (metric) {
    case Metric::eta:
      return median(each(outcomes, [](const Outcome& o) { return o.eta(); }));
    case Metric::rejections:
      return median(each(outcomes, [](const Outcome& o) { return o.rejection_rate(); }));
    case Metric::first_rejections:
      return median(each(outcomes, [](const Outcome& o) { return o.first_rejection_rate(); }));
    case Metric::audit:
      return most(each(outcomes, [](const Outcome& o) {
        return static_cast<double>(o.gate_violations + o.over_declared);
      }));
    case Metric::overrun:
      return most(each(outcomes, [](const Outcome& o) { return o.overrun; }));
    case Metric::lost:
      return most(each(outcomes, [](const Outcome& o) { return static_cast<double>(o.lost); }));
    case Metric::last_model_end:
      return median(
          each(outcomes, [](const Outcome& o) { return o.model_finished.back() / o.makespan; }));
    case Metric::model_gap:
      break;
  }
  return median(each(outcomes, model_gap));
}

}  // namespace sortie::testbed
