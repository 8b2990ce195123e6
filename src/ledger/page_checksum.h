#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

// The checksum in the last 8 bytes of every page of a ledger (docs/design/ledger.md, *Checksums*).
// It is that of SQLite's own cksumvfs extension, so that other programs can check it.

namespace sortie::ledger {

/// Bytes that SQLite reserves at the end of each page. A file with another number has no page
/// checksums.
inline constexpr std::size_t kPageChecksumBytes = 8;

/// A whole page of a database: a power of two of bytes, 512 to 65,536.
using Page = std::span<const std::uint8_t>;
using MutablePage = std::span<std::uint8_t>;

enum class PageState : std::uint8_t {
  good,
  bare,  // zeros stand where the checksum would: nobody wrote one
  damaged,
};

/// Whether a page is what was written. Any change confined to four neighbouring aligned bytes shows
/// for certain, any other with a probability of 1 − 2^-64.
[[nodiscard]] PageState examine_page(Page page);

/// Puts the checksum into the last 8 bytes.
void sign_page(MutablePage page);

/// Puts zeros there. What SQLite holds in memory carries none, so that a page that another program
/// copies out of the log says that nobody has signed it.
void unsign_page(MutablePage page);

/// The size of a database's pages, from its first 100 bytes: 0 unless it is a power of two in
/// range.
[[nodiscard]] std::size_t page_bytes_of(Page header);

/// Whether these first 100 bytes are those of a database with page checksums.
[[nodiscard]] bool has_page_checksums(Page header);

}  // namespace sortie::ledger
