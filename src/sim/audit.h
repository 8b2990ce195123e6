#pragma once

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/base/time.h"
#include "sortie/sim/draws.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sortie::sim {

/// What the provider did with a request.
enum class Decision : std::uint8_t {
  answered,  // 200 with an answer
  rate_limited,
  unauthorized,
  bad_request,  // not understood, or no such model
  fault,        // injected
};

[[nodiscard]] std::string_view to_string(Decision decision);

/// One request as the provider saw it.
struct AuditEntry {
  std::uint64_t id = 0;  // in order of arrival, from 1
  base::Instant arrival;
  std::string key;    // alias, never the key; empty: unknown
  std::string model;  // as asked
  RequestIdentity identity;
  Decision decision = Decision::answered;
  std::string
      reason;      // the limit's pool, the fault's name or the error's code; empty for an answer
  int status = 0;  // 0: no answer was sent
  std::int64_t input_tokens = 0;  // charged
  std::int64_t output_tokens = 0;
  double cost = 0;  // US dollars billed
  enum class End : std::uint8_t { open, sent, disconnected };
  End end = End::open;
};

[[nodiscard]] json::Object to_json(const AuditEntry& entry);

/// The log of every request. Keeps the newest entries in memory and, if asked, appends each to a
/// file before its answer is sent: a line when the request was judged, and a second line if the
/// client then hung up.
class AuditLog {
 public:
  /// `provider` is named on each line of the file.
  AuditLog(std::string provider, std::size_t entries_max)
      : provider_(std::move(provider)), entries_max_(entries_max) {}

  /// Appends JSON lines to a file from now on. Several logs may append to one file.
  [[nodiscard]] base::Status append_to(const std::string& path);

  AuditEntry& add(AuditEntry entry);
  void close(std::uint64_t id, AuditEntry::End end, base::Instant now);

  [[nodiscard]] const std::deque<AuditEntry>& entries() const { return entries_; }

  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

  /// True if a line could not be written: the file is not the whole truth.
  [[nodiscard]] bool write_failed() const { return write_failed_; }

  [[nodiscard]] std::string jsonl() const;

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  void write_line(json::Object object);

  std::string provider_;
  std::size_t entries_max_;
  std::deque<AuditEntry> entries_;  // ids without gaps
  std::uint64_t dropped_ = 0;
  std::unique_ptr<std::FILE, Closer> file_;
  bool write_failed_ = false;
};

}  // namespace sortie::sim
