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

constexpr std::array<std::pair<std::string_view, FaultKind>, 33> kFaultNames = {{
    {"http_500", FaultKind::http_500},
    {"http_502_html", FaultKind::http_502_html},
    {"http_503", FaultKind::http_503},
    {"http_504", FaultKind::http_504},
    {"reset", FaultKind::reset},
    {"stall", FaultKind::stall},
    {"fin", FaultKind::fin},
    {"half_close", FaultKind::half_close},
    {"head_stall", FaultKind::head_stall},
    {"drip", FaultKind::drip},
    {"comments", FaultKind::comments},
    {"slow_head", FaultKind::slow_head},
    {"truncated_body", FaultKind::truncated_body},
    {"invalid_json", FaultKind::invalid_json},
    {"error_in_200", FaultKind::error_in_200},
    {"rate_limited", FaultKind::rate_limited},
    {"rate_limited_bare", FaultKind::rate_limited_bare},
    {"insufficient_quota", FaultKind::insufficient_quota},
    {"key_revoked", FaultKind::key_revoked},
    {"wrong_model", FaultKind::wrong_model},
    {"empty_answer", FaultKind::empty_answer},
    {"refusal", FaultKind::refusal},
    {"truncated_answer", FaultKind::truncated_answer},
    {"content_filter", FaultKind::content_filter},
    {"context_full", FaultKind::context_full},
    {"broken_chunks", FaultKind::broken_chunks},
    {"broken_gzip", FaultKind::broken_gzip},
    {"invalid_utf8", FaultKind::invalid_utf8},
    {"truncated_json", FaultKind::truncated_json},
    {"connection_refused", FaultKind::connection_refused},
    {"black_hole", FaultKind::black_hole},
    {"slow_handshake", FaultKind::slow_handshake},
    {"unresolved_name", FaultKind::unresolved_name},
}};

}  // namespace

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
  return kind == FaultKind::empty_answer || kind == FaultKind::refusal ||
         kind == FaultKind::truncated_answer || kind == FaultKind::content_filter ||
         kind == FaultKind::context_full;
}

bool is_connection_fault(FaultKind kind) {
  return kind == FaultKind::connection_refused || kind == FaultKind::black_hole ||
         kind == FaultKind::slow_handshake || kind == FaultKind::unresolved_name;
}

bool is_transmission_fault(FaultKind kind) {
  return kind == FaultKind::truncated_body || kind == FaultKind::broken_chunks ||
         kind == FaultKind::broken_gzip || kind == FaultKind::invalid_utf8 ||
         kind == FaultKind::truncated_json;
}

const ModelProfile* ProviderProfile::find_model(std::string_view model) const {
  const auto found = std::ranges::find(models, model, &ModelProfile::name);
  return found == models.end() ? nullptr : &*found;
}

}  // namespace sortie::sim
