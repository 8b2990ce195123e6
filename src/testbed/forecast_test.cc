#include "sortie/base/time.h"
#include "sortie/testbed/policy.h"
#include "sortie/testbed/run.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/scenarios.h"
#include "sortie/testbed/tables.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

// What a campaign foretells of its own end, against the end: a client that knows its limits and one
// that learns them, whose ideas of the length of dialogues come from those that have ended.

namespace sortie::testbed {
namespace {

struct Held {
  std::size_t asked = 0;
  std::size_t held = 0;
  std::size_t before = 0;      // it ended before the earliest time
  std::vector<double> widths;  // of the whole time
  std::vector<double> errors;
};

/// The last thing foretold before `share` of the time had passed.
const Foretold* at_share(const Outcome& outcome, double share) {
  const Foretold* last = nullptr;
  for (const Foretold& foretold : outcome.foretold) {
    if (foretold.at <= share * outcome.makespan) {
      last = &foretold;
    }
  }
  return last;
}

void judge(const Outcome& outcome, double share, Held& held) {
  ++held.asked;
  const Foretold* foretold = at_share(outcome, share);
  if (foretold == nullptr) {
    return;  // nothing was said: not held
  }
  const double end = outcome.makespan - foretold->at;
  const double earliest = base::seconds(foretold->left.earliest);
  const double latest = base::seconds(foretold->left.latest);
  held.held += earliest <= end && end <= latest ? 1U : 0U;
  held.before += end < earliest ? 1U : 0U;
  held.widths.push_back((latest - earliest) / outcome.makespan);
  held.errors.push_back((base::seconds(foretold->left.likely) - end) / outcome.makespan);
}

constexpr std::array<double, 3> kShares = {0.25, 0.5, 0.75};

std::vector<PolicySpec> clients() {
  return {{.name = "declared", .summary = {}, .lengths = Lengths::learned},
          {.name = "hidden",
           .summary = {},
           .knowledge = Knowledge::hidden,
           .lengths = Lengths::learned}};
}

void print(const std::string& what, double share, const Held& held) {
  fmt::print("{:<18}at {:.2f}: held {:>3} of {:>3}, {} ended before; width {:.3f}, error {:+.3f}\n",
             what,
             share,
             held.held,
             held.asked,
             held.before,
             held.widths.empty() ? 0 : median(held.widths),
             held.errors.empty() ? 0 : median(held.errors));
}

TEST(Forecasts, the_range_holds_the_end_of_most_campaigns) {
  // Of 16 campaigns a range that holds nine in ten holds fewer than 14 in one case of five; of 48
  // it holds fewer than 41 in one of twelve.
  const std::uint64_t seeds = std::getenv("SORTIE_FULL") != nullptr ? 10 : 3;
  std::array<Held, kShares.size()> all;
  for (const PolicySpec& client : clients()) {
    for (const std::string scenario : {"A", "B", "C", "D", "E", "F", "G", "faults"}) {
      std::array<Held, kShares.size()> held;
      for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        const Outcome outcome = play(draw(*find_scenario(scenario), seed).value(), client);
        for (std::size_t i = 0; i < kShares.size(); ++i) {
          judge(outcome, kShares[i], held[i]);
          judge(outcome, kShares[i], all[i]);
        }
      }
      for (std::size_t i = 0; i < kShares.size(); ++i) {
        print(client.name + " " + scenario, kShares[i], held[i]);
      }
    }
  }
  for (std::size_t i = 0; i < kShares.size(); ++i) {
    print("all", kShares[i], all[i]);
    EXPECT_GE(static_cast<double>(all[i].held), 0.85 * static_cast<double>(all[i].asked));
    EXPECT_LE(median(all[i].widths), 0.4);
  }
}

}  // namespace
}  // namespace sortie::testbed
