#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace sortie::analysis {

/// Calls work(i) for each i below n on all cores, so many at once on each; returns when all are
/// done. Calls for different i must not touch the same data, and must not throw.
template <class Work>
void on_all_cores(std::size_t n, std::size_t at_once, const Work& work) {
  std::atomic<std::size_t> next = 0;
  const auto take = [&] {
    for (std::size_t first = next.fetch_add(at_once); first < n; first = next.fetch_add(at_once)) {
      for (std::size_t i = first; i < std::min(n, first + at_once); ++i) {
        work(i);
      }
    }
  };
  std::vector<std::thread> others;
  for (unsigned core = 1; core < std::thread::hardware_concurrency() && n > core * at_once;
       ++core) {
    others.emplace_back(take);
  }
  take();
  for (std::thread& other : others) {
    other.join();
  }
}

}  // namespace sortie::analysis
