#pragma once

#include "sortie/base/error.h"
#include "sortie/ledger/page_checksum.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

// A layer of SQLite over its default VFS (https://www.sqlite.org/vfs.html): databases with 8
// reserved bytes a page get a checksum in each page that is written, and no page is read whose
// checksum is wrong. All other files pass through. The write-ahead log has SQLite's own checksums.

namespace sortie::ledger {

/// The name to open databases with. Registers the layer on first use. It looks up the default VFS
/// whenever a file is opened. A damaged page ends the statement with SQLITE_IOERR_DATA.
[[nodiscard]] const char* page_vfs();

/// The same for a file that nobody writes and whose directory may not be writable: no locks, no
/// shared memory. The caller proves that nobody writes, and sets `locking_mode = EXCLUSIVE` before
/// the first read.
[[nodiscard]] const char* page_vfs_at_rest();

/// A database's bytes, as they are on disk. Opened by SQLite's VFS, because a descriptor of our own
/// would drop this process's locks on the file when it is closed.
class RawFile {
 public:
  /// For reading. Errors: io.
  [[nodiscard]] static base::Result<RawFile> open(const std::string& path);
  ~RawFile();
  RawFile(RawFile&& other) noexcept;
  RawFile& operator=(RawFile&& other) noexcept;
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  [[nodiscard]] base::Result<std::uint64_t> size() const;

  /// Fills `into`, with zeros where the file has ended. Errors: io.
  [[nodiscard]] base::Status read(std::uint64_t offset, MutablePage into) const;

 private:
  struct State;
  explicit RawFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sortie::ledger
