#pragma once

#include "sortie/base/time.h"
#include "sortie/spec/node.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Typed reading of YAML values. A value of the wrong type or out of range becomes a problem and
// reads as nullopt; the caller goes on with its default, since a file with problems is refused as a
// whole.

namespace sortie::spec {

/// Numbers that are allowed.
struct Range {
  double min = 0;
  double max = 0;
  bool above_min = false;  // min itself is not allowed
};

[[nodiscard]] std::optional<std::string> read_text(const Node& node,
                                                   std::string_view label,
                                                   Problems& problems);
[[nodiscard]] std::optional<double> read_number(const Node& node,
                                                std::string_view label,
                                                Range range,
                                                Problems& problems);
[[nodiscard]] std::optional<std::int64_t> read_integer(const Node& node,
                                                       std::string_view label,
                                                       std::int64_t min,
                                                       std::int64_t max,
                                                       Problems& problems);
[[nodiscard]] std::optional<bool> read_bool(const Node& node,
                                            std::string_view label,
                                            Problems& problems);

/// "250ms", "1s", "10m", "24h"; greater than zero, at most ten days.
[[nodiscard]] std::optional<base::Duration> read_duration(const Node& node,
                                                          std::string_view label,
                                                          Problems& problems);

/// A text of a list, with its place.
struct Name {
  std::string text;
  Mark mark;
};

/// One text or a list of texts, none twice. An empty list is a problem.
[[nodiscard]] std::vector<Name> read_names(const Node& node,
                                           std::string_view label,
                                           Problems& problems);

/// The items of a list, or the node itself if it is none: "a: x" means "a: [x]".
[[nodiscard]] std::span<const Node> items_of(const Node& node);

/// Letters, digits, '.', '_', '-' and the characters of `extra`, at most 128, not starting with '.'
/// or '-'. Problems do not show the name: it could be a misplaced secret.
bool check_name(std::string_view name, Mark where, std::string_view extra, Problems& problems);

/// "unknown model 'x'; did you mean 'y'?".
void report_unknown(std::string_view what,
                    const Name& name,
                    std::span<const std::string> candidates,
                    Problems& problems);

/// A mapping whose keys are asked for one by one; finish() reports every key that nobody asked for.
class Mapping {
 public:
  /// A node of another kind is a problem, and reads as an empty mapping. `what` names it: "endpoint
  /// 'alpha'".
  Mapping(const Node& node, std::string what, Problems& problems);

  /// nullptr when absent.
  [[nodiscard]] const Node* get(std::string_view key);

  /// The same, but its absence is a problem.
  [[nodiscard]] const Node* require(std::string_view key);

  [[nodiscard]] std::optional<std::string> text(std::string_view key);
  [[nodiscard]] std::optional<double> number(std::string_view key, Range range);
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key,
                                                    std::int64_t min,
                                                    std::int64_t max);
  [[nodiscard]] std::optional<bool> boolean(std::string_view key);
  [[nodiscard]] std::optional<base::Duration> duration(std::string_view key);

  /// Where the key or, if it is absent, the mapping stands.
  [[nodiscard]] Mark mark_of(std::string_view key) const;

  void finish();

 private:
  const Node* node_;
  std::string what_;
  Problems* problems_;
  bool is_mapping_;
  std::vector<std::string> known_;
};

/// The top level of a file: a mapping whose version is 1. False when it cannot be read at all.
[[nodiscard]] bool check_version(const Node& root, Mapping& top, Problems& problems);

}  // namespace sortie::spec
