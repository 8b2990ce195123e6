#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace sortie::ledger {

/// What the pages of a ledger's file hold, as far as it can be told past their checksums: "table
/// turn, rows 120 to 131", "index attempt_by_turn", "free". `path` is the file; pages from 1.
/// Damage may hide it: a page that nothing leads to any more is left out.
[[nodiscard]] std::map<std::uint32_t, std::string> contents_of_pages(
    const std::string& path, std::span<const std::uint32_t> pages);

}  // namespace sortie::ledger
