#include "sortie/ledger/vfs.h"

#include "sortie/base/error.h"
#include "sortie/ledger/page_checksum.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

namespace sortie::ledger {

namespace {

constexpr std::size_t kHeaderBytes = 100;

/// What SQLite allocates for an open file.
struct PageFile {
  sqlite3_file base;    // first, so that SQLite can call its methods
  sqlite3_file* below;  // of the default VFS; on the heap, since the default may change
  bool is_database;
  std::size_t page_bytes;  // 0: no page checksums
};

PageFile& self(sqlite3_file* file) {
  return *reinterpret_cast<PageFile*>(file);
}

sqlite3_file* below(sqlite3_file* file) {
  return self(file).below;
}

const sqlite3_io_methods& methods(sqlite3_file* file) {
  return *below(file)->pMethods;
}

sqlite3_vfs* default_vfs() {
  return sqlite3_vfs_find(nullptr);
}

/// A part of a file that is a whole page with a checksum.
bool is_page(const PageFile& file, int amount, sqlite3_int64 offset) {
  return file.page_bytes > 0 && static_cast<std::size_t>(amount) == file.page_bytes &&
         static_cast<std::size_t>(offset) % file.page_bytes == 0;
}

void learn_from_header(PageFile& file, Page header) {
  file.page_bytes = has_page_checksums(header) ? page_bytes_of(header) : 0;
}

// --- Methods of an open file

int file_close(sqlite3_file* file) {
  PageFile& own = self(file);
  const int code = own.below->pMethods != nullptr ? methods(file).xClose(own.below) : SQLITE_OK;
  ::operator delete(own.below);
  own.below = nullptr;
  return code;
}

int file_read(sqlite3_file* file, void* data, int amount, sqlite3_int64 offset) {
  const int code = methods(file).xRead(below(file), data, amount, offset);
  if (code != SQLITE_OK || !is_page(self(file), amount, offset)) {
    return code;
  }
  const MutablePage page(static_cast<std::uint8_t*>(data), static_cast<std::size_t>(amount));
  if (examine_page(page) == PageState::damaged) {
    return SQLITE_IOERR_DATA;
  }
  unsign_page(page);
  return SQLITE_OK;
}

int file_write(sqlite3_file* file, const void* data, int amount, sqlite3_int64 offset) {
  PageFile& own = self(file);
  const Page page(static_cast<const std::uint8_t*>(data), static_cast<std::size_t>(amount));
  if (own.is_database && offset == 0 && page.size() >= kHeaderBytes) {
    learn_from_header(own, page);
  }
  if (!is_page(own, amount, offset)) {
    return methods(file).xWrite(own.below, data, amount, offset);
  }
  std::array<std::uint8_t, 65536> copy;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled
  std::ranges::copy(page, copy.begin());
  sign_page(MutablePage(copy).first(page.size()));
  return methods(file).xWrite(own.below, copy.data(), amount, offset);
}

int file_truncate(sqlite3_file* file, sqlite3_int64 size) {
  return methods(file).xTruncate(below(file), size);
}

int file_sync(sqlite3_file* file, int flags) {
  return methods(file).xSync(below(file), flags);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return methods(file).xFileSize(below(file), size);
}

int file_lock(sqlite3_file* file, int level) {
  return methods(file).xLock(below(file), level);
}

int file_unlock(sqlite3_file* file, int level) {
  return methods(file).xUnlock(below(file), level);
}

int file_check_reserved(sqlite3_file* file, int* reserved) {
  return methods(file).xCheckReservedLock(below(file), reserved);
}

int no_lock(sqlite3_file* /*file*/, int /*level*/) {
  return SQLITE_OK;
}

int none_reserved(sqlite3_file* /*file*/, int* reserved) {
  *reserved = 0;
  return SQLITE_OK;
}

int file_control(sqlite3_file* file, int operation, void* argument) {
  return methods(file).xFileControl(below(file), operation, argument);
}

int file_sector_size(sqlite3_file* file) {
  return methods(file).xSectorSize(below(file));
}

int file_characteristics(sqlite3_file* file) {
  return methods(file).xDeviceCharacteristics(below(file));
}

int file_shm_map(sqlite3_file* file, int region, int bytes, int extend, volatile void** memory) {
  return methods(file).xShmMap(below(file), region, bytes, extend, memory);
}

int file_shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return methods(file).xShmLock(below(file), offset, count, flags);
}

void file_shm_barrier(sqlite3_file* file) {
  methods(file).xShmBarrier(below(file));
}

int file_shm_unmap(sqlite3_file* file, int remove) {
  return methods(file).xShmUnmap(below(file), remove);
}

// Version 2: with shared memory for the log, without mapping the file into memory, which would go
// past the checksums.
constexpr sqlite3_io_methods kMethods = {2,
                                         file_close,
                                         file_read,
                                         file_write,
                                         file_truncate,
                                         file_sync,
                                         file_size,
                                         file_lock,
                                         file_unlock,
                                         file_check_reserved,
                                         file_control,
                                         file_sector_size,
                                         file_characteristics,
                                         file_shm_map,
                                         file_shm_lock,
                                         file_shm_barrier,
                                         file_shm_unmap,
                                         nullptr,
                                         nullptr};

// Version 1: without shared memory.
constexpr sqlite3_io_methods kMethodsAtRest = {1,
                                               file_close,
                                               file_read,
                                               file_write,
                                               file_truncate,
                                               file_sync,
                                               file_size,
                                               no_lock,
                                               no_lock,
                                               none_reserved,
                                               file_control,
                                               file_sector_size,
                                               file_characteristics,
                                               nullptr,
                                               nullptr,
                                               nullptr,
                                               nullptr,
                                               nullptr,
                                               nullptr};

// --- Methods of the VFS

/// An unopened file of the default VFS; null without memory.
sqlite3_file* allocate(const sqlite3_vfs& vfs) {
  const auto bytes = static_cast<std::size_t>(vfs.szOsFile);
  void* memory = ::operator new(bytes, std::nothrow);
  if (memory != nullptr) {
    std::memset(memory, 0, bytes);
  }
  return static_cast<sqlite3_file*>(memory);
}

int vfs_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  sqlite3_vfs* const other = default_vfs();
  PageFile& own = self(file);
  own = {.base = {.pMethods = nullptr},
         .below = allocate(*other),
         .is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0,
         .page_bytes = 0};
  if (own.below == nullptr) {
    return SQLITE_NOMEM;
  }
  const int code = other->xOpen(other, name, own.below, flags, flags_out);
  if (code != SQLITE_OK) {
    // SQLite closes only files that have methods.
    static_cast<void>(file_close(file));
    return code;
  }
  file->pMethods = static_cast<const sqlite3_io_methods*>(vfs->pAppData);
  std::array<std::uint8_t, kHeaderBytes> header{};
  if (own.is_database &&
      methods(file).xRead(own.below, header.data(), kHeaderBytes, 0) == SQLITE_OK) {
    learn_from_header(own, header);
  }
  return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* /*vfs*/, const char* name, int sync_directory) {
  sqlite3_vfs* const other = default_vfs();
  return other->xDelete(other, name, sync_directory);
}

