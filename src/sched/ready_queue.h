#pragma once

#include "sortie/base/time.h"
#include "sortie/sched/scheduler.h"

#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <vector>

namespace sortie::sched {

/// Place of a ready turn inside its group: most remaining turns first, where a minute of waiting
/// counts as a tenth of a turn, so that nothing waits for ever; then the one that has been ready
/// longest, then the ticket.
struct QueueKey {
  double remaining_turns = 1;
  base::Instant since;
  Ticket ticket;

  bool operator<(const QueueKey& other) const;

  /// Decides, the larger the better. It does not change with time: both sides of a comparison age
  /// alike.
  [[nodiscard]] double rank() const;
};

/// The ready turns of one model, by group. Turns that may take any route are in lane 0; those that
/// avoid one route after a failure there are in that route's lane, so that they never block the
/// others. O(log n) per call, plus one look at each group that is ready; n is bounded by who adds.
class ReadyQueue {
 public:
  explicit ReadyQueue(std::size_t lanes) : lanes_(lanes) {}

  struct Head {
    QueueKey key;
    std::size_t lane = 0;
    std::size_t group = 0;     // its place inside the model
    bool is_critical = false;  // its dialogue alone lasts as long as everything: goes first
    double tag = 0;            // of its group
    std::optional<std::size_t> only{};  // may take no other route: see shortest
  };

  /// True when nothing of the group was ready before.
  bool push(std::size_t lane, std::size_t group, const QueueKey& key);
  void erase(std::size_t lane, std::size_t group, const QueueKey& key);  // must be there

  /// Replaces `out` by the head of each lane that is not empty, best first. `tags`, by group: the
  /// one with the least goes first, unless the longest dialogue has at least `critical_turns`.
  void heads(std::span<const double> tags, double critical_turns, std::vector<Head>& out) const;

  /// Of lane 0: the group's last turn, in the group where that is shortest; nullopt if it has more
  /// than `most_turns` to come. It is not critical.
  [[nodiscard]] std::optional<Head> shortest(std::span<const double> tags, double most_turns) const;

  [[nodiscard]] bool empty() const { return size_ == 0; }

  [[nodiscard]] std::size_t size() const { return size_; }

  [[nodiscard]] std::size_t lanes() const { return lanes_.size(); }

  /// Some turn of the lane, which must not be empty.
  [[nodiscard]] Ticket any_of(std::size_t lane) const;

  [[nodiscard]] bool is_empty(std::size_t lane) const { return lanes_[lane].size == 0; }

 private:
  struct Group {
    std::size_t place = 0;
    std::set<QueueKey> turns;
  };

  struct Lane {
    std::vector<Group> groups;  // those that are ready; order has no meaning
    std::size_t size = 0;
  };

  static Head head_of(const Lane& lane, std::span<const double> tags, double critical_turns);

  std::vector<Lane> lanes_;
  std::vector<std::size_t> ready_;  // turns, by group
  std::size_t size_ = 0;
};

}  // namespace sortie::sched
