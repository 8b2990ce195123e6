#include "sortie/sim/draws.h"

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/sim/profile.h"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <optional>
#include <string_view>
#include <system_error>

namespace sortie::sim {

namespace {

constexpr std::size_t kTrialDigits = 32;
constexpr std::uint32_t kPurposes = 64;
constexpr std::uint64_t kStepBase = 1ULL << 40U;    // beyond every index of a turn
constexpr std::uint64_t kAnswerBase = 1ULL << 41U;  // and of a step

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

base::Digest answer_key(std::uint64_t seed, std::string_view model, const base::Digest& trial) {
  base::FieldHasher hasher("sortie.sim.answer.v1");
  hasher.field("seed", static_cast<std::int64_t>(seed)).field("model", model).field("trial", trial);
  return hasher.finish();
}

base::Digest attempt_key(std::uint64_t seed,
                         std::string_view model,
                         const RequestIdentity& identity) {
  base::FieldHasher hasher("sortie.sim.attempt.v1");
  hasher.field("seed", static_cast<std::int64_t>(seed))
      .field("model", model)
      .field("trial", identity.trial)
      .field("turn", static_cast<std::int64_t>(identity.turn))
      .field("attempt", static_cast<std::int64_t>(identity.attempt));
  return hasher.finish();
}

}  // namespace

std::optional<RequestIdentity> identity_from_header(std::string_view value) {
  const std::size_t first = value.find('/');
  const std::size_t second = first == std::string_view::npos ? first : value.find('/', first + 1);
  if (first != kTrialDigits || second == std::string_view::npos) {
    return std::nullopt;
  }
  const auto trial = base::Digest::from_hex(value.substr(0, first));
  const auto turn = number(value.substr(first + 1, second - first - 1));
  const auto attempt = number(value.substr(second + 1));
  if (!trial || !turn || !attempt) {
    return std::nullopt;
  }
  return RequestIdentity{.trial = *trial, .turn = *turn, .attempt = *attempt, .from_header = true};
}

TrialDraws::TrialDraws(std::uint64_t seed, std::string_view model, const base::Digest& trial)
    : random_(answer_key(seed, model, trial)) {}

double TrialDraws::of_turn(std::uint32_t turn, std::uint32_t purpose) const {
  return random_.uniform(static_cast<std::uint64_t>(turn) * kPurposes + purpose);
}

double TrialDraws::of_answer(std::uint32_t turn, std::uint32_t purpose) const {
  return random_.uniform(kAnswerBase + static_cast<std::uint64_t>(turn) * kPurposes + purpose);
}

double TrialDraws::of_step(std::uint32_t step, std::uint32_t purpose) const {
  return random_.uniform(kStepBase + static_cast<std::uint64_t>(step) * kPurposes + purpose);
}

base::RandomStream attempt_draws(std::uint64_t seed,
                                 std::string_view model,
                                 const RequestIdentity& identity) {
  return base::RandomStream(attempt_key(seed, model, identity));
}

double log_normal(const LogNormal& law, double u, double v) {
  if (law.median <= 0) {
    return 0;
  }
  // Box–Muller; 1 − u lies in (0, 1], so that its logarithm is finite.
  const double normal = std::sqrt(-2.0 * std::log(1.0 - u)) * std::cos(2.0 * std::numbers::pi * v);
  return law.median * std::exp(law.sigma * normal);
}

}  // namespace sortie::sim
