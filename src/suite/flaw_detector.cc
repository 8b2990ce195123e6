#include "sortie/suite/flaw_detector.h"

#include "sortie/base/json.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/flaws.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::suite {

namespace {

using Plan = std::span<const Step>;
using Positions = std::vector<std::size_t>;

// For positions: there is none.
constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();

/// The step whose result a value stands for.
std::size_t reference_of(const json::Value& value) {
  const std::ptrdiff_t reference = step_reference(value);
  return reference < 0 ? kNowhere : static_cast<std::size_t>(reference);
}

bool is_reference(const json::Value& value) {
  return reference_of(value) != kNowhere;
}

/// A step's values without its inputs, defaults filled in.
json::Object plain_values(const ToolCatalog& catalog, const Step& step) {
  const ToolSpec* tool = catalog.find(step.tool);
  json::Object out;
  for (const auto& [name, value] :
       tool == nullptr ? step.arguments : with_defaults(*tool, step.arguments)) {
    if (!is_reference(value)) {
      out[name] = value;
    }
  }
  return out;
}

/// Each step with everything it is made from, written out: equal texts mean that the same thing is
/// done to the same things, wherever the steps stand.
class Recipes {
 public:
  Recipes(const ToolCatalog& catalog, Plan plan)
      : catalog_(catalog), plan_(plan), texts_(plan.size()), open_(plan.size()) {}

  const std::string& of(std::size_t step) {
    if (!texts_[step].empty()) {
      return texts_[step];
    }
    open_[step] = true;
    json::Object whole = plain_values(catalog_, plan_[step]);
    for (const auto& [name, value] : plan_[step].arguments) {
      if (const std::size_t input = reference_of(value); input != kNowhere) {
        // A step that needs itself, or one that is not there, has no recipe.
        const bool known = input < plan_.size() && !open_[input];
        whole[name] = json::Object{{"$made", known ? json::Value(of(input)) : json::Value()}};
      }
    }
    open_[step] = false;
    texts_[step] = plan_[step].tool + json::canonical(whole);
    return texts_[step];
  }

 private:
  const ToolCatalog& catalog_;
  Plan plan_;
  std::vector<std::string> texts_;
  std::vector<bool> open_;
};

/// Which shown step is which right one.
struct Alignment {
  const ToolCatalog& catalog;
  const std::vector<Step>& right;
  Plan shown;
  // Per shown step: the right step that it is; that it repeats; in whose place it stands.
  Positions is;
  Positions again;
  Positions instead;
  // Per right step: where it is shown first; where another step stands in its place.
  Positions at;
  Positions replaced;

  Alignment(const ToolCatalog& tools, const Task& task, Plan plan)
      : catalog(tools),
        right(task.plan),
        shown(plan),
        is(plan.size(), kNowhere),
        again(plan.size(), kNowhere),
        instead(plan.size(), kNowhere),
        at(task.plan.size(), kNowhere),
        replaced(task.plan.size(), kNowhere) {
    match_recipes();
    match_rest();
    match_copies();
  }

  /// What the result of a shown step counts as; "" if that cannot be said.
  [[nodiscard]] std::string_view kind_of(std::size_t step) const;

  /// What it costs to take a shown step for a right one: 0 the same call, 1 the same tool, 2
  /// another.
  [[nodiscard]] int cost(std::size_t shown_step, std::size_t right_step) const;

  void match_recipes();
  void match_rest();
  void match_copies();

  [[nodiscard]] bool is_shown(std::size_t right_step) const { return at[right_step] != kNowhere; }

  [[nodiscard]] bool is_replaced(std::size_t right_step) const {
    return replaced[right_step] != kNowhere;
  }