int vfs_access(sqlite3_vfs* /*vfs*/, const char* name, int flags, int* result) {
  sqlite3_vfs* const other = default_vfs();
  return other->xAccess(other, name, flags, result);
}

int vfs_full_path(sqlite3_vfs* /*vfs*/, const char* name, int bytes, char* out) {
  sqlite3_vfs* const other = default_vfs();
  return other->xFullPathname(other, name, bytes, out);
}

int vfs_randomness(sqlite3_vfs* /*vfs*/, int bytes, char* out) {
  sqlite3_vfs* const other = default_vfs();
  return other->xRandomness(other, bytes, out);
}

int vfs_sleep(sqlite3_vfs* /*vfs*/, int microseconds) {
  sqlite3_vfs* const other = default_vfs();
  return other->xSleep(other, microseconds);
}

int vfs_current_time(sqlite3_vfs* /*vfs*/, double* now) {
  sqlite3_vfs* const other = default_vfs();
  return other->xCurrentTime(other, now);
}

int vfs_last_error(sqlite3_vfs* /*vfs*/, int bytes, char* out) {
  sqlite3_vfs* const other = default_vfs();
  return other->xGetLastError(other, bytes, out);
}

int vfs_current_time_int64(sqlite3_vfs* /*vfs*/, sqlite3_int64* now) {
  sqlite3_vfs* const other = default_vfs();
  return other->xCurrentTimeInt64(other, now);
}

