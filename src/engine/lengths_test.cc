#include "sortie/engine/lengths.h"

#include <gtest/gtest.h>

namespace sortie::engine {
namespace {

TEST(DialogueLengths, start_from_the_prior) {
  const DialogueLengths lengths(30, 8);
  EXPECT_DOUBLE_EQ(lengths.mean(), 8);
  EXPECT_DOUBLE_EQ(lengths.remaining(5), 3);
  EXPECT_DOUBLE_EQ(lengths.remaining(30), 1);
}

TEST(DialogueLengths, learn_the_mean_residual_life) {
  DialogueLengths lengths(30, 8);
  for (int i = 0; i < 1000; ++i) {
    lengths.finished(i % 2 == 0 ? 4 : 24);
  }
  EXPECT_NEAR(lengths.mean(), 14, 0.1);
  // Whoever has had ten turns is one of the long ones: the expectation grows with the turns done.
  EXPECT_NEAR(lengths.remaining(10), 14, 0.2);
  EXPECT_NEAR(lengths.remaining(2), 12, 0.2);
}

TEST(DialogueLengths, survive_dialogues_longer_than_announced) {
  DialogueLengths lengths(3, 2);
  lengths.finished(10);
  EXPECT_GE(lengths.remaining(99), 1);
}

TEST(DialogueLengths, of_a_cell_start_from_those_of_its_model) {
  DialogueLengths model(64, 8);
  DialogueLengths cell(64, 8);
  for (int i = 0; i < 1000; ++i) {
    model.finished(20);
  }
  EXPECT_NEAR(cell.remaining(0, model.remaining(0)), 20, 0.1);
  for (int i = 0; i < 1000; ++i) {
    cell.finished(4);
  }
  EXPECT_NEAR(cell.remaining(0, model.remaining(0)), 4, 0.2);
}

}  // namespace
}  // namespace sortie::engine
