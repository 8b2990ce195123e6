#pragma once

#include "sortie/analysis/phrases.h"
#include "sortie/analysis/trial_rows.h"
#include "sortie/stats/bootstrap.h"
#include "sortie/stats/proportion.h"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Estimates with the interval that fits them: nowhere else is it decided which one that is.

namespace sortie::analysis {

inline constexpr const char* kWilson = "wilson";
inline constexpr const char* kWithinTypes = "score within types";
inline constexpr const char* kBootstrap = "bootstrap over tasks";

/// The method, or test, in words.
[[nodiscard]] std::string method_text(std::string_view method, const Phrases& say);

/// The share of trials of which something holds, such as success. Where no two trials share a task
/// the score interval with task types as strata, of one type Wilson's; else a bootstrap over tasks.
struct Estimate {
  std::uint64_t n = 0;
  std::uint64_t successes = 0;
  std::uint64_t tasks = 0;
  stats::Interval interval;
  std::string method = kWilson;  // or kWithinTypes, kBootstrap

  [[nodiscard]] double rate() const {
    return n == 0 ? 0 : static_cast<double>(successes) / static_cast<double>(n);
  }
};

/// Of these tasks, whose sums count the trials of which it holds; `seed` belongs to what the
/// estimate is called. Tasks without trials are passed over.
[[nodiscard]] Estimate estimate_share(std::vector<stats::TaskResult> tasks,
                                      const base::Digest& seed);

/// Of successes over all trials of these cells.
[[nodiscard]] Estimate estimate_success(const RunRows& rows,
                                        std::span<const std::size_t> cells,
                                        const base::Digest& seed);

/// Of successes over the trials of one cell and one task type.
[[nodiscard]] Estimate estimate_success_of_type(const RunRows& rows,
                                                std::size_t cell,
                                                const std::string& type);

/// Two cells, or as many pairs of cells, on the trials (task and repeat) that both have scored.
struct Comparison {
  std::uint64_t pairs = 0;
  std::uint64_t both = 0;         // pairs of which both succeeded
  std::uint64_t only_first = 0;   // pairs of which only the first succeeded
  std::uint64_t only_second = 0;  // pairs of which only the second succeeded
  stats::Difference success;      // first minus second
  stats::Difference progress;     // first minus second
  double p = 1;                   // of equal success
  bool exact = true;              // McNemar's; else the bootstrap's, since pairs share tasks
};

using CellPair = std::pair<std::size_t, std::size_t>;

[[nodiscard]] Comparison compare(const RunRows& rows, std::span<const CellPair> cells);

/// A trial without its cell.
struct Place {
  std::uint32_t task = 0;  // in RunRows::tasks
  std::int64_t repeat = 0;

  auto operator<=>(const Place&) const = default;
};

/// The trials that each of these cells has scored, ascending: what cells are compared on when some
/// planned or lost other trials than the rest. None without cells.
[[nodiscard]] std::vector<Place> common_places(const RunRows& rows,
                                               std::span<const std::size_t> cells);

/// One line of a family of comparisons.
struct FamilyMember {
  std::string family;      // "flawed/no_plan"
  std::string subject;     // whose family it is, e.g. the model; "" for the whole campaign's
  std::string first;       // what is compared …
  std::string second;      // … with what
  bool simulated = false;  // some model in it is; such members are a family of their own
  Comparison result;
  std::string test;  // "": that of `result`; else another one, of which `result` has the p alone
  double p_holm = 1;
};

/// Fills p_holm: members of one family and subject are tested together. Simulated models are no
/// contestants: they do not make the others' p-values larger.
void adjust_families(std::vector<FamilyMember>& members);

}  // namespace sortie::analysis
