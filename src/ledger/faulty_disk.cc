#include "sortie/ledger/faulty_disk.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <ios>
#include <iterator>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include <sqlite3.h>

namespace sortie::ledger {

namespace {

using Operation = FaultyDisk::Operation;

constexpr std::size_t kSectorBytes = 512;

struct DiskFile {
  sqlite3_file base;
  FaultyDisk* disk;
  std::string* path;  // null: a temporary file
  sqlite3_file* real;
};

DiskFile& self(sqlite3_file* file) {
  return *reinterpret_cast<DiskFile*>(file);
}

sqlite3_file* real(sqlite3_file* file) {
  return self(file).real;
}

const sqlite3_io_methods& methods(sqlite3_file* file) {
  return *real(file)->pMethods;
}

int disk_close(sqlite3_file* file) {
  const int code = real(file)->pMethods != nullptr ? methods(file).xClose(real(file)) : SQLITE_OK;
  ::operator delete(real(file));
  delete self(file).path;
  return code;
}

int disk_read(sqlite3_file* file, void* data, int amount, sqlite3_int64 offset) {
  if (self(file).disk->fails(Operation::read)) {
    return SQLITE_IOERR_READ;
  }
  return methods(file).xRead(real(file), data, amount, offset);
}

int write_through(sqlite3_file* file, const void* data, int amount, sqlite3_int64 offset) {
  if (self(file).path != nullptr) {
    self(file).disk->changed(
        *self(file).path,
        {.offset = static_cast<std::uint64_t>(offset),
         .bytes = std::string(static_cast<const char*>(data), static_cast<std::size_t>(amount))});
  }
  return methods(file).xWrite(real(file), data, amount, offset);
}

int disk_write(sqlite3_file* file, const void* data, int amount, sqlite3_int64 offset) {
  sqlite3_int64 size = 0;
  static_cast<void>(methods(file).xFileSize(real(file), &size));
  const bool extends = offset + amount > size;
  FaultyDisk& disk = *self(file).disk;
  if (!disk.fails(extends ? Operation::extend : Operation::write)) {
    return write_through(file, data, amount, offset);
  }
  if (disk.fault() != Fault::full) {
    return SQLITE_IOERR_WRITE;
  }
  // What found room stays.
  const auto part = static_cast<int>(disk.part_of(static_cast<std::size_t>(amount)));
  if (part > 0) {
    static_cast<void>(write_through(file, data, part, offset));
  }
  return SQLITE_FULL;
}

int disk_truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (self(file).disk->fails(Operation::truncate)) {
    return SQLITE_IOERR_TRUNCATE;
  }
  if (self(file).path != nullptr) {
    self(file).disk->changed(
        *self(file).path,
        {.offset = static_cast<std::uint64_t>(size), .bytes = {}, .truncates = true});
  }
  return methods(file).xTruncate(real(file), size);
}

int disk_sync(sqlite3_file* file, int /*flags*/) {
  if (self(file).disk->fails(Operation::sync)) {
    return SQLITE_IOERR_FSYNC;
  }
  // What is synced is a matter of this class, not of the real disk.
  if (self(file).path != nullptr) {
    self(file).disk->synced(*self(file).path);
  }
  return SQLITE_OK;
}

int disk_size(sqlite3_file* file, sqlite3_int64* size) {
  return methods(file).xFileSize(real(file), size);
}

int disk_lock(sqlite3_file* file, int level) {
  return methods(file).xLock(real(file), level);
}

int disk_unlock(sqlite3_file* file, int level) {
  return methods(file).xUnlock(real(file), level);
}

int disk_check_reserved(sqlite3_file* file, int* reserved) {
  return methods(file).xCheckReservedLock(real(file), reserved);
}

int disk_control(sqlite3_file* file, int operation, void* argument) {
  return methods(file).xFileControl(real(file), operation, argument);
}

int disk_sector_size(sqlite3_file* file) {
  return methods(file).xSectorSize(real(file));
}

int disk_characteristics(sqlite3_file* file) {
  return methods(file).xDeviceCharacteristics(real(file));
}

int disk_shm_map(sqlite3_file* file, int region, int bytes, int extend, volatile void** memory) {
  return methods(file).xShmMap(real(file), region, bytes, extend, memory);
}

int disk_shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return methods(file).xShmLock(real(file), offset, count, flags);
}

void disk_shm_barrier(sqlite3_file* file) {
  methods(file).xShmBarrier(real(file));
}

int disk_shm_unmap(sqlite3_file* file, int remove) {
  return methods(file).xShmUnmap(real(file), remove);
}

constexpr sqlite3_io_methods kMethods = {2,
                                         disk_close,
                                         disk_read,
                                         disk_write,
                                         disk_truncate,
                                         disk_sync,
                                         disk_size,
                                         disk_lock,
                                         disk_unlock,
                                         disk_check_reserved,
                                         disk_control,
                                         disk_sector_size,
                                         disk_characteristics,
                                         disk_shm_map,
                                         disk_shm_lock,
                                         disk_shm_barrier,
                                         disk_shm_unmap,
                                         nullptr,
                                         nullptr};

FaultyDisk& disk_of(sqlite3_vfs* vfs) {
  return *static_cast<FaultyDisk*>(vfs->pAppData);
}

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  FaultyDisk& disk = disk_of(vfs);
  file->pMethods = nullptr;
  if (disk.fails(Operation::open)) {
    return SQLITE_CANTOPEN;
  }
  const auto bytes = static_cast<std::size_t>(disk.real()->szOsFile);
  auto* below = static_cast<sqlite3_file*>(::operator new(bytes));
  std::memset(static_cast<void*>(below), 0, bytes);
  if (name != nullptr) {
    disk.opened(name);
  }
  self(file) = {.base = {.pMethods = nullptr},
                .disk = &disk,
                .path = name != nullptr ? new std::string(name) : nullptr,
                .real = below};
  const int code = disk.real()->xOpen(disk.real(), name, below, flags, flags_out);
  if (code != SQLITE_OK) {
    static_cast<void>(disk_close(file));
    return code;
  }
  file->pMethods = &kMethods;
  return SQLITE_OK;
}

