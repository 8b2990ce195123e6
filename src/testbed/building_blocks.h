#pragma once

#include "sortie/sim/profile.h"
#include "sortie/testbed/scenario.h"

#include <cstddef>
#include <string>
#include <vector>

// What scenarios are made of. Internal to the module.

namespace sortie::testbed {

/// "key-1" for 0.
[[nodiscard]] std::string key_name(std::size_t number);
[[nodiscard]] std::vector<KeySpec> keys(std::size_t count);

/// Requests a minute in a bucket that holds one second's.
[[nodiscard]] sim::LimitProfile rpm(double per_minute);

/// Requests a minute, enforced over every second.
[[nodiscard]] sim::LimitProfile rpm_sliding(double per_minute);

/// Tokens a minute in a bucket that holds one second's, or one request of any size.
[[nodiscard]] sim::LimitProfile tpm(double per_minute, sim::TokenCost cost);

/// Requests at once.
[[nodiscard]] sim::LimitProfile slots(double count);

[[nodiscard]] sim::LimitProfile of_key(sim::LimitProfile limit, std::size_t key);
[[nodiscard]] sim::LimitProfile of_account(sim::LimitProfile limit);
[[nodiscard]] sim::LimitProfile of_key_and_model(sim::LimitProfile limit);

/// One model behind as many keys as there are limits, each with its own.
[[nodiscard]] Scenario one_model(std::string name,
                                 std::string summary,
                                 std::vector<sim::LimitProfile> limits);

}  // namespace sortie::testbed
