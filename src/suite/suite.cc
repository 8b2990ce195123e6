#include "sortie/suite/suite.h"

#include "sortie/base/check.h"
#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/embedded.h"
#include "sortie/suite/task.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

// Among this many drawn tasks of a type no sequence of operations occurs more often than that.
constexpr std::size_t kBlock = 20;
constexpr std::size_t kPerBlockMax = 3;

struct Candidate {
  std::uint64_t rank;
  std::size_t position;
  std::size_t sequence;  // a number for each sequence of operations
};

/// Draws until `count` are drawn or no candidate is left, by rank: the first whose sequence is
/// below its share, and where none is, the first of a least used sequence. `uses` counts by
/// sequence.
void draw_from(std::vector<Candidate>& candidates,
               std::size_t count,
               std::vector<std::size_t>& uses,
               std::vector<std::size_t>& drawn) {
  std::ranges::sort(
      candidates, {}, [](const Candidate& c) { return std::pair(c.rank, c.position); });
  // What is left of each sequence, as places in `candidates`; the first is all that matters.
  std::vector<std::deque<std::size_t>> queues(uses.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    queues[candidates[i].sequence].push_back(i);
  }
  // (uses, first place, sequence) of those over their share; (first place, sequence) of the others.
  std::set<std::tuple<std::size_t, std::size_t, std::size_t>> over;
  std::set<std::pair<std::size_t, std::size_t>> below;
  std::size_t cap = kPerBlockMax * (drawn.size() / kBlock + 1);
  const auto enqueue = [&](std::size_t sequence) {
    if (queues[sequence].empty()) {
      return;
    }
    if (uses[sequence] < cap) {
      below.emplace(queues[sequence].front(), sequence);
    } else {
      over.emplace(uses[sequence], queues[sequence].front(), sequence);
    }
  };
  for (std::size_t sequence = 0; sequence < queues.size(); ++sequence) {
    enqueue(sequence);
  }
  while (drawn.size() < count && !(below.empty() && over.empty())) {
    const std::size_t sequence = below.empty() ? std::get<2>(*over.begin()) : below.begin()->second;
    if (below.empty()) {
      over.erase(over.begin());
    } else {
      below.erase(below.begin());
    }
    drawn.push_back(candidates[queues[sequence].front()].position);
    queues[sequence].pop_front();
    ++uses[sequence];
    enqueue(sequence);
    cap = kPerBlockMax * (drawn.size() / kBlock + 1);
    while (!over.empty() && std::get<0>(*over.begin()) < cap) {
      const std::size_t again = std::get<2>(*over.begin());
      over.erase(over.begin());
      enqueue(again);
    }
  }
}

}  // namespace

Suite::Suite(std::string name, ToolCatalog catalog)
    : name_(std::move(name)), catalog_(std::move(catalog)) {}

base::Result<Suite> Suite::pilot() {
  Suite suite{std::string(kBuiltInSuite), ToolCatalog::pilot()};
  for (const EmbeddedFile& file : embedded_tasks()) {
    TRY(suite.add_tasks(file.name, file.text));
  }
  suite.set_reviewed({kPilotReviewed.begin(), kPilotReviewed.end()});
  return suite;
}

base::Status Suite::add_tasks(std::string_view source, std::string_view text) {
  const auto document = json::parse(text);
  if (!document) {
    return std::unexpected(base::with_context(document.error(), source));
  }
  const std::string_view named = json::get_string(*document, "suite").value_or("");
  if (named != name_) {
    return base::bad_input(fmt::format("{}: 'suite' is '{}', expected '{}'", source, named, name_));
  }
  const json::Array* tasks = json::get_array(*document, "tasks");
  if (tasks == nullptr) {
    return base::bad_input(fmt::format("{}: 'tasks' has to be a list of tasks", source));
  }
  std::vector<Task> added;
  added.reserve(tasks->size());
  auto positions = positions_;
  for (const json::Value& value : *tasks) {
    TRY_ASSIGN(
        Task task,
        task_from_json(catalog_, value, fmt::format("{}: task {}", source, added.size() + 1)));
    if (!positions.emplace(task.id, tasks_.size() + added.size()).second) {
      return base::bad_input(
          fmt::format("{}: task {}: the id '{}' is taken", source, added.size() + 1, task.id));
    }
    added.push_back(std::move(task));
  }
  positions_ = std::move(positions);
  std::ranges::move(added, std::back_inserter(tasks_));
  return {};
}

bool Suite::add_task(Task task) {
  if (!positions_.emplace(task.id, tasks_.size()).second) {
    return false;
  }
  tasks_.push_back(std::move(task));
  return true;
}

const Task* Suite::find(std::string_view id) const {
  const auto found = positions_.find(id);
  return found == positions_.end() ? nullptr : &tasks_[found->second];
}

base::Digest Suite::version() const {
  base::FieldHasher hasher("sortie.suite.v1");
  hasher.field("name", name_).field("tools", catalog_.version());
  for (const Task& task : tasks_) {
    hasher.field("task", task.hash);
  }
  return hasher.finish();
}

std::size_t Suite::texts(Difficulty level) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      tasks_, [level](const Task& task) { return !task.text(level).empty(); }));
}

std::size_t Suite::eligible(TaskType type) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      tasks_, [type](const Task& task) { return task.type == type && task.eligible; }));
}

std::size_t Suite::available(TaskType type) const {
  return catalog_.declared()
             ? static_cast<std::size_t>(std::ranges::count(tasks_, type, &Task::type))
             : eligible(type);
}

std::vector<std::size_t> Suite::draw(std::uint64_t seed, TaskType type, std::size_t count) const {
  CHECK(count <= available(type));
  std::vector<Candidate> eligible;
  std::vector<Candidate> others;
  std::unordered_map<std::string, std::size_t> sequences;
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    if (tasks_[i].type != type) {
      continue;
    }
    const base::Digest rank = base::FieldHasher("sortie.draw.v1")
                                  .field("seed", static_cast<std::int64_t>(seed))
                                  .field("type", to_string(type))
                                  .field("task", tasks_[i].id)
                                  .finish();
    const std::size_t sequence =
        sequences.emplace(operation_sequence(tasks_[i]), sequences.size()).first->second;
    (tasks_[i].eligible ? eligible : others)
        .push_back({.rank = rank.low64(), .position = i, .sequence = sequence});
  }
  std::vector<std::size_t> drawn;
  std::vector<std::size_t> uses(sequences.size());
  draw_from(eligible, count, uses, drawn);
  draw_from(others, count, uses, drawn);
  return drawn;
}

std::vector<Difficulty> not_reviewed(const Suite& suite) {
  std::vector<Difficulty> levels;
  for (const Difficulty level : kDifficulties) {
    if (suite.texts(level) > 0 && !suite.reviewed().contains(level)) {
      levels.push_back(level);
    }
  }
  return levels;
}

std::string operation_sequence(const Task& task) {
  std::string out;
  for (const Step& step : task.plan) {
    out += out.empty() ? "" : " ";
    out += step.tool;
  }
  return out;
}

}  // namespace sortie::suite
