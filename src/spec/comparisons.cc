#include "sortie/spec/comparisons.h"

#include <array>
#include <span>

namespace sortie::spec {

namespace {

constexpr std::array kFamilies = {
    ComparisonFamily{.scenario = "baseline",
                     .name = "baseline/with_plan",
                     .meaning = "models, all shown the plan"},
    ComparisonFamily{.scenario = "baseline",
                     .name = "baseline/without_plan",
                     .meaning = "models, none shown a plan"},
    ComparisonFamily{.scenario = "scale",
                     .name = "scale/with_plan",
                     .meaning = "size, and difficulties against easy, with the plan"},
    ComparisonFamily{.scenario = "scale",
                     .name = "scale/without_plan",
                     .meaning = "size, and difficulties against easy, without a plan"},
    ComparisonFamily{.scenario = "flawed",
                     .name = "flawed/right_plan",
                     .meaning = "each flaw against the right plan"},
    ComparisonFamily{
        .scenario = "flawed", .name = "flawed/no_plan", .meaning = "each flaw against no plan"},
    ComparisonFamily{
        .scenario = "reliability", .name = "reliability/rates", .meaning = "each rate against 0.8"},
    ComparisonFamily{.scenario = "prompts",
                     .name = "prompts/optimal",
                     .meaning = "baseline and cot against optimal"},
};

}  // namespace

std::span<const ComparisonFamily> comparison_families() {
  return kFamilies;
}

}  // namespace sortie::spec
