#pragma once

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/ledger/records.h"
#include "sortie/monitor/web_server.h"

#include <cstddef>
#include <memory>
#include <string>

namespace sortie::app {

/// Transcripts as the page shows them: played back from the ledger, with calls and what they were
/// made from, the plan that was shown and where it is flawed, what the goal requires and what of it
/// was done, and every request. Of one thread; keeps the suite of the run that was asked for last.
class TranscriptViews final : public monitor::TranscriptSource {
 public:
  TranscriptViews();
  ~TranscriptViews() override;
  TranscriptViews(const TranscriptViews&) = delete;
  TranscriptViews& operator=(const TranscriptViews&) = delete;

  base::Result<json::Value> transcript(const monitor::RunPlace& place,
                                       ledger::TrialId trial) override;
  base::Result<std::string> message(const monitor::RunPlace& place,
                                    ledger::TrialId trial,
                                    std::size_t position) override;

 private:
  struct Run;
  base::Result<Run*> run_of(const monitor::RunPlace& place);

  std::unique_ptr<Run> run_;
};

}  // namespace sortie::app
