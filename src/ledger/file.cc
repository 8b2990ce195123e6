#include "sortie/ledger/file.h"

#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/base/time.h"
#include "sortie/ledger/functions.h"
#include "sortie/ledger/schema.h"
#include "sortie/ledger/sqlite.h"
#include "sortie/ledger/wal.h"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <expected>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace sortie::ledger {

namespace fs = std::filesystem;

namespace {

// A ledger up to this size is checked page by page whenever it is opened for writing (a fraction of
// a second); a larger one only by verify().
constexpr std::uintmax_t kCheckOnOpenBytes = 64UL * 1024 * 1024;

constexpr int kWriterCacheKiB = 64 * 1024;

std::unexpected<base::Error> damaged(std::string_view path, std::string_view what) {
  return base::failure(base::Remedy::fail_campaign,
                       base::ErrorCode::integrity,
                       fmt::format("{}: {}; nothing was changed. Keep the directory, and restore "
                                   "it from a copy or choose another",
                                   path,
                                   what));
}

base::Status sync_directory(const std::string& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    return base::io_error(fmt::format("cannot open {}", directory), errno);
  }
  const int result = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  if (result != 0) {
    return base::io_error(fmt::format("cannot sync {}", directory), error);
  }
  return {};
}

/// Bytes of a file, 0 if there is none. Never opens it: closing a second descriptor would drop
/// SQLite's POSIX locks.
std::uintmax_t size_of(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  return error ? 0 : size;
}

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

base::Digest random_key() {
  std::random_device device;
  base::Digest key;
  for (std::uint8_t& byte : key.bytes) {
    byte = static_cast<std::uint8_t>(device());
  }
  return key;
}

base::Status fill_new(const std::string& path, base::WallTime now) {
  TRY_ASSIGN(Connection connection, Connection::open(path, OpenMode::create));
  TRY(connection.execute("PRAGMA synchronous = FULL"));
  TRY(connection.reserve_page_checksums());
  TRY(connection.execute(schema_sql()));
  const base::Digest key = random_key();
  TRY_ASSIGN(
      Statement insert,
      connection.prepare(
          "INSERT INTO run (one, key, created_at, facts, content) VALUES (1, ?1, ?2, 0, 0)"));
  insert.bind_blob(1, blob_of(key));
  insert.bind(2, static_cast<std::int64_t>(now.time_since_epoch().count()));
  TRY(insert.run());
  return connection.execute("PRAGMA journal_mode = WAL");
}

base::Status create(const std::string& run_directory, base::WallTime now) {
  const std::string path = ledger_path(run_directory);
  const std::string fresh = path + ".new";
  for (const std::string_view suffix : {"", "-journal", "-wal", "-shm"}) {
    // Left by a start that was killed here; it never held a fact.
    std::error_code ignored;
    fs::remove(fresh + std::string(suffix), ignored);
  }
  TRY(fill_new(fresh, now));
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    return base::io_error(fmt::format("cannot rename {} to {}", fresh, path), errno);
  }
  return sync_directory(run_directory);
}

/// What can be seen before SQLite touches the file.
base::Status check_presence(const std::string& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    return damaged(path, "not a regular file");
  }
  if (size_of(path) == 0) {
    return damaged(path, "the file is empty, a ledger never is");
  }
  return {};
}

/// What SQLite's check found. Where it could not read a page, that is what there is to say.
base::Error found_by_check(std::string_view verdict) {
  constexpr std::string_view kCode = "error code=";
  int code = 0;
  if (const std::size_t at = verdict.find(kCode); at != std::string_view::npos) {
    const std::string_view digits = verdict.substr(at + kCode.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), code);
  }
  if (code != 0) {
    return sqlite_error(nullptr, code, "a check of the whole file");
  }
  return {.remedy = base::Remedy::fail_campaign,
          .code = base::ErrorCode::integrity,
          .message = std::string(verdict)};
}

