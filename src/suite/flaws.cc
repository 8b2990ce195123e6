#include "sortie/suite/flaws.h"

#include "sortie/base/check.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/content.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/sampling.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::suite {

namespace {

/// What every mutation works with.
struct Mutation {
  const ToolCatalog& catalog;
  const Task& task;
  Flaw flaw;
  const Subject& subject;

  [[nodiscard]] const std::vector<Step>& plan() const { return task.plan; }

  [[nodiscard]] std::size_t size() const { return task.plan.size(); }

  [[nodiscard]] const ToolSpec& tool(std::size_t step) const {
    return *catalog.find(task.plan[step].tool);
  }

  /// Numbers for one purpose at one step; the same at every severity.
  [[nodiscard]] base::RandomStream random(std::string_view purpose, std::size_t step) const {
    return base::RandomStream(base::FieldHasher("sortie.flaw.v1")
                                  .field("task", task.hash)
                                  .field("flaw", to_string(flaw))
                                  .field("purpose", purpose)
                                  .field("step", static_cast<std::int64_t>(step))
                                  .finish());
  }

  /// The first `count` of `candidates` in a random order that does not depend on the severity:
  /// nested places.
  [[nodiscard]] std::optional<std::vector<std::size_t>> places(std::vector<std::size_t> candidates,
                                                               std::size_t count) const {
    if (count == 0 || candidates.size() < count) {
      return std::nullopt;
    }
    base::RandomStream order = random("places", 0);
    order.shuffle(std::span(candidates));
    candidates.resize(count);
    std::ranges::sort(candidates);
    return candidates;
  }
};

std::vector<Place> places_of(const std::vector<std::size_t>& steps) {
  std::vector<Place> out;
  for (const std::size_t step : steps) {
    out.push_back(Place::of(step));
  }
  return out;
}

bool contains(const std::vector<std::size_t>& positions, std::size_t position) {
  return std::ranges::binary_search(positions, position);
}

std::size_t by_severity(Severity severity,
                        std::size_t light,
                        std::size_t medium,
                        std::size_t severe) {
  if (severity == Severity::light) {
    return light;
  }
  return severity == Severity::medium ? medium : severe;
}

/// Positions that a step's handles name, in the order of its arguments.
std::vector<std::size_t> references(const Step& step) {
  std::vector<std::size_t> out;
  for (const auto& [name, value] : step.arguments) {
    if (const std::ptrdiff_t reference = step_reference(value); reference >= 0) {
      out.push_back(static_cast<std::size_t>(reference));
    }
  }
  return out;
}

/// Replaces every reference by what `moved` makes of it.
template <class Moved>
void move_references(Step& step, const Moved& moved) {
  for (auto& [name, value] : step.arguments) {
    if (const std::ptrdiff_t reference = step_reference(value); reference >= 0) {
      value = make_reference(moved(static_cast<std::size_t>(reference)));
    }
  }
}

/// What each step's artifact counts as.
std::vector<std::string_view> kinds_of(const Mutation& mutation) {
  std::vector<std::string_view> kinds;
  for (std::size_t i = 0; i < mutation.size(); ++i) {
    const std::vector<std::size_t> inputs = references(mutation.plan()[i]);
    const ToolSpec& tool = mutation.tool(i);
    kinds.push_back(tool.keeps_content && !inputs.empty() ? kinds[inputs.front()]
                                                          : std::string_view(tool.kind));
  }
  return kinds;
}

std::size_t required_handles(const ToolSpec& tool) {
  const auto names = tool.handle_parameters();
  return static_cast<std::size_t>(
      std::ranges::count_if(names, [&](std::string_view name) { return is_required(tool, name); }));
}

/// A step of another tool on given inputs, with values that fit its schema.
Step step_of(const Mutation& mutation,
             const ToolSpec& tool,
             std::span<const std::size_t> inputs,
             std::size_t place) {
  base::RandomStream random = mutation.random(tool.name, place);
  Step step{.tool = tool.name, .arguments = {}, .reason = tool.description};
  std::size_t used = 0;
  for (const auto& [name, property] : *json::get_object(tool.parameters, "properties")) {
    if (accepted_kinds(property) != nullptr) {
      if (used < inputs.size()) {
        step.arguments[name] = make_reference(inputs[used++]);
      }
      continue;
    }
    const json::Value* shared = mutation.plan()[place].arguments.if_contains(name);
    const bool fits = shared != nullptr && !check_value(name, property, *shared);
    step.arguments[name] = fits ? *shared : sample_value(name, property, mutation.subject, random);
  }
  return step;
}

// --- sequence_disorder ---

/// Steps first … last turned round.
struct Segment {
  std::size_t first = 0;
  std::size_t last = 0;
};

/// The pairs of which the second step takes the result of the first, that turning a segment
/// reverses; ascending.
std::vector<Place> reversed_pairs(const Mutation& mutation, Segment segment) {
  std::vector<Place> out;
  for (std::size_t i = segment.first; i <= segment.last; ++i) {
    for (const std::size_t input : references(mutation.plan()[i])) {
      if (input >= segment.first) {
        out.push_back({.step = i, .before = input});
      }
    }
  }
  std::ranges::sort(out);
  return out;
}

/// Of the segments around the pair (light, light + 1) one that reverses about half of the plan's
/// dependencies: as near to half as possible, of two equally near numbers the greater.
Segment middle_segment(const Mutation& mutation, std::size_t light) {
  const std::size_t n = mutation.size();
  const auto all =
      static_cast<std::ptrdiff_t>(reversed_pairs(mutation, {.first = 0, .last = n - 1}).size());
  std::vector<Segment> nearest;
  std::ptrdiff_t distance = 0;
  for (std::size_t first = 0; first <= light; ++first) {
    for (std::size_t last = light + 1; last < n; ++last) {
      const Segment segment{.first = first, .last = last};
      const auto count = static_cast<std::ptrdiff_t>(reversed_pairs(mutation, segment).size());
      // Twice the distance to half, and a little more below it.
      const std::ptrdiff_t missed =
          2 * (2 * count > all ? 2 * count - all : all - 2 * count) + (2 * count < all ? 1 : 0);
      if (nearest.empty() || missed < distance) {
        nearest.clear();
        distance = missed;
      }
      if (missed == distance) {
        nearest.push_back(segment);
      }
    }
  }
  return nearest[mutation.random("segment", 0).below(nearest.size())];
}

std::optional<FlawedPlan> disordered(const Mutation& mutation, Severity severity) {
  const std::size_t n = mutation.size();
  std::vector<std::size_t> pairs;
  for (std::size_t i = 0; i + 1 < n; ++i) {
    const std::vector<std::size_t> inputs = references(mutation.plan()[i + 1]);
    if (std::ranges::find(inputs, i) != inputs.end()) {
      pairs.push_back(i);
    }
  }
  if (pairs.empty()) {
    return std::nullopt;
  }
  // Each longer segment contains the shorter.
  const std::size_t light = pairs[mutation.random("pair", 0).below(pairs.size())];
  Segment segment{.first = 0, .last = n - 1};
  if (severity == Severity::light) {
    segment = {.first = light, .last = light + 1};
  } else if (severity == Severity::medium) {
    segment = middle_segment(mutation, light);
  }
  const auto moved = [&](std::size_t i) {
    return i < segment.first || i > segment.last ? i : segment.first + segment.last - i;
  };
  FlawedPlan flawed{.steps = std::vector<Step>(n), .places = reversed_pairs(mutation, segment)};
  for (std::size_t i = 0; i < n; ++i) {
    Step step = mutation.plan()[i];
    move_references(step, moved);
    flawed.steps[moved(i)] = std::move(step);
  }
  return flawed;
}

// --- tool_misuse ---

/// Tools of the same category that a plan could show at this place without a gap where a handle
/// belongs.
std::vector<const ToolSpec*> misused_tools(const Mutation& mutation, std::size_t step) {
  const std::size_t inputs = references(mutation.plan()[step]).size();
  std::vector<const ToolSpec*> out;
  for (const ToolSpec& tool : mutation.catalog.tools()) {
    const bool used =
        std::ranges::find(mutation.plan(), tool.name, &Step::tool) != mutation.plan().end();
    if (tool.category == mutation.tool(step).category && !used &&
        required_handles(tool) <= inputs) {
      out.push_back(&tool);
    }
  }
  return out;
}

std::optional<FlawedPlan> misused(const Mutation& mutation, Severity severity) {
  const std::size_t n = mutation.size();
  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < n; ++i) {
    if (!misused_tools(mutation, i).empty()) {
      candidates.push_back(i);
    }
  }
  const auto places = mutation.places(candidates, by_severity(severity, 1, (n + 2) / 3, n / 2 + 1));
  if (!places) {
    return std::nullopt;
  }
  FlawedPlan flawed{.steps = mutation.plan(), .places = places_of(*places)};
  for (const std::size_t i : *places) {
    const auto tools = misused_tools(mutation, i);
    const ToolSpec& tool = *tools[mutation.random("tool", i).below(tools.size())];
    flawed.steps[i] = step_of(mutation, tool, references(mutation.plan()[i]), i);
  }
  return flawed;
}

