#include "sortie/suite/content.h"
#include "sortie/suite/tools.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

Outcome authenticator(const ToolInput& input) {
  Product product;
  const auto number = input.reference("session", 9000) + 1000;
  product.content.table = single_row("number", static_cast<double>(number));
  product.value["service"] = input.text("service");
  product.value["role"] = input.text("role");
  product.value["session"] = fmt::format("S-{}", number);
  return product;
}

Outcome mapper(const ToolInput& input) {
  Product product;
  product.content = {.table = input.source().table, .format = Format::none};
  product.value["target"] = input.text("target");
  product.value["entries"] = whole(input.source().table.rows());
  product.value["fields"] = input.source().table.field_names();
  if (const Content* reference = input.second()) {
    product.value["enriched"] =
        whole(std::min(input.source().table.rows(), reference->table.rows()));
  }
  return product;
}

Outcome queue(const ToolInput& input) {
  Product product;
  // A higher priority stands further in front.
  const auto position =
      input.reference("position", 20) + 10 - static_cast<std::size_t>(input.number("priority"));
  product.content.table = single_row("number", static_cast<double>(position));
  product.value["lane"] = input.text("lane");
  product.value["priority"] = input.number("priority");
  product.value["position"] = whole(position);
  return product;
}

Outcome scheduler(const ToolInput& input) {
  Product product;
  product.content.table = single_row("number", input.number("hour"));
  product.value["day"] = input.text("day");
  product.value["time"] = fmt::format("{:02}:00", static_cast<int>(input.number("hour")));
  product.value["slot"] = fmt::format("T-{}", input.reference("slot", 9000) + 1000);
  return product;
}

Outcome connector(const ToolInput& input) {
  Product product;
  const auto number = input.reference("line", 9000) + 1000;
  product.content.table = single_row("number", static_cast<double>(number));
  product.value["system"] = input.text("system");
  product.value["line"] = fmt::format("L-{}", number);
  return product;
}

constexpr std::array kFunctions = {NamedFunction{"integration_authenticator", authenticator},
                                   NamedFunction{"integration_mapper", mapper},
                                   NamedFunction{"integration_queue", queue},
                                   NamedFunction{"integration_scheduler", scheduler},
                                   NamedFunction{"integration_connector", connector}};

}  // namespace

std::span<const NamedFunction> integration_functions() {
  return kFunctions;
}

}  // namespace sortie::suite
