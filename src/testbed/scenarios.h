#pragma once

#include "sortie/testbed/scenario.h"

#include <string_view>
#include <vector>

namespace sortie::testbed {

/// Every scenario that Sortie ships with, in the order of the tables. docs/design/testbed.md says
/// what each is for.
[[nodiscard]] const std::vector<Scenario>& scenarios();
[[nodiscard]] const Scenario* find_scenario(std::string_view name);

}  // namespace sortie::testbed