// --- parameter_error ---

/// Parameters of a step whose value the goal checks: another value of any other does no harm. The
/// goal's operations are the plan's steps, in their order.
std::vector<std::string> plain_parameters(const Mutation& mutation, std::size_t step) {
  std::vector<std::string> out;
  const auto& required = mutation.task.goal.required;
  for (const auto& [name, value] : mutation.plan()[step].arguments) {
    if (step_reference(value) < 0 && step < required.size() &&
        required[step].values.contains(name)) {
      out.emplace_back(name);
    }
  }
  return out;
}

void spoil(const Mutation& mutation, std::size_t place, Step& step) {
  base::RandomStream random = mutation.random("value", place);
  const std::vector<std::string> names = plain_parameters(mutation, place);
  const std::string& name = names[random.below(names.size())];
  const ToolSpec& tool = mutation.tool(place);
  const json::Value& property = *property_of(tool, name);
  const std::uint64_t way = random.below(4);  // wrong values are half of the errors
  if (way == 0 && is_required(tool, name)) {
    step.arguments.erase(name);
    return;
  }
  const auto wrong = way == 1
                         ? std::nullopt
                         : other_value(property, step.arguments.at(name), mutation.subject, random);
  step.arguments[name] = wrong.value_or(ill_typed_value(property));
}