base::Status check_whole(Connection& connection, const std::string& path) {
  if (size_of(path + "-wal") == 0) {
    TRY_ASSIGN(const std::int64_t pages, connection.integer("PRAGMA page_count"));
    TRY_ASSIGN(const std::int64_t page_bytes, connection.integer("PRAGMA page_size"));
    if (size_of(path) <
        static_cast<std::uintmax_t>(pages) * static_cast<std::uintmax_t>(page_bytes)) {
      return base::failure(
          base::Remedy::fail_campaign, base::ErrorCode::integrity, "the file is cut off");
    }
  }
  if (size_of(path) > kCheckOnOpenBytes) {
    return {};
  }
  TRY_ASSIGN(Statement check, connection.prepare("PRAGMA quick_check(1)"));
  TRY_ASSIGN(const bool row, check.step());
  const std::string_view verdict = row ? check.bytes(0) : "no answer";
  if (verdict != "ok") {
    return std::unexpected(found_by_check(verdict));
  }
  return {};
}

/// Corruption and foreign files keep their code, but say which file it is and that it was left
/// alone.
base::Error named(base::Error error, const std::string& path) {
  if (error.code == base::ErrorCode::integrity) {
    return damaged(path, error.message).error();
  }
  return base::with_context(std::move(error), path);
}

/// Copies the log that a killed run left into the file and empties it: torn ends of it and pages
/// torn while it was being copied are then history. A reader in the middle of a snapshot may
/// prevent it; then the log is copied later.
base::Status take_in_log(Connection& connection, const std::string& path) {
  if (size_of(path + "-wal") == 0) {
    return {};
  }
  connection.wait_for_others(std::chrono::milliseconds(0));
  auto copied = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  connection.wait_for_others(kPatience);
  return copied || copied.error().code == base::ErrorCode::locked ? base::Status() : copied;
}

base::Status prepare_writer(Connection& connection, const std::string& path, int log_pages) {
  TRY_ASSIGN(const std::int64_t version, check_identity(connection));
  TRY(check_whole(connection, path));
  TRY(connection.execute(
      fmt::format("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                  "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;"
                  "PRAGMA wal_autocheckpoint = {}; PRAGMA cache_size = -{};",
                  log_pages,
                  kWriterCacheKiB)));
  TRY(take_in_log(connection, path));
  return migrate(connection, version);
}

base::Status prepare_reader(Connection& connection, const ReadOptions& options) {
  TRY_ASSIGN(const std::int64_t version, check_identity(connection));
  TRY(connection.execute("PRAGMA temp_store = MEMORY"));
  TRY(read_as_current(connection, version));
  TRY(connection.execute(
      fmt::format("PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA cache_size = -{}",
                  options.cache_bytes / 1024)));
  return add_functions(connection);
}

/// Holds a run's lock together with other readers while it lives: then nobody writes.
class AtRest {
 public:
  /// nullopt: somebody writes.
  [[nodiscard]] static std::optional<AtRest> hold(const std::string& run_directory) {
    const std::string lock = run_directory + "/lock";
    AtRest held(::open(lock.c_str(), O_RDONLY | O_CLOEXEC));
    if (held.descriptor_ >= 0 && ::flock(held.descriptor_, LOCK_SH | LOCK_NB) != 0) {
      return std::nullopt;
    }
    return held;
  }

