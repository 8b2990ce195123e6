#include "sortie/quota/window_learner.h"

#include "sortie/base/time.h"
#include "sortie/quota/learning_law.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace sortie::quota {

namespace {

constexpr std::size_t kUnlimited = 1'000'000'000;  // more than sockets exist

}  // namespace

WindowLearner::WindowLearner(const WindowLaw& law) : law_(law), slots_(kUnlimited) {}

void WindowLearner::set_window(std::size_t window) {
  slots_.set_slots(std::max<std::size_t>(1, window));
  answers_ = 0;
}

void WindowLearner::start_at(std::size_t slots) {
  is_known_ = true;
  set_window(slots);
}

void WindowLearner::stop() {
  is_known_ = false;
  is_trial_ = false;
  patience_ = 1;
  step_ = 1;
  set_window(kUnlimited);
}

std::optional<std::size_t> WindowLearner::window() const {
  return is_known_ ? std::optional(slots_.slots()) : std::nullopt;
}

bool WindowLearner::refused(base::Instant sent, base::Instant now) {
  const std::size_t held = std::max<std::size_t>(1, slots_.in_flight(now));
  if (is_known_ && sent < episode_at_) {
    set_window(std::min(held, slots_.slots()));
    return false;
  }
  if (is_trial_ && held + step_ >= slots_.slots()) {
    patience_ = std::min(law_.patience_max, 2 * patience_);
    confidence_ += (1 - confidence_) / 2;
  } else {
    patience_ = 1;
    confidence_ = law_.first_confidence;
  }
  is_known_ = true;
  is_trial_ = false;
  step_ = 1;
  set_window(std::min(held, slots_.slots()));
  episode_at_ = now;
  return true;
}

std::size_t WindowLearner::answers_needed() const {
  return std::max(law_.answers_min, slots_.slots()) * patience_;
}

void WindowLearner::succeeded(base::Instant now) {
  if (!is_known_ || !is_probing_ || slots_.in_flight(now) < slots_.slots()) {
    return;
  }
  answers_ += 1;
  if (answers_ < answers_needed()) {
    return;
  }
  // A trial that went well doubles the next one: a raised limit is found in a few steps.
  step_ = is_trial_ ? 2 * step_ : 1;
  patience_ = is_trial_ ? 1 : patience_;
  is_trial_ = true;
  set_window(slots_.slots() + step_);
}

}  // namespace sortie::quota
