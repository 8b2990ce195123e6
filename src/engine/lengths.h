#pragma once

#include <cstddef>
#include <vector>

namespace sortie::engine {

/// How many turns a dialogue is expected to have still: the mean residual life of the finished
/// dialogues of a model that got as far, shrunk to a prior while they are few. Longest-first
/// ordering needs only rough values.
class DialogueLengths {
 public:
  /// `turns_max` bounds every dialogue; `prior_turns` is the expected length before any has
  /// finished.
  DialogueLengths(std::size_t turns_max, double prior_turns);

  void finished(std::size_t turns);

  /// Expected turns to come for a dialogue that has had `done` turns; at least 1.
  [[nodiscard]] double remaining(std::size_t done) const;

  /// The same, shrunk to `prior` instead: what a wider kind of dialogue says of one that got as
  /// far.
  [[nodiscard]] double remaining(std::size_t done, double prior) const;

  /// Expected length of a whole dialogue.
  [[nodiscard]] double mean() const { return remaining(0); }

 private:
  double prior_;
  std::vector<std::size_t> at_least_;  // at_least_[t]: finished dialogues of at least t turns
  std::vector<double> turns_beyond_;   // turns_beyond_[t]: sum over those of (length − t)
};

}  // namespace sortie::engine
