#pragma once

#include "sortie/base/error.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/model.h"

#include <cstddef>
#include <span>
#include <vector>

// Campaigns that run in one process share limits, so what their endpoints files declare becomes one
// topology.

namespace sortie::spec {

/// Where the parts of one endpoints file stand in the merged topology.
struct MergedPlaces {
  std::vector<std::size_t> models;
  std::vector<std::size_t> endpoints;
  std::vector<std::vector<std::size_t>> keys;  // [endpoint][key]: within the merged endpoint
};

struct MergedTopology {
  Topology topology;                 // `file`, `text` and `file_hash` are those of the first one
  std::vector<MergedPlaces> places;  // as given
};

/// What has the same name in two files is the same thing and must be declared alike: models,
/// endpoints, keys, limit domains, and the routes of a model. Errors are bad_input, one line per
/// problem (at most ten) with file, line and column of both places and what differs.
[[nodiscard]] base::Result<MergedTopology> merge_topologies(
    std::span<const Topology* const> topologies);

/// Cells of a campaign that was read against one topology, from then on against the merged one.
void move_to(const MergedPlaces& places, Campaign& campaign);

/// Guarantees of campaigns that run together have to leave something: their sum must be below 1.
/// Errors: bad_input, with the place of the one that is too much.
[[nodiscard]] base::Status check_guarantees(std::span<const Campaign* const> campaigns);

}  // namespace sortie::spec
