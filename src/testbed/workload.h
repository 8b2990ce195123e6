#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Dialogues drawn beforehand: how many turns each has, and of each turn its tokens and its service
// time. Everything is a pure function of (seed, dialogue, turn), so that all policies are compared
// under common random numbers.

namespace sortie::testbed {

/// Laws of one model's dialogues. Log-normal unless said otherwise; σ is of the logarithm.
struct WorkloadShape {
  std::size_t dialogues = 1500;
  std::size_t cells = 8;
  double turns_median = 6;  // σ 0.8: 8.3 turns in the mean, 71 at 99.9 %
  double turns_sigma = 0.8;
  std::uint32_t turns_max = 64;
  double input_first_median = 1000;  // tokens of the first request: prompt and tools
  double input_added_median = 120;   // tokens that a tool's answer adds each turn
  double output_median = 172;        // tokens; σ 0.6: 206 in the mean, 1,100 at 99.9 %
  double output_sigma = 0.6;
  std::uint32_t output_max = 4096;  // the parameter that is sent: answers are cut there
  std::uint32_t input_max = 24'000;
  double first_token_seconds = 0.8;  // median, σ 0.35
  double seconds_per_token = 0.02;   // median, σ 0.2
};

struct Turn {
  std::uint32_t input = 0;   // tokens
  std::uint32_t output = 0;  // tokens
  float seconds = 0;         // service time at full speed, first to last byte
  float first_token = 0;     // seconds of those until the first token
};

struct Dialogue {
  std::uint32_t model = 0;
  std::uint32_t cell = 0;      // over all models
  std::size_t first_turn = 0;  // in Workload::turns
  std::uint32_t turns = 0;
  float length_error = 1;  // factor of what a client believes about its length
};

struct Workload {
  std::vector<Dialogue> dialogues;
  std::vector<Turn> turns;
  std::size_t cells = 0;
  std::vector<std::uint32_t> output_max;  // per model

  [[nodiscard]] const Turn& turn(const Dialogue& dialogue, std::uint32_t index) const {
    return turns[dialogue.first_turn + index];
  }
};

/// Draws the dialogues of all models; `length_sigma` is the client's error about lengths. Dialogues
/// of a model go round its cells, so that the order of a list is no order by cell.
[[nodiscard]] Workload draw_workload(const std::vector<WorkloadShape>& models,
                                     std::uint64_t seed,
                                     double length_sigma);

}  // namespace sortie::testbed
