#include "sortie/engine/use_history.h"

#include "sortie/base/time.h"
#include "sortie/engine/loss.h"
#include "sortie/quota/limit.h"

#include <algorithm>
#include <cstddef>

namespace sortie::engine {

namespace {

using quota::LimitKind;
using quota::TokenCost;

constexpr std::size_t kPiecesMax = 1024;

}  // namespace

double capacity_of(const quota::Limit& limit) {
  return limit.kind == LimitKind::concurrency ? limit.quota
                                              : limit.quota / base::seconds(limit.window);
}

UseHistory::Units& UseHistory::Units::operator+=(const Units& other) {
  requests += other.requests;
  slot_seconds += other.slot_seconds;
  for (std::size_t i = 0; i < kTokenCosts; ++i) {
    tokens[i] += other.tokens[i];
  }
  return *this;
}

void UseHistory::Units::add(double requests_more, const quota::RequestSize& size) {
  requests += requests_more;
  for (std::size_t i = 0; i < kTokenCosts; ++i) {
    tokens[i] +=
        requests_more *
        quota::cost_of({.kind = LimitKind::tokens, .cost = static_cast<TokenCost>(i)}, size);
  }
}

double UseHistory::Units::of(const quota::Limit& limit) const {
  switch (limit.kind) {
    case LimitKind::requests:
      return requests;
    case LimitKind::tokens:
      return tokens[static_cast<std::size_t>(limit.cost)];
    case LimitKind::concurrency:
      break;
  }
  return slot_seconds;
}

/// Pieces of twice the length: half as many.
void UseHistory::merge_pairs() {
  for (std::size_t i = 0; 2 * i < pieces_.size(); ++i) {
    Piece piece = pieces_[2 * i];
    if (2 * i + 1 < pieces_.size()) {
      const Piece& next = pieces_[2 * i + 1];
      piece.span += next.span;
      piece.used += next.used;
      for (std::size_t k = 0; k < kLossKinds; ++k) {
        piece.seconds[k] += next.seconds[k];
      }
    }
    pieces_[i] = piece;
  }
  pieces_.resize((pieces_.size() + 1) / 2);
  piece_seconds_ *= 2;
}

void UseHistory::pass(double span, double in_flight, Loss reason) {
  if (pieces_.back().span >= piece_seconds_) {
    if (pieces_.size() == kPiecesMax) {
      merge_pairs();
    }
    pieces_.emplace_back();
  }
  Piece& piece = pieces_.back();
  piece.span += span;
  piece.seconds[static_cast<std::size_t>(reason)] += span;
  piece.used.slot_seconds += span * in_flight;
}

void UseHistory::use(double requests, const quota::RequestSize& size) {
  pieces_.back().used.add(requests, size);
}

void UseHistory::correct(const quota::RequestSize& from, const quota::RequestSize& to) {
  Units& used = pieces_.back().used;
  used.add(-1, from);
  used.add(1, to);
}

void UseHistory::waste(const quota::RequestSize& size, double in_flight_seconds, Loss why) {
  Units& wasted = wasted_[static_cast<std::size_t>(why)];
  wasted.add(1, size);
  wasted.slot_seconds += in_flight_seconds;
}

Losses UseHistory::losses(const quota::Limit& limit) const {
  const double capacity = capacity_of(limit);
  Losses lost{};
  double busy = 0;  // seconds that are used from here on, by what was admitted before
  for (const Piece& piece : pieces_) {
    busy = std::max(0.0, busy + piece.used.of(limit) / capacity);
    const double used = std::min(piece.span, busy);
    // What a window of slots holds is used then or never.
    busy = limit.kind == LimitKind::concurrency ? 0 : busy - used;
    for (std::size_t k = 0; k < kLossKinds && piece.span > 0; ++k) {
      lost[k] += piece.seconds[k] * (1 - used / piece.span);
    }
  }
  for (std::size_t k = 0; k < kLossKinds; ++k) {
    lost[k] += wasted_[k].of(limit) / capacity;
  }
  return lost;
}

double UseHistory::useful(const quota::Limit& limit) const {
  double units = 0;
  for (const Piece& piece : pieces_) {
    units += piece.used.of(limit);
  }
  for (const Units& wasted : wasted_) {
    units -= wasted.of(limit);
  }
  return units;
}

}  // namespace sortie::engine