  /// A shown step that is neither a right one nor a copy nor in the place of one.
  [[nodiscard]] bool is_unexplained(std::size_t shown_step) const {
    return is[shown_step] == kNowhere && again[shown_step] == kNowhere &&
           instead[shown_step] == kNowhere;
  }
};

std::string_view Alignment::kind_of(std::size_t step) const {
  for (std::size_t hops = 0; hops <= shown.size() && step < shown.size(); ++hops) {
    const ToolSpec* tool = catalog.find(shown[step].tool);
    if (tool == nullptr) {
      return {};
    }
    if (!tool->keeps_content) {
      return tool->kind;
    }
    const json::Value* source =
        shown[step].arguments.if_contains(tool->handle_parameters().front());
    step = source == nullptr ? kNowhere : reference_of(*source);
  }
  return {};
}

int Alignment::cost(std::size_t shown_step, std::size_t right_step) const {
  if (shown[shown_step].tool != right[right_step].tool) {
    return 2;
  }
  const json::Object a = plain_values(catalog, shown[shown_step]);
  const json::Object b = plain_values(catalog, right[right_step]);
  return json::canonical(a) == json::canonical(b) ? 0 : 1;
}

/// Steps that do the same thing to the same things, in whatever order.
void Alignment::match_recipes() {
  Recipes right_recipes(catalog, right);
  std::map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < right.size(); ++i) {
    known.emplace(right_recipes.of(i), i);
  }
  Recipes shown_recipes(catalog, shown);
  for (std::size_t k = 0; k < shown.size(); ++k) {
    const auto found = known.find(shown_recipes.of(k));
    if (found == known.end()) {
      continue;
    }
    const std::size_t i = found->second;
    if (is_shown(i)) {
      again[k] = i;
    } else {
      is[k] = i;
      at[i] = k;
    }
  }
}

/// What it costs to leave a right step out, or to put one in.
constexpr int kGap = 2;

/// best[k][i]: the cheapest explanation of what is left from mine[k] and theirs[i] on.
std::vector<std::vector<int>> best_costs(const Alignment& plans,
                                         const Positions& mine,
                                         const Positions& theirs) {
  std::vector<std::vector<int>> best(mine.size() + 1, std::vector<int>(theirs.size() + 1));
  for (std::size_t k = mine.size() + 1; k-- > 0;) {
    for (std::size_t i = theirs.size() + 1; i-- > 0;) {
      if (k == mine.size() || i == theirs.size()) {
        best[k][i] = kGap * static_cast<int>(mine.size() - k + theirs.size() - i);
        continue;
      }
      best[k][i] = std::min({plans.cost(mine[k], theirs[i]) + best[k + 1][i + 1],
                             kGap + best[k + 1][i],
                             kGap + best[k][i + 1]});
    }
  }
  return best;
}

/// The others by the cheapest explanation that keeps their order: a step is taken for another one,
/// left out or put in.
void Alignment::match_rest() {
  Positions mine;
  Positions theirs;
  for (std::size_t k = 0; k < shown.size(); ++k) {
    if (is_unexplained(k)) {
      mine.push_back(k);
    }
  }
  for (std::size_t i = 0; i < right.size(); ++i) {
    if (!is_shown(i)) {
      theirs.push_back(i);
    }
  }
  const auto best = best_costs(*this, mine, theirs);
  std::size_t k = 0;
  std::size_t i = 0;
  while (k < mine.size() && i < theirs.size()) {
    if (best[k][i] == cost(mine[k], theirs[i]) + best[k + 1][i + 1]) {
      const bool same = shown[mine[k]].tool == right[theirs[i]].tool;
      (same ? is : instead)[mine[k]] = theirs[i];
      (same ? at : replaced)[theirs[i]] = mine[k];
      ++k;
      ++i;
    } else if (best[k][i] == kGap + best[k + 1][i]) {
      ++k;
    } else {
      ++i;
    }
  }
}

/// Of what is still unexplained: the same call once more.
void Alignment::match_copies() {
  for (std::size_t k = 0; k < shown.size(); ++k) {
    for (std::size_t j = 0; j < k && is_unexplained(k); ++j) {
      if (is[j] != kNowhere && shown[j].tool == shown[k].tool &&
          json::canonical(shown[j].arguments) == json::canonical(shown[k].arguments)) {
        again[k] = is[j];
      }
    }
  }
}

// --- One detector per flaw ---

using Sightings = std::vector<Sighting>;

/// Two steps of which the second takes the result of the first stand in the wrong order.
void detect_disorder(const Alignment& plans, Sightings& out) {
  for (std::size_t step = 0; step < plans.right.size(); ++step) {
    std::set<std::size_t> inputs;
    for (const auto& argument : plans.right[step].arguments) {
      if (is_reference(argument.value())) {
        inputs.insert(reference_of(argument.value()));
      }
    }
    for (const std::size_t input : inputs) {
      if (plans.is_shown(step) && plans.is_shown(input) && plans.at[step] < plans.at[input]) {
        out.push_back({.flaw = Flaw::sequence_disorder,
                       .place = {.step = step, .before = input},
                       .shown = plans.at[step],
                       .input = plans.at[input],
                       .parameters = {}});
      }
    }
  }
}

