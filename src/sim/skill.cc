#include "sortie/sim/skill.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <string_view>

namespace sortie::sim {

std::string_view to_string(Form form) {
  constexpr std::array<std::string_view, kForms> kNames = {"plain",
                                                           "no_command",
                                                           "unclosed_tag",
                                                           "code_fence",
                                                           "unreadable",
                                                           "single_quotes",
                                                           "trailing_comma",
                                                           "python_call",
                                                           "bare_json",
                                                           "qwen",
                                                           "mistral",
                                                           "llama",
                                                           "deepseek",
                                                           "structured"};
  return kNames.at(static_cast<std::size_t>(form));
}

double FormChances::total() const {
  return std::accumulate(of.begin(), of.end(), 0.0);
}

Form FormChances::draw(double whether, double which) const {
  const double sum = total();
  if (whether >= sum) {
    return Form::plain;
  }
  double reached = 0;
  std::size_t last = 0;
  for (std::size_t form = 0; form < of.size(); ++form) {
    if (of.at(form) <= 0) {
      continue;
    }
    last = form;
    reached += of.at(form);
    if (which * sum < reached) {
      break;
    }
  }
  return static_cast<Form>(last);
}

Retry persisting(double persistence) {
  constexpr double kTweakShare = 0.6;  // of those that do not persist; the others give up
  const double rest = 1.0 - persistence;
  return {.same = persistence,
          .other_arguments = kTweakShare * rest,
          .other_tool = 0,
          .give_up = (1.0 - kTweakShare) * rest};
}

FormChances slipping(double slip) {
  FormChances out;
  out[Form::no_command] = 0.4 * slip;
  out[Form::unclosed_tag] = 0.4 * slip;
  out[Form::code_fence] = 0.2 * slip;
  return out;
}

Skill Skill::of(double level) {
  const double lack = 1.0 - std::clamp(level, 0.0, 1.0);
  const double uncertainty =
      std::min(1.0, 4.0 * lack);  // already a good model is not sure of the tools' names
  Skill skill;
  skill.misread = std::min(1.0, 0.6 * lack);
  skill.misread_with_plan = 0.3 * lack;
  skill.gullibility = std::min(1.0, 1.5 * lack);
  skill.search = 0.6 * uncertainty;
  skill.lookup = 0.4 * uncertainty;
  skill.repair = 1.0 - 0.7 * lack;
  skill.retry = persisting(1.0 - 0.3 * lack);
  skill.format = slipping(0.15 * lack);
  skill.early_finish = 0.04 * lack;
  skill.batching = 0.2 * uncertainty;
  return skill;
}

}  // namespace sortie::sim
