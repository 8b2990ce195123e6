#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/bound.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/test_support.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <queue>
#include <vector>

#include <gtest/gtest.h>

// Whole campaigns in virtual time: dialogues whose turns follow each other, and servers that
// enforce request limits over every sliding second, as seen at the server after a random transport
// delay.

namespace sortie::sched {
namespace {

using quota::SignalClass;
using test::rpm;
using test::slots;
using test::World;

struct Dialogue {
  std::size_t model = 0;
  int turns = 1;
  double service_seconds = 1;  // mean of each turn
  std::size_t group = 0;       // of the model
};

/// One domain's enforcement: at most `quota` arrivals in any second.
class SecondWindow {
 public:
  explicit SecondWindow(std::size_t quota) : quota_(quota) {}

  bool admit(base::Instant now) {
    while (!arrivals_.empty() && now - arrivals_.front() >= std::chrono::seconds(1)) {
      arrivals_.pop_front();
    }
    if (arrivals_.size() >= quota_) {
      return false;
    }
    arrivals_.push_back(now);
    return true;
  }

 private:
  std::size_t quota_;
  std::deque<base::Instant> arrivals_;
};

struct Outcome {
  double makespan = 0;
  double bound = 0;
  std::size_t answered = 0;
  std::size_t throttled = 0;
  std::size_t given_up = 0;
  std::vector<std::size_t> sent;       // per route
  std::vector<double> model_finished;  // per model
  std::map<std::size_t, double> group_finished;
  std::vector<double> dialogue_finished;  // per dialogue
};

class Campaign {
 public:
  Campaign(const spec::Topology& topology, std::vector<Dialogue> dialogues)
      : topology_(topology),
        dialogues_(std::move(dialogues)),
        scheduler_(topology, {.jitter_seconds = 0.010}),
        random_(base::digest_of("campaign")) {
    std::stable_sort(dialogues_.begin(),
                     dialogues_.end(),
                     [](const Dialogue& a, const Dialogue& b) { return a.turns > b.turns; });
    left_.resize(dialogues_.size());
    before_.resize(dialogues_.size());
    outcome_.sent.resize(topology.routes.size());
    outcome_.model_finished.resize(topology.models.size());
    outcome_.dialogue_finished.resize(dialogues_.size());
    groups_.resize(topology.models.size());
    for (std::size_t i = 0; i < dialogues_.size(); ++i) {
      groups_[dialogues_[i].model][dialogues_[i].group].push_back(i);
    }
    for (std::size_t model = 0; model < groups_.size(); ++model) {
      for (const auto& [group, _] : groups_[model]) {
        tell_backlog(model, group);
      }
    }
    for (const auto& domain : topology.domains) {
      // Without a declared number of requests nothing is enforced.
      std::size_t quota = SIZE_MAX;
      for (const auto& limit : domain.limits) {
        if (limit.kind == quota::LimitKind::requests) {
          quota = static_cast<std::size_t>(limit.quota / 60);
        }
      }
      servers_.emplace_back(quota);
    }
  }

  Scheduler& scheduler() { return scheduler_; }

  Outcome run() {
    bool working = true;
    while (working) {
      open();
      std::vector<Assignment> decided;
      scheduler_.decide(now_, decided);
      for (const Assignment& assignment : decided) {
        send(assignment);
      }
      working = advance();
    }
    outcome_.makespan = base::seconds(now_ - test::kStart);
    outcome_.bound = lower_bound(topology_, work()).value().seconds;
    return outcome_;
  }

 private:
  struct Event {
    base::Instant at;
    Assignment assignment;
    bool has_arrived = false;  // at the server; else the answer came back

    bool operator>(const Event& other) const { return at > other.at; }
  };

  /// As many as are wanted, of the groups that the scheduler names, each group's longest first.
  void open() {
    for (std::size_t model = 0; model < groups_.size(); ++model) {
      std::size_t wanted = scheduler_.wants_open(model);
      while (wanted > 0) {
        const std::optional<std::size_t> group = scheduler_.opens_next(model);
        if (!group) {
          break;
        }
        std::deque<std::size_t>& closed = groups_[model][*group];
        const std::size_t dialogue = closed.front();
        closed.pop_front();
        left_[dialogue] = dialogues_[dialogue].turns;
        add_turn(dialogue);
        tell_backlog(model, *group);
        --wanted;
      }
    }
  }

