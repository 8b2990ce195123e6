#pragma once

#include "sortie/spec/model.h"
#include "sortie/suite/suite.h"

#include <string>
#include <string_view>

// What the tests of this module share.

namespace sortie::spec::samples {

/// Tasks of four steps: 24 eligible ones and an ineligible one per type.
[[nodiscard]] suite::Suite suite_of_samples();

/// Three simulated models of one family on one endpoint with two keys.
[[nodiscard]] std::string_view endpoints_text();

/// endpoints_text() as read.
[[nodiscard]] Topology topology();

/// The message of parsing `text` as an endpoints file "e.yaml"; "" if it is valid.
[[nodiscard]] std::string endpoints_error(std::string_view text);

/// The message of parsing `text` as a campaign file "c.yaml" over the samples; "" if it is valid.
[[nodiscard]] std::string campaign_error(std::string_view text);

}  // namespace sortie::spec::samples
