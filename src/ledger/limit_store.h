#pragma once

#include "sortie/base/error.h"
#include "sortie/base/time.h"
#include "sortie/ledger/sqlite.h"

#include <string>
#include <utility>
#include <vector>

namespace sortie::ledger {

/// What a run learned about a limit that nobody declared. A value of its own, so that a store can
/// be read without any other module.
struct RememberedLimit {
  std::string fingerprint;  // of the key; never the key
  std::string domain;       // "alpha/key-1", as its run named it
  std::string kind;         // "requests", "tokens", "concurrency"
  std::string cost;         // of tokens: how they are counted; "" else
  std::string source;       // "header", "learned"
  double value = 0;         // units a window; in flight for concurrency
  double window_seconds = 60;
  double confidence = 0;  // 0 to 1
  base::WallTime at;

  bool operator==(const RememberedLimit&) const = default;
};

/// $XDG_STATE_HOME/sortie/limits.db: learned limits by key fingerprint, for the next run and for
/// plans. Not a ledger: rows are replaced, and deleting the file loses nothing but time. Any number
/// of processes may use it.
class LimitStore {
 public:
  /// Makes the directory (0700) and the file if they do not exist. Errors: io; integrity if the
  /// file is none of ours or of a newer version.
  [[nodiscard]] static base::Result<LimitStore> open(const std::string& directory);

  /// Replaces what is known of the same fingerprint, domain, kind and cost; all or none.
  [[nodiscard]] base::Status remember(const std::vector<RememberedLimit>& limits);

  /// Of these keys, the newest first.
  [[nodiscard]] base::Result<std::vector<RememberedLimit>> recall(
      const std::vector<std::string>& fingerprints);

 private:
  explicit LimitStore(Connection connection) : connection_(std::move(connection)) {}

  Connection connection_;
};

}  // namespace sortie::ledger
