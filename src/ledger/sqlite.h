#pragma once

#include "sortie/base/error.h"
#include "sortie/base/hash.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

// SQLite with Results. A connection and its statements belong to one thread at a time.

namespace sortie::ledger {

/// Turns an SQLite result code into what a caller can do: full and I/O end the campaign, a busy
/// file may be tried later, constraint, corruption and a wrong page checksum are integrity errors.
[[nodiscard]] base::Error sqlite_error(sqlite3* handle, int code, std::string_view context);

enum class ColumnType : std::uint8_t { null, integer, real, text, blob };

class Statement {
 public:
  /// Without a handle only good for being assigned to.
  explicit Statement(sqlite3_stmt* handle = nullptr) : handle_(handle) {}

  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// Parameters count from 1. Text and blobs are not copied: they must live until the statement is
  /// reset. A failure to bind (a value beyond SQLite's limits) is reported by the next step().
  void bind(int index, std::int64_t value);
  void bind(int index, double value);
  void bind_text(int index, std::string_view value);
  void bind_blob(int index, std::string_view value);
  void bind_null(int index);

  /// True: a row is there. False: done.
  [[nodiscard]] base::Result<bool> step();

  /// Steps a statement that yields no row and resets it.
  [[nodiscard]] base::Status run();

  /// Ready to be bound and stepped again.
  void reset();

  [[nodiscard]] int columns() const;
  [[nodiscard]] ColumnType type(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  /// Text or blob bytes, valid until the next step or reset.
  [[nodiscard]] std::string_view bytes(int column) const;
  [[nodiscard]] base::Digest digest(int column) const;

  [[nodiscard]] sqlite3_stmt* handle() const { return handle_; }

 private:
  void note(int code);

  sqlite3_stmt* handle_ = nullptr;
  int bind_error_ = 0;
};

/// Ends a use of a statement on every way out.
class ResetAtEnd {
 public:
  explicit ResetAtEnd(Statement& statement) : statement_(statement) {}

  ~ResetAtEnd() { statement_.reset(); }

  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;

 private:
  Statement& statement_;
};

/// The bytes of a digest as SQLite takes them.
[[nodiscard]] std::string_view blob_of(const base::Digest& digest);

enum class OpenMode : std::uint8_t {
  create,      // the file is made if it is not there
  read_write,  // it must be there
  read_only,
  immutable,       // read-only, nobody writes and there is no log: no lock, no side files
  at_rest,         // read-only, nobody writes but there is a log: no lock, no shared memory
  past_checksums,  // read-only, by SQLite's own layer: damaged pages are read as they are
};

/// How long a connection waits for a lock of another one, unless told otherwise.
inline constexpr std::chrono::milliseconds kPatience{10'000};

class Connection {
 public:
  [[nodiscard]] static base::Result<Connection> open(const std::string& path, OpenMode mode);
  ~Connection();
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&& other) noexcept;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Of a database that has no page yet, or is about to be vacuumed: its pages get checksums.
  [[nodiscard]] base::Status reserve_page_checksums();

  void wait_for_others(std::chrono::milliseconds longest);

  /// Runs statements that yield nothing of interest.
  [[nodiscard]] base::Status execute(const std::string& sql);

  /// One statement; a second one in the text is an error.
  [[nodiscard]] base::Result<Statement> prepare(std::string_view sql);

  /// The first column of the first row, 0 when NULL or absent.
  [[nodiscard]] base::Result<std::int64_t> integer(std::string_view sql);

  [[nodiscard]] std::int64_t changes() const;
  [[nodiscard]] std::int64_t last_row_id() const;

  [[nodiscard]] sqlite3* handle() const { return handle_; }

 private:
  explicit Connection(sqlite3* handle) : handle_(handle) {}

  sqlite3* handle_ = nullptr;
};

}  // namespace sortie::ledger
