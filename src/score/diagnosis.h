#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// A rate of 0 % or 100 % is more often a broken set-up than a finding: what to look at before it is
// believed. Pure: from one row per trial, as a ledger has them.

namespace sortie::score {

/// One trial of a cell.
struct TrialRow {
  std::string trial;    // as `sortie show` takes it
  std::string outcome;  // "scored", an infrastructure outcome, "" while open
  // Of a scored trial:
  bool success = false;
  std::string end;    // "finish", "max_turns", …
  std::string label;  // "none" for a success
  int turns = 0;
  int turns_repaired = 0;
  int turns_not_understood = 0;
  int calls = 0;
  // Of any trial with an answer:
  std::vector<std::string> served_models;
};

struct Diagnosis {
  bool all_succeeded = false;  // else all failed
  std::size_t scored = 0;
  std::map<std::string, std::size_t> losses;  // infrastructure outcome → trials
  std::size_t turns = 0;
  std::size_t turns_repaired = 0;
  std::size_t turns_not_understood = 0;
  std::size_t without_calls = 0;  // trials in which no tool was ever called
  std::map<std::string, std::size_t> ends;
  std::map<std::string, std::size_t> labels;         // of failures
  std::map<std::string, std::size_t> served_models;  // → trials
  std::vector<std::string> transcripts;  // up to three, of different labels, ends and lengths first
};

/// nullopt unless trials are scored and all of them succeeded, or none did.
[[nodiscard]] std::optional<Diagnosis> diagnose(std::span<const TrialRow> cell);

}  // namespace sortie::score
