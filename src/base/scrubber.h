#pragma once

#include "sortie/base/secret.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::base {

/// Knows the resolved secrets and removes them from text that came from outside (error bodies,
/// headers, captures) before it is stored or shown. Finds a secret as it is, percent-encoded,
/// JSON-escaped and in base64.
class Scrubber {
 public:
  /// `label` stands in for the secret: "[secret:label]". Secrets under 4 characters would match
  /// everywhere and are ignored.
  void add(std::string_view label, const Secret& secret);

  /// `shortest`: leaves shorter secrets alone. For what models say, where a placeholder such as
  /// "EMPTY" is a word.
  [[nodiscard]] std::string scrub(std::string_view text, std::size_t shortest = 0) const;

 private:
  struct Needle {
    Secret form;
    std::string replacement;
  };

  std::vector<Needle> needles_;
};

}  // namespace sortie::base
