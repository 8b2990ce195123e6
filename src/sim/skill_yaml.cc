#include "sortie/sim/skill_yaml.h"

#include "sortie/base/check.h"
#include "sortie/sim/skill.h"
#include "sortie/spec/node.h"
#include "sortie/spec/reader.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

// Written by sortie_embed (cmake/Embed.cmake).
extern "C" {
extern const char sortie_sim_skills_begin[];
extern const char sortie_sim_skills_end[];
}

namespace sortie::sim {

namespace {

using spec::Mapping;
using spec::Node;
using spec::NodeEntry;
using spec::Problems;
using spec::Range;

constexpr Range kShare{.min = 0, .max = 1};
constexpr Range kNotNegative{.min = 0, .max = 1e12};
constexpr double kSumTolerance = 1e-6;  // of shares written as decimal fractions

using Field = std::pair<std::string_view, double*>;

void read_fields(Mapping& mapping, std::span<const Field> fields) {
  for (const auto& [key, target] : fields) {
    *target = mapping.number(key, kShare).value_or(*target);
  }
}

/// A mapping of shares that make 1 together; those that it does not name are 0.
template <class Shares>
void read_shares(Mapping& parent,
                 std::string_view key,
                 Shares& shares,
                 std::span<const std::pair<std::string_view, double Shares::*>> fields,
                 Problems& problems) {
  const Node* node = parent.get(key);
  if (node == nullptr) {
    return;
  }
  Mapping mapping(*node, std::string(key), problems);
  double sum = 0;
  for (const auto& [name, member] : fields) {
    shares.*member = mapping.number(name, kShare).value_or(0);
    sum += shares.*member;
  }
  mapping.finish();
  if (std::abs(sum - 1) > kSumTolerance) {
    problems.add(node->mark,
                 fmt::format("{}: these are shares of 1, and their sum is {:.6g}", key, sum));
  }
}

void read_mistakes(Mapping& mapping, Skill& skill, Problems& problems) {
  constexpr std::array<std::pair<std::string_view, double Mistakes::*>, 4> kMistakes = {
      {{"wrong_value", &Mistakes::wrong_value},
       {"wrong_tool", &Mistakes::wrong_tool},
       {"wrong_order", &Mistakes::wrong_order},
       {"stale_handle", &Mistakes::stale_handle}}};
  read_shares<Mistakes>(mapping, "mistakes", skill.mistakes, kMistakes, problems);
  for (const auto& [name, member] : kMistakes) {
    if (mapping.get(name) != nullptr) {
      problems.add(mapping.mark_of(name),
                   fmt::format("{}: is a share of the mistakes; write mistakes: {{{}: …}}, and "
                               "misread: how many there are",
                               name,
                               name));
    }
  }
}

void read_retry(Mapping& mapping, Skill& skill, Problems& problems) {
  constexpr std::array<std::pair<std::string_view, double Retry::*>, 4> kRetry = {
      {{"same", &Retry::same},
       {"other_arguments", &Retry::other_arguments},
       {"other_tool", &Retry::other_tool},
       {"give_up", &Retry::give_up}}};
  constexpr std::array<std::pair<std::string_view, double AfterRejection::*>, 3> kRejected = {
      {{"again", &AfterRejection::again},
       {"give_up", &AfterRejection::give_up},
       {"go_on", &AfterRejection::go_on}}};
  if (const auto persistence = mapping.number("persistence", kShare)) {
    skill.retry = persisting(*persistence);
    if (mapping.get("retry") != nullptr) {
      problems.add(mapping.mark_of("persistence"),
                   "persistence: is short for retry: {same: …}; write one of them");
    }
  }
  read_shares<Retry>(mapping, "retry", skill.retry, kRetry, problems);
  read_shares<AfterRejection>(mapping, "rejected", skill.rejected, kRejected, problems);
}

void read_format(Mapping& parent, Skill& skill, Problems& problems) {
  if (const auto slip = parent.number("slip", kShare)) {
    skill.format = slipping(*slip);
    if (parent.get("format") != nullptr) {
      problems.add(parent.mark_of("slip"),
                   "slip: is short for format: {no_command, unclosed_tag, code_fence}; write one "
                   "of them");
    }
  }
  const Node* node = parent.get("format");
  if (node == nullptr) {
    return;
  }
  Mapping mapping(*node, "format", problems);
  for (std::size_t form = 1; form < kForms; ++form) {
    double& chance = skill.format[static_cast<Form>(form)];
    chance = mapping.number(to_string(static_cast<Form>(form)), kShare).value_or(chance);
  }
  mapping.finish();
  if (const double sum = skill.format.total(); sum > 1 + kSumTolerance) {
    problems.add(node->mark,
                 fmt::format("format: the chances make {:.6g} together, more than 1", sum));
  }
}

/// "0.1" or {chance: 0.1, from: 2}.
void read_chance(Mapping& parent, std::string_view key, Chance& chance, Problems& problems) {
  const Node* node = parent.get(key);
  if (node == nullptr) {
    return;
  }
  if (node->kind != Node::Kind::mapping) {
    chance = {.chance = spec::read_number(*node, key, kShare, problems).value_or(0), .from = 1};
    return;
  }
  Mapping mapping(*node, std::string(key), problems);
  constexpr std::int64_t kAnswersMax = 1'000;
  chance.chance = mapping.number("chance", kShare).value_or(1);
  chance.from = static_cast<std::uint32_t>(mapping.integer("from", 1, kAnswersMax).value_or(1));
  mapping.finish();
}

void read_reasoning(Mapping& parent, Reasoning& reasoning, Problems& problems) {
  const Node* node = parent.get("reasoning");
  if (node == nullptr) {
    return;
  }
  Mapping mapping(*node, "reasoning", problems);
  read_law(mapping, "tokens", reasoning.tokens, problems);
  if (const auto place = mapping.text("place")) {
    const std::vector<std::string> places = {"field", "think_tag"};
    if (*place == places[0]) {
      reasoning.place = Reasoning::Place::field;
    } else if (*place == places[1]) {
      reasoning.place = Reasoning::Place::think_tag;
    } else {
      spec::report_unknown(
          "place", {.text = *place, .mark = mapping.mark_of("place")}, places, problems);
    }
  }
  reasoning.command_inside =
      mapping.number("command_inside", kShare).value_or(reasoning.command_inside);
  mapping.finish();
}

Skill named_skill(const spec::Name& name, const SkillBook& book, Problems& problems) {
  const auto found = book.find(name.text);
  if (found != book.end()) {
    return found->second;
  }
  std::vector<std::string> known;
  for (const auto& [profile, skill] : book) {
    known.push_back(profile);
  }
  spec::report_unknown("skill profile", name, known, problems);
  return {};
}

Skill read_fields_of(const Node& node, const SkillBook& book, Problems& problems) {
  Mapping mapping(node, "skill", problems);
  Skill skill = Skill::of(mapping.number("level", kShare).value_or(1));
  if (const auto name = mapping.text("profile")) {
    skill = named_skill({.text = *name, .mark = mapping.get("profile")->mark}, book, problems);
  }
  const std::array<Field, 10> fields = {{
      {"misread", &skill.misread},
      {"misread_with_plan", &skill.misread_with_plan},
      {"gullibility", &skill.gullibility},
      {"search", &skill.search},
      {"lookup", &skill.lookup},
      {"repair", &skill.repair},
      {"loop", &skill.loop},
      {"early_finish", &skill.early_finish},
      {"batching", &skill.batching},
      {"rushing", &skill.rushing},
  }};
  read_fields(mapping, fields);
  constexpr std::int64_t kDawdleMax = 100;
  if (const auto dawdle = mapping.integer("dawdle", 0, kDawdleMax)) {
    skill.dawdle = static_cast<std::uint32_t>(*dawdle);
  }
  read_mistakes(mapping, skill, problems);
  read_retry(mapping, skill, problems);
  read_format(mapping, skill, problems);
  read_chance(mapping, "empty", skill.empty, problems);
  read_chance(mapping, "refusal", skill.refusal, problems);
  read_chance(mapping, "truncated", skill.truncated, problems);
  read_reasoning(mapping, skill.reasoning, problems);
  read_law(mapping, "verbosity", skill.verbosity, problems);
  mapping.finish();
  return skill;
}

SkillBook read_shipped() {
  constexpr std::string_view kFile = "skills.yaml";
  const std::string_view text(
      sortie_sim_skills_begin,
      static_cast<std::size_t>(sortie_sim_skills_end - sortie_sim_skills_begin));
  Problems problems{std::string(kFile), text};
  SkillBook book;
  const auto root = spec::parse_yaml(text, problems);
  CHECK(root.has_value());
  Mapping top(*root, std::string(kFile), problems);
  CHECK(spec::check_version(*root, top, problems));
  const Node* skills = top.require("skills");
  CHECK(skills != nullptr);
  read_skill_book(*skills, book, problems);
  top.finish();
  CHECK(!problems.any());
  return book;
}

}  // namespace

void read_law(Mapping& mapping, std::string_view key, LogNormal& law, Problems& problems) {
  const Node* node = mapping.get(key);
  if (node == nullptr) {
    return;
  }
  if (node->kind != Node::Kind::mapping) {
    law = {.median = spec::read_number(*node, key, kNotNegative, problems).value_or(0), .sigma = 0};
    return;
  }
  Mapping inner(*node, std::string(key), problems);
  law.median = inner.number("median", kNotNegative).value_or(law.median);
  constexpr double kSigmaMax = 5;
  law.sigma = inner.number("sigma", {.min = 0, .max = kSigmaMax}).value_or(0);
  inner.finish();
}

Skill read_skill(const Node& node, const SkillBook& book, Problems& problems) {
  if (node.kind != Node::Kind::scalar) {
    return read_fields_of(node, book, problems);
  }
  double level = 0;
  const char* last = node.text.data() + node.text.size();
  const auto [end, error] = std::from_chars(node.text.data(), last, level);
  if (error == std::errc{} && end == last && !node.quoted) {
    return Skill::of(spec::read_number(node, "skill", kShare, problems).value_or(1));
  }
  return named_skill({.text = node.text, .mark = node.mark}, book, problems);
}

void read_skill_book(const Node& node, SkillBook& book, Problems& problems) {
  if (node.kind != Node::Kind::mapping) {
    problems.add(
        node.mark,
        fmt::format("skills: expected a mapping from names, found {}", spec::kind_name(node)));
    return;
  }
  for (const NodeEntry& entry : node.entries) {
    if (spec::check_name(entry.key, entry.mark, "/:@", problems)) {
      book.insert_or_assign(entry.key, read_skill(entry.value, book, problems));
    }
  }
}

const SkillBook& shipped_skills() {
  static const SkillBook book = read_shipped();
  return book;
}

std::optional<Skill> Skill::named(std::string_view name) {
  const auto found = shipped_skills().find(name);
  return found == shipped_skills().end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> Skill::names() {
  std::vector<std::string> names;
  for (const auto& [name, skill] : shipped_skills()) {
    names.push_back(name);
  }
  return names;
}

}  // namespace sortie::sim
