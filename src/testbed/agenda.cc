#include "sortie/testbed/agenda.h"

#include "sortie/base/check.h"
#include "sortie/testbed/policy.h"
#include "sortie/testbed/workload.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace sortie::testbed {

double believed_turns(const Dialogue& dialogue) {
  return dialogue.turns * static_cast<double>(dialogue.length_error);
}

Agenda::Agenda(const Workload& workload, std::size_t models, Lengths lengths)
    : workload_(workload),
      by_model_(models),
      next_of_model_(models),
      left_of_model_(models),
      by_cell_(workload.cells),
      is_taken_(workload.dialogues.size(), false),
      left_(workload.dialogues.size()) {
  const std::vector<Dialogue>& dialogues = workload.dialogues;
  for (std::uint32_t i = 0; i < dialogues.size(); ++i) {
    by_model_[dialogues[i].model].push_back(i);
  }
  for (std::size_t model = 0; model < models; ++model) {
    auto& list = by_model_[model];
    first_of_model_.push_back(list.empty() ? 0 : list.front());
    left_of_model_[model] = list.size();
    if (lengths == Lengths::estimated) {
      std::stable_sort(list.begin(), list.end(), [&](std::uint32_t a, std::uint32_t b) {
        return believed_turns(dialogues[a]) > believed_turns(dialogues[b]);
      });
    }
    for (const std::uint32_t dialogue : list) {
      CellList& cell = by_cell_[dialogues[dialogue].cell];
      cell.dialogues.push_back(dialogue);
      cell.left += 1;
      cell.believed_turns += believed_turns(dialogues[dialogue]);
    }
  }
}

std::uint32_t Agenda::take(std::size_t model, std::optional<std::size_t> cell) {
  CHECK(!is_done(model));
  const std::vector<std::uint32_t>& list = cell ? by_cell_[*cell].dialogues : by_model_[model];
  std::size_t& next = cell ? by_cell_[*cell].next : next_of_model_[model];
  while (next < list.size() && is_taken_[list[next]]) {
    ++next;
  }
  CHECK(next < list.size());
  const std::uint32_t dialogue = list[next++];
  is_taken_[dialogue] = true;
  left_ -= 1;
  left_of_model_[model] -= 1;
  CellList& of = by_cell_[workload_.dialogues[dialogue].cell];
  of.left -= 1;
  of.believed_turns -= believed_turns(workload_.dialogues[dialogue]);
  return dialogue;
}

std::size_t Agenda::number_in_model(std::uint32_t dialogue) const {
  return dialogue - first_of_model_[workload_.dialogues[dialogue].model];
}

}  // namespace sortie::testbed
