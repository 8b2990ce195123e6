#include "sortie/suite/sampling.h"

#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/content.h"
#include "sortie/suite/own_suite.h"

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::suite {

TEST(Sampling, another_number_than_a_huge_one_is_a_number_and_keeps_its_sign) {
  base::RandomStream random(base::digest_of("huge"));
  for (const double value : {4e15, 9.2e18, 1e300, -9.2e18, -1e300}) {
    const auto other = other_value(
        parsed(R"({"type": "number"})"), json::Value(value), subjects().front(), random);
    ASSERT_TRUE(other) << value;
    const auto number = json::as_number(*other);
    ASSERT_TRUE(number) << value;
    EXPECT_EQ(*number > 0, value > 0) << value << " → " << *number;
    EXPECT_FALSE(same_value(*other, json::Value(value)));
  }
}

TEST(Sampling, an_ill_typed_value_is_ill_typed_whatever_types_are_listed) {
  const std::vector<std::string_view> types = {"string", "integer", "number", "boolean"};
  for (unsigned listed = 1; listed < 16; ++listed) {
    json::Array several;
    for (std::size_t i = 0; i < types.size(); ++i) {
      if ((listed >> i & 1U) != 0) {
        several.emplace_back(types[i]);
      }
    }
    const json::Value property = json::Object{{"type", several}};
    const json::Value value = ill_typed_value(property);
    EXPECT_TRUE(check_value("x", property, value).has_value())
        << json::to_text(property) << " " << json::to_text(value);
  }
}

}  // namespace sortie::suite
