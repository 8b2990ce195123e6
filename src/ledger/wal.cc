#include "sortie/ledger/wal.h"

#include "sortie/base/error.h"
#include "sortie/ledger/index_file.h"
#include "sortie/ledger/page_checksum.h"
#include "sortie/ledger/vfs.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <fstream>
#include <ios>
#include <map>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::ledger {

namespace {

// https://www.sqlite.org/fileformat2.html#the_write_ahead_log and walformat.html
constexpr std::size_t kHeaderBytes = 32;
constexpr std::size_t kFrameHeaderBytes = 24;
constexpr std::uint32_t kMagic = 0x377F0682;  // | 1: checksums over big-endian words
constexpr std::uint32_t kFormat = 3007000;

constexpr std::size_t kIndexHeaderBytes = 48;

using Bytes = std::span<const std::uint8_t>;

std::uint32_t big_endian(Bytes bytes, std::size_t offset) {
  return (std::uint32_t{bytes[offset]} << 24U) | (std::uint32_t{bytes[offset + 1]} << 16U) |
         (std::uint32_t{bytes[offset + 2]} << 8U) | std::uint32_t{bytes[offset + 3]};
}

std::uint32_t little_endian(Bytes bytes, std::size_t offset) {
  return (std::uint32_t{bytes[offset + 3]} << 24U) | (std::uint32_t{bytes[offset + 2]} << 16U) |
         (std::uint32_t{bytes[offset + 1]} << 8U) | std::uint32_t{bytes[offset]};
}

/// The running checksum of headers and frames.
struct Sum {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  bool big = false;

  void add(Bytes bytes) {
    for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
      first += (big ? big_endian(bytes, i) : little_endian(bytes, i)) + second;
      second += (big ? big_endian(bytes, i + 4) : little_endian(bytes, i + 4)) + first;
    }
  }

  [[nodiscard]] bool equals(Bytes bytes, std::size_t offset) const {
    return first == big_endian(bytes, offset) && second == big_endian(bytes, offset + 4);
  }
};

struct Header {
  bool valid = false;
  std::size_t page_bytes = 0;
  std::array<std::uint8_t, 8> salt{};
  Sum sum;
};

Header read_header(Bytes bytes) {
  Header header;
  const std::uint32_t magic = big_endian(bytes, 0);
  header.sum.big = (magic & 1U) != 0;
  header.sum.add(bytes.first(24));
  header.page_bytes = big_endian(bytes, 8);
  std::ranges::copy(bytes.subspan(16, 8), header.salt.begin());
  header.valid = (magic & ~1U) == kMagic && big_endian(bytes, 4) == kFormat &&
                 header.page_bytes >= 512 && header.page_bytes <= 65536 &&
                 header.sum.equals(bytes, 24);
  return header;
}

