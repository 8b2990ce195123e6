#include "sortie/sim/audit.h"

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/base/time.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace sortie::sim {

namespace {

std::string_view to_string(AuditEntry::End end) {
  switch (end) {
    case AuditEntry::End::open:
      return "open";
    case AuditEntry::End::sent:
      return "sent";
    case AuditEntry::End::disconnected:
      return "disconnected";
  }
  return "";
}

}  // namespace

std::string_view to_string(Decision decision) {
  switch (decision) {
    case Decision::answered:
      return "answered";
    case Decision::rate_limited:
      return "rate_limited";
    case Decision::unauthorized:
      return "unauthorized";
    case Decision::bad_request:
      return "bad_request";
    case Decision::fault:
      return "fault";
  }
  return "";
}

json::Object to_json(const AuditEntry& entry) {
  json::Object out;
  out["id"] = entry.id;
  out["at_s"] = base::seconds(entry.arrival.time_since_epoch());
  out["key"] = entry.key;
  out["model"] = entry.model;
  out["trial"] = entry.identity.trial.hex();
  out["turn"] = entry.identity.turn;
  out["attempt"] = entry.identity.attempt;
  out["from_header"] = entry.identity.from_header;
  out["decision"] = to_string(entry.decision);
  out["reason"] = entry.reason;
  out["status"] = entry.status;
  out["input_tokens"] = entry.input_tokens;
  out["output_tokens"] = entry.output_tokens;
  out["cost_usd"] = entry.cost;
  out["end"] = to_string(entry.end);
  return out;
}

base::Status AuditLog::append_to(const std::string& path) {
  file_.reset(std::fopen(path.c_str(), "ae"));
  if (file_ == nullptr) {
    return base::io_error(fmt::format("cannot append to {}", path), errno);
  }
  return {};
}

void AuditLog::write_line(json::Object object) {
  object["provider"] = provider_;
  const std::string line = json::to_text(object) + "\n";
  const bool written = std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size();
  // The line has to be in the file before the answer leaves, so that a reader of both never misses
  // a request.
  if (!written || std::fflush(file_.get()) != 0) {
    write_failed_ = true;
  }
}

AuditEntry& AuditLog::add(AuditEntry entry) {
  if (entries_.size() >= entries_max_) {
    entries_.pop_front();
    ++dropped_;
  }
  if (file_ != nullptr) {
    json::Object line = to_json(entry);
    line.erase("end");
    write_line(std::move(line));
  }
  return entries_.emplace_back(std::move(entry));
}

void AuditLog::close(std::uint64_t id, AuditEntry::End end, base::Instant now) {
  if (!entries_.empty() && id >= entries_.front().id && id <= entries_.back().id) {
    entries_[static_cast<std::size_t>(id - entries_.front().id)].end = end;
  }
  if (end == AuditEntry::End::disconnected && file_ != nullptr) {
    json::Object line;
    line["id"] = id;
    line["at_s"] = base::seconds(now.time_since_epoch());
    line["end"] = to_string(end);
    write_line(std::move(line));
  }
}

std::string AuditLog::jsonl() const {
  std::string out;
  for (const AuditEntry& entry : entries_) {
    out += json::to_text(to_json(entry));
    out += '\n';
  }
  return out;
}

}  // namespace sortie::sim
