#pragma once

#include "sortie/aio/loop.h"
#include "sortie/base/hash.h"
#include "sortie/base/time.h"
#include "sortie/chat/message.h"
#include "sortie/dialogue/dialogue.h"
#include "sortie/engine/budget.h"
#include "sortie/engine/streamed_answer.h"
#include "sortie/ledger/records.h"
#include "sortie/quota/signal.h"
#include "sortie/quota/token_estimator.h"
#include "sortie/sched/scheduler.h"
#include "sortie/suite/task.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sortie::engine {

/// Where an open trial is on its way round the loop.
enum class Stage : std::uint8_t {
  unfunded,            // the budget does not cover its turn now; the scheduler knows nothing of it
  waiting,             // its turn is queued in the scheduler; holds its reserve of the budget alone
  attempt_committing,  // bound to a route; the attempt is not durable yet, nothing was sent
  departing,           // durable, and waits for its place among the route's requests
  in_flight,           // the request was sent
  turn_committing,     // the answer is not durable yet and is not acted on
};

/// One dialogue that has begun and has not ended. Owned by the engine, one per ticket.
struct OpenTrial {
  ledger::TrialId id = 0;
  base::Digest key{};
  std::size_t cell = 0;
  std::size_t stratum = 0;
  std::size_t model = 0;
  const suite::Task* task = nullptr;
  suite::TrialParams params{};
  dialogue::Dialogue dialogue;
  Stage stage = Stage::waiting;

  // The turn that is open now.
  std::int64_t attempts = 0;  // sent for it so far
  quota::TurnShape shape{};   // what is known about its size
  quota::RequestSize size{};  // the estimate made of it

  // The attempt under way, from its assignment to its end.
  sched::Assignment assignment{};
  ledger::AttemptId attempt = 0;
  chat::Usage reserved_usage{};  // the most that the turn is expected to be billed for
  Funds reserve{};               // the same as funds
  bool funded = false;           // the reserve is set aside
  base::Instant sent_at{};
  base::Duration silent_before{};              // how long nothing had been heard when it was sent
  aio::TimerId departure{};                    // only while departing
  std::unique_ptr<StreamedAnswer> streamed{};  // only in flight, of a streamed request
  std::unique_ptr<wire::Request> request{};    // only while the attempt commits
  std::unique_ptr<dialogue::Event> pending{};  // only while the turn commits

  // Over the whole trial.
  Funds expected{};  // until its end, as counted in Core::expected_
  std::optional<std::size_t> route_before{};
  base::Duration request_time{};  // spent in requests; waiting for limits is not counted
  std::size_t bytes_counted = 0;  // of history that previous usage covers
};

}  // namespace sortie::engine
