#pragma once

#include "sortie/sim/skill.h"
#include "sortie/spec/node.h"
#include "sortie/spec/reader.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>

// Skills in YAML: `skill:` of a model, `skills:` of a provider file, and the profiles that come
// with the simulator.

namespace sortie::sim {

using SkillBook = std::map<std::string, Skill, std::less<>>;

/// The profiles of skills.yaml.
[[nodiscard]] const SkillBook& shipped_skills();

/// A number, a profile's name, or a mapping that begins with one of them and replaces single
/// fields.
[[nodiscard]] Skill read_skill(const spec::Node& node,
                               const SkillBook& book,
                               spec::Problems& problems);

/// Adds the profiles of a mapping from names; each may build on those before it.
void read_skill_book(const spec::Node& node, SkillBook& book, spec::Problems& problems);

/// "200" or {median: 200, sigma: 0.4}.
void read_law(spec::Mapping& mapping,
              std::string_view key,
              LogNormal& law,
              spec::Problems& problems);

}  // namespace sortie::sim
