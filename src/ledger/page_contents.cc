#include "sortie/ledger/page_contents.h"

#include "sortie/ledger/schema.h"
#include "sortie/ledger/sqlite.h"
#include "sortie/ledger/vfs.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace sortie::ledger {

namespace {

using OnePage = std::array<std::uint8_t, kPageBytes>;

// A page of a table's rows, as https://www.sqlite.org/fileformat2.html#b_tree_pages has it.
constexpr std::uint8_t kTableLeaf = 13;
constexpr std::size_t kFileHeader = 100;  // before the tree's part of page 1
constexpr std::size_t kLeafHeader = 8;

std::size_t two_bytes(const OnePage& page, std::size_t at) {
  return at + 1 < page.size() ? (std::size_t{page[at]} << 8U) | page[at + 1] : page.size();
}

/// A number of 1 to 9 bytes; `at` moves behind it. Nothing where the page ends within it.
std::optional<std::int64_t> varint(const OnePage& page, std::size_t& at) {
  constexpr int kLast = 8;
  std::uint64_t value = 0;
  for (int i = 0; i <= kLast; ++i) {
    if (at >= page.size()) {
      return std::nullopt;
    }
    const std::uint64_t byte = page[at++];
    if (i == kLast) {
      return static_cast<std::int64_t>((value << 8U) | byte);
    }
    value = (value << 7U) | (byte & 0x7FU);
    if ((byte & 0x80U) == 0) {
      break;
    }
  }
  return static_cast<std::int64_t>(value);
}

/// The row id of a cell: behind the size of its payload.
std::optional<std::int64_t> row_id(const OnePage& page, std::size_t tree, std::size_t cell) {
  std::size_t at = two_bytes(page, tree + kLeafHeader + 2 * cell);
  return varint(page, at).has_value() ? varint(page, at) : std::nullopt;
}

/// ", rows 120 to 131", or nothing where the page does not say so.
std::string rows_on(const RawFile& file, std::uint32_t number) {
  OnePage page{};
  if (!file.read(std::uint64_t{number - 1} * kPageBytes, page)) {
    return {};
  }
  const std::size_t tree = number == 1 ? kFileHeader : 0;
  const std::size_t cells = two_bytes(page, tree + 3);
  if (page[tree] != kTableLeaf || cells == 0 || cells > page.size() / 4) {
    return {};
  }
  const auto first = row_id(page, tree, 0);
  const auto last = row_id(page, tree, cells - 1);
  if (!first.has_value() || !last.has_value() || *first < 0 || *last < *first) {
    return {};  // the damage is here
  }
  return *first == *last ? fmt::format(", row {}", *first)
                         : fmt::format(", rows {} to {}", *first, *last);
}

std::string in_words(std::string_view type, std::string_view name, std::string_view kind) {
  return fmt::format("{} {}{}",
                     type,
                     name,
                     kind == "overflow"   ? ", the rest of a long value"
                     : kind == "internal" ? ", the way to its rows"
                                          : "");
}

}  // namespace

std::map<std::uint32_t, std::string> contents_of_pages(const std::string& path,
                                                       std::span<const std::uint32_t> pages) {
  std::map<std::uint32_t, std::string> contents;
  auto connection = Connection::open(path, OpenMode::past_checksums);
  const auto file = RawFile::open(path);
  if (!connection || !file) {
    return contents;
  }
  // The way to every page, by SQLite's own table of them; damage may end it early.
  auto statement = connection->prepare(
      "SELECT d.pageno, d.name, d.pagetype, coalesce(s.type, 'table') FROM dbstat AS d LEFT JOIN "
      "sqlite_schema AS s ON s.name = d.name");
  while (statement && statement->step().value_or(false)) {
    const auto number = static_cast<std::uint32_t>(statement->integer(0));
    if (std::ranges::find(pages, number) == pages.end()) {
      continue;
    }
    const std::string kind(statement->bytes(2));
    std::string text = in_words(statement->bytes(3), statement->bytes(1), kind);
    if (kind == "leaf") {
      text += rows_on(*file, number);
    }
    contents.insert_or_assign(number, std::move(text));
  }
  return contents;
}

}  // namespace sortie::ledger
