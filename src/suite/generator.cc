#include "sortie/suite/generator.h"

#include "sortie/base/check.h"
#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/flaws.h"
#include "sortie/suite/plan_draft.h"
#include "sortie/suite/sequences.h"
#include "sortie/suite/task.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"
#include "sortie/suite/validator.h"
#include "sortie/suite/wording.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

// Whether a flaw applies depends on the tools alone, so a sequence that fails at first will fail
// again.
constexpr int kTriesMax = 40;
constexpr int kTriesWithoutAny = 4;

using Masks = std::array<std::set<std::string>, kDifficulties.size()>;

class Generator {
 public:
  Generator(const ToolCatalog& catalog, TaskType type, const GeneratorOptions& options)
      : catalog_(catalog), type_(type), options_(options), uses_(catalog.tools().size()) {}

  std::vector<Task> run();

 private:
  [[nodiscard]] base::RandomStream random(std::string_view purpose,
                                          std::uint64_t a,
                                          std::uint64_t b) const {
    return base::RandomStream(base::FieldHasher("sortie.generator.v1")
                                  .field("seed", static_cast<std::int64_t>(options_.seed))
                                  .field("type", to_string(type_))
                                  .field("purpose", purpose)
                                  .field("a", static_cast<std::int64_t>(a))
                                  .field("b", static_cast<std::int64_t>(b))
                                  .finish());
  }

  [[nodiscard]] std::size_t pick(const std::vector<Sequence>& candidates, std::size_t length) const;
  bool add_tasks(const Sequence& sequence);
  std::optional<Task> make_task(const Sequence& sequence,
                                const Masks& taken,
                                base::RandomStream& random,
                                Masks& own);

  const ToolCatalog& catalog_;
  TaskType type_;
  GeneratorOptions options_;
  std::vector<std::size_t> uses_;  // by tool, in the sequences taken so far
  std::vector<Task> tasks_;
  std::size_t tried_ = 0;
  Masks taken_;
};

/// The candidate of this length that has the tool used least, then the least used tools altogether:
/// every tool gets its share, also those that only follow common ones. candidates.size() if none is
/// left.
std::size_t Generator::pick(const std::vector<Sequence>& candidates, std::size_t length) const {
  std::size_t best = candidates.size();
  std::pair<std::size_t, std::size_t> best_cost;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].tools.size() != length) {
      continue;
    }
    std::size_t least = uses_[candidates[i].tools.front()];
    std::size_t sum = 0;
    for (const std::size_t tool : candidates[i].tools) {
      least = std::min(least, uses_[tool]);
      sum += uses_[tool];
    }
    const std::pair cost(least, sum);
    if (best == candidates.size() || cost < best_cost) {
      best = i;
      best_cost = cost;
    }
  }
  return best;
}

std::optional<Task> Generator::make_task(const Sequence& sequence,
                                         const Masks& taken,
                                         base::RandomStream& random,
                                         Masks& own) {
  auto plan = draft_plan(catalog_, sequence, random);
  if (!plan) {
    return std::nullopt;
  }
  Task task;
  task.id = fmt::format("{}-{:03}", to_string(type_), tasks_.size() + 1);
  task.type = type_;
  task.plan = std::move(*plan);
  task.order = order_of(task.plan);
  task.goal = goal_of(catalog_, task.plan);
  for (const Difficulty difficulty : kDifficulties) {
    const auto level = static_cast<std::size_t>(difficulty);
    const WordingChoice choice = draw_wording(sequence, difficulty, random);
    const std::string masked = render_text(task.plan, sequence, difficulty, choice, true);
    if (taken[level].contains(masked)) {
      return std::nullopt;
    }
    own[level].insert(masked);
    task.texts[level] = render_text(task.plan, sequence, difficulty, choice, false);
  }
  task.hash = content_hash(task);
  // The cheap half of the rules first: most drafts that fail have no place for one of the flaws.
  const bool eligible = std::ranges::all_of(kPlanFlaws, [&](Flaw flaw) {
    return flawed_plan(catalog_, task, flaw, Severity::severe).has_value();
  });
  if (!eligible || !validate_task(catalog_, task).empty()) {
    return std::nullopt;
  }
  return task;
}

bool Generator::add_tasks(const Sequence& sequence) {
  std::vector<Task> made;
  Masks masks = taken_;
  const std::size_t before = tasks_.size();
  base::RandomStream stream = random("task", tried_++, 0);
  for (int tries = 0;
       tries < (made.empty() ? kTriesWithoutAny : kTriesMax) && made.size() < options_.per_sequence;
       ++tries) {
    Masks own;
    if (auto task = make_task(sequence, masks, stream, own)) {
      for (std::size_t i = 0; i < own.size(); ++i) {
        masks[i].merge(own[i]);
      }
      tasks_.push_back(*task);  // ids count on
      made.push_back(std::move(*task));
    }
  }
  if (made.size() < options_.per_sequence) {
    tasks_.resize(before);
    return false;
  }
  taken_ = std::move(masks);
  for (const std::size_t tool : sequence.tools) {
    ++uses_[tool];
  }
  return true;
}

std::vector<Task> Generator::run() {
  std::vector<Sequence> candidates = sequences(catalog_, type_);
  base::RandomStream order = random("sequences", 0, 0);
  order.shuffle(std::span(candidates));
  std::set<std::size_t> lengths;
  for (const Sequence& candidate : candidates) {
    lengths.insert(candidate.tools.size());
  }
  auto length = lengths.begin();
  std::size_t taken = 0;
  while (taken < options_.sequences && !lengths.empty()) {
    const std::size_t best = pick(candidates, *length);
    if (best == candidates.size()) {
      length = lengths.erase(length);
    } else {
      const Sequence sequence = candidates[best];
      std::erase_if(candidates,
                    [&](const Sequence& other) { return other.tools == sequence.tools; });
      if (add_tasks(sequence)) {
        ++taken;
        ++length;
      }
    }
    if (length == lengths.end()) {
      length = lengths.begin();
    }
  }
  return std::move(tasks_);
}

}  // namespace

std::vector<Task> generate_pilot(const ToolCatalog& catalog,
                                 TaskType type,
                                 const GeneratorOptions& options) {
  return Generator(catalog, type, options).run();
}

}  // namespace sortie::suite
