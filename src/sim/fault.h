#pragma once

#include "sortie/sim/audit.h"
#include "sortie/sim/dialects.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/reply.h"
#include "sortie/wire/message.h"

#include <optional>
#include <string_view>

namespace sortie::sim {

/// True for faults of the account, which come before any limit.
[[nodiscard]] bool comes_before_limits(FaultKind kind);

/// What a fault does instead of answering.
struct FaultOutcome {
  Decision decision = Decision::fault;
  Reply::Delivery delivery = Reply::Delivery::answer;
  wire::Response response;
  bool at_once = false;  // no model worked on it
};

/// Whom a fault happens to.
struct FaultVictim {
  Dialect dialect = Dialect::openai;
  std::string_view model;
  std::string_view account;
  bool stream = false;  // faults inside a good answer are events of it
};

/// nullopt for faults that change an answer instead of replacing it.
[[nodiscard]] std::optional<FaultOutcome> outcome_of(const FaultProfile& fault,
                                                     const FaultVictim& victim);

}  // namespace sortie::sim