  ~AtRest() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
  }

  AtRest(AtRest&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

  AtRest(const AtRest&) = delete;
  AtRest& operator=(const AtRest&) = delete;
  AtRest& operator=(AtRest&&) = delete;

 private:
  explicit AtRest(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

/// Somebody holds the run's lock, by the kernel's list of locks: asked without taking it, so that
/// no run is refused because somebody reads. False also where the list cannot tell.
bool is_being_written(const std::string& run_directory) {
  struct stat lock{};
  if (::stat((run_directory + "/lock").c_str(), &lock) != 0) {
    return false;
  }
  // proc_locks(5): "1: FLOCK  ADVISORY  WRITE 3545 08:01:1234 0 EOF"
  const std::string file =
      fmt::format(" {:02x}:{:02x}:{} ", major(lock.st_dev), minor(lock.st_dev), lock.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    if (line.contains(file) && line.contains(" FLOCK ") && line.contains(" WRITE ") &&
        !line.contains("->")) {
      return true;
    }
  }
  return false;
}

/// A WAL that looks damaged may only be one that is being written. To read all of one that grows is
/// work in vain.
base::Status check_wal_at_rest(const std::string& run_directory) {
  const std::string path = ledger_path(run_directory);
  if (is_being_written(run_directory)) {
    return {};
  }
  if (check_wal(path) || !AtRest::hold(run_directory).has_value()) {
    return {};
  }
  // A writer that wrote then may have ended since.
  return check_wal(path);
}

/// Reads where nobody writes.
base::Result<Connection> open_alone(const std::string& path,
                                    OpenMode mode,
                                    const ReadOptions& options) {
  TRY_ASSIGN(Connection alone, Connection::open(path, mode));
  if (auto read = prepare_reader(alone, options); !read) {
    return std::unexpected(named(std::move(read).error(), path));
  }
  return alone;
}

}  // namespace

std::string ledger_path(const std::string& run_directory) {
  return run_directory + "/ledger.db";
}

base::Status make_run_directory(const std::string& run_directory) {
  std::error_code error;
  if (fs::is_directory(run_directory, error)) {
    return {};
  }
  fs::path directory = fs::absolute(run_directory, error);
  if (!directory.has_filename()) {
    directory = directory.parent_path();  // "runs/a/"
  }
  const fs::path parent = directory.parent_path();
  fs::create_directories(parent, error);
  if (error) {
    return base::io_error(fmt::format("cannot create {}", parent.string()), error.value());
  }
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return base::io_error(fmt::format("cannot create {}", run_directory), errno);
  }
  return sync_directory(parent.string());
}

base::Result<Connection> open_or_create(const std::string& run_directory,
                                        base::WallTime now,
                                        int log_pages) {
  const std::string path = ledger_path(run_directory);
  if (!exists(path)) {
    if (size_of(path + "-wal") > 0) {
      return damaged(path, "the file is missing, but its write-ahead log is there");
    }
    TRY(create(run_directory, now));
  }
  TRY(check_presence(path));
  if (auto intact = check_wal(path); !intact) {
    return damaged(path, intact.error().message);
  }
  TRY_ASSIGN(Connection connection, Connection::open(path, OpenMode::read_write));
  if (auto ready = prepare_writer(connection, path, log_pages); !ready) {
    return std::unexpected(named(std::move(ready).error(), path));
  }
  return connection;
}

base::Result<Connection> open_to_read(const std::string& run_directory,
                                      const ReadOptions& options) {
  const std::string path = ledger_path(run_directory);
  if (!exists(path)) {
    return base::failure(
        base::Remedy::bad_input,
        base::ErrorCode::not_found,
        fmt::format("{} is no run directory: it holds no ledger.db", run_directory));
  }
  TRY(check_presence(path));
  if (auto intact = check_wal_at_rest(run_directory); !intact) {
    return damaged(path, intact.error().message);
  }
  const bool has_log = size_of(path + "-wal") > 0;
  if (options.leaves_index && has_log && AtRest::hold(run_directory).has_value()) {
    return open_alone(path, OpenMode::at_rest, options);
  }
  TRY_ASSIGN(Connection shared, Connection::open(path, OpenMode::read_only));
  auto ready = prepare_reader(shared, options);
  if (ready) {
    return shared;
  }
  // In a directory that we cannot write SQLite cannot make the shared memory that a log needs. A
  // ledger at rest needs none.
  const std::optional<AtRest> at_rest =
      ready.error().code == base::ErrorCode::io ? AtRest::hold(run_directory) : std::nullopt;
  if (!at_rest.has_value()) {
    return std::unexpected(named(std::move(ready).error(), path));
  }
  return open_alone(path, has_log ? OpenMode::at_rest : OpenMode::immutable, options);
}

base::Result<std::optional<WalReport>> examine_log(const std::string& run_directory) {
  const std::optional<AtRest> at_rest = AtRest::hold(run_directory);
  if (!at_rest.has_value()) {
    return std::nullopt;
  }
  return examine_wal(ledger_path(run_directory));
}

}  // namespace sortie::ledger
