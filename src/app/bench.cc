#include "sortie/app/command.h"
#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/testbed/policy.h"
#include "sortie/testbed/run.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/scenarios.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct ScheduleOptions {
  std::vector<std::string> scenarios;
  std::vector<std::string> policies;
  std::size_t seeds = 10;
  std::uint64_t first_seed = 1;
  double scale = 1;
  double length_sigma = testbed::kLengthSigma;
  bool json = false;
};

struct Measured {
  testbed::Outcome outcome;
  double cpu_seconds = 0;
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) {
    return *middle;
  }
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

/// One cell of the table: a policy in a scenario under several seeds.
class Cell {
 public:
  void add(Measured measured) { runs_.push_back(std::move(measured)); }

  template <class Of>
  [[nodiscard]] double median_of(Of of) const {
    std::vector<double> values;
    for (const Measured& run : runs_) {
      values.push_back(of(run.outcome));
    }
    return median(std::move(values));
  }

  template <class Of>
  [[nodiscard]] double most_of(Of of) const {
    double most = 0;
    for (const Measured& run : runs_) {
      most = std::max(most, static_cast<double>(of(run.outcome)));
    }
    return most;
  }

  [[nodiscard]] double worst_eta() const {
    double worst = 1e9;
    for (const Measured& run : runs_) {
      worst = std::min(worst, run.outcome.eta());
    }
    return worst;
  }

  [[nodiscard]] double cpu_seconds() const {
    double sum = 0;
    for (const Measured& run : runs_) {
      sum += run.cpu_seconds;
    }
    return sum / static_cast<double>(runs_.size());
  }

 private:
  std::vector<Measured> runs_;
};

struct Line {
  std::string scenario;
  std::string policy;
  Cell cell;
};

double cpu_now() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

base::Result<std::vector<testbed::Scenario>> chosen_scenarios(const ScheduleOptions& options) {
  std::vector<testbed::Scenario> result;
  if (options.scenarios.empty()) {
    result = testbed::scenarios();
  }
  for (const std::string& name : options.scenarios) {
    const testbed::Scenario* found = testbed::find_scenario(name);
    if (found == nullptr) {
      std::string known;
      for (const testbed::Scenario& scenario : testbed::scenarios()) {
        known += (known.empty() ? "" : ", ") + scenario.name;
      }
      return base::bad_input(fmt::format("there is no scenario '{}'; there are {}", name, known));
    }
    result.push_back(*found);
  }
  for (testbed::Scenario& scenario : result) {
    scenario = testbed::scaled(std::move(scenario), options.scale);
  }
  return result;
}

base::Result<std::vector<testbed::PolicySpec>> chosen_policies(const ScheduleOptions& options) {
  if (options.policies.empty()) {
    return testbed::policies();
  }
  std::vector<testbed::PolicySpec> result;
  for (const std::string& name : options.policies) {
    const testbed::PolicySpec* found = testbed::find_policy(name);
    if (found == nullptr) {
      std::string known;
      for (const testbed::PolicySpec& policy : testbed::policies()) {
        known += (known.empty() ? "" : ", ") + policy.name;
      }
      return base::bad_input(fmt::format("there is no policy '{}'; there are {}", name, known));
    }
    result.push_back(*found);
  }
  return result;
}

std::string text_of(const Line& line) {
  const Cell& cell = line.cell;
  return fmt::format(
      "{:<10} {:<16} {:>6.3f} {:>6.3f} {:>8.2f} {:>8.2f} {:>7.3f} {:>8.3f} {:>6.0f} {:>6.0f} "
      "{:>5.0f} {:>7.2f} {:>7.2f}\n",
      line.scenario,
      line.policy,
      cell.median_of([](const auto& o) { return o.eta(); }),
      cell.worst_eta(),
      100 * cell.median_of([](const auto& o) { return o.rejection_rate(); }),
      100 * cell.median_of([](const auto& o) { return o.first_rejection_rate(); }),
      cell.median_of([](const auto& o) { return o.spread(); }),
      cell.most_of([](const auto& o) { return o.overrun; }),
      cell.most_of([](const auto& o) { return o.gate_violations; }),
      cell.most_of([](const auto& o) { return o.over_declared; }),
      cell.most_of([](const auto& o) { return o.lost; }),
      100 * cell.median_of([](const auto& o) { return o.waste; }),
      cell.cpu_seconds());
}

