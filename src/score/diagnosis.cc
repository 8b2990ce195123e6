#include "sortie/score/diagnosis.h"

#include "sortie/base/text.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::score {

namespace {

constexpr std::size_t kTranscripts = 3;
constexpr std::string_view kScored = "scored";

std::size_t count_of(int number) {
  return static_cast<std::size_t>(std::max(number, 0));
}

/// The rarest kind of trial says nothing about the cell, three of the same kind say it three times:
/// one of each kind, the most frequent kinds first, and of a kind the one of median length.
std::vector<std::string> chosen_transcripts(std::span<const TrialRow> cell) {
  std::map<std::pair<std::string, std::string>, std::vector<const TrialRow*>> kinds;
  for (const TrialRow& row : cell) {
    if (row.outcome == kScored) {
      kinds[{row.label, row.end}].push_back(&row);
    }
  }
  std::vector<std::vector<const TrialRow*>> sorted;
  for (auto& [kind, rows] : kinds) {
    std::ranges::stable_sort(rows, {}, [](const TrialRow* row) { return row->turns; });
    sorted.push_back(std::move(rows));
  }
  std::ranges::stable_sort(
      sorted, std::ranges::greater(), [](const auto& rows) { return rows.size(); });
  std::vector<std::string> chosen;
  for (bool more = true; more && chosen.size() < kTranscripts;) {
    more = false;
    for (auto& rows : sorted) {
      if (!rows.empty() && chosen.size() < kTranscripts) {
        const auto middle = rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / 2);
        chosen.push_back((*middle)->trial);
        rows.erase(middle);
        more = true;
      }
    }
  }
  return chosen;
}

void add(Diagnosis& diagnosis, const TrialRow& row) {
  for (const std::string& served :
       std::set<std::string>(row.served_models.begin(), row.served_models.end())) {
    ++diagnosis.served_models[served];
  }
  if (row.outcome != kScored) {
    if (!row.outcome.empty()) {
      ++diagnosis.losses[row.outcome];
    }
    return;
  }
  ++diagnosis.scored;
  diagnosis.turns += count_of(row.turns);
  diagnosis.turns_repaired += count_of(row.turns_repaired);
  diagnosis.turns_not_understood += count_of(row.turns_not_understood);
  diagnosis.without_calls += row.calls == 0 ? 1 : 0;
  ++diagnosis.ends[row.end];
  if (!row.success) {
    ++diagnosis.labels[row.label];
  }
}

}  // namespace

std::optional<Diagnosis> diagnose(std::span<const TrialRow> cell) {
  Diagnosis diagnosis;
  std::size_t succeeded = 0;
  for (const TrialRow& row : cell) {
    add(diagnosis, row);
    succeeded += row.outcome == kScored && row.success ? 1 : 0;
  }
  if (diagnosis.scored == 0 || (succeeded != 0 && succeeded != diagnosis.scored)) {
    return std::nullopt;
  }
  diagnosis.all_succeeded = succeeded > 0;
  diagnosis.transcripts = chosen_transcripts(cell);
  return diagnosis;
}

}  // namespace sortie::score