std::optional<FlawedPlan> misparametrised(const Mutation& mutation, Severity severity) {
  const std::size_t n = mutation.size();
  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < n; ++i) {
    if (!plain_parameters(mutation, i).empty()) {
      candidates.push_back(i);
    }
  }
  const auto places =
      mutation.places(candidates, by_severity(severity, 1, 2, std::max<std::size_t>(3, n / 2 + 1)));
  if (!places) {
    return std::nullopt;
  }
  FlawedPlan flawed{.steps = mutation.plan(), .places = places_of(*places)};
  for (const std::size_t i : *places) {
    spoil(mutation, i, flawed.steps[i]);
  }
  return flawed;
}

// --- missing_step ---

std::optional<FlawedPlan> incomplete(const Mutation& mutation, Severity severity) {
  const std::size_t n = mutation.size();
  if (n < 3) {
    return std::nullopt;
  }
  std::vector<std::size_t> middle;
  for (std::size_t i = 1; i + 1 < n; ++i) {
    middle.push_back(i);
  }
  const std::size_t all = middle.size();
  const auto places = mutation.places(std::move(middle),
                                      by_severity(severity, 1, std::min<std::size_t>(2, all), all));
  CHECK(places.has_value());
  FlawedPlan flawed{.steps = {}, .places = places_of(*places)};
  std::vector<std::size_t> shown(n);
  for (std::size_t i = 0; i < n; ++i) {
    if (contains(*places, i)) {
      continue;
    }
    Step step = mutation.plan()[i];
    const std::size_t position = flawed.steps.size();
    // What a step that is gone would have given is now said to come from the step shown before.
    move_references(step,
                    [&](std::size_t k) { return contains(*places, k) ? position - 1 : shown[k]; });
    shown[i] = position;
    flawed.steps.push_back(std::move(step));
  }
  return flawed;
}

// --- redundant_operations ---

std::optional<FlawedPlan> redundant(const Mutation& mutation, Severity severity) {
  const std::size_t n = mutation.size();
  std::vector<std::size_t> all(n);
  for (std::size_t i = 0; i < n; ++i) {
    all[i] = i;
  }
  const auto places = mutation.places(std::move(all), by_severity(severity, 1, 2, n));
  if (!places) {
    return std::nullopt;
  }
  FlawedPlan flawed{.steps = {}, .places = places_of(*places)};
  std::vector<std::size_t> shown(n);
  for (std::size_t i = 0; i < n; ++i) {
    Step step = mutation.plan()[i];
    move_references(step, [&](std::size_t k) { return shown[k]; });
    shown[i] = flawed.steps.size();
    flawed.steps.push_back(step);
    if (contains(*places, i)) {
      flawed.steps.push_back(std::move(step));
    }
  }
  return flawed;
}

