// What a decision costs: 10,000 open dialogues behind 100 routes, whose limits are always the
// bottleneck, in virtual time. A decision is one bound turn: its add, its part of every decide()
// and next_decision(), its departure and its answer.

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/quota/limit.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace {

using namespace sortie;  // a program of one file

constexpr std::size_t kRoutes = 100;
constexpr std::size_t kOpen = 10'000;
constexpr std::size_t kGroups = 8;
constexpr std::size_t kDecisions = 200'000;

struct Shape {
  std::string name;
  std::size_t models = 1;
  bool shared = false;  // all routes of a key in one domain, else each route has its own
  std::vector<quota::Limit> limits;
};

spec::Topology topology_of(const Shape& shape) {
  spec::Topology topology;
  topology.endpoints.resize(4);
  topology.models.resize(shape.models);
  const std::size_t keys = kRoutes / shape.models;
  for (std::size_t i = 0; i < (shape.shared ? keys : kRoutes); ++i) {
    topology.domains.push_back({.name = fmt::format("domain-{}", i), .limits = shape.limits});
  }
  for (std::size_t i = 0; i < kRoutes; ++i) {
    spec::Route& route = topology.routes.emplace_back();
    const std::size_t key = i / shape.models;
    route.name = fmt::format("route-{}", i);
    route.endpoint = key % topology.endpoints.size();
    route.key = key;
    route.model = i % shape.models;
    route.domains = {shape.shared ? key : i};
  }
  return topology;
}

class Bench {
 public:
  explicit Bench(const spec::Topology& topology)
      : scheduler_(topology, {}),
        random_(base::digest_of("bench")),
        models_(topology.models.size()) {
    for (std::uint32_t ticket = 0; ticket < kOpen; ++ticket) {
      add({ticket});
    }
  }

  /// Nanoseconds of processor time per decision, after a warm-up.
  double run() {
    decide(kDecisions / 4);
    const std::clock_t begin = std::clock();
    decide(kDecisions);
    const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    return seconds / static_cast<double>(kDecisions) * 1e9;
  }

 private:
  struct Answer {
    base::Instant at;
    sched::Assignment assignment;

    bool operator>(const Answer& other) const { return at > other.at; }
  };

  void add(sched::Ticket ticket) {
    scheduler_.add({.ticket = ticket,
                    .model = ticket.value % models_,
                    .remaining_turns = 1 + 40 * random_.uniform(),
                    .input_tokens = 500 + 4000 * random_.uniform(),
                    .output_tokens = 300,
                    .max_output_tokens = 1000,
                    .group = ticket.value % kGroups},
                   now_);
  }

  void decide(std::size_t turns) {
    std::vector<sched::Assignment> bound;
    while (turns > 0) {
      while (!answers_.empty() && answers_.top().at <= now_) {
        const sched::Assignment done = answers_.top().assignment;
        answers_.pop();
        scheduler_.answered(done, 2500, 300, {}, now_);
        add(done.ticket);
      }
      bound.clear();
      scheduler_.decide(now_, bound);
      for (const sched::Assignment& one : bound) {
        const base::Instant leaves = scheduler_.departure(one, std::nullopt, now_);
        answers_.push(
            {.at = leaves + base::from_seconds(1 + 3 * random_.uniform()), .assignment = one});
      }
      turns -= std::min(turns, bound.size());
      const std::optional<base::Instant> next = scheduler_.next_decision(now_);
      if (next && (answers_.empty() || *next < answers_.top().at)) {
        now_ = *next;
      } else {
        now_ = answers_.top().at;
      }
    }
  }

  sched::Scheduler scheduler_;
  base::RandomStream random_;
  std::size_t models_;
  base::Instant now_;
  std::priority_queue<Answer, std::vector<Answer>, std::greater<>> answers_;
};

}  // namespace

/// Arguments: what the names of the shapes to run begin with; all without one.
int main(int argc, char** argv) {
  const std::string only = argc > 1 ? argv[1] : "";
  const quota::Limit rpm{.kind = quota::LimitKind::requests,
                         .quota = 600,
                         .window = std::chrono::minutes(1),
                         .enforced_over = std::chrono::seconds(1)};
  const quota::Limit tpm{
      .kind = quota::LimitKind::tokens, .quota = 1'500'000, .window = std::chrono::minutes(1)};
  const quota::Limit slots{.kind = quota::LimitKind::concurrency, .quota = 40};
  const std::vector<Shape> shapes = {
      {"1 model, requests", 1, false, {rpm}},
      {"1 model, tokens", 1, false, {tpm}},
      {"1 model, slots", 1, false, {slots}},
      {"1 model, all three", 1, false, {rpm, tpm, slots}},
      {"10 models, all three", 10, false, {rpm, tpm, slots}},
      {"10 models on shared keys", 10, true, {rpm, tpm, slots}},
      {"100 models, one route each", 100, false, {rpm, tpm, slots}},
  };
  fmt::print("{} open dialogues, {} routes, {} cells a model\n", kOpen, kRoutes, kGroups);
  for (const Shape& shape : shapes) {
    if (!shape.name.starts_with(only)) {
      continue;
    }
    const spec::Topology topology = topology_of(shape);
    fmt::print("{:<28} {:8.0f} ns a decision\n", shape.name, Bench(topology).run());
  }
  return 0;
}
