#include "sortie/suite/wording.h"

#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/lexicon.h"
#include "sortie/suite/sequences.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

constexpr std::size_t kAsides = 3;

Frame frame_of(const Sequence& sequence, std::size_t position) {
  if (sequence.second_strand > 0) {
    if (position == 0) {
      return Frame::first_strand;
    }
    if (position == sequence.second_strand) {
      return Frame::second_strand;
    }
    if (position == sequence.join) {
      return Frame::join;
    }
  }
  if (position == 0) {
    return Frame::opening;
  }
  return position + 1 == sequence.tools.size() ? Frame::last : Frame::next;
}

/// The slots of a step's wordings: its values, and for very_easy the tool and all values in one.
json::Object slots_of(const Step& step, bool masked) {
  json::Object slots;
  std::string all;
  for (const auto& [name, value] : step.arguments) {
    if (step_reference(value) >= 0) {
      continue;
    }
    const std::string text = masked ? "_" : verbatim(value);
    slots[name] = text;
    all += fmt::format("{}{} = {}", all.empty() ? "" : ", ", std::string_view(name), text);
  }
  slots["tool"] = step.tool;
  slots["arguments"] = all;
  return slots;
}

/// A sentence may start with a clause.
std::string capitalised(std::string text) {
  if (!text.empty()) {
    text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
  }
  return text;
}

}  // namespace

WordingChoice draw_wording(const Sequence& sequence,
                           Difficulty difficulty,
                           base::RandomStream& random) {
  WordingChoice choice;
  for (std::size_t i = 0; i < sequence.tools.size(); ++i) {
    choice.clauses.push_back({.wording = static_cast<std::size_t>(random.below(kWordingsPerClause)),
                              .frame = static_cast<std::size_t>(random.below(kWordingsPerClause))});
    // The same way to go on twice in a row reads badly.
    if (i > 0 && choice.clauses[i].frame == choice.clauses[i - 1].frame) {
      choice.clauses[i].frame = (choice.clauses[i].frame + 1) % kWordingsPerClause;
    }
  }
  // "The second side" needs "the first side" before it: frames of the two strands go in pairs.
  if (sequence.second_strand > 0) {
    choice.clauses[sequence.second_strand].frame = choice.clauses.front().frame;
  }
  if (difficulty == Difficulty::very_hard) {
    std::vector<std::size_t> all(asides().size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] = i;
    }
    random.shuffle(std::span(all));
    choice.asides.assign(all.begin(), all.begin() + kAsides);
  }
  return choice;
}

std::string render_text(const std::vector<Step>& plan,
                        const Sequence& sequence,
                        Difficulty difficulty,
                        const WordingChoice& choice,
                        bool masked) {
  std::vector<std::string> sentences;
  std::size_t used = 0;
  const auto add_aside = [&] {
    if (used < choice.asides.size()) {
      sentences.emplace_back(asides()[choice.asides[used++]]);
    }
  };
  add_aside();
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const auto& [wording, frame] = choice.clauses[i];
    const std::string clause =
        filled(wordings_of(plan[i].tool, difficulty)[wording], slots_of(plan[i], masked));
    const std::string sentence =
        filled(frames(frame_of(sequence, i), difficulty)[frame], json::Object{{"clause", clause}});
    sentences.push_back(capitalised(sentence));
    // Noise stands between the steps, not in one heap.
    if (i % 2 == 1) {
      add_aside();
    }
  }
  while (used < choice.asides.size()) {
    add_aside();
  }
  return fmt::format("{}", fmt::join(sentences, " "));
}

}  // namespace sortie::suite
