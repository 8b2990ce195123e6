#include "sortie/testbed/capacity.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/truth.h"
#include "sortie/testbed/workload.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

namespace sortie::testbed {

namespace {

// Quantiles: near 0 lies what even the shortest last answers cost, near 1 the longest dialogues.
constexpr std::array kThresholds = {0.0005,
                                    0.001,
                                    0.002,
                                    0.004,
                                    0.008,
                                    0.016,
                                    0.03,
                                    0.06,
                                    0.12,
                                    0.2,
                                    0.3,
                                    0.4,
                                    0.5,
                                    0.6,
                                    0.7,
                                    0.8,
                                    0.9,
                                    0.95};
constexpr double kPrecision = 1e-5;
constexpr double kSecondsMax = 1e9;

/// A request with the time that its dialogue needs before and after it, at full speed.
struct Link {
  double head = 0;  // seconds of the turns before
  double tail = 0;  // from its admission to the dialogue's end
  double own = 0;   // its own service
  double cost = 0;
};

std::vector<Link> links_of(const Workload& workload, std::size_t model) {
  std::vector<Link> links;
  for (const Dialogue& dialogue : workload.dialogues) {
    if (dialogue.model != model) {
      continue;
    }
    double head = 0;
    const std::size_t first = links.size();
    for (std::uint32_t i = 0; i < dialogue.turns; ++i) {
      const auto own = static_cast<double>(workload.turn(dialogue, i).seconds);
      links.push_back({.head = head, .tail = 0, .own = own, .cost = 0});
      head += own;
    }
    for (std::size_t i = first; i < links.size(); ++i) {
      links[i].tail = head - links[i].head;
    }
  }
  return links;
}

std::vector<double> thresholds(std::vector<double> values) {
  std::vector<double> result = {0};
  if (values.empty()) {
    return result;
  }
  std::sort(values.begin(), values.end());
  for (const double share : kThresholds) {
    result.push_back(
        values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))]);
  }
  return result;
}

/// The capacities of one limit that the model's routes drain, if each of them has one: limits of
/// the same kind whose costs are alike.
struct Stage {
  std::vector<const Capacity*> capacities;

  [[nodiscard]] double between(double from, double to) const {
    double sum = 0;
    for (const Capacity* capacity : capacities) {
      sum += capacity->between(from, to);
    }
    return sum;
  }
};

/// True when each of the model's routes drains one of the capacities.
bool bounds_all(const Stage& stage, const std::vector<RouteRef>& routes, std::size_t model) {
  for (std::size_t r = 0; r < routes.size(); ++r) {
    const bool is_bounded = std::any_of(stage.capacities.begin(),
                                        stage.capacities.end(),
                                        [&](const Capacity* one) { return one->is_drained_by(r); });
    if (routes[r].model == model && !is_bounded) {
      return false;
    }
  }
  return !stage.capacities.empty();
}

/// The capacities that count like `kind` and that the model's routes drain.
Stage stage_like(const Capacity& kind,
                 const std::vector<Capacity>& capacities,
                 const std::vector<RouteRef>& routes,
                 std::size_t model) {
  Stage stage;
  for (const Capacity& capacity : capacities) {
    bool is_ours = false;
    for (std::size_t r = 0; r < routes.size(); ++r) {
      is_ours = is_ours || (routes[r].model == model && capacity.is_drained_by(r));
    }
    if (is_ours && capacity.is_like(kind)) {
      stage.capacities.push_back(&capacity);
    }
  }
  return stage;
}

/// One stage for each kind of limit that bounds all routes of the model.
std::vector<Stage> stages_of(const Scenario& scenario,
                             std::size_t model,
                             const std::vector<Capacity>& capacities) {
  const std::vector<RouteRef> routes = routes_of(scenario);
  std::vector<Stage> stages;
  for (const Capacity& kind : capacities) {
    const bool is_known = std::any_of(stages.begin(), stages.end(), [&](const Stage& stage) {
      return stage.capacities.front()->is_like(kind);
    });
    Stage stage = stage_like(kind, capacities, routes, model);
    if (!is_known && bounds_all(stage, routes, model)) {
      stages.push_back(std::move(stage));
    }
  }
  return stages;
}

/// The least T for which the stage lets `work` through between `head` and T − `tail`; 0 if none.
double least_end(const Stage& stage, double work, double head, double tail) {
  const auto fits = [&](double end) { return stage.between(head, end - tail) >= work; };
  double low = head + tail;
  if (fits(low)) {
    return low;
  }
  double high = 2 * low + 1;
  while (!fits(high)) {
    high *= 2;
    if (high > kSecondsMax) {
      return 0;
    }
  }
  while (high - low > kPrecision * high) {
    const double middle = (low + high) / 2;
    (fits(middle) ? high : low) = middle;
  }
  return low;
}

/// The last threshold that does not exceed the value.
std::size_t place_in(const std::vector<double>& thresholds, double value) {
  const auto after = std::upper_bound(thresholds.begin(), thresholds.end(), value);
  return static_cast<std::size_t>(after - thresholds.begin()) - 1;
}

double bound_of(const Stage& stage, const std::vector<Link>& links, bool of_slots) {
  std::vector<double> values;
  const auto tail_of = [&](const Link& link) {
    return of_slots ? link.tail - link.own : link.tail;
  };
  std::transform(links.begin(), links.end(), std::back_inserter(values), [](const Link& link) {
    return link.head;
  });
  const std::vector<double> heads = thresholds(values);
  std::transform(links.begin(), links.end(), values.begin(), tail_of);
  const std::vector<double> tails = thresholds(std::move(values));
  // work[h][t]: of the requests whose head and tail reach these thresholds and not the next ones;
  // summed up from the far end it becomes the work of those that reach them at all.
  std::vector<std::vector<double>> work(heads.size() + 1, std::vector<double>(tails.size() + 1));
  for (const Link& link : links) {
    const double tail = std::max(0.0, tail_of(link));
    work[place_in(heads, link.head)][place_in(tails, tail)] += link.cost;
  }
  double best = 0;
  for (std::size_t h = heads.size(); h-- > 0;) {
    for (std::size_t t = tails.size(); t-- > 0;) {
      work[h][t] += work[h + 1][t] + work[h][t + 1] - work[h + 1][t + 1];
      if (work[h][t] > 0) {
        best = std::max(best, least_end(stage, work[h][t], heads[h], tails[t]));
      }
    }
  }
  return best;
}

}  // namespace

double head_body_tail(const Scenario& scenario,
                      const Workload& workload,
                      const std::vector<Capacity>& capacities) {
  double best = 0;
  for (std::size_t model = 0; model < scenario.models.size(); ++model) {
    std::vector<Link> links = links_of(workload, model);
    for (const Stage& stage : stages_of(scenario, model, capacities)) {
      const Capacity& kind = *stage.capacities.front();
      std::size_t next = 0;
      for (const Dialogue& dialogue : workload.dialogues) {
        for (std::uint32_t i = 0; dialogue.model == model && i < dialogue.turns; ++i) {
          links[next++].cost = kind.cost(workload.turn(dialogue, i), workload.output_max[model]);
        }
      }
      best = std::max(best, bound_of(stage, links, kind.is_of_slots()));
    }
  }
  return best;
}

}  // namespace sortie::testbed
