#include "sortie/sched/ready_queue.h"

#include "sortie/base/check.h"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <vector>

namespace sortie::sched {

bool QueueKey::operator<(const QueueKey& other) const {
  return std::tuple(-remaining_turns, since, ticket) <
         std::tuple(-other.remaining_turns, other.since, other.ticket);
}

void ReadyQueue::push(std::size_t lane, const QueueKey& key) {
  const bool is_new = lanes_[lane].insert(key).second;
  CHECK(is_new);
  ++size_;
}

void ReadyQueue::erase(std::size_t lane, const QueueKey& key) {
  const std::size_t erased = lanes_[lane].erase(key);
  CHECK(erased == 1);
  --size_;
}

void ReadyQueue::heads(std::vector<Head>& out) const {
  out.clear();
  if (!lanes_[0].empty()) {
    out.push_back({.key = *lanes_[0].begin(), .lane = 0});
  }
  // Most of the time nothing avoids anything.
  if (out.size() < size_ && lanes_[0].size() < size_) {
    for (std::size_t lane = 1; lane < lanes_.size(); ++lane) {
      if (!lanes_[lane].empty()) {
        out.push_back({.key = *lanes_[lane].begin(), .lane = lane});
      }
    }
    std::sort(out.begin(), out.end(), [](const Head& a, const Head& b) { return a.key < b.key; });
  }
}

}  // namespace sortie::sched
