#include "sortie/spec/campaign.h"

#include "sortie/base/check.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <vector>

namespace sortie::spec {
namespace {

constexpr std::size_t kNotDrawn = std::numeric_limits<std::size_t>::max();

std::size_t position_of(suite::TaskType type) {
  return static_cast<std::size_t>(type);
}

}  // namespace

std::uint64_t Campaign::trial_count() const {
  std::uint64_t count = 0;
  for (const Cell& cell : cells) {
    count += cell.size();
  }
  return count;
}

void Campaign::bind(const suite::Suite& suite) {
  std::array<std::size_t, suite::kTaskTypes.size()> needed{};
  end_index_.clear();
  std::uint64_t end = 0;
  for (const Cell& cell : cells) {
    for (const suite::TaskType type : cell.types) {
      std::size_t& count = needed[position_of(type)];
      count = std::max(count, cell.instances);
    }
    end += cell.size();
    end_index_.push_back(end);
  }
  drawn_.assign(needed.size(), {});
  rank_of_task_.assign(needed.size(), {});
  for (const suite::TaskType type : suite::kTaskTypes) {
    const std::size_t count = needed[position_of(type)];
    CHECK(count <= suite.available(type));
    std::vector<std::size_t>& drawn = drawn_[position_of(type)];
    drawn = suite.draw(seed, type, count);
    std::vector<std::size_t>& ranks = rank_of_task_[position_of(type)];
    ranks.assign(suite.tasks().size(), kNotDrawn);
    for (std::size_t rank = 0; rank < drawn.size(); ++rank) {
      ranks[drawn[rank]] = rank;
    }
  }
}

Trial Campaign::trial(std::size_t cell, std::uint64_t ordinal) const {
  CHECK(cell < cells.size() && ordinal < cells[cell].size());
  const Cell& owner = cells[cell];
  const std::uint64_t type_count = owner.types.size();
  const auto type = owner.types[static_cast<std::size_t>(ordinal % type_count)];
  const std::uint64_t row = ordinal / type_count;
  Trial trial = {.cell = cell, .ordinal = ordinal, .task = 0, .params = owner.params};
  trial.task = drawn_[position_of(type)][static_cast<std::size_t>(row % owner.instances)];
  trial.params.repeat = static_cast<int>(row / owner.instances);
  return trial;
}

Trial Campaign::trial_at(std::uint64_t index) const {
  const auto cell = std::ranges::upper_bound(end_index_, index);
  CHECK(cell != end_index_.end());
  const std::uint64_t first = cell == end_index_.begin() ? 0 : *std::prev(cell);
  return trial(static_cast<std::size_t>(std::distance(end_index_.begin(), cell)), index - first);
}

std::optional<std::uint64_t> Campaign::ordinal_of(std::size_t cell,
                                                  std::size_t task,
                                                  int repeat) const {
  CHECK(cell < cells.size());
  const Cell& owner = cells[cell];
  if (repeat < 0 || static_cast<std::size_t>(repeat) >= owner.repeats) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < owner.types.size(); ++i) {
    const std::vector<std::size_t>& ranks = rank_of_task_[position_of(owner.types[i])];
    if (task < ranks.size() && ranks[task] < owner.instances) {
      const std::uint64_t row = static_cast<std::uint64_t>(repeat) * owner.instances + ranks[task];
      return row * owner.types.size() + i;
    }
  }
  return std::nullopt;
}

}  // namespace sortie::spec
