#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include <sqlite3.h>

namespace sortie::ledger {

enum class Fault : std::uint8_t {
  none,
  full,         // from then on no write makes a file longer; the first may be cut short
  write_error,  // from then on every write fails
  sync_error,
  read_error,
  open_error,  // files cannot be opened any more
  power_cut,   // nothing happens any more; leave() makes what a disk might hold then
};

/// A disk below SQLite that fails on command, for tests: it is SQLite's default VFS while it lives,
/// one at a time. It stands over the real file system and below the ledger's own layer.
class FaultyDisk {
 public:
  FaultyDisk();
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  /// The fault happens at the `at`-th operation from now on that it can happen to, from 1.
  void arm(Fault fault, std::uint64_t at, std::uint32_t seed = 1);

  /// Mended.
  void disarm() { arm(Fault::none, 0); }

  /// Operations since it was armed: of the kind that the fault can happen to, or, for `none` and
  /// `power_cut`, all that change the disk.
  [[nodiscard]] std::uint64_t operations() const { return operations_; }

  [[nodiscard]] bool happened() const { return happened_; }

  [[nodiscard]] Fault fault() const { return fault_; }

  /// After a power cut: writes into `to` what may be left of the files in `from`. What was synced
  /// is whole. Of each later write all may be there, or nothing, or some sectors, one of them in
  /// part; a file that was never synced may be missing.
  void leave(const std::string& from, const std::string& to);

  // --- For the methods of its files

  struct Change {
    std::uint64_t offset = 0;  // or the new size
    std::string bytes;
    bool truncates = false;
  };

  struct Tracked {
    bool there = false;  // for certain
    std::string synced;
    std::vector<Change> later;
  };

  enum class Operation : std::uint8_t { read, write, extend, sync, truncate, open, remove };

  /// Whether this operation fails, and thereby counts it.
  [[nodiscard]] bool fails(Operation operation);
  void opened(const std::string& path);
  void changed(const std::string& path, Change change);
  void synced(const std::string& path);
  void removed(const std::string& path);
  [[nodiscard]] std::size_t part_of(std::size_t bytes);

  [[nodiscard]] sqlite3_vfs* real() const { return real_; }

 private:
  [[nodiscard]] bool concerns(Operation operation) const;
  void keep_some(const Change& change, std::string& content);

  sqlite3_vfs vfs_{};
  sqlite3_vfs* real_;
  mutable std::mutex mutex_;
  std::mt19937 random_{1};
  Fault fault_ = Fault::none;
  std::uint64_t at_ = 0;
  std::uint64_t operations_ = 0;
  bool happened_ = false;
  std::map<std::string, Tracked> files_;
};

}  // namespace sortie::ledger