[[nodiscard]] bool same_category(const Alignment& plans, std::size_t shown, std::size_t right) {
  const ToolSpec* a = plans.catalog.find(plans.shown[shown].tool);
  const ToolSpec* b = plans.catalog.find(plans.right[right].tool);
  return a != nullptr && b != nullptr && a->category == b->category;
}

/// Another tool of the same category stands in place of the right one.
void detect_misuse(const Alignment& plans, Sightings& out) {
  for (std::size_t step = 0; step < plans.right.size(); ++step) {
    if (plans.is_replaced(step) && same_category(plans, plans.replaced[step], step)) {
      out.push_back({.flaw = Flaw::tool_misuse,
                     .place = Place::of(step),
                     .shown = plans.replaced[step],
                     .input = {},
                     .parameters = {}});
    }
  }
}

/// The parameters of a shown step that are missing, of no use as an input, or not as in the right
/// step.
std::vector<std::string> wrong_parameters(const Alignment& plans,
                                          std::size_t shown,
                                          std::size_t right) {
  std::vector<std::string> wrong;
  const json::Object& given = plans.shown[shown].arguments;
  const json::Object values = plain_values(plans.catalog, plans.shown[shown]);
  const json::Object wanted = plain_values(plans.catalog, plans.right[right]);
  for (const auto& [name, value] : plans.right[right].arguments) {
    const json::Value* input = given.if_contains(name);
    if (is_reference(value) && (input == nullptr || !is_reference(*input))) {
      wrong.emplace_back(name);
    }
  }
  for (const auto& [name, value] : wanted) {
    const json::Value* shown_value = values.if_contains(name);
    if (shown_value == nullptr || !same_value(*shown_value, value)) {
      wrong.emplace_back(name);
    }
  }
  for (const auto& argument : values) {
    if (!plans.right[right].arguments.contains(argument.key()) &&
        !wanted.contains(argument.key())) {
      wrong.emplace_back(argument.key());
    }
  }
  return wrong;
}

/// The right tool with a value that is missing, ill-typed or wrong.
void detect_parameters(const Alignment& plans, Sightings& out) {
  for (std::size_t step = 0; step < plans.right.size(); ++step) {
    if (!plans.is_shown(step)) {
      continue;
    }
    std::vector<std::string> wrong = wrong_parameters(plans, plans.at[step], step);
    if (!wrong.empty()) {
      out.push_back({.flaw = Flaw::parameter_error,
                     .place = Place::of(step),
                     .shown = plans.at[step],
                     .input = {},
                     .parameters = std::move(wrong)});
    }
  }
}

/// Per right step: it takes the result of `of`, perhaps by way of others.
std::vector<bool> dependents(const std::vector<Step>& plan, std::size_t of) {
  std::vector<bool> needs(plan.size());
  needs[of] = true;
  for (std::size_t i = of + 1; i < plan.size(); ++i) {
    needs[i] = std::ranges::any_of(plan[i].arguments, [&](const auto& argument) {
      const std::size_t input = reference_of(argument.value());
      return input < i && needs[input];
    });
  }
  needs[of] = false;
  return needs;
}

/// A right step is not shown, and nothing stands in its place.
void detect_missing(const Alignment& plans, Sightings& out) {
  for (std::size_t step = 0; step < plans.right.size(); ++step) {
    if (plans.is_shown(step) || plans.is_replaced(step)) {
      continue;
    }
    const std::vector<bool> needs = dependents(plans.right, step);
    std::size_t next = kNowhere;
    for (std::size_t i = 0; i < plans.right.size(); ++i) {
      next = needs[i] ? std::min(next, plans.at[i]) : next;
    }
    out.push_back({.flaw = Flaw::missing_step,
                   .place = Place::of(step),
                   .shown = next == kNowhere ? std::nullopt : std::optional(next),
                   .input = {},
                   .parameters = {}});
  }
}