  void tell_backlog(std::size_t model, std::size_t group) {
    const std::deque<std::size_t>& closed = groups_[model][group];
    double turns = 0;
    for (const std::size_t dialogue : closed) {
      turns += dialogues_[dialogue].turns;
    }
    const auto count = static_cast<double>(closed.size());
    scheduler_.set_backlog(
        model, group, {.dialogues = count, .turns_each = turns / std::max(1.0, count)});
  }

  void add_turn(std::size_t dialogue) {
    scheduler_.add({.ticket = {static_cast<std::uint32_t>(dialogue)},
                    .model = dialogues_[dialogue].model,
                    .remaining_turns = static_cast<double>(left_[dialogue]),
                    .route_before = before_[dialogue],
                    .group = dialogues_[dialogue].group},
                   now_);
  }

  void send(const Assignment& assignment) {
    outcome_.sent[assignment.route] += 1;
    events_.push({.at = now_ + delay(), .assignment = assignment, .has_arrived = true});
  }

  base::Duration delay() { return base::from_seconds(0.010 * random_.uniform()); }

  bool advance() {
    const std::optional<base::Instant> decision = scheduler_.next_decision(now_);
    if (decision && (events_.empty() || *decision < events_.top().at)) {
      now_ = *decision;
      return true;
    }
    if (events_.empty()) {
      return false;
    }
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    event.has_arrived ? arrive(event.assignment) : answer(event.assignment);
    return true;
  }

  void arrive(const Assignment& assignment) {
    bool admitted = true;
    for (const std::size_t domain : topology_.routes[assignment.route].domains) {
      admitted = servers_[domain].admit(now_) && admitted;
    }
    if (!admitted) {
      outcome_.throttled += 1;
      scheduler_.failed(
          assignment, test::signal(SignalClass::throttle, std::chrono::seconds(1)), now_);
      return;
    }
    const double mean = dialogues_[assignment.ticket.value].service_seconds;
    const double service = mean * (0.5 + random_.uniform());
    events_.push(
        {.at = now_ + base::from_seconds(service), .assignment = assignment, .has_arrived = false});
  }

  void answer(const Assignment& assignment) {
    const std::size_t dialogue = assignment.ticket.value;
    scheduler_.answered(assignment, 100, 10, {}, now_);
    outcome_.answered += 1;
    before_[dialogue] = assignment.route;
    if (--left_[dialogue] > 0) {
      add_turn(dialogue);
      return;
    }
    const double seconds = base::seconds(now_ - test::kStart);
    outcome_.dialogue_finished[dialogue] = seconds;
    outcome_.model_finished[dialogues_[dialogue].model] = seconds;
    outcome_.group_finished[dialogues_[dialogue].group] = seconds;
  }

  [[nodiscard]] std::vector<WorkClass> work() const {
    std::vector<WorkClass> result(topology_.models.size());
    for (std::size_t model = 0; model < result.size(); ++model) {
      result[model].model = model;
    }
    for (const Dialogue& dialogue : dialogues_) {
      WorkClass& one = result[dialogue.model];
      const double seconds = dialogue.turns * dialogue.service_seconds;
      one.service_seconds =
          (one.service_seconds * one.requests + seconds) / (one.requests + dialogue.turns);
      one.requests += dialogue.turns;
      one.dialogue_seconds = std::max(one.dialogue_seconds, seconds);
    }
    return result;
  }

