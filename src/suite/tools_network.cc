#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/suite/content.h"
#include "sortie/suite/tools.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

constexpr std::size_t kSamples = 12;

Outcome unknown_address(std::string_view url) {
  return std::unexpected(Refusal{.code = "INVALID_RESPONSE",
                                 .message = fmt::format("'{}' answered 404, not found", url)});
}

Outcome fetcher(const ToolInput& input) {
  const std::string_view url = input.text("url");
  if (!input.source_known) {
    return unknown_address(url);
  }
  Product product;
  product.content = {.table = source_table(url, subject_of(url)), .format = Format::json};
  product.value["status"] = 200;
  product.value["format"] = "json";
  product.value["entries"] = whole(product.content.table.rows());
  product.value["fields"] = product.content.table.field_names();
  return product;
}

Outcome poster(const ToolInput& input) {
  Product product;
  const auto number = input.reference("receipt", 900000) + 100000;
  product.content.table = single_row("number", static_cast<double>(number));
  product.value["status"] = 201;
  product.value["receipt"] = fmt::format("R-{}", number);
  product.value["entries"] = whole(input.source().table.rows());
  return product;
}

/// Where a metric moves: its usual level and how far it strays from it.
struct MetricRange {
  std::string_view metric;
  double level;
  double spread;
};

constexpr std::array kMetricRanges = {MetricRange{"latency_ms", 180, 90},
                                      MetricRange{"error_rate", 2, 1.5},
                                      MetricRange{"requests", 1200, 500},
                                      MetricRange{"cpu_load", 55, 30}};

Outcome monitor(const ToolInput& input) {
  const std::string_view url = input.text("url");
  if (!input.source_known) {
    return unknown_address(url);
  }
  const auto range = std::ranges::find(kMetricRanges, input.text("metric"), &MetricRange::metric);
  if (range == kMetricRanges.end()) {
    return invalid_input(fmt::format("the metric '{}' is not measured", input.text("metric")));
  }
  base::RandomStream random(base::FieldHasher("sortie.series.v1")
                                .field("url", url)
                                .field("metric", range->metric)
                                .finish());
  Product product;
  product.content.table.columns = {Column{.name = known_name("interval"), .words = {}},
                                   Column{.name = known_name(range->metric), .words = {}}};
  for (std::size_t i = 0; i < kSamples; ++i) {
    const double minute = input.number("minutes") * static_cast<double>(i + 1) / kSamples;
    const double sample = range->level + range->spread * (2 * random.uniform() - 1);
    product.content.table.append_row(std::array{rounded(minute), rounded(sample)});
  }
  product.value["metric"] = range->metric;
  product.value["samples"] = whole(kSamples);
  product.value["mean"] = rounded(mean_of(product.content.table.values(1)));
  return product;
}

Outcome router(const ToolInput& input) {
  Product product;
  product.content = input.source();
  product.value["region"] = input.text("region");
  product.value["hops"] = whole(input.reference("hops", 5) + 2);
  product.value["entries"] = whole(input.source().table.rows());
  return product;
}

Outcome validator(const ToolInput& input) {
  Product product;
  product.content = input.source();
  product.value["contract"] = input.text("contract");
  product.value["entries"] = whole(input.source().table.rows());
  product.value["verdict"] = "met";
  return product;
}

constexpr std::array kFunctions = {NamedFunction{"network_fetcher", fetcher},
                                   NamedFunction{"network_poster", poster},
                                   NamedFunction{"network_monitor", monitor},
                                   NamedFunction{"network_router", router},
                                   NamedFunction{"network_validator", validator}};

}  // namespace

std::span<const NamedFunction> network_functions() {
  return kFunctions;
}

}  // namespace sortie::suite
