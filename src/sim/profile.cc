#include "sortie/sim/profile.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::sim {

namespace {

constexpr std::array<std::pair<std::string_view, FaultKind>, 16> kFaultNames = {{
    {"http_500", FaultKind::http_500},
    {"http_502_html", FaultKind::http_502_html},
    {"http_503", FaultKind::http_503},
    {"reset", FaultKind::reset},
    {"stall", FaultKind::stall},
    {"truncated_body", FaultKind::truncated_body},
    {"invalid_json", FaultKind::invalid_json},
    {"error_in_200", FaultKind::error_in_200},
    {"rate_limited", FaultKind::rate_limited},
    {"rate_limited_bare", FaultKind::rate_limited_bare},
    {"insufficient_quota", FaultKind::insufficient_quota},
    {"key_revoked", FaultKind::key_revoked},
    {"wrong_model", FaultKind::wrong_model},
    {"empty_answer", FaultKind::empty_answer},
    {"content_filter", FaultKind::content_filter},
    {"context_full", FaultKind::context_full},
}};

}  // namespace

Skill Skill::of(double level) {
  const double lack = 1.0 - std::clamp(level, 0.0, 1.0);
  const double uncertainty =
      std::min(1.0, 4.0 * lack);  // already a good model is not sure of the tools' names
  return {
      .misread = std::min(1.0, 0.6 * lack),
      .misread_with_plan = 0.3 * lack,
      .gullibility = std::min(1.0, 1.5 * lack),
      .search = 0.6 * uncertainty,
      .lookup = 0.4 * uncertainty,
      .repair = 1.0 - 0.7 * lack,
      .persistence = 1.0 - 0.3 * lack,
      .slip = 0.15 * lack,
      .early_finish = 0.04 * lack,
      .batching = 0.2 * uncertainty,
  };
}

std::optional<Skill> Skill::named(std::string_view name) {
  if (name == "perfect") {
    return of(1.0);
  }
  if (name == "plan_copier") {
    Skill skill = of(1.0);
    skill.gullibility = 1.0;
    skill.repair = 0.0;
    skill.misread = 1.0;
    return skill;
  }
  if (name == "strong") {
    return of(0.93);
  }
  if (name == "medium") {
    return of(0.8);
  }
  if (name == "weak") {
    return of(0.5);
  }
  return std::nullopt;
}

std::vector<std::string> Skill::names() {
  return {"perfect", "plan_copier", "strong", "medium", "weak"};
}

std::string_view to_string(Dimension dimension) {
  switch (dimension) {
    case Dimension::requests:
      return "requests";
    case Dimension::tokens:
      return "tokens";
    case Dimension::concurrency:
      return "concurrency";
  }
  return "";
}

std::string_view to_string(FaultKind kind) {
  const auto* found =
      std::ranges::find(kFaultNames, kind, &std::pair<std::string_view, FaultKind>::second);
  return found == kFaultNames.end() ? std::string_view{} : found->first;
}

std::optional<FaultKind> fault_kind_from(std::string_view name) {
  const auto* found =
      std::ranges::find(kFaultNames, name, &std::pair<std::string_view, FaultKind>::first);
  if (found == kFaultNames.end()) {
    return std::nullopt;
  }
  return found->second;
}

std::vector<std::string> fault_kind_names() {
  std::vector<std::string> names;
  names.reserve(kFaultNames.size());
  for (const auto& [name, kind] : kFaultNames) {
    names.emplace_back(name);
  }
  return names;
}

bool is_content_fault(FaultKind kind) {
  return kind == FaultKind::empty_answer || kind == FaultKind::content_filter ||
         kind == FaultKind::context_full;
}

const ModelProfile* ProviderProfile::find_model(std::string_view model) const {
  const auto found = std::ranges::find(models, model, &ModelProfile::name);
  return found == models.end() ? nullptr : &*found;
}

}  // namespace sortie::sim