bool all_zero(Bytes bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

bool read_exactly(std::ifstream& file, std::span<std::uint8_t> into) {
  file.read(reinterpret_cast<char*>(into.data()), static_cast<std::streamsize>(into.size()));
  return file.gcount() == static_cast<std::streamsize>(into.size());
}

using Salt = std::array<std::uint8_t, 8>;

/// A frame of this log, even if one byte of its salt is damaged. Frames of earlier logs differ in
/// the random half.
bool same_log(Bytes salt, const Salt& log) {
  std::size_t differing = 0;
  for (std::size_t i = 0; i < log.size(); ++i) {
    differing += salt[i] != log[i] ? 1 : 0;
  }
  return differing <= 1;
}

/// The frames of a log, in order.
class Frames {
 public:
  Frames(std::ifstream& file, std::size_t page_bytes)
      : file_(file), bytes_(kFrameHeaderBytes + page_bytes) {}

  bool next() {
    ++number_;
    return read_exactly(file_, bytes_);
  }

  [[nodiscard]] std::uint64_t number() const { return number_; }  // from 1

  [[nodiscard]] std::uint32_t page() const { return big_endian(bytes_, 0); }

  [[nodiscard]] bool commits() const { return big_endian(bytes_, 4) != 0; }

  [[nodiscard]] Bytes salt() const { return Bytes(bytes_).subspan(8, 8); }

  [[nodiscard]] Bytes content() const { return Bytes(bytes_).subspan(kFrameHeaderBytes); }

  /// Whether the frame follows one with this sum, which becomes that of the frame.
  bool follows(Sum& sum) const {
    sum.add(Bytes(bytes_).first(8));
    sum.add(content());
    return sum.equals(bytes_, 16) && page() != 0;
  }

  /// The sum as the frame itself says.
  [[nodiscard]] Sum stored(bool big) const {
    return {.first = big_endian(bytes_, 16), .second = big_endian(bytes_, 20), .big = big};
  }

 private:
  std::ifstream& file_;
  std::vector<std::uint8_t> bytes_;
  std::uint64_t number_ = 0;
};

/// Frames of earlier logs, behind the end of this one: nobody reads them, but decay there is decay.
/// Each is proven by the one before it, but for the first of each log.
class OldFrames {
 public:
  void add(const Frames& frames, bool big, WalReport& report) {
    const bool continues = known_ && std::ranges::equal(frames.salt(), salt_);
    if (continues && !frames.follows(sum_) && report.damage.empty()) {
      report.damage = fmt::format(
          "frame {} of the write-ahead log is damaged; it was copied into the file long ago",
          frames.number());
    }
    known_ = true;
    std::ranges::copy(frames.salt(), salt_.begin());
    sum_ = frames.stored(big);
  }

 private:
  bool known_ = false;
  Salt salt_{};
  Sum sum_;
};

void note_torn(std::uint64_t first_bad, int commits_behind, WalReport& report) {
  if (commits_behind >= 2) {
    report.loss = WalLoss::certain;
    report.damage =
        fmt::format("the write-ahead log is damaged at frame {}, with {} commits behind it",
                    first_bad,
                    commits_behind);
  } else {
    report.loss = WalLoss::perhaps;
    report.damage = fmt::format(
        "the write-ahead log is not whole from frame {} on: a commit that was cut off, or damage "
        "to the last one",
        first_bad);
  }
}

WalReport examine_frames(std::ifstream& file, const Header& header) {
  WalReport report;
  Frames frames(file, header.page_bytes);
  OldFrames old;
  Sum sum = header.sum;
  std::vector<std::uint32_t> pages;
  std::uint64_t first_bad = 0;
  int commits_behind = 0;
  bool at_end = false;
  while (frames.next()) {
    if (!at_end && std::ranges::equal(frames.salt(), header.salt) && frames.follows(sum)) {
      report.frames = frames.number();
      pages.push_back(frames.page());
      if (frames.commits()) {
        report.committed = report.frames;
        report.pages.insert(report.pages.end(), pages.begin(), pages.end());
        pages.clear();
      }
      continue;
    }
    at_end = true;
    if (same_log(frames.salt(), header.salt)) {
      first_bad = first_bad == 0 ? frames.number() : first_bad;
      commits_behind += frames.commits() ? 1 : 0;
    } else {
      old.add(frames, header.sum.big, report);
    }
  }
  if (first_bad != 0) {
    note_torn(first_bad, commits_behind, report);
  }
  if (report.committed > 0) {
    report.committed_bytes =
        kHeaderBytes + report.committed * (kFrameHeaderBytes + header.page_bytes);
  }
  std::ranges::sort(report.pages);
  const auto repeated = std::ranges::unique(report.pages);
  report.pages.erase(repeated.begin(), repeated.end());
  return report;
}

/// How many frames the log's index, if one was left behind, says are committed; 0 if it says
/// nothing of this log. It is written after the log was synced.
std::uint64_t committed_by_index(const std::string& path, const Header& header) {
  std::array<std::uint8_t, 2 * kIndexHeaderBytes> bytes{};
  if (!read_index(path, bytes)) {
    return 0;
  }
  const Bytes first = Bytes(bytes).first(kIndexHeaderBytes);
  Sum sum;  // in the machine's byte order, as all numbers of the index
  sum.add(first.first(40));
  const bool whole = std::ranges::equal(first, Bytes(bytes).subspan(kIndexHeaderBytes)) &&
                     sum.first == little_endian(first, 40) &&
                     sum.second == little_endian(first, 44);
  return whole && std::ranges::equal(first.subspan(32, 8), header.salt) ? little_endian(first, 16)
                                                                        : 0;
}

void compare_with_index(std::uint64_t known, WalReport& report) {
  if (known <= report.committed || report.loss == WalLoss::certain) {
    return;
  }
  // A log that only ends too early may have been copied before its index, while it was written.
  const bool torn = report.loss == WalLoss::perhaps;
  report.loss = torn ? WalLoss::certain : WalLoss::perhaps;
  report.damage = fmt::format("the write-ahead log {}: {} frames were committed, {} are whole",
                              torn ? "is damaged" : "is cut off",
                              known,
                              report.committed);
}

/// Whether the database holds all that the frames behind a bad header hold: the pages of the newest
/// log among them, up to its last commit.
base::Result<bool> is_copied(std::ifstream& file, const std::string& database) {
  TRY_ASSIGN(const RawFile pages, RawFile::open(database));
  std::array<std::uint8_t, 100> start{};
  TRY(pages.read(0, start));
  const std::size_t page_bytes = page_bytes_of(start);
  if (page_bytes == 0) {
    return false;
  }
  const std::size_t compared = page_bytes - (has_page_checksums(start) ? kPageChecksumBytes : 0);
  Frames frames(file, page_bytes);
  Salt salt{};
  std::map<std::uint32_t, bool> equal;        // by page, as the newest frame has it
  std::map<std::uint32_t, bool> uncommitted;  // the same, behind the last commit
  std::vector<std::uint8_t> page(page_bytes);
  while (frames.next()) {
    if (frames.number() == 1) {
      std::ranges::copy(frames.salt(), salt.begin());
    } else if (!std::ranges::equal(frames.salt(), salt)) {
      break;
    }
    TRY(pages.read((std::uint64_t{frames.page()} - 1) * page_bytes, page));
    uncommitted[frames.page()] =
        std::ranges::equal(Bytes(page).first(compared), frames.content().first(compared));
    if (frames.commits()) {
      for (const auto& [number, same] : uncommitted) {
        equal[number] = same;
      }
      uncommitted.clear();
    }
  }
  return std::ranges::all_of(equal, [](const auto& entry) { return entry.second; });
}

base::Result<WalReport> examine_without_header(std::ifstream& file, const std::string& database) {
  TRY_ASSIGN(const bool copied, is_copied(file, database));
  WalReport report;
  report.loss = copied ? WalLoss::none : WalLoss::certain;
  report.damage = copied ? "the header of the write-ahead log is damaged; the file holds all that "
                           "is behind it"
                         : "the header of the write-ahead log is damaged, with frames behind it";
  return report;
}

}  // namespace

