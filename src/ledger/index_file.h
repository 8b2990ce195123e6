#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace sortie::ledger {

/// Reads the start of a log's index (ledger.db-shm). False: there is none, or it is shorter. Safe
/// while SQLite has it open in this process: POSIX drops all locks that a process has on a file
/// when it closes any descriptor of it, and a newcomer who finds the index unlocked cuts it to
/// nothing under those who have it in memory. So a descriptor stays open as long as the file has a
/// name.
[[nodiscard]] bool read_index(const std::string& path, std::span<std::uint8_t> into);

}  // namespace sortie::ledger
