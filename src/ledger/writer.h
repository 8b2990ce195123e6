#pragma once

#include "sortie/base/error.h"
#include "sortie/ledger/packer.h"
#include "sortie/ledger/records.h"
#include "sortie/ledger/sqlite.h"

#include <cstdint>
#include <memory>

namespace sortie::ledger {

/// Puts records into an open ledger, in transactions of the caller's choice; one thread at a time.
/// A fact that is there already changes nothing; one that contradicts what is there is an integrity
/// error, after which only roll_back() makes sense.
class RecordWriter {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<RecordWriter>> open(Connection connection);
  ~RecordWriter();
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;

  [[nodiscard]] base::Status begin();
  /// `answer` is that of a turn which does not hold it itself.
  [[nodiscard]] base::Status write(const Record& record, PackedMessage* answer = nullptr);
  /// On success everything written since begin() is durable.
  [[nodiscard]] base::Status commit();
  void roll_back();

  /// Bytes that the message contents written since opening take on disk.
  [[nodiscard]] std::uint64_t message_bytes() const;

  /// One above the largest id of this kind in the ledger when it was opened.
  struct NextIds {
    TrialId trial = 1;
    AttemptId attempt = 1;
    std::int64_t generation = 1;
  };

  [[nodiscard]] NextIds next_ids() const;

 private:
  struct State;
  explicit RecordWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sortie::ledger
