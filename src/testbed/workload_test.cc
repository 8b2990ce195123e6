#include "sortie/testbed/workload.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::testbed {
namespace {

bool is_same(const Turn& a, const Turn& b) {
  return a.input == b.input && a.output == b.output && a.seconds == b.seconds;
}

TEST(Workload, a_dialogue_does_not_depend_on_how_many_others_there_are) {
  WorkloadShape few;
  few.dialogues = 20;
  WorkloadShape many;
  many.dialogues = 400;
  const Workload small = draw_workload({few}, 5, 0.5);
  const Workload large = draw_workload({many}, 5, 0.5);
  for (std::size_t i = 0; i < few.dialogues; ++i) {
    ASSERT_EQ(small.dialogues[i].turns, large.dialogues[i].turns);
    ASSERT_EQ(small.dialogues[i].length_error, large.dialogues[i].length_error);
    for (std::uint32_t turn = 0; turn < small.dialogues[i].turns; ++turn) {
      ASSERT_TRUE(
          is_same(small.turn(small.dialogues[i], turn), large.turn(large.dialogues[i], turn)));
    }
  }
}

TEST(Workload, seeds_and_models_draw_apart) {
  const WorkloadShape shape;
  const Workload one = draw_workload({shape, shape}, 1, 0);
  const Workload two = draw_workload({shape}, 2, 0);
  EXPECT_NE(one.turns[0].seconds, two.turns[0].seconds);
  EXPECT_NE(one.turns[0].seconds, one.turn(one.dialogues[shape.dialogues], 0).seconds);
}

TEST(Workload, lengths_have_their_median_and_a_heavy_tail) {
  WorkloadShape shape;
  shape.dialogues = 20'000;
  const Workload workload = draw_workload({shape}, 3, 0.5);
  std::vector<double> turns;
  double log_error = 0;
  for (const Dialogue& dialogue : workload.dialogues) {
    turns.push_back(dialogue.turns);
    log_error += std::pow(std::log(static_cast<double>(dialogue.length_error)), 2);
  }
  std::sort(turns.begin(), turns.end());
  EXPECT_EQ(turns[turns.size() / 2], 6);
  EXPECT_GE(turns[turns.size() * 99 / 100], 30);
  EXPECT_EQ(turns.back(), shape.turns_max);
  EXPECT_NEAR(static_cast<double>(workload.turns.size()) / 20'000, 8.2, 0.2);
  EXPECT_NEAR(std::sqrt(log_error / 20'000), 0.5, 0.02);
}

TEST(Workload, inputs_grow_by_what_was_said) {
  const Workload workload = draw_workload({WorkloadShape()}, 1, 0);
  for (const Dialogue& dialogue : workload.dialogues) {
    for (std::uint32_t i = 1; i < dialogue.turns; ++i) {
      const Turn& before = workload.turn(dialogue, i - 1);
      const Turn& turn = workload.turn(dialogue, i);
      ASSERT_GE(turn.input, std::min(before.input + before.output, 24'000U));
      ASSERT_GT(turn.seconds, 0);
    }
  }
}

TEST(Workload, dialogues_go_round_the_cells) {
  WorkloadShape shape;
  shape.dialogues = 10;
  shape.cells = 4;
  const Workload workload = draw_workload({shape, shape}, 1, 0);
  EXPECT_EQ(workload.cells, 8U);
  EXPECT_EQ(workload.dialogues[5].cell, 1U);
  EXPECT_EQ(workload.dialogues[10].cell, 4U);
}

}  // namespace
}  // namespace sortie::testbed
