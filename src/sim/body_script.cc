#include "sortie/sim/body_script.h"

#include "sortie/base/time.h"
#include "sortie/sim/reply.h"

#include <cstddef>
#include <optional>
#include <utility>

namespace sortie::sim {

BodyScript::BodyScript(Reply reply) : reply_(std::move(reply)) {}

bool BodyScript::plays(const Reply& reply) {
  switch (reply.delivery) {
    case Reply::Delivery::answer:
    case Reply::Delivery::truncated:
      return !reply.pieces.empty();
    case Reply::Delivery::head_stall:
    case Reply::Delivery::drip:
    case Reply::Delivery::comments:
      return true;
    case Reply::Delivery::reset:
    case Reply::Delivery::stall:
    case Reply::Delivery::fin:
    case Reply::Delivery::half_close:
    case Reply::Delivery::loris:
    case Reply::Delivery::bad_chunks:
    case Reply::Delivery::bad_gzip:
      return false;
  }
  return false;
}

bool BodyScript::is_endless() const {
  return reply_.delivery == Reply::Delivery::drip || reply_.delivery == Reply::Delivery::comments;
}

/// Of a truncated answer the second half is lost.
std::size_t BodyScript::pieces_end() const {
  return reply_.delivery == Reply::Delivery::truncated ? reply_.pieces.size() / 2
                                                       : reply_.pieces.size();
}

base::Duration BodyScript::head_at() const {
  return reply_.pieces.empty() ? reply_.delay : base::Duration::zero();
}

std::optional<base::Duration> BodyScript::next_at() const {
  if (is_endless()) {
    return reply_.delay + static_cast<base::Duration::rep>(taken_ + 1) * reply_.every;
  }
  if (taken_ < pieces_end()) {
    return reply_.pieces[taken_].at;
  }
  if (reply_.delivery == Reply::Delivery::head_stall) {
    return std::nullopt;
  }
  // It ends with its last piece.
  return pieces_end() == 0 ? head_at() : reply_.pieces[pieces_end() - 1].at;
}

BodyScript::Step BodyScript::next() {
  Step step{.at = next_at().value_or(base::Duration::zero())};
  if (is_endless()) {
    step.bytes = reply_.delivery == Reply::Delivery::comments ? ": keep-alive\n\n" : "x";
    ++taken_;
  } else if (taken_ < pieces_end()) {
    step.bytes = std::move(reply_.pieces[taken_++].bytes);
  } else {
    step.kind =
        reply_.delivery == Reply::Delivery::truncated ? Step::Kind::broken : Step::Kind::end;
  }
  return step;
}

}  // namespace sortie::sim
