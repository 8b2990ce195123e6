#include "sortie/ledger/sqlite.h"

#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/base/text.h"
#include "sortie/ledger/page_checksum.h"
#include "sortie/ledger/vfs.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

namespace sortie::ledger {

namespace {

constexpr int kBusyTimeoutMs = static_cast<int>(kPatience.count());

struct Verdict {
  base::Remedy remedy;
  base::ErrorCode code;
};

Verdict verdict(int code) {
  using base::ErrorCode;
  using base::Remedy;
  if (code == SQLITE_IOERR_DATA) {
    return {Remedy::fail_campaign, ErrorCode::integrity};
  }
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Remedy::retry_later, ErrorCode::locked};
    case SQLITE_CONSTRAINT:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
    case SQLITE_FORMAT:
      return {Remedy::fail_campaign, ErrorCode::integrity};
    case SQLITE_ERROR:
    case SQLITE_AUTH:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
      return {Remedy::bad_input, ErrorCode::invalid};
    case SQLITE_INTERRUPT:
      return {Remedy::retry_now, ErrorCode::cancelled};
    default:
      return {Remedy::fail_campaign, ErrorCode::io};
  }
}

}  // namespace

base::Error sqlite_error(sqlite3* handle, int code, std::string_view context) {
  if ((code & 0xFF) == SQLITE_AUTH) {
    return {.remedy = base::Remedy::bad_input,
            .code = base::ErrorCode::refused,
            .message = fmt::format("{}: a ledger is only read this way", context)};
  }
  std::string message = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  if (code == SQLITE_IOERR_DATA) {
    message =
        "a page of the file does not match its checksum (sortie verify RUN says which, what it "
        "holds and what to do)";
  }
  if (((code & 0xFF) == SQLITE_IOERR && code != SQLITE_IOERR_DATA) ||
      (code & 0xFF) == SQLITE_CANTOPEN) {
    const int system = handle != nullptr ? sqlite3_system_errno(handle) : 0;
    if (system != 0) {
      message += ": " + std::generic_category().message(system);
    }
  }
  const Verdict kind = verdict(code);
  return {.remedy = kind.remedy,
          .code = kind.code,
          .message = fmt::format("{}: {} (SQLite {})", context, message, code)};
}

std::string_view blob_of(const base::Digest& digest) {
  return {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()};
}

// --- Statement

Statement::~Statement() {
  sqlite3_finalize(handle_);
}

Statement::Statement(Statement&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), bind_error_(other.bind_error_) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(bind_error_, other.bind_error_);
  return *this;
}

void Statement::note(int code) {
  if (code != SQLITE_OK && bind_error_ == SQLITE_OK) {
    bind_error_ = code;
  }
}

void Statement::bind(int index, std::int64_t value) {
  note(sqlite3_bind_int64(handle_, index, value));
}

void Statement::bind(int index, double value) {
  note(sqlite3_bind_double(handle_, index, value));
}

void Statement::bind_text(int index, std::string_view value) {
  // A null pointer would bind NULL.
  const char* data = value.data() != nullptr ? value.data() : "";
  note(sqlite3_bind_text64(handle_, index, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Statement::bind_blob(int index, std::string_view value) {
  const char* data = value.data() != nullptr ? value.data() : "";
  note(sqlite3_bind_blob64(handle_, index, data, value.size(), SQLITE_STATIC));
}

void Statement::bind_null(int index) {
  note(sqlite3_bind_null(handle_, index));
}

base::Result<bool> Statement::step() {
  sqlite3* connection = sqlite3_db_handle(handle_);
  if (bind_error_ != SQLITE_OK) {
    const int code = std::exchange(bind_error_, SQLITE_OK);
    return std::unexpected(sqlite_error(nullptr, code, "cannot bind a value"));
  }
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) {
    return true;
  }
  if (code == SQLITE_DONE) {
    return false;
  }
  return std::unexpected(sqlite_error(connection, sqlite3_extended_errcode(connection), "ledger"));
}

base::Status Statement::run() {
  auto stepped = step();
  reset();
  TRY(std::move(stepped));
  return {};
}

void Statement::reset() {
  // The code that reset returns is the one that step has already reported.
  static_cast<void>(sqlite3_reset(handle_));
}

int Statement::columns() const {
  return sqlite3_column_count(handle_);
}

ColumnType Statement::type(int column) const {
  switch (sqlite3_column_type(handle_, column)) {
    case SQLITE_INTEGER:
      return ColumnType::integer;
    case SQLITE_FLOAT:
      return ColumnType::real;
    case SQLITE_TEXT:
      return ColumnType::text;
    case SQLITE_BLOB:
      return ColumnType::blob;
    default:
      return ColumnType::null;
  }
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_, column);
}

double Statement::real(int column) const {
  return sqlite3_column_double(handle_, column);
}

std::string_view Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(handle_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_, column));
  return data != nullptr ? std::string_view(static_cast<const char*>(data), size)
                         : std::string_view();
}

