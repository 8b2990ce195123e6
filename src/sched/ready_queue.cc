#include "sortie/sched/ready_queue.h"

#include "sortie/base/check.h"
#include "sortie/base/time.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

namespace sortie::sched {

namespace {

constexpr double kTurnsPerSecondWaited = 0.1 / 60;

bool goes_before(const ReadyQueue::Head& a, const ReadyQueue::Head& b) {
  if (a.is_critical || b.is_critical) {
    return a.is_critical && (!b.is_critical || a.key < b.key);
  }
  return a.tag < b.tag || (a.tag == b.tag && a.key < b.key);
}

}  // namespace

double QueueKey::rank() const {
  return remaining_turns - kTurnsPerSecondWaited * base::seconds(since - base::Instant());
}

bool QueueKey::operator<(const QueueKey& other) const {
  return std::tuple(-rank(), since, ticket) < std::tuple(-other.rank(), other.since, other.ticket);
}

bool ReadyQueue::push(std::size_t lane, std::size_t group, const QueueKey& key) {
  Lane& of_lane = lanes_[lane];
  auto place = std::find_if(of_lane.groups.begin(), of_lane.groups.end(), [&](const Group& one) {
    return one.place == group;
  });
  if (place == of_lane.groups.end()) {
    of_lane.groups.push_back({.place = group, .turns = {}});
    place = of_lane.groups.end() - 1;
  }
  const bool is_new = place->turns.insert(key).second;
  CHECK(is_new);
  ++of_lane.size;
  ++size_;
  ready_.resize(std::max(ready_.size(), group + 1));
  return ready_[group]++ == 0;
}

void ReadyQueue::erase(std::size_t lane, std::size_t group, const QueueKey& key) {
  Lane& of_lane = lanes_[lane];
  const auto place = std::find_if(of_lane.groups.begin(),
                                  of_lane.groups.end(),
                                  [&](const Group& one) { return one.place == group; });
  const std::size_t erased = place == of_lane.groups.end() ? 0 : place->turns.erase(key);
  CHECK(erased == 1);
  if (place->turns.empty()) {
    std::swap(*place, of_lane.groups.back());
    of_lane.groups.pop_back();
  }
  --of_lane.size;
  --size_;
  --ready_[group];
}

Ticket ReadyQueue::any_of(std::size_t lane) const {
  CHECK(!lanes_[lane].groups.empty());
  return lanes_[lane].groups.front().turns.begin()->ticket;
}

ReadyQueue::Head ReadyQueue::head_of(const Lane& lane,
                                     std::span<const double> tags,
                                     double critical_turns) {
  Head best;
  bool has_best = false;
  for (const Group& group : lane.groups) {
    const QueueKey& key = *group.turns.begin();
    const Head head{.key = key,
                    .lane = 0,
                    .group = group.place,
                    .is_critical = key.remaining_turns >= critical_turns,
                    .tag = tags[group.place]};
    if (!has_best || goes_before(head, best)) {
      best = head;
      has_best = true;
    }
  }
  return best;
}

std::optional<ReadyQueue::Head> ReadyQueue::shortest(std::span<const double> tags,
                                                     double most_turns) const {
  std::optional<Head> best;
  for (const Group& group : lanes_[0].groups) {
    const QueueKey& key = *group.turns.rbegin();
    if (key.remaining_turns <= most_turns &&
        (!best || std::pair(key.remaining_turns, tags[group.place]) <
                      std::pair(best->key.remaining_turns, best->tag))) {
      best = {.key = key, .lane = 0, .group = group.place, .tag = tags[group.place]};
    }
  }
  return best;
}

void ReadyQueue::heads(std::span<const double> tags,
                       double critical_turns,
                       std::vector<Head>& out) const {
  out.clear();
  // Most of the time nothing avoids anything.
  std::size_t seen = 0;
  for (std::size_t lane = 0; lane < lanes_.size() && seen < size_; ++lane) {
    if (lanes_[lane].size > 0) {
      seen += lanes_[lane].size;
      out.push_back(head_of(lanes_[lane], tags, critical_turns));
      out.back().lane = lane;
    }
  }
  if (out.size() > 1) {
    std::sort(out.begin(), out.end(), goes_before);
  }
}

}  // namespace sortie::sched
