#include "sortie/ledger/wal.h"

#include "sortie/base/error.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <fstream>
#include <ios>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::ledger {

namespace {

// https://www.sqlite.org/fileformat2.html#the_write_ahead_log
constexpr std::size_t kHeaderBytes = 32;
constexpr std::size_t kFrameHeaderBytes = 24;
constexpr std::uint32_t kMagic = 0x377F0682;  // | 1: checksums over big-endian words
constexpr std::uint32_t kFormat = 3007000;

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

std::unexpected<base::Error> damaged(std::string message) {
  return base::failure(base::Remedy::fail_campaign, base::ErrorCode::integrity, std::move(message));
}

bool read_exactly(std::ifstream& file, std::span<std::uint8_t> into) {
  file.read(reinterpret_cast<char*>(into.data()), static_cast<std::streamsize>(into.size()));
  return file.gcount() == static_cast<std::streamsize>(into.size());
}

/// A frame of this log, even if one byte of its salt is damaged. Frames of earlier logs differ in
/// the random half.
bool same_log(Bytes salt, const Header& header) {
  std::size_t differing = 0;
  for (std::size_t i = 0; i < header.salt.size(); ++i) {
    differing += salt[i] != header.salt[i] ? 1 : 0;
  }
  return differing <= 1;
}

base::Status check_frames(std::ifstream& file, Header header) {
  std::vector<std::uint8_t> frame(kFrameHeaderBytes + header.page_bytes);
  std::uint64_t number = 0;
  std::uint64_t first_bad = 0;
  int commits_lost = 0;
  while (read_exactly(file, frame)) {
    ++number;
    const Bytes bytes(frame);
    if (first_bad == 0) {
      header.sum.add(bytes.first(8));
      header.sum.add(bytes.subspan(kFrameHeaderBytes));
      if (std::ranges::equal(bytes.subspan(8, 8), header.salt) && header.sum.equals(bytes, 16) &&
          big_endian(bytes, 0) != 0) {
        continue;
      }
      first_bad = number;
    }
    const bool commit = big_endian(bytes, 4) != 0;
    commits_lost += commit && same_log(bytes.subspan(8, 8), header) ? 1 : 0;
  }
  if (commits_lost >= 2) {
    return damaged(
        fmt::format("the write-ahead log is damaged at frame {}, with {} commits behind it",
                    first_bad,
                    commits_lost));
  }
  return {};
}

}  // namespace

base::Status check_wal(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error || size <= kHeaderBytes) {
    return {};  // no frame, nothing to lose
  }
  std::ifstream file(path, std::ios::binary);
  std::array<std::uint8_t, kHeaderBytes> bytes{};
  if (!file || !read_exactly(file, bytes)) {
    return base::failure(
        base::Remedy::fail_campaign, base::ErrorCode::io, fmt::format("cannot read {}", path));
  }
  const Header header = read_header(bytes);
  if (header.valid) {
    return check_frames(file, header);
  }
  std::array<std::uint8_t, 512> next{};
  // A power cut can leave a length without data: zeros that were never synced.
  if (all_zero(bytes) && read_exactly(file, next) && all_zero(next)) {
    return {};
  }
  return damaged("the header of the write-ahead log is damaged, with frames behind it");
}

}  // namespace sortie::ledger
