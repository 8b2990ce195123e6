#pragma once

#include "sortie/base/error.h"

#include <cstddef>
#include <string>
#include <string_view>

// Small files, read whole.

namespace sortie::spec {

/// The bytes of a regular file of at most `bytes_max` bytes. Errors are bad_input and begin with
/// the path.
[[nodiscard]] base::Result<std::string> read_file(const std::string& path, std::size_t bytes_max);

/// `path` if it is absolute, else `path` in the folder of `base_file`. A leading "~/" is the user's
/// home folder.
[[nodiscard]] std::string resolve_path(std::string_view path, std::string_view base_file);

}  // namespace sortie::spec