base::Result<WalReport> examine_wal(const std::string& database) {
  const std::string path = database + "-wal";
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error || size <= kHeaderBytes) {
    return WalReport{};  // no frame, nothing to lose
  }
  std::ifstream file(path, std::ios::binary);
  std::array<std::uint8_t, kHeaderBytes> bytes{};
  if (!file || !read_exactly(file, bytes)) {
    return base::failure(
        base::Remedy::fail_campaign, base::ErrorCode::io, fmt::format("cannot read {}", path));
  }
  const Header header = read_header(bytes);
  if (header.valid) {
    WalReport report = examine_frames(file, header);
    compare_with_index(committed_by_index(database + "-shm", header), report);
    return report;
  }
  std::array<std::uint8_t, 512> next{};
  // A power cut can leave a length without data: zeros that were never synced.
  if (all_zero(bytes) && read_exactly(file, next) && all_zero(next)) {
    return WalReport{};
  }
  file.clear();
  file.seekg(static_cast<std::streamoff>(kHeaderBytes));
  return examine_without_header(file, database);
}

base::Status check_wal(const std::string& database) {
  TRY_ASSIGN(const WalReport report, examine_wal(database));
  if (report.loss == WalLoss::certain) {
    return base::failure(base::Remedy::fail_campaign, base::ErrorCode::integrity, report.damage);
  }
  return {};
}

}  // namespace sortie::ledger
