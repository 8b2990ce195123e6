#pragma once

#include "sortie/testbed/policy.h"
#include "sortie/testbed/workload.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace sortie::testbed {

/// The dialogues that are still to be opened, in the order in which a client would: as listed, or
/// those first that it believes to be longest.
class Agenda {
 public:
  Agenda(const Workload& workload, std::size_t models, Lengths lengths);

  [[nodiscard]] bool is_done(std::size_t model) const { return left_of_model_[model] == 0; }

  [[nodiscard]] std::size_t left() const { return left_; }

  [[nodiscard]] std::size_t left_of(std::size_t model) const { return left_of_model_[model]; }

  /// Takes the next dialogue of the model, of `cell` if one is named.
  [[nodiscard]] std::uint32_t take(std::size_t model, std::optional<std::size_t> cell);

  /// Number of a dialogue among those of its model.
  [[nodiscard]] std::size_t number_in_model(std::uint32_t dialogue) const;

  /// Of the dialogues of a cell that are not open yet.
  [[nodiscard]] std::size_t left_in(std::size_t cell) const { return by_cell_[cell].left; }

  [[nodiscard]] double believed_turns_left_in(std::size_t cell) const {
    return by_cell_[cell].believed_turns;
  }

 private:
  struct CellList {
    std::vector<std::uint32_t> dialogues;
    std::size_t next = 0;
    std::size_t left = 0;
    double believed_turns = 0;  // sum over those left
  };

  const Workload& workload_;
  std::vector<std::vector<std::uint32_t>> by_model_;
  std::vector<std::size_t> next_of_model_;
  std::vector<std::size_t> left_of_model_;
  std::vector<std::uint32_t> first_of_model_;
  std::vector<CellList> by_cell_;
  std::vector<bool> is_taken_;
  std::size_t left_ = 0;
};

/// Turns that a client believes the dialogue to have.
[[nodiscard]] double believed_turns(const Dialogue& dialogue);

}  // namespace sortie::testbed