/// Registers itself, never as the default, and stays until the process ends.
class Registered {
 public:
  Registered(const char* name, const sqlite3_io_methods& methods) {
    vfs_.iVersion = 2;
    vfs_.szOsFile = sizeof(PageFile);
    vfs_.mxPathname = default_vfs()->mxPathname;
    vfs_.zName = name;
    // SQLite never looks at it; vfs_open() takes it back as what it was.
    vfs_.pAppData = const_cast<sqlite3_io_methods*>(&methods);
    vfs_.xOpen = vfs_open;
    vfs_.xDelete = vfs_delete;
    vfs_.xAccess = vfs_access;
    vfs_.xFullPathname = vfs_full_path;
    // No extension is loaded through a ledger's connection: no xDlOpen and its kin.
    vfs_.xRandomness = vfs_randomness;
    vfs_.xSleep = vfs_sleep;
    vfs_.xCurrentTime = vfs_current_time;
    vfs_.xGetLastError = vfs_last_error;
    vfs_.xCurrentTimeInt64 = vfs_current_time_int64;
    sqlite3_vfs_register(&vfs_, 0);
  }

  [[nodiscard]] const char* name() const { return vfs_.zName; }

 private:
  sqlite3_vfs vfs_{};
};

base::Status io_failure(const std::string& path, int code) {
  return base::failure(base::Remedy::fail_campaign,
                       base::ErrorCode::io,
                       fmt::format("cannot read {}: {}", path, sqlite3_errstr(code)));
}

}  // namespace

const char* page_vfs() {
  static const Registered registered("sortie", kMethods);
  return registered.name();
}

const char* page_vfs_at_rest() {
  static const Registered registered("sortie-at-rest", kMethodsAtRest);
  return registered.name();
}

// --- RawFile

struct RawFile::State {
  explicit State(std::string chosen)
      : path(std::move(chosen)),
        name(sqlite3_create_filename(path.c_str(), "", "", 0, nullptr)),
        file(allocate(*default_vfs())) {}

  ~State() {
    if (file != nullptr && file->pMethods != nullptr) {
      file->pMethods->xClose(file);
    }
    ::operator delete(file);
    sqlite3_free_filename(const_cast<char*>(name));
  }

  State(const State&) = delete;
  State& operator=(const State&) = delete;

  std::string path;
  const char* name;  // the VFS keeps it
  sqlite3_file* file;
};

RawFile::RawFile(std::unique_ptr<State> state) : state_(std::move(state)) {}

RawFile::~RawFile() = default;
RawFile::RawFile(RawFile&& other) noexcept = default;
RawFile& RawFile::operator=(RawFile&& other) noexcept = default;

base::Result<RawFile> RawFile::open(const std::string& path) {
  auto state = std::make_unique<State>(path);
  int code = SQLITE_NOMEM;
  if (state->name != nullptr && state->file != nullptr) {
    sqlite3_vfs* const vfs = default_vfs();
    code = vfs->xOpen(
        vfs, state->name, state->file, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, nullptr);
  }
  if (code != SQLITE_OK) {
    return std::unexpected(io_failure(path, code).error());
  }
  return RawFile(std::move(state));
}

base::Result<std::uint64_t> RawFile::size() const {
  sqlite3_int64 bytes = 0;
  const int code = state_->file->pMethods->xFileSize(state_->file, &bytes);
  if (code != SQLITE_OK) {
    return std::unexpected(io_failure(state_->path, code).error());
  }
  return static_cast<std::uint64_t>(bytes);
}

base::Status RawFile::read(std::uint64_t offset, MutablePage into) const {
  const int code = state_->file->pMethods->xRead(
      state_->file, into.data(), static_cast<int>(into.size()), static_cast<sqlite3_int64>(offset));
  return code == SQLITE_OK || code == SQLITE_IOERR_SHORT_READ ? base::Status()
                                                              : io_failure(state_->path, code);
}

}  // namespace sortie::ledger
