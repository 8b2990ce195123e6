#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace sortie::sched {

/// What refusals say about whether two pools are one limit. A limit refuses at the same load each
/// time. So from one refusal of a pool to its next, its own load has not moved if the limit is its
/// own; if it shares the limit, it has moved by as much as the other's, the other way. Each refusal
/// weighs the two against each other (the logarithm of the likelihood ratio, normal errors); where
/// the other has not moved, it says nothing. A value, pure.
class SharingEvidence {
 public:
  /// Units a second by pool; nullopt: not known, or not comparable.
  using Loads = std::vector<std::optional<double>>;

  /// `pool` was refused at these loads, its own among them.
  void refused(std::size_t pool, const Loads& loads);

  /// In favour of one limit, if positive.
  [[nodiscard]] double of(std::size_t a, std::size_t b) const;

  /// Something better than refusals is known.
  void set(std::size_t a, std::size_t b, double evidence);

 private:
  std::map<std::size_t, Loads> before_;  // at a pool's last refusal
  std::map<std::pair<std::size_t, std::size_t>, double> evidence_;
};

}  // namespace sortie::sched
