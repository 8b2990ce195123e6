#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/test_support.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

// Random work in groups, random trouble and random decisions of a person: nothing is lost, nothing
// is bound while it must not be, next_decision stays exact whatever is remembered, and what waits
// is served once everything is allowed again.

namespace sortie::sched {
namespace {

using quota::LimitKind;
using quota::SignalClass;
using test::rpm;
using test::slots;
using test::tpm;
using test::World;

constexpr std::array kSignals = {SignalClass::throttle,
                                 SignalClass::ramp,
                                 SignalClass::overload,
                                 SignalClass::transient,
                                 SignalClass::not_processed,
                                 SignalClass::broken,
                                 SignalClass::stall,
                                 SignalClass::bad_request,
                                 SignalClass::auth,
                                 SignalClass::out_of_money};

constexpr std::size_t kModels = 3;

World make_world() {
  World world;
  const std::size_t alpha = world.endpoint("alpha");
  const std::size_t beta = world.endpoint("beta");
  const std::size_t shared = world.domain("shared", {rpm(600), tpm(100'000)});
  const std::size_t few = world.domain("few", {slots(4)});
  for (std::size_t i = 0; i < kModels; ++i) {
    world.model("m");
  }
  world.route(0, alpha, {shared}, 0);
  world.route(1, alpha, {shared}, 0);
  world.route(1, alpha, {shared, few}, 1);
  world.route(0, beta, {few}, 0);
  world.route(2, beta, {}, 0);
  world.route(2, alpha, {shared}, 1);
  world.route(1, beta, {}, 2);
  return world;
}

class RandomRun {
 public:
  explicit RandomRun(std::uint64_t seed)
      : random_(base::FieldHasher("run").field("seed", static_cast<std::int64_t>(seed)).finish()),
        scheduler_(world_.topology(),
                   {.seed = seed,
                    // Every other run begins with pools that are believed to be one limit.
                    .remembered = seed % 2 == 0 ? remembered() : std::vector<quota::PoolMemory>(),
                    .dead_key_recheck = std::chrono::seconds(60),
                    .window_first = 8}) {}

  bool holds(int steps) {
    for (int i = 0; i < steps && why_.empty(); ++i) {
      step();
    }
    finish();
    return why_.empty();
  }

  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  static std::vector<quota::PoolMemory> remembered() {
    return {
        {.pool = "beta/5 + beta/7", .limits = {{.kind = quota::LimitKind::requests, .value = 10}}}};
  }

  void require(bool condition, const char* what) {
    if (!condition && why_.empty()) {
      why_ = what;
    }
  }

  std::size_t below(std::size_t count) { return static_cast<std::size_t>(random_.below(count)); }

  void step() {
    const double u = random_.uniform();
    if (u < 0.35) {
      add();
    } else if (u < 0.50) {
      now_ += base::from_seconds(20 * random_.uniform() * random_.uniform());
    } else if (u < 0.60) {
      decide_something();
    } else {
      settle(random_.uniform() < 0.7);
    }
    if (random_.uniform() < 0.7) {
      decide();
    }
    require(scheduler_.waiting() == waiting_ && scheduler_.in_flight() == on_way_.size(),
            "a turn was lost or doubled");
  }

  void add() {
    const std::size_t model = below(kModels);
    scheduler_.set_backlog(
        model, below(3), {.dialogues = static_cast<double>(5 * below(4)), .turns_each = 6});
    scheduler_.add({.ticket = {next_ticket_++},
                    .model = model,
                    .remaining_turns = static_cast<double>(1 + below(30)),
                    .input_tokens = 1000 * random_.uniform(),
                    .group = below(3)},
                   now_);
    ++waiting_;
  }

  /// A person does.
  void decide_something() {
    const std::size_t model = below(kModels);
    const std::size_t route = below(world_.topology().routes.size());
    switch (below(8)) {
      case 0:
        paused_ ? scheduler_.resume(now_) : scheduler_.pause(now_);
        paused_ = !paused_;
        break;
      case 1:
        model_paused_[model] = !model_paused_[model];
        scheduler_.set_model_paused(model, model_paused_[model]);
        break;
      case 2:
        scheduler_.disable_route(route, "by hand");
        break;
      case 3:
        scheduler_.enable_route(route, now_);
        break;
      case 4:
        scheduler_.limit_domain(below(2), random_.uniform() < 0.5 ? rpm(120) : slots(2), now_);
        break;
      case 5:
        scheduler_.lift_limit(
            below(2), random_.uniform() < 0.5 ? LimitKind::requests : LimitKind::concurrency, now_);
        break;
      case 6:
        scheduler_.set_share(model, 0.1 + 5 * random_.uniform());
        break;
      default:
        scheduler_.set_group_share(
            model, below(3), {.weight = 0.1 + random_.uniform(), .guaranteed = 0.5});
    }
  }

  void decide() {
    const std::optional<base::Instant> promised = scheduler_.next_decision(now_);
    std::vector<Assignment> sent;
    scheduler_.decide(now_, sent);
    require(sent.empty() || (promised && *promised <= now_), "bound before next_decision");
    require(sent.empty() || !paused_, "bound while paused");
    for (const Assignment& one : sent) {
      require(!model_paused_[world_.topology().routes[one.route].model], "bound a paused model");
      on_way_.push_back(one);
    }
    waiting_ -= sent.size();
    const std::optional<base::Instant> next = scheduler_.next_decision(now_);
    require(!next || *next > now_, "left something unbound that could go");
  }

  void settle(bool well) {
    if (on_way_.empty()) {
      return;
    }
    const std::size_t index = below(on_way_.size());
    const Assignment one = on_way_[index];
    on_way_.erase(on_way_.begin() + static_cast<std::ptrdiff_t>(index));
    if (well) {
      scheduler_.answered(one, 100, 10, {}, now_);
      return;
    }
    const quota::Signal signal = test::signal(kSignals[below(kSignals.size())]);
    waiting_ += scheduler_.failed(one, signal, now_).verdict == Verdict::again ? 1 : 0;
  }

  /// Everything is allowed again and every answer is good.
  void finish() {
    scheduler_.resume(now_);
    paused_ = false;
    for (std::size_t model = 0; model < kModels; ++model) {
      scheduler_.set_model_paused(model, false);
      model_paused_[model] = false;
    }
    for (std::size_t route = 0; route < world_.topology().routes.size(); ++route) {
      scheduler_.enable_route(route, now_);
    }
    for (const std::size_t domain : {std::size_t{0}, std::size_t{1}}) {
      scheduler_.lift_limit(domain, LimitKind::requests, now_);
      scheduler_.lift_limit(domain, LimitKind::concurrency, now_);
    }
    for (int rounds = 0; why_.empty() && rounds < 100'000; ++rounds) {
      while (!on_way_.empty()) {
        settle(true);
      }
      decide();
      if (on_way_.empty()) {
        const std::optional<base::Instant> next = scheduler_.next_decision(now_);
        if (!next) {
          break;
        }
        now_ = *next;
      }
    }
    require(scheduler_.waiting() == 0, "something was never bound");
  }

  World world_ = make_world();
  base::RandomStream random_;
  Scheduler scheduler_;
  base::Instant now_ = test::at(0);
  std::uint32_t next_ticket_ = 0;
  std::size_t waiting_ = 0;
  std::vector<Assignment> on_way_;
  bool paused_ = false;
  std::array<bool, kModels> model_paused_{};
  std::string why_;
};

// The first 200 runs are the same each time. 113: binding a turn lets another one go that was
// passed over before it.
TEST(ControlProperty, holds_in_runs_that_are_always_the_same) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    RandomRun run(seed);
    EXPECT_TRUE(run.holds(300)) << seed << ": " << run.why();
  }
}

TEST(ControlProperty, whatever_a_person_decides_nothing_is_lost_and_what_waits_is_served) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    RandomRun run(seed);
    const bool holds = run.holds(300);
    if (!holds) {
      RC_LOG() << run.why() << "\n";
    }
    return holds;
  }));
}

}  // namespace
}  // namespace sortie::sched
