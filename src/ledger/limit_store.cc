#include "sortie/ledger/limit_store.h"

#include "sortie/ledger/place.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::ledger {

namespace {

// "Srtl", and the version of the table.
constexpr std::int64_t kStoreId = 0x5372746C;
constexpr std::int64_t kVersion = 1;

// STRICT, as in a ledger. The key is what a later run asks by.
constexpr const char* kTable =
    "CREATE TABLE IF NOT EXISTS limit_memory (fingerprint TEXT NOT NULL, domain TEXT NOT NULL, "
    "kind TEXT NOT NULL, cost TEXT NOT NULL, source TEXT NOT NULL, value REAL NOT NULL, "
    "window_seconds REAL NOT NULL, confidence REAL NOT NULL, at INTEGER NOT NULL, "
    "PRIMARY KEY (fingerprint, domain, kind, cost)) STRICT";

base::Status prepare_file(Connection& connection, const std::string& path) {
  TRY_ASSIGN(const std::int64_t id, connection.integer("PRAGMA application_id"));
  TRY_ASSIGN(const std::int64_t version, connection.integer("PRAGMA user_version"));
  TRY_ASSIGN(const std::int64_t tables, connection.integer("SELECT count(*) FROM sqlite_schema"));
  const bool is_new = id == 0 && version == 0 && tables == 0;
  if (!is_new && (id != kStoreId || version != kVersion)) {
    return base::failure(
        base::Remedy::bad_input,
        base::ErrorCode::integrity,
        fmt::format("{} is not a memory of limits that this program knows (version {}): move it "
                    "away, and another one is made",
                    path,
                    version));
  }
  TRY(connection.execute("BEGIN IMMEDIATE"));
  return connection.execute(
      fmt::format("{}; PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT",
                  kTable,
                  kStoreId,
                  kVersion));
}

}  // namespace

base::Result<LimitStore> LimitStore::open(const std::string& directory) {
  TRY(make_private_directory(directory));
  const std::string path = (std::filesystem::path(directory) / "limits.db").string();
  TRY_ASSIGN(Connection connection, Connection::open(path, OpenMode::create));
  TRY(prepare_file(connection, path));
  return LimitStore(std::move(connection));
}

base::Status LimitStore::remember(const std::vector<RememberedLimit>& limits) {
  TRY(connection_.execute("BEGIN IMMEDIATE"));
  const auto write = [&]() -> base::Status {
    TRY_ASSIGN(Statement statement,
               connection_.prepare("INSERT OR REPLACE INTO limit_memory VALUES (?1, ?2, ?3, ?4, "
                                   "?5, ?6, ?7, ?8, ?9)"));
    for (const RememberedLimit& limit : limits) {
      statement.bind_text(1, limit.fingerprint);
      statement.bind_text(2, limit.domain);
      statement.bind_text(3, limit.kind);
      statement.bind_text(4, limit.cost);
      statement.bind_text(5, limit.source);
      statement.bind(6, limit.value);
      statement.bind(7, limit.window_seconds);
      statement.bind(8, limit.confidence);
      statement.bind(9, static_cast<std::int64_t>(limit.at.time_since_epoch().count()));
      TRY(statement.run());
    }
    return {};
  };
  const base::Status written = write();
  TRY(connection_.execute(written.has_value() ? "COMMIT" : "ROLLBACK"));
  return written;
}

base::Result<std::vector<RememberedLimit>> LimitStore::recall(
    const std::vector<std::string>& fingerprints) {
  std::vector<RememberedLimit> limits;
  TRY_ASSIGN(Statement statement,
             connection_.prepare("SELECT fingerprint, domain, kind, cost, source, value, "
                                 "window_seconds, confidence, at FROM limit_memory WHERE "
                                 "fingerprint = ?1"));
  for (const std::string& fingerprint : fingerprints) {
    statement.bind_text(1, fingerprint);
    while (true) {
      TRY_ASSIGN(const bool row, statement.step());
      if (!row) {
        break;
      }
      limits.push_back({.fingerprint = std::string(statement.bytes(0)),
                        .domain = std::string(statement.bytes(1)),
                        .kind = std::string(statement.bytes(2)),
                        .cost = std::string(statement.bytes(3)),
                        .source = std::string(statement.bytes(4)),
                        .value = statement.real(5),
                        .window_seconds = statement.real(6),
                        .confidence = statement.real(7),
                        .at = base::WallTime(std::chrono::microseconds(statement.integer(8)))});
    }
    statement.reset();
  }
  std::ranges::stable_sort(
      limits, [](const RememberedLimit& a, const RememberedLimit& b) { return a.at > b.at; });
  return limits;
}

}  // namespace sortie::ledger
