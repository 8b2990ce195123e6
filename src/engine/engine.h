#pragma once

#include "sortie/aio/loop.h"
#include "sortie/base/error.h"
#include "sortie/base/log.h"
#include "sortie/base/scrubber.h"
#include "sortie/engine/context.h"
#include "sortie/engine/control.h"
#include "sortie/engine/dispatcher.h"
#include "sortie/engine/history.h"
#include "sortie/engine/status.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/wire/transport.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sortie::engine {

enum class RunEnd : std::uint8_t {
  complete,     // every planned trial is scored
  with_losses,  // nothing more can be done now: infrastructure outcomes or trials without a route
                // remain
  interrupted,  // stopped on request, everything saved
  budget_used,  // the budget does not cover one more request, or not one more dialogue
  deadline,     // the time was up with trials left
  drained,      // asked to begin no more; what was begun is finished
  failed,       // the ledger cannot be written
};

struct RunResult {
  RunEnd end = RunEnd::complete;
  std::string message;  // what is missing, or what failed; for people
};

/// What an engine works with. Everything outlives it.
struct EngineParts {
  aio::Loop* loop = nullptr;
  Dispatcher* dispatcher = nullptr;  // shared with other engines; null: one of its own
  wire::Transport* transport = nullptr;
  ledger::Ledger* ledger = nullptr;
  ledger::Reader* reader = nullptr;  // for the answers of interrupted trials
  base::Log* log = nullptr;
  const base::Scrubber* scrubber = nullptr;
};

/// Runs a campaign on one thread, the loop's, alone or beside others (Dispatcher). Every turn of
/// the loop drains the inbox (completions, commits), lets `sched` decide, and starts what it
/// allows. A request leaves only after its attempt is durable; an answer is acted on only after its
/// turn is durable.
class Engine {
 public:
  /// `history` says what the ledger holds already.
  Engine(const RunContext& context,
         const EngineParts& parts,
         const EngineOptions& options,
         RunHistory history);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Begins; `on_end` is called once, on the loop, when nothing is in flight and everything is
  /// durable.
  void start(std::function<void(RunResult)> on_end);

  /// Takes no more work, cancels what is in flight, saves, ends.
  void request_stop();

  /// Makes a person's change, records it with its author and reason, and says what changed, in
  /// words: nothing when everything was so already. Errors name what was expected, or say that the
  /// run is ending (refused).
  [[nodiscard]] base::Result<std::vector<std::string>> control(const ControlCommand& command);

  /// The ledger's commit listener calls this, from any thread.
  void committed(base::Result<ledger::Sequence> outcome);

  [[nodiscard]] RunStatus status() const;

 private:
  friend class Dispatcher;
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace sortie::engine
