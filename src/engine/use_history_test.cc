#include "sortie/engine/use_history.h"

#include "sortie/engine/loss.h"
#include "sortie/quota/limit.h"

#include <chrono>
#include <cstddef>
#include <numeric>

#include <gtest/gtest.h>

namespace sortie::engine {
namespace {

using quota::LimitKind;

quota::Limit per_second(double requests) {
  return {.kind = LimitKind::requests, .quota = requests, .window = std::chrono::seconds(1)};
}

double at(const Losses& losses, Loss loss) {
  return losses[static_cast<std::size_t>(loss)];
}

double sum(const Losses& losses) {
  return std::accumulate(losses.begin(), losses.end(), 0.0);
}

/// A request every `interval` seconds for `seconds`, each of that size.
void send(UseHistory& history,
          double seconds,
          double interval,
          Loss reason,
          const quota::RequestSize& size = {}) {
  for (double t = 0; t < seconds - 1e-9; t += interval) {
    history.use(1, size);
    history.pass(interval, 0, reason);
  }
}

TEST(UseHistory, loses_nothing_at_the_limits_own_pace_whatever_the_limit_turns_out_to_be) {
  UseHistory history;
  send(history, 60, 0.1, Loss::cut);
  EXPECT_NEAR(sum(history.losses(per_second(10))), 0, 1e-6);
  EXPECT_NEAR(at(history.losses(per_second(20)), Loss::cut), 30, 1e-6);
  EXPECT_NEAR(history.useful(per_second(20)), 600, 1e-9);
}

TEST(UseHistory, gives_time_to_the_reason_that_held) {
  UseHistory history;
  send(history, 20, 0.5, Loss::ramp);  // half of what 4 a second allow
  history.pass(10, 0, Loss::gate);
  send(history, 20, 0.25, Loss::cut);
  history.pass(5, 0, Loss::tail);
  const Losses losses = history.losses(per_second(4));
  EXPECT_NEAR(at(losses, Loss::ramp), 10, 0.3);
  EXPECT_NEAR(at(losses, Loss::gate), 10, 0.3);
  EXPECT_NEAR(at(losses, Loss::cut), 0, 0.3);
  EXPECT_NEAR(at(losses, Loss::tail), 5, 0.3);
}

TEST(UseHistory, a_slow_limit_is_busy_for_longer_than_a_piece) {
  UseHistory history;
  history.use(1, {});
  for (int second = 0; second < 30; ++second) {
    history.pass(1, 1, Loss::cut);
  }
  EXPECT_NEAR(sum(history.losses(per_second(0.05))), 10, 1e-9);  // 20 of 30 s were used
}

TEST(UseHistory, tells_what_was_wasted_apart) {
  UseHistory history;
  send(history, 10, 1, Loss::cut);
  history.waste({}, 2, Loss::retry);
  history.waste({}, 3, Loss::fault);
  history.waste({}, 3, Loss::fault);
  const Losses losses = history.losses(per_second(1));
  EXPECT_NEAR(at(losses, Loss::retry), 1, 1e-9);
  EXPECT_NEAR(at(losses, Loss::fault), 2, 1e-9);
  EXPECT_NEAR(history.useful(per_second(1)), 7, 1e-9);
}

TEST(UseHistory, counts_tokens_by_the_limits_own_rule) {
  UseHistory history;
  const quota::RequestSize expected{.input = 100, .output = 100, .max_output = 400};
  const quota::RequestSize used{.input = 100, .output = 50, .max_output = 400};
  history.use(1, expected);
  history.correct(expected, used);
  history.pass(1, 0, Loss::cut);
  quota::Limit limit{.kind = LimitKind::tokens, .quota = 1000, .window = std::chrono::seconds(1)};
  EXPECT_NEAR(history.useful(limit), 150, 1e-9);
  limit.cost = quota::TokenCost::input_plus_max;
  EXPECT_NEAR(history.useful(limit), 500, 1e-9);
  EXPECT_NEAR(sum(history.losses(limit)), 0.5, 1e-9);
}

TEST(UseHistory, counts_free_slots) {
  UseHistory history;
  history.pass(10, 3, Loss::idle);
  history.pass(10, 4, Loss::cut);
  const quota::Limit slots{.kind = LimitKind::concurrency, .quota = 4};
  EXPECT_NEAR(at(history.losses(slots), Loss::idle), 2.5, 1e-9);
  EXPECT_NEAR(at(history.losses(slots), Loss::cut), 0, 1e-9);
  EXPECT_NEAR(history.useful(slots), 70, 1e-9);
}

TEST(UseHistory, remembers_days_in_coarser_pieces) {
  UseHistory history;
  constexpr double kHours = 30;
  send(history, kHours * 1800, 2, Loss::ramp);
  send(history, kHours * 1800, 1, Loss::cut);
  const Losses losses = history.losses(per_second(1));
  EXPECT_NEAR(at(losses, Loss::ramp), kHours * 900, kHours * 9);
  EXPECT_NEAR(at(losses, Loss::cut), 0, kHours * 9);
  EXPECT_NEAR(history.useful(per_second(1)), kHours * 2700, 1e-6);
}

}  // namespace
}  // namespace sortie::engine