base::Digest Statement::digest(int column) const {
  base::Digest digest;
  const std::string_view stored = bytes(column);
  if (stored.size() == digest.bytes.size()) {
    std::memcpy(digest.bytes.data(), stored.data(), stored.size());
  }
  return digest;
}

// --- Connection

base::Result<Connection> Connection::open(const std::string& path, OpenMode mode) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  std::string name = path;
  const char* vfs = mode == OpenMode::at_rest          ? page_vfs_at_rest()
                    : mode == OpenMode::past_checksums ? nullptr
                                                       : page_vfs();
  switch (mode) {
    case OpenMode::create:
      flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
      break;
    case OpenMode::read_write:
      flags |= SQLITE_OPEN_READWRITE;
      break;
    case OpenMode::read_only:
    case OpenMode::at_rest:
    case OpenMode::past_checksums:
      flags |= SQLITE_OPEN_READONLY;
      break;
    case OpenMode::immutable: {
      flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
      name = "file:";
      for (const char c : path) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '/' || c == '.' || c == '-' || c == '_';
        name += plain
                    ? std::string(1, c)
                    : fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
      }
      name += "?immutable=1";
      break;
    }
  }
  sqlite3* handle = nullptr;
  // A connection is used by one thread at a time, so SQLite need not lock.
  const int code = sqlite3_open_v2(name.c_str(), &handle, flags, vfs);
  Connection connection(handle);
  if (code != SQLITE_OK) {
    return std::unexpected(sqlite_error(handle, code, fmt::format("cannot open {}", path)));
  }
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  if (mode == OpenMode::at_rest) {
    // The index of the log is then kept in this process's memory.
    TRY(connection.execute("PRAGMA locking_mode = EXCLUSIVE"));
  }
  return connection;
}

base::Status Connection::reserve_page_checksums() {
  int bytes = kPageChecksumBytes;
  const int code = sqlite3_file_control(handle_, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
  if (code != SQLITE_OK) {
    return std::unexpected(sqlite_error(handle_, code, "cannot reserve bytes for page checksums"));
  }
  return {};
}

void Connection::wait_for_others(std::chrono::milliseconds longest) {
  sqlite3_busy_timeout(handle_, static_cast<int>(longest.count()));
}

Connection::~Connection() {
  // Statements that outlive their connection keep it open until they end.
  sqlite3_close_v2(handle_);
}

Connection::Connection(Connection&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)) {}

Connection& Connection::operator=(Connection&& other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}

base::Status Connection::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) {
    return std::unexpected(sqlite_error(handle_, code, base::shortened(sql, 60)));
  }
  return {};
}

base::Result<Statement> Connection::prepare(std::string_view sql) {
  sqlite3_stmt* handle = nullptr;
  const char* rest = nullptr;
  const int code = sqlite3_prepare_v3(
      handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &handle, &rest);
  Statement statement(handle);
  if (code != SQLITE_OK) {
    return std::unexpected(sqlite_error(handle_, code, base::shortened(sql, 200)));
  }
  if (handle == nullptr) {
    return base::bad_input("expected one SQL statement, got none");
  }
  const std::string_view tail = base::trim(sql.substr(static_cast<std::size_t>(rest - sql.data())));
  if (!tail.empty()) {
    return base::bad_input(fmt::format("expected one SQL statement, but another follows: {}",
                                       base::shortened(tail, 60)));
  }
  return statement;
}

base::Result<std::int64_t> Connection::integer(std::string_view sql) {
  TRY_ASSIGN(Statement statement, prepare(sql));
  TRY_ASSIGN(const bool row, statement.step());
  return row ? statement.integer(0) : 0;
}

std::int64_t Connection::changes() const {
  return sqlite3_changes64(handle_);
}

std::int64_t Connection::last_row_id() const {
  return sqlite3_last_insert_rowid(handle_);
}

}  // namespace sortie::ledger