// --- logical_inconsistency ---

/// Whether a tool works on one input of this kind alone.
bool works_on(const ToolSpec& tool, std::string_view kind) {
  const auto handles = tool.handle_parameters();
  return !handles.empty() && required_handles(tool) <= 1 && is_required(tool, handles.front()) &&
         accepts_kind(*property_of(tool, handles.front()), kind);
}

/// A tool that can follow step `i` and whose result does not fit the next step's input.
const ToolSpec* unfitting_tool(const Mutation& mutation, std::size_t i, std::string_view kind) {
  const Step& next = mutation.plan()[i + 1];
  const auto fits_next = [&](std::string_view made) {
    return std::ranges::any_of(next.arguments, [&](const auto& argument) {
      return step_reference(argument.value()) == static_cast<std::ptrdiff_t>(i) &&
             accepts_kind(*property_of(mutation.tool(i + 1), argument.key()), made);
    });
  };
  std::vector<const ToolSpec*> quiet;
  std::vector<const ToolSpec*> with_effect;
  for (const ToolSpec& tool : mutation.catalog.tools()) {
    const bool used =
        std::ranges::find(mutation.plan(), tool.name, &Step::tool) != mutation.plan().end();
    if (!used && !tool.keeps_content && works_on(tool, kind) && !fits_next(tool.kind)) {
      (tool.effect ? with_effect : quiet).push_back(&tool);
    }
  }
  const auto& tools = quiet.empty() ? with_effect : quiet;
  return tools.empty() ? nullptr : tools[mutation.random("tool", i).below(tools.size())];
}

std::optional<FlawedPlan> inconsistent(const Mutation& mutation, Severity severity) {
  const std::size_t n = mutation.size();
  const std::vector<std::string_view> kinds = kinds_of(mutation);
  std::vector<const ToolSpec*> between(n);
  std::vector<std::size_t> pairs;
  for (std::size_t i = 0; i + 1 < n; ++i) {
    const std::vector<std::size_t> inputs = references(mutation.plan()[i + 1]);
    if (std::ranges::find(inputs, i) == inputs.end()) {
      continue;
    }
    between[i] = unfitting_tool(mutation, i, kinds[i]);
    if (between[i] == nullptr) {
      return std::nullopt;
    }
    pairs.push_back(i);
  }
  const std::size_t all = pairs.size();
  const auto places = mutation.places(std::move(pairs),
                                      by_severity(severity, 1, std::min<std::size_t>(2, all), all));
  if (!places) {
    return std::nullopt;
  }
  FlawedPlan flawed{.steps = {}, .places = {}};
  for (const std::size_t i : *places) {
    flawed.places.push_back({.step = i + 1, .before = i});
  }
  std::vector<std::size_t> shown(n);
  for (std::size_t i = 0; i < n; ++i) {
    Step step = mutation.plan()[i];
    const bool broken = i > 0 && contains(*places, i - 1);
    const std::size_t position = flawed.steps.size();
    move_references(step,
                    [&](std::size_t k) { return broken && k + 1 == i ? position - 1 : shown[k]; });
    shown[i] = position;
    flawed.steps.push_back(std::move(step));
    if (contains(*places, i)) {
      const std::vector<std::size_t> input = {position};
      flawed.steps.push_back(step_of(mutation, *between[i], input, i));
    }
  }
  return flawed;
}

// --- semantic_drift ---

/// How many steps one drift tries to place: a user's catalog may have no end of dead ends. A task
/// of `pilot/1` needs a few dozen.
constexpr std::size_t kDriftTriesMax = 2'000;

