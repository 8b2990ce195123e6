#pragma once

#include "sortie/engine/loss.h"
#include "sortie/quota/limit.h"

#include <array>
#include <cstddef>
#include <vector>

namespace sortie::engine {

/// Units a second that a limit lets through; requests in flight for concurrency.
[[nodiscard]] double capacity_of(const quota::Limit& limit);

/// What went over one limit domain, and why not more, while its limits were not known yet: losses
/// are told afterwards, for limits that were learned meanwhile. Memory is bounded: a long run is
/// remembered in coarser pieces. Pure.
class UseHistory {
 public:
  /// `span` more seconds with so many requests in flight, not used up for this reason.
  void pass(double span, double in_flight, Loss reason);

  /// `requests` more were admitted, each of that size; negative: taken back.
  void use(double requests, const quota::RequestSize& size);

  /// One request took another size than was thought.
  void correct(const quota::RequestSize& from, const quota::RequestSize& to);

  /// One request was used up for nothing: `why` is retry or fault.
  void waste(const quota::RequestSize& size, double in_flight_seconds, Loss why);

  /// Seconds of `limit` by reason, as LossMeter integrates them.
  [[nodiscard]] Losses losses(const quota::Limit& limit) const;

  /// Units of `limit` that useful requests took; slot seconds for concurrency.
  [[nodiscard]] double useful(const quota::Limit& limit) const;

 private:
  static constexpr std::size_t kTokenCosts = 5;  // of quota::TokenCost

  struct Units {
    double requests = 0;
    std::array<double, kTokenCosts> tokens{};
    double slot_seconds = 0;

    Units& operator+=(const Units& other);
    void add(double requests_more, const quota::RequestSize& size);
    [[nodiscard]] double of(const quota::Limit& limit) const;
  };

  struct Piece {
    Losses seconds{};
    double span = 0;
    Units used;
  };

  void merge_pairs();

  std::vector<Piece> pieces_ = std::vector<Piece>(1);
  double piece_seconds_ = 1;
  std::array<Units, kLossKinds> wasted_{};  // retry and fault
};

}  // namespace sortie::engine
