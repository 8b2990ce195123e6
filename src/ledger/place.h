#pragma once

#include "sortie/base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sortie::ledger {

/// Why a ledger may not live on this file system, if it may not. WAL needs memory shared by all
/// processes that open the file, and locks and fsync that mean what they say; file systems that
/// reach over a network promise neither. `magic` is statfs's f_type, `type` the mount's type where
/// known ("fuse.sshfs"): all FUSE file systems share a magic.
[[nodiscard]] std::optional<std::string> unfit_file_system(std::int64_t magic,
                                                           std::string_view type);

/// Asks the operating system. Errors: refused with the reason, io.
[[nodiscard]] base::Status check_place(const std::string& directory);

/// Makes the directory (0700), and those above it as the system's defaults say. No error if it is
/// there.
[[nodiscard]] base::Status make_private_directory(const std::string& directory);

}  // namespace sortie::ledger