/// Fills `steps` from its end to the length of the plan with tools that follow each other, of other
/// categories than the right ones. False if no such way exists, or `tries` are used up.
bool drift(const Mutation& mutation,
           std::vector<Step>& steps,
           std::string_view kind,
           std::size_t& tries) {
  const std::size_t i = steps.size();
  if (i == mutation.size()) {
    return true;
  }
  std::vector<const ToolSpec*> tools;
  for (const ToolSpec& tool : mutation.catalog.tools()) {
    const bool used =
        std::ranges::find(mutation.plan(), tool.name, &Step::tool) != mutation.plan().end() ||
        std::ranges::find(steps, tool.name, &Step::tool) != steps.end();
    if (!used && tool.category != mutation.tool(i).category && works_on(tool, kind)) {
      tools.push_back(&tool);
    }
  }
  base::RandomStream random = mutation.random("neighbour", i);
  random.shuffle(std::span(tools));
  for (const ToolSpec* tool : tools) {
    if (tries == 0) {
      return false;
    }
    --tries;
    const std::vector<std::size_t> input = {i - 1};
    steps.push_back(step_of(mutation, *tool, input, i));
    if (drift(mutation, steps, tool->keeps_content ? kind : std::string_view(tool->kind), tries)) {
      return true;
    }
    steps.pop_back();
  }
  return false;
}

std::optional<FlawedPlan> drifted(const Mutation& mutation, Severity severity) {
  const std::size_t n = mutation.size();
  if (n < 2) {
    return std::nullopt;
  }
  const std::size_t from = by_severity(severity, n - 1, std::max<std::size_t>(1, n / 2), 1);
  FlawedPlan flawed;
  flawed.steps.assign(mutation.plan().begin(),
                      mutation.plan().begin() + static_cast<std::ptrdiff_t>(from));
  std::size_t tries = kDriftTriesMax;
  if (!drift(mutation, flawed.steps, kinds_of(mutation)[from - 1], tries)) {
    return std::nullopt;
  }
  for (std::size_t i = from; i < n; ++i) {
    flawed.places.push_back(Place::of(i));
  }
  return flawed;
}

}  // namespace

bool same_plan(const std::vector<Step>& a, const std::vector<Step>& b) {
  return std::ranges::equal(a, b, [](const Step& x, const Step& y) {
    return x.tool == y.tool && json::canonical(x.arguments) == json::canonical(y.arguments);
  });
}

std::optional<FlawedPlan> mutate(const ToolCatalog& catalog,
                                 const Task& task,
                                 Flaw flaw,
                                 Severity severity) {
  const Mutation mutation{.catalog = catalog,
                          .task = task,
                          .flaw = flaw,
                          .subject = subject_of_plan(catalog, task.plan)};
  switch (flaw) {
    case Flaw::none:
      return std::nullopt;
    case Flaw::sequence_disorder:
      return disordered(mutation, severity);
    case Flaw::tool_misuse:
      return misused(mutation, severity);
    case Flaw::parameter_error:
      return misparametrised(mutation, severity);
    case Flaw::missing_step:
      return incomplete(mutation, severity);
    case Flaw::redundant_operations:
      return redundant(mutation, severity);
    case Flaw::logical_inconsistency:
      return inconsistent(mutation, severity);
    case Flaw::semantic_drift:
      return drifted(mutation, severity);
  }
  return std::nullopt;
}

std::optional<FlawedPlan> flawed_plan(const ToolCatalog& catalog,
                                      const Task& task,
                                      Flaw flaw,
                                      Severity severity) {
  std::optional<FlawedPlan> flawed = mutate(catalog, task, flaw, severity);
  if (!flawed || same_plan(flawed->steps, task.plan)) {
    return std::nullopt;
  }
  for (const Severity higher : {Severity::medium, Severity::severe}) {
    const auto other = higher > severity ? mutate(catalog, task, flaw, higher) : std::nullopt;
    if (other && same_plan(other->steps, flawed->steps)) {
      return std::nullopt;
    }
  }
  return flawed;
}

std::optional<std::vector<Step>> shown_plan(const ToolCatalog& catalog,
                                            const Task& task,
                                            Prompt prompt,
                                            Severity severity) {
  switch (prompt.style) {
    case PromptStyle::baseline:
    case PromptStyle::cot:
      return std::vector<Step>{};
    case PromptStyle::optimal:
      return task.plan;
    case PromptStyle::flawed:
      break;
  }
  std::optional<FlawedPlan> flawed = flawed_plan(catalog, task, prompt.flaw, severity);
  if (!flawed) {
    return std::nullopt;
  }
  return std::move(flawed->steps);
}

}  // namespace sortie::suite
