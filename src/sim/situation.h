#pragma once

#include "sortie/dialogue/rules.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sortie::sim {

/// What a conversation is about, recognised from its first user message.
struct Situation {
  const suite::Task* task = nullptr;  // null: not a task of the suite
  suite::Difficulty difficulty = suite::Difficulty::easy;
  enum class Plan : std::uint8_t { none, right, flawed };
  Plan plan = Plan::none;
  std::vector<suite::Step> shown;  // the plan in view, right or flawed
};

/// Recognises tasks. The text of a task stands verbatim in the prompt at every level of difficulty,
/// so an index over the beginnings of all texts finds it wherever it stands; the plan in view is
/// told by rendering the candidates. Both are remembered per message, so that only the first turn
/// of a kind pays for it. One thread.
class Situations {
 public:
  /// `suite` must outlive the object.
  explicit Situations(const suite::Suite& suite);

  /// Valid until the next call.
  [[nodiscard]] const Situation& recognise(std::string_view first_user_message);

  [[nodiscard]] const suite::Suite& suite() const { return *suite_; }

 private:
  struct Entry {
    std::uint64_t hash = 0;  // of the text's first anchor_ bytes
    std::uint32_t task = 0;
    std::uint32_t difficulty = 0;
  };

  [[nodiscard]] Situation examine(std::string_view message) const;
  [[nodiscard]] const Entry* find_text(std::string_view message) const;
  [[nodiscard]] const std::string& text_of(const Entry& entry) const;

  const suite::Suite* suite_;
  dialogue::Rules rules_;
  std::size_t anchor_ = 0;      // bytes that identify where a text may begin
  std::vector<Entry> entries_;  // sorted by hash
  std::unordered_map<std::size_t, Situation> remembered_;
};

}  // namespace sortie::sim
