#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace sortie::base {

/// A number that only compares with numbers of its own kind. Tag is an empty struct, declared where
/// the id belongs.
template <class Tag, class Number = std::uint32_t>
struct Id {
  using NumberType = Number;

  Number value = 0;

  auto operator<=>(const Id&) const = default;
};

}  // namespace sortie::base

template <class Tag, class Number>
struct std::hash<sortie::base::Id<Tag, Number>> {
  std::size_t operator()(sortie::base::Id<Tag, Number> id) const noexcept {
    return std::hash<Number>()(id.value);
  }
};
