#include "sortie/sched/load_window.h"

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/sched/test_support.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using std::chrono::seconds;
using test::at;

/// A server that shares its capacity among the requests in flight, and a client that always has one
/// more to send.
class Server {
 public:
  /// `speed(n)`: of each of n requests in flight, 1 where it is alone.
  Server(LoadWindow& window, std::function<double(std::size_t, double)> speed)
      : window_(window), speed_(std::move(speed)), random_(base::digest_of("server")) {}

  /// Answers a second, from `from` to `until`, in steps of 50 ms; at most `most` in flight.
  double run(double from, double until, std::size_t most = 400) {
    constexpr double kStep = 0.05;
    std::size_t answers = 0;
    for (double now = from; now < until; now += kStep) {
      while (running_.size() < most && window_.earliest(at(now)) <= at(now)) {
        window_.admit();
        const double work = 2 * std::exp(0.4 * random_.normal());
        running_.push_back({.sent = now, .size = 2, .left = work});
      }
      const double speed = speed_(running_.size(), now);
      for (Request& one : running_) {
        one.left -= kStep * speed;
      }
      const auto done = std::stable_partition(
          running_.begin(), running_.end(), [](const Request& one) { return one.left > 0; });
      for (auto one = done; one != running_.end(); ++one) {
        window_.released();
        window_.answered(at(one->sent), at(now + kStep), now + kStep - one->sent, one->size);
        ++answers;
      }
      running_.erase(done, running_.end());
    }
    return static_cast<double>(answers) / (until - from);
  }

 private:
  struct Request {
    double sent = 0;
    double size = 1;
    double left = 0;
  };

  LoadWindow& window_;
  std::function<double(std::size_t, double)> speed_;
  base::RandomStream random_;
  std::vector<Request> running_;
};

double collapsing(std::size_t n, double /*now*/) {
  return n <= 50 ? 1 : std::pow(50.0 / static_cast<double>(n), 3);
}

double sharing(std::size_t n, double /*now*/) {
  return n <= 50 ? 1 : 50.0 / static_cast<double>(n);
}

/// With a fixed number in flight, the best there is.
double best_static(const std::function<double(std::size_t, double)>& speed) {
  double best = 0;
  for (const std::size_t most : {40U, 45U, 48U, 50U, 52U, 55U, 60U}) {
    LoadWindow none;
    best = std::max(best, Server(none, speed).run(0, 300, most));
  }
  return best;
}

TEST(LoadWindow, without_a_sign_of_overload_is_no_window) {
  LoadWindow window;
  Server server(window, [](std::size_t, double) { return 1.0; });
  server.run(0, 200);
  EXPECT_FALSE(window.window().has_value());
}

TEST(LoadWindow, keeps_a_server_that_collapses_at_its_best) {
  LoadWindow window(32);
  Server server(window, collapsing);
  const double best = best_static(collapsing);
  EXPECT_GE(server.run(0, 600), 0.9 * best);
  EXPECT_GE(server.run(600, 1200), 0.9 * best);
  EXPECT_LE(window.window().value_or(1000), 60U);
}

TEST(LoadWindow, comes_back_from_a_collapse) {
  LoadWindow window;
  Server server(window,
                [](std::size_t n, double now) { return now < 100 ? 1 : collapsing(n, now); });
  server.run(0, 100, 120);
  // From then on 120 in flight are too many.
  server.run(100, 400, 120);
  EXPECT_GE(server.run(400, 1000, 120), 0.9 * best_static(collapsing));
}

TEST(LoadWindow, finds_the_capacity_of_a_server_that_only_shares_it) {
  LoadWindow window(32);
  Server server(window, sharing);
  server.run(0, 300);
  EXPECT_GE(server.run(300, 900), 0.9 * best_static(sharing));
  EXPECT_LE(window.window().value_or(1000), 100U);
}

TEST(LoadWindow, slowness_that_is_not_ours_does_not_hold_us_back) {
  LoadWindow window;
  const auto slower = [](std::size_t, double now) { return now < 100 ? 1.0 : 0.4; };
  Server server(window, slower);
  server.run(0, 100, 100);
  server.run(100, 250, 100);
  // The cut was taken back: all 100 are in flight, each at its speed.
  EXPECT_GE(server.run(250, 600, 100), 0.93 * 0.4 * 100 / (2 * std::exp(0.08)));
}

TEST(LoadWindow, an_overload_cuts_once_an_episode_and_closes_the_gate) {
  LoadWindow window;
  for (int i = 0; i < 100; ++i) {
    window.admit();
  }
  for (int i = 0; i < 20; ++i) {
    window.released();
    window.overloaded(at(0), at(1), std::nullopt, 0.5);
  }
  EXPECT_EQ(window.window(), 70U);  // of 99 and the one refused
  EXPECT_EQ(window.earliest(at(1)), base::Instant::max());
  while (window.earliest(at(1)) == base::Instant::max()) {
    window.released();
  }
  EXPECT_EQ(window.earliest(at(1)), at(2));
  for (int i = 0; i < 40; ++i) {
    window.released();
  }
  window.overloaded(at(4), at(4), seconds(10), 0);
  window.released();
  while (window.earliest(at(4)) == base::Instant::max()) {
    window.released();
  }
  EXPECT_EQ(window.earliest(at(4)), at(14));
}

TEST(LoadWindow, grows_back_only_while_it_is_full) {
  LoadWindow window;
  const auto answer = [&](int count, double now) {
    for (int i = 0; i < count; ++i) {
      window.admit();
      window.released();
      window.answered(at(now), at(now + 1), 1, 1);
    }
  };
  for (int i = 0; i < 10; ++i) {
    window.admit();
  }
  window.overloaded(at(0), at(1), std::nullopt, 0);
  EXPECT_EQ(window.window(), 7U);
  for (int i = 0; i < 10; ++i) {
    window.released();
  }
  answer(100, 5);  // those of before were in flight when it began
  EXPECT_EQ(window.window(), 8U);
  answer(100, 10);
  EXPECT_EQ(window.window(), 8U);  // one at a time
  for (int i = 0; i < 7; ++i) {
    window.admit();
  }
  answer(100, 20);
  EXPECT_EQ(window.window(), 9U);
  window.freeze(at(100));
  window.admit();
  answer(100, 30);
  EXPECT_EQ(window.window(), 9U);
}

}  // namespace
}  // namespace sortie::sched
