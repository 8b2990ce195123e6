#include "sortie/testbed/workload.h"

#include "sortie/base/hash.h"
#include "sortie/base/random.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

namespace sortie::testbed {

namespace {

constexpr double kFirstInputSigma = 0.3;
constexpr double kAddedInputSigma = 0.6;
constexpr double kFirstTokenSigma = 0.35;
constexpr double kPerTokenSigma = 0.2;

/// What is drawn of a dialogue (turn 0 stands for the whole) and of each turn; two numbers a value.
enum class Purpose : std::uint8_t {
  turns,
  length_error,
  first_input,
  added_input,
  output,
  first_token,
  per_token,
};

base::Digest digest_of(std::uint64_t seed, std::size_t model) {
  return base::FieldHasher("sortie.testbed.workload.v1")
      .field("seed", static_cast<std::int64_t>(seed))
      .field("model", static_cast<std::int64_t>(model))
      .finish();
}

/// Standard normal values by (dialogue, turn, purpose).
class Normals {
 public:
  explicit Normals(const base::Digest& key) : random_(key) {}

  [[nodiscard]] double operator()(std::uint64_t dialogue,
                                  std::uint64_t turn,
                                  Purpose purpose) const {
    const std::uint64_t index =
        (dialogue << 20U) | (turn << 8U) | (static_cast<std::uint64_t>(purpose) << 1U);
    // Box–Muller.
    const double radius = std::sqrt(-2 * std::log(1 - random_.uniform(index)));
    return radius * std::cos(2 * std::numbers::pi * random_.uniform(index + 1));
  }

  [[nodiscard]] double log_normal(double median,
                                  double sigma,
                                  std::uint64_t dialogue,
                                  std::uint64_t turn,
                                  Purpose purpose) const {
    return median * std::exp(sigma * (*this)(dialogue, turn, purpose));
  }

 private:
  base::CounterRandom random_;
};

std::uint32_t whole(double value, std::uint32_t most) {
  return static_cast<std::uint32_t>(std::clamp(std::round(value), 1.0, static_cast<double>(most)));
}

void draw_turns(const WorkloadShape& shape,
                const Normals& normals,
                std::uint64_t number,
                std::uint32_t turns,
                std::vector<Turn>& out) {
  double input = normals.log_normal(
      shape.input_first_median, kFirstInputSigma, number, 0, Purpose::first_input);
  for (std::uint32_t i = 0; i < turns; ++i) {
    const std::uint64_t turn = i + std::uint64_t{1};
    const double output =
        normals.log_normal(shape.output_median, shape.output_sigma, number, turn, Purpose::output);
    const double first = normals.log_normal(
        shape.first_token_seconds, kFirstTokenSigma, number, turn, Purpose::first_token);
    const double each = normals.log_normal(
        shape.seconds_per_token, kPerTokenSigma, number, turn, Purpose::per_token);
    Turn& added = out.emplace_back();
    added.input = whole(input, shape.input_max);
    added.output = whole(output, shape.output_max);
    added.seconds = static_cast<float>(first + each * added.output);
    added.first_token = static_cast<float>(first);
    input += added.output +
             normals.log_normal(
                 shape.input_added_median, kAddedInputSigma, number, turn, Purpose::added_input);
  }
}

}  // namespace

Workload draw_workload(const std::vector<WorkloadShape>& models,
                       std::uint64_t seed,
                       double length_sigma) {
  Workload workload;
  for (std::size_t model = 0; model < models.size(); ++model) {
    const WorkloadShape& shape = models[model];
    const Normals normals(digest_of(seed, model));
    for (std::size_t number = 0; number < shape.dialogues; ++number) {
      Dialogue& dialogue = workload.dialogues.emplace_back();
      dialogue.model = static_cast<std::uint32_t>(model);
      dialogue.cell = static_cast<std::uint32_t>(workload.cells + number % shape.cells);
      dialogue.first_turn = workload.turns.size();
      dialogue.turns = whole(
          normals.log_normal(shape.turns_median, shape.turns_sigma, number, 0, Purpose::turns),
          shape.turns_max);
      dialogue.length_error =
          static_cast<float>(std::exp(length_sigma * normals(number, 0, Purpose::length_error)));
      draw_turns(shape, normals, number, dialogue.turns, workload.turns);
    }
    workload.cells += shape.cells;
    workload.output_max.push_back(shape.output_max);
  }
  return workload;
}

}  // namespace sortie::testbed
