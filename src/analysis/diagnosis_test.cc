#include "sortie/analysis/diagnosis.h"

#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

score::Diagnosis failed_cell() {
  score::Diagnosis diagnosis;
  diagnosis.scored = 3;
  diagnosis.losses = {{"throttled", 1}};
  diagnosis.turns = 70;
  diagnosis.turns_repaired = 3;
  diagnosis.turns_not_understood = 67;
  diagnosis.without_calls = 2;
  diagnosis.ends = {{"loop", 1}, {"max_turns", 2}};
  diagnosis.labels = {{"loop", 1}, {"no_command", 2}};
  diagnosis.served_models = {{"m-1", 3}, {"m-2", 2}};
  diagnosis.transcripts = {"2", "3", "1"};
  return diagnosis;
}

TEST(DiagnosisText, says_what_was_scored_and_lost_in_one_line) {
  EXPECT_EQ(to_text(failed_cell(), phrases_in(Language::english)),
            "0 of 3 succeeded: 4 % of 70 turns repaired, 96 % not understood, 2 trials without any "
            "call; ends: max_turns 2, loop 1; labels: no_command 2, loop 1; lost: throttled 1; "
            "served: m-1 3, m-2 2; look at trials 2, 3, 1");
}

TEST(DiagnosisText, of_a_full_success_names_no_labels) {
  score::Diagnosis diagnosis;
  diagnosis.all_succeeded = true;
  diagnosis.scored = 1;
  diagnosis.turns = 4;
  diagnosis.turns_repaired = 1;
  diagnosis.turns_not_understood = 3;
  diagnosis.ends = {{"finish", 1}};
  diagnosis.served_models = {{"m-1", 1}};
  diagnosis.transcripts = {"1"};
  EXPECT_EQ(to_text(diagnosis, phrases_in(Language::english)),
            "1 of 1 succeeded: 25 % of 4 turns repaired, 75 % not understood, 0 trials without any "
            "call; ends: finish 1; lost: none; served: m-1 1; look at trial 1");
}

TEST(DiagnosisText, keeps_codes_and_numbers_in_every_language) {
  EXPECT_EQ(
      to_text(failed_cell(), phrases_in(Language::chinese)),
      "3 个试验中 0 个成功：70 轮中 4 % 经过修复，96 % 未被理解，2 "
      "个试验没有任何调用；结束原因：max_turns "
      "2, loop 1；错误标签：no_command 2, loop 1；丢失：throttled 1；实际提供的模型：m-1 3, m-2 "
      "2；请查看试验 2, 3, 1");
}

}  // namespace
}  // namespace sortie::analysis
