#include "sortie/aio/signals.h"

#include "sortie/aio/loop.h"

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::aio {
namespace {

TEST(SignalWatch, counts_what_arrives) {
  const auto loop = Loop::real();
  std::vector<int> counts;
  const SignalWatch watch(*loop, [&](int count) {
    counts.push_back(count);
    if (count == 2) {
      loop->stop();
    } else {
      static_cast<void>(std::raise(SIGTERM));
    }
  });
  const Loop::Work guard(*loop);
  static_cast<void>(std::raise(SIGINT));
  loop->run();
  EXPECT_EQ(counts, (std::vector<int>{1, 2}));
}

TEST(SignalWatch, does_not_keep_the_loop_running) {
  const auto loop = Loop::real();
  const SignalWatch watch(*loop, [](int) {});
  bool ran = false;
  loop->post([&] { ran = true; });
  loop->run();
  EXPECT_TRUE(ran);
  loop->run();
}

TEST(SignalWatch, can_be_destroyed_by_its_own_callback) {
  const auto loop = Loop::real();
  std::unique_ptr<SignalWatch> watch;
  int calls = 0;
  watch = std::make_unique<SignalWatch>(*loop, [&](int) {
    ++calls;
    watch.reset();
    loop->stop();
  });
  const Loop::Work guard(*loop);
  static_cast<void>(std::raise(SIGINT));
  loop->run();
  EXPECT_EQ(calls, 1);
}

TEST(SignalWatch, calls_nobody_back_once_it_is_gone) {
  // The signal comes through the loop in several steps; the watch goes before each of them.
  for (int turns = 1; turns < 6; ++turns) {
    const auto loop = Loop::real();
    int calls_after = 0;
    std::unique_ptr<SignalWatch> watch;
    watch = std::make_unique<SignalWatch>(*loop, [&](int) { calls_after += watch ? 0 : 1; });
    static_cast<void>(std::raise(SIGINT));
    const std::function<void(int)> go_on = [&](int left) {
      loop->post([&, left] { left == 0 ? watch.reset() : go_on(left - 1); });
    };
    go_on(turns);
    // A signal alone would not keep the loop running.
    loop->at(loop->now() + std::chrono::milliseconds(20), [] {});
    loop->run();
    EXPECT_EQ(calls_after, 0) << turns;
  }
}

TEST(SignalWatchDeathTest, without_a_watch_the_default_action_is_back) {
  EXPECT_EXIT(
      {
        const auto loop = Loop::real();
        {
          const SignalWatch watch(*loop, [](int) {});
        }
        static_cast<void>(std::raise(SIGTERM));
      },
      testing::KilledBySignal(SIGTERM),
      "");
}

}  // namespace
}  // namespace sortie::aio