  const spec::Topology& topology_;
  std::vector<Dialogue> dialogues_;
  Scheduler scheduler_;
  base::RandomStream random_;
  std::vector<SecondWindow> servers_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<int> left_;
  std::vector<std::optional<std::size_t>> before_;
  std::vector<std::map<std::size_t, std::deque<std::size_t>>> groups_;  // closed, by model
  base::Instant now_ = test::kStart;
  Outcome outcome_;
};

/// Dialogues of 1–20 turns with a long tail up to 60, about `requests` turns in all.
std::vector<Dialogue> mixed_dialogues(int requests, std::size_t model = 0) {
  base::RandomStream random(base::digest_of("dialogues"));
  std::vector<Dialogue> result;
  for (int sum = 0; sum < requests;) {
    const double u = random.uniform();
    const int turns = u < 0.98 ? 1 + static_cast<int>(20 * u * u) : 60;
    result.push_back(
        {.model = model, .turns = std::min(turns, requests - sum), .service_seconds = 1.0});
    sum += turns;
  }
  return result;
}

/// One model behind one key per entry of `per_minute`, each a domain of its own.
World keys(const std::vector<double>& per_minute) {
  World world;
  const std::size_t model = world.model("m");
  const std::size_t endpoint = world.endpoint("alpha");
  for (const double limit : per_minute) {
    world.route(model, endpoint, {world.domain("key", {rpm(limit)})});
  }
  return world;
}

TEST(Campaign, three_equal_keys_finish_within_five_percent_of_the_bound_without_a_throttle) {
  const World world = keys({600, 600, 600});
  const Outcome outcome = Campaign(world.topology(), mixed_dialogues(9000)).run();
  EXPECT_EQ(outcome.answered, 9000U);
  EXPECT_EQ(outcome.throttled, 0U);
  EXPECT_NEAR(outcome.bound, 9000 / 30.0, 1e-6);
  EXPECT_LE(outcome.makespan, 1.05 * outcome.bound);
  EXPECT_GE(outcome.makespan, outcome.bound);
}

TEST(Campaign, two_keys_of_three_finish_within_five_percent_of_what_two_allow) {
  const World world = keys({600, 600});
  const Outcome outcome = Campaign(world.topology(), mixed_dialogues(9000)).run();
  EXPECT_EQ(outcome.throttled, 0U);
  EXPECT_NEAR(outcome.bound, 9000 / 20.0, 1e-6);
  EXPECT_LE(outcome.makespan, 1.05 * outcome.bound);
}

TEST(Campaign, unequal_keys_are_used_in_proportion_to_their_limits) {
  const World world = keys({1200, 600, 300});
  const Outcome outcome = Campaign(world.topology(), mixed_dialogues(9000)).run();
  EXPECT_EQ(outcome.throttled, 0U);
  EXPECT_NEAR(outcome.bound, 9000 / 35.0, 1e-6);
  EXPECT_LE(outcome.makespan, 1.05 * outcome.bound);
  EXPECT_NEAR(static_cast<double>(outcome.sent[0]) / 9000, 4.0 / 7, 0.02);
  EXPECT_NEAR(static_cast<double>(outcome.sent[2]) / 9000, 1.0 / 7, 0.02);
}

TEST(Campaign, slots_are_kept_busy) {
  World world;
  const std::size_t model = world.model("m");
  const std::size_t endpoint = world.endpoint("alpha");
  world.route(model, endpoint, {world.domain("a", {slots(40)})});
  world.route(model, endpoint, {world.domain("b", {slots(10)})});
  const Outcome outcome = Campaign(world.topology(), mixed_dialogues(9000)).run();
  EXPECT_NEAR(outcome.bound, 9000 / 50.0, 1e-6);
  EXPECT_LE(outcome.makespan, 1.05 * outcome.bound);
}

TEST(Campaign, the_longest_dialogue_goes_first) {
  const World world = keys({600});
  std::vector<Dialogue> dialogues(300, {.model = 0, .turns = 5, .service_seconds = 0.5});
  // Alone it takes 100 s of the 170 s that the limit allows for all. In order of arrival each of
  // its turns would wait for dozens of others; so only the last few do, which are no longer than
  // the others.
  dialogues.push_back({.model = 0, .turns = 200, .service_seconds = 0.5});
  const Outcome outcome = Campaign(world.topology(), dialogues).run();
  EXPECT_LE(outcome.makespan, 1.05 * outcome.bound);
  EXPECT_LE(outcome.dialogue_finished[0], 140.0);
}

TEST(Campaign, models_that_share_a_limit_share_it_evenly) {
  World world;
  const std::size_t endpoint = world.endpoint("alpha");
  const std::size_t shared = world.domain("shared", {rpm(600)});
  world.route(world.model("a"), endpoint, {shared});
  world.route(world.model("b"), endpoint, {shared});
  std::vector<Dialogue> dialogues = mixed_dialogues(1500, 0);
  const std::vector<Dialogue> others = mixed_dialogues(1500, 1);
  dialogues.insert(dialogues.end(), others.begin(), others.end());
  const Outcome outcome = Campaign(world.topology(), dialogues).run();
  EXPECT_EQ(outcome.throttled, 0U);
  EXPECT_LE(outcome.makespan, 1.05 * outcome.bound);
  EXPECT_NEAR(outcome.model_finished[0], outcome.model_finished[1], 0.02 * outcome.makespan);
}

/// Two models on one account.
World one_account() {
  World world;
  const std::size_t endpoint = world.endpoint("alpha");
  const std::size_t shared = world.domain("shared", {rpm(600)});
  world.route(world.model("a"), endpoint, {shared});
  world.route(world.model("b"), endpoint, {shared});
  return world;
}

std::vector<Dialogue> operator+(std::vector<Dialogue> a, const std::vector<Dialogue>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(Campaign, models_with_unequal_work_on_one_account_end_together) {
  const World world = one_account();
  const Outcome outcome =
      Campaign(world.topology(), mixed_dialogues(5000, 0) + mixed_dialogues(500, 1)).run();
  EXPECT_EQ(outcome.throttled, 0U);
  EXPECT_LE(outcome.makespan, 1.03 * outcome.bound);
  EXPECT_NEAR(outcome.model_finished[0], outcome.model_finished[1], 0.05 * outcome.makespan);
}

TEST(Campaign, cells_of_one_model_end_together) {
  const World world = keys({600, 300});
  std::vector<Dialogue> dialogues;
  for (std::size_t group = 0; group < 4; ++group) {
    // 240, 640, 1280 and 2560 turns, of dialogues of 30, 20, 10 and 5.
    const std::size_t count = std::size_t{8} << (2 * group);
    const int turns = group == 0 ? 30 : 20 >> (group - 1);
    dialogues.insert(dialogues.end(),
                     count,
                     {.model = 0, .turns = turns, .service_seconds = 1.0, .group = group});
  }
  const Outcome outcome = Campaign(world.topology(), dialogues).run();
  EXPECT_LE(outcome.makespan, 1.03 * outcome.bound);
  for (std::size_t group = 0; group < 4; ++group) {
    EXPECT_GE(outcome.group_finished.at(group), 0.95 * outcome.makespan) << group;
  }
}

TEST(Campaign, a_small_campaign_with_a_guarantee_gets_its_share) {
  const World world = one_account();
  std::vector<Dialogue> urgent(50, {.model = 0, .turns = 6, .service_seconds = 1.0, .group = 1});
  Campaign campaign(world.topology(), mixed_dialogues(5000, 0) + mixed_dialogues(500, 1) + urgent);
  campaign.scheduler().set_group_share(0, 1, {.guaranteed = 0.3});
  const Outcome outcome = campaign.run();
  EXPECT_LE(outcome.makespan, 1.03 * outcome.bound);
  // 300 turns at 0.3 of 9.8 a second.
  EXPECT_NEAR(outcome.group_finished.at(1), 300 / (0.3 * 9.8), 12);
}

TEST(Campaign, a_model_with_many_keys_leaves_the_shared_one_to_a_model_without_another) {
  World world;
  const std::size_t endpoint = world.endpoint("alpha");
  const std::size_t shared = world.domain("shared", {rpm(600)});
  const std::size_t rich = world.model("rich");
  world.route(rich, endpoint, {shared});
  world.route(rich, endpoint, {world.domain("own", {rpm(600)})});
  world.route(rich, endpoint, {world.domain("own", {rpm(600)})});
  world.route(world.model("poor"), endpoint, {shared});
  // Together 30 a second; the shared one must go to the model that has no other.
  const Outcome outcome =
      Campaign(world.topology(), mixed_dialogues(6000, 0) + mixed_dialogues(3000, 1)).run();
  EXPECT_NEAR(outcome.bound, 300, 1);
  EXPECT_LE(outcome.makespan, 1.05 * outcome.bound);
  EXPECT_LE(outcome.sent[0], 200U);
}

TEST(Campaign, is_the_same_each_time) {
  const World world = keys({1200, 600, 300});
  const Outcome first = Campaign(world.topology(), mixed_dialogues(2000)).run();
  const Outcome second = Campaign(world.topology(), mixed_dialogues(2000)).run();
  EXPECT_EQ(first.makespan, second.makespan);
  EXPECT_EQ(first.sent, second.sent);
}

}  // namespace
}  // namespace sortie::sched