/// A step that does again what an earlier one did to the same things.
void detect_redundancy(const Alignment& plans, Sightings& out) {
  for (std::size_t k = 0; k < plans.shown.size(); ++k) {
    if (plans.again[k] != kNowhere) {
      out.push_back({.flaw = Flaw::redundant_operations,
                     .place = Place::of(plans.again[k]),
                     .shown = k,
                     .input = {},
                     .parameters = {}});
    }
  }
}

/// Both steps of a pair are shown, and yet the second one is told to take the result of another
/// step, of a kind that it does not take.
void detect_inconsistency(const Alignment& plans, Sightings& out) {
  for (std::size_t step = 0; step < plans.right.size(); ++step) {
    const ToolSpec* tool = plans.catalog.find(plans.right[step].tool);
    if (!plans.is_shown(step) || tool == nullptr) {
      continue;
    }
    for (const auto& [name, value] : plans.right[step].arguments) {
      const std::size_t before = reference_of(value);
      const json::Value* shown = plans.shown[plans.at[step]].arguments.if_contains(name);
      const std::size_t taken = shown == nullptr ? kNowhere : reference_of(*shown);
      if (before == kNowhere || !plans.is_shown(before) || taken >= plans.shown.size() ||
          plans.is[taken] == before || plans.again[taken] == before) {
        continue;
      }
      const json::Value* property = property_of(*tool, name);
      if (property != nullptr && !accepts_kind(*property, plans.kind_of(taken))) {
        out.push_back({.flaw = Flaw::logical_inconsistency,
                       .place = {.step = step, .before = before},
                       .shown = plans.at[step],
                       .input = taken,
                       .parameters = {}});
      }
    }
  }
}

/// Whether a shown step takes the result of the one shown before it, of a kind that it takes.
bool follows_previous(const Alignment& plans, std::size_t shown) {
  const ToolSpec* tool = plans.catalog.find(plans.shown[shown].tool);
  return shown > 0 && tool != nullptr &&
         std::ranges::any_of(plans.shown[shown].arguments, [&](const auto& argument) {
           const json::Value* property = property_of(*tool, argument.key());
           return reference_of(argument.value()) == shown - 1 && property != nullptr &&
                  accepts_kind(*property, plans.kind_of(shown - 1));
         });
}

/// From some step to the end other steps are shown, each a possible continuation of the one before
/// it, of other categories than the right ones.
void detect_drift(const Alignment& plans, Sightings& out) {
  for (std::size_t step = plans.right.size(); step-- > 0;) {
    const std::size_t stands = plans.replaced[step];
    if (stands == kNowhere || same_category(plans, stands, step) ||
        !follows_previous(plans, stands)) {
      return;
    }
    out.push_back({.flaw = Flaw::semantic_drift,
                   .place = Place::of(step),
                   .shown = stands,
                   .input = {},
                   .parameters = {}});
  }
}

}  // namespace

std::vector<Sighting> detect(const ToolCatalog& catalog,
                             const Task& task,
                             std::span<const Step> shown_plan) {
  const Alignment plans(catalog, task, shown_plan);
  std::vector<Sighting> out;
  for (const auto detector : {&detect_disorder,
                              &detect_misuse,
                              &detect_parameters,
                              &detect_missing,
                              &detect_redundancy,
                              &detect_inconsistency,
                              &detect_drift}) {
    detector(plans, out);
  }
  std::ranges::stable_sort(
      out, {}, [](const Sighting& sighting) { return std::pair(sighting.flaw, sighting.place); });
  return out;
}

std::vector<std::optional<std::size_t>> counterparts(const ToolCatalog& catalog,
                                                     const Task& task,
                                                     std::span<const Step> shown_plan) {
  const Alignment plans(catalog, task, shown_plan);
  std::vector<std::optional<std::size_t>> out(shown_plan.size());
  for (std::size_t k = 0; k < shown_plan.size(); ++k) {
    for (const std::size_t step : {plans.is[k], plans.again[k], plans.instead[k]}) {
      if (step != kNowhere) {
        out[k] = step;
      }
    }
  }
  return out;
}

std::set<Flaw> flaws_of(std::span<const Sighting> sightings) {
  std::set<Flaw> out;
  for (const Sighting& sighting : sightings) {
    out.insert(sighting.flaw);
  }
  return out;
}

}  // namespace sortie::suite
