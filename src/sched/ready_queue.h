#pragma once

#include "sortie/base/time.h"
#include "sortie/sched/scheduler.h"

#include <cstddef>
#include <set>
#include <vector>

namespace sortie::sched {

/// Place of a ready turn: most remaining turns first, then the one that has been ready longest,
/// then the ticket.
struct QueueKey {
  double remaining_turns = 1;
  base::Instant since;
  Ticket ticket;

  bool operator<(const QueueKey& other) const;
};

/// The ready turns of one model. Turns that may take any route are in lane 0; those that avoid one
/// route after a failure there are in that route's lane, so that they never block the others. O(log
/// n) per call; n is bounded by who adds.
class ReadyQueue {
 public:
  explicit ReadyQueue(std::size_t lanes) : lanes_(lanes) {}

  struct Head {
    QueueKey key;
    std::size_t lane = 0;
  };

  void push(std::size_t lane, const QueueKey& key);
  void erase(std::size_t lane, const QueueKey& key);  // must be there

  /// Replaces `out` by the heads of all lanes that are not empty, best first.
  void heads(std::vector<Head>& out) const;

  [[nodiscard]] bool empty() const { return size_ == 0; }

  [[nodiscard]] std::size_t size() const { return size_; }

  [[nodiscard]] std::size_t lanes() const { return lanes_.size(); }

  [[nodiscard]] const std::set<QueueKey>& lane(std::size_t lane) const { return lanes_[lane]; }

 private:
  std::vector<std::set<QueueKey>> lanes_;
  std::size_t size_ = 0;
};

}  // namespace sortie::sched
