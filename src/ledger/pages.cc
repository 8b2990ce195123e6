#include "sortie/ledger/pages.h"

#include "sortie/base/error.h"
#include "sortie/ledger/page_checksum.h"
#include "sortie/ledger/schema.h"
#include "sortie/ledger/vfs.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sortie::ledger {

namespace {

constexpr std::size_t kReservedOffset = 20;
constexpr std::uint64_t kPagesAtOnce = 256;

// A page may be read while the writer copies it out of the log. That takes microseconds.
constexpr int kReadings = 20;

using OnePage = std::array<std::uint8_t, kPageBytes>;

/// A file whose header denies checksums has them if its first page fits one that admits them.
base::Result<bool> should_have_checksums(const RawFile& file) {
  OnePage page{};
  TRY(file.read(0, page));
  if (has_page_checksums(page)) {
    return true;
  }
  page[kReservedOffset] = kPageChecksumBytes;
  return examine_page(page) == PageState::good;
}

base::Result<bool> stays_damaged(const RawFile& file, std::uint64_t offset) {
  OnePage page{};
  for (int reading = 0; reading < kReadings; ++reading) {
    TRY(file.read(offset, page));
    if (examine_page(page) != PageState::damaged) {
      return false;
    }
  }
  return true;
}

base::Status examine(const RawFile& file, PageReport& report) {
  std::vector<std::uint8_t> bytes(kPagesAtOnce * kPageBytes);
  for (std::uint64_t first = 0; first < report.pages; first += kPagesAtOnce) {
    const std::uint64_t pages = std::min(kPagesAtOnce, report.pages - first);
    const MutablePage read(bytes.data(), static_cast<std::size_t>(pages) * kPageBytes);
    TRY(file.read(first * kPageBytes, read));
    for (std::uint64_t i = 0; i < pages; ++i) {
      const auto state =
          examine_page(read.subspan(static_cast<std::size_t>(i) * kPageBytes, kPageBytes));
      report.unsigned_pages += state == PageState::bare ? 1 : 0;
      if (state != PageState::damaged) {
        continue;
      }
      TRY_ASSIGN(const bool damaged, stays_damaged(file, (first + i) * kPageBytes));
      if (damaged) {
        report.damaged.push_back(static_cast<std::uint32_t>(first + i + 1));
      }
    }
  }
  return {};
}

}  // namespace

base::Result<PageReport> examine_pages(const std::string& path) {
  TRY_ASSIGN(const RawFile file, RawFile::open(path));
  TRY_ASSIGN(const std::uint64_t bytes, file.size());
  PageReport report;
  report.pages = bytes / kPageBytes;
  report.left_bytes = bytes % kPageBytes;
  TRY_ASSIGN(report.has_checksums, should_have_checksums(file));
  if (report.has_checksums) {
    TRY(examine(file, report));
  }
  return report;
}

}  // namespace sortie::ledger