int remove(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  FaultyDisk& disk = disk_of(vfs);
  if (disk.fails(Operation::remove)) {
    return SQLITE_IOERR_DELETE;
  }
  disk.removed(name);
  return disk.real()->xDelete(disk.real(), name, sync_directory);
}

void overwrite(std::string& content, std::uint64_t offset, std::string_view bytes) {
  if (content.size() < offset + bytes.size()) {
    content.resize(offset + bytes.size());
  }
  content.replace(offset, bytes.size(), bytes);
}

void apply(std::string& content, const FaultyDisk::Change& change) {
  if (change.truncates) {
    content.resize(change.offset);
  } else {
    overwrite(content, change.offset, change.bytes);
  }
}

}  // namespace

FaultyDisk::FaultyDisk() : real_(sqlite3_vfs_find(nullptr)) {
  vfs_ = *real_;
  vfs_.pNext = nullptr;
  vfs_.szOsFile = sizeof(DiskFile);
  vfs_.zName = "faulty-disk";
  vfs_.pAppData = this;
  vfs_.xOpen = open;
  vfs_.xDelete = remove;
  // The others of the real one look at its own pAppData only to open files.
  sqlite3_vfs_register(&vfs_, 1);
}

FaultyDisk::~FaultyDisk() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(real_, 1);
}

void FaultyDisk::arm(Fault fault, std::uint64_t at, std::uint32_t seed) {
  const std::scoped_lock guard(mutex_);
  fault_ = fault;
  at_ = at;
  operations_ = 0;
  happened_ = false;
  random_.seed(seed);
}

bool FaultyDisk::concerns(Operation operation) const {
  switch (fault_) {
    case Fault::full:
      return operation == Operation::extend;
    case Fault::write_error:
      return operation == Operation::write || operation == Operation::extend;
    case Fault::sync_error:
      return operation == Operation::sync;
    case Fault::read_error:
      return operation == Operation::read;
    case Fault::open_error:
      return operation == Operation::open;
    case Fault::none:
      break;
    case Fault::power_cut:
      // From then on, everything.
      return happened_ || (operation != Operation::read && operation != Operation::open);
  }
  return operation != Operation::read && operation != Operation::open;
}

bool FaultyDisk::fails(Operation operation) {
  const std::scoped_lock guard(mutex_);
  if (!concerns(operation)) {
    return false;
  }
  ++operations_;
  if (fault_ == Fault::none || operations_ < at_) {
    return false;
  }
  happened_ = true;
  return true;
}

void FaultyDisk::opened(const std::string& path) {
  const std::scoped_lock guard(mutex_);
  if (files_.contains(path)) {
    return;
  }
  std::ifstream in(path, std::ios::binary);
  files_[path] = {.there = in.is_open(),
                  .synced = std::string(std::istreambuf_iterator<char>(in), {}),
                  .later = {}};
}

void FaultyDisk::changed(const std::string& path, Change change) {
  const std::scoped_lock guard(mutex_);
  files_[path].later.push_back(std::move(change));
}

void FaultyDisk::synced(const std::string& path) {
  const std::scoped_lock guard(mutex_);
  Tracked& file = files_[path];
  for (const Change& change : file.later) {
    apply(file.synced, change);
  }
  file.later.clear();
  file.there = true;
}

void FaultyDisk::removed(const std::string& path) {
  const std::scoped_lock guard(mutex_);
  files_.erase(path);
}

std::size_t FaultyDisk::part_of(std::size_t bytes) {
  const std::scoped_lock guard(mutex_);
  return random_() % bytes;
}

void FaultyDisk::keep_some(const Change& change, std::string& content) {
  const std::uint32_t choice = random_() % 3;
  if (choice == 0) {
    return;
  }
  if (choice == 1 || change.truncates) {
    apply(content, change);
    return;
  }
  bool may_tear = true;
  for (std::size_t at = 0; at < change.bytes.size();) {
    const std::size_t to_boundary = kSectorBytes - (change.offset + at) % kSectorBytes;
    const std::string_view sector = std::string_view(change.bytes).substr(at, to_boundary);
    at += sector.size();
    if (random_() % 2 == 0) {
      continue;
    }
    const bool torn = may_tear && random_() % 4 == 0;
    may_tear = may_tear && !torn;
    overwrite(content,
              change.offset + at - sector.size(),
              sector.substr(0, torn ? random_() % sector.size() : sector.size()));
  }
}

void FaultyDisk::leave(const std::string& from, const std::string& to) {
  const std::scoped_lock guard(mutex_);
  std::filesystem::create_directories(to);
  for (const auto& [path, file] : files_) {
    const std::filesystem::path name(path);
    if (name.parent_path() != from || (!file.there && random_() % 2 == 0)) {
      continue;
    }
    std::string content = file.synced;
    // Often all or nothing was still on its way.
    const std::uint32_t fate = random_() % 4;
    for (const Change& change : file.later) {
      if (fate == 1) {
        apply(content, change);
      } else if (fate > 1) {
        keep_some(change, content);
      }
    }
    std::ofstream(std::filesystem::path(to) / name.filename(), std::ios::binary) << content;
  }
}

}  // namespace sortie::ledger
