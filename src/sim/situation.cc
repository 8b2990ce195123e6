#include "sortie/sim/situation.h"

#include "sortie/dialogue/rules.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace sortie::sim {

namespace {

constexpr std::size_t kAnchorMax = 32;
constexpr std::size_t kRememberedMax = 20'000;  // about 40 MB of plans
constexpr std::uint64_t kMultiplier = 0x9E3779B97F4A7C15ULL;

std::uint64_t byte_of(char character) {
  return static_cast<unsigned char>(character);
}

/// Polynomial hash of the first `length` bytes, as the rolling window below computes it.
std::uint64_t anchor_hash(std::string_view text, std::size_t length) {
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < length; ++i) {
    hash = hash * kMultiplier + byte_of(text[i]) + 1;
  }
  return hash;
}

std::vector<suite::TrialParams> flawed_params(suite::TrialParams params) {
  std::vector<suite::TrialParams> all;
  all.reserve(suite::kPlanFlaws.size() * suite::kSeverities.size());
  for (const suite::Severity severity : suite::kSeverities) {
    for (const suite::Flaw flaw : suite::kPlanFlaws) {
      params.prompt = {.style = suite::PromptStyle::flawed, .flaw = flaw};
      params.severity = severity;
      all.push_back(params);
    }
  }
  return all;
}

/// The plan that `params` show, if the prompt they lead to is this message.
std::optional<std::vector<suite::Step>> plan_if_shown(const dialogue::Rules& rules,
                                                      const suite::Task& task,
                                                      const suite::TrialParams& params,
                                                      std::string_view message) {
  auto plan = suite::shown_plan(rules.catalog(), task, params.prompt, params.severity);
  if (!plan.has_value() || rules.first_prompt(task, params) != message) {
    return std::nullopt;
  }
  return plan;
}

}  // namespace

Situations::Situations(const suite::Suite& suite)
    : suite_(&suite), rules_(suite), anchor_(kAnchorMax) {
  for (const suite::Task& task : suite.tasks()) {
    for (const std::string& text : task.texts) {
      anchor_ = text.empty() ? anchor_ : std::min(anchor_, text.size());
    }
  }
  for (std::size_t task = 0; task < suite.tasks().size(); ++task) {
    const auto& texts = suite.tasks()[task].texts;
    for (std::size_t level = 0; level < texts.size(); ++level) {
      if (!texts[level].empty()) {
        entries_.push_back({.hash = anchor_hash(texts[level], anchor_),
                            .task = static_cast<std::uint32_t>(task),
                            .difficulty = static_cast<std::uint32_t>(level)});
      }
    }
  }
  std::ranges::sort(entries_, {}, [](const Entry& entry) {
    return std::tuple(entry.hash, entry.task, entry.difficulty);
  });
}

const std::string& Situations::text_of(const Entry& entry) const {
  return suite_->tasks()[entry.task].texts[entry.difficulty];
}

const Situations::Entry* Situations::find_text(std::string_view message) const {
  if (entries_.empty() || message.size() < anchor_) {
    return nullptr;
  }
  std::uint64_t oldest_weight = 1;  // what the byte that leaves the window counts
  for (std::size_t i = 1; i < anchor_; ++i) {
    oldest_weight *= kMultiplier;
  }
  const Entry* longest = nullptr;
  std::uint64_t hash = anchor_hash(message, anchor_);
  for (std::size_t at = 0;; ++at) {
    for (auto entry = std::ranges::lower_bound(entries_, hash, {}, &Entry::hash);
         entry != entries_.end() && entry->hash == hash;
         ++entry) {
      const std::string& text = text_of(*entry);
      if (message.substr(at).starts_with(text) &&
          (longest == nullptr || text.size() > text_of(*longest).size())) {
        longest = &*entry;
      }
    }
    if (at + anchor_ >= message.size()) {
      return longest;
    }
    hash = (hash - (byte_of(message[at]) + 1) * oldest_weight) * kMultiplier +
           byte_of(message[at + anchor_]) + 1;
  }
}

Situation Situations::examine(std::string_view message) const {
  const Entry* entry = find_text(message);
  if (entry == nullptr) {
    return {};
  }
  Situation situation;
  situation.task = &suite_->tasks()[entry->task];
  situation.difficulty = static_cast<suite::Difficulty>(entry->difficulty);
  suite::TrialParams params;
  params.difficulty = situation.difficulty;
  params.prompt = {.style = suite::PromptStyle::optimal, .flaw = suite::Flaw::none};
  if (auto plan = plan_if_shown(rules_, *situation.task, params, message)) {
    situation.plan = Situation::Plan::right;
    situation.shown = std::move(*plan);
    return situation;
  }
  for (const suite::PromptStyle style : {suite::PromptStyle::baseline, suite::PromptStyle::cot}) {
    params.prompt.style = style;
    if (plan_if_shown(rules_, *situation.task, params, message)) {
      return situation;
    }
  }
  for (const suite::TrialParams& flawed : flawed_params(params)) {
    if (auto plan = plan_if_shown(rules_, *situation.task, flawed, message)) {
      situation.plan = Situation::Plan::flawed;
      situation.shown = std::move(*plan);
      return situation;
    }
  }
  return situation;
}

const Situation& Situations::recognise(std::string_view first_user_message) {
  const std::size_t key = std::hash<std::string_view>()(first_user_message);
  const auto found = remembered_.find(key);
  if (found != remembered_.end()) {
    return found->second;
  }
  if (remembered_.size() >= kRememberedMax) {
    remembered_.clear();
  }
  return remembered_.emplace(key, examine(first_user_message)).first->second;
}

}  // namespace sortie::sim