json::Value json_of(const Line& line) {
  const Cell& cell = line.cell;
  const auto number = [&](auto of) { return json::Value(cell.median_of(of)); };
  return json::Object{
      {"scenario", line.scenario},
      {"policy", line.policy},
      {"eta", number([](const auto& o) { return o.eta(); })},
      {"eta_worst", cell.worst_eta()},
      {"bound_seconds", number([](const auto& o) { return o.bound; })},
      {"makespan_seconds", number([](const auto& o) { return o.makespan; })},
      {"accepted", number([](const auto& o) { return static_cast<double>(o.accepted); })},
      {"rejected_per_accepted", number([](const auto& o) { return o.rejection_rate(); })},
      {"rejected_first_per_accepted",
       number([](const auto& o) { return o.first_rejection_rate(); })},
      {"spread", number([](const auto& o) { return o.spread(); })},
      {"overrun_max", cell.most_of([](const auto& o) { return o.overrun; })},
      {"gate_violations_max", cell.most_of([](const auto& o) { return o.gate_violations; })},
      {"over_declared_max", cell.most_of([](const auto& o) { return o.over_declared; })},
      {"lost_max", cell.most_of([](const auto& o) { return o.lost; })},
      {"waste", number([](const auto& o) { return o.waste; })},
      {"decisions", number([](const auto& o) { return static_cast<double>(o.decisions); })},
      {"cpu_seconds", cell.cpu_seconds()}};
}

base::Result<std::vector<Line>> measure(const ScheduleOptions& options) {
  TRY_ASSIGN(const auto scenarios, chosen_scenarios(options));
  TRY_ASSIGN(const auto policies, chosen_policies(options));
  std::vector<Line> lines;
  for (const testbed::Scenario& scenario : scenarios) {
    const std::size_t first = lines.size();
    for (const testbed::PolicySpec& policy : policies) {
      lines.push_back({.scenario = scenario.name, .policy = policy.name, .cell = {}});
    }
    for (std::size_t i = 0; i < options.seeds; ++i) {
      TRY_ASSIGN(const testbed::Instance instance,
                 testbed::draw(scenario, options.first_seed + i, options.length_sigma));
      for (std::size_t p = 0; p < policies.size(); ++p) {
        const double before = cpu_now();
        testbed::Outcome outcome = testbed::play(instance, policies[p]);
        lines[first + p].cell.add(
            {.outcome = std::move(outcome), .cpu_seconds = cpu_now() - before});
      }
    }
  }
  return lines;
}

int print(const std::vector<Line>& lines, bool json) {
  json::Array rows;
  bool is_impossible = false;
  if (!json) {
    print_text(
        "scenario   policy              eta  worst  429 in %  first %  spread  overrun  gates   "
        "over  lost waste %   CPU s\n");
  }
  for (const Line& line : lines) {
    is_impossible =
        is_impossible || line.cell.most_of([](const auto& o) { return o.is_impossible(); }) > 0;
    if (json) {
      rows.push_back(json_of(line));
    } else {
      print_text(text_of(line));
    }
  }
  if (json) {
    print_json(json::Object{{"runs", std::move(rows)}});
  }
  if (is_impossible) {
    return fail(base::failure(base::Remedy::fail_campaign,
                              base::ErrorCode::integrity,
                              "a policy was faster than the bound: the bound or a server is wrong")
                    .error(),
                json);
  }
  return kDone;
}

int schedule(const ScheduleOptions& options) {
  const auto lines = measure(options);
  return lines.has_value() ? print(*lines, options.json) : fail(lines.error(), options.json);
}

}  // namespace

void add_bench(CLI::App& root, Action& action) {
  const auto options = std::make_shared<ScheduleOptions>();  // owned by the callbacks below
  CLI::App* bench = root.add_subcommand("bench", "Measure Sortie itself");
  bench->require_subcommand(1);
  CLI::App* command = bench->add_subcommand(
      "schedule", "Compare schedulers in virtual time with the shortest time that limits allow");
  command->add_option("--scenario", options->scenarios, "Only these, separated by commas")
      ->delimiter(',');
  command->add_option("--policy", options->policies, "Only these, separated by commas")
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
  command->callback([&action, options] { action = [options] { return schedule(*options); }; });
}

}  // namespace sortie::app
