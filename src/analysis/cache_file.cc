#include "sortie/analysis/cache_file.h"

#include "sortie/analysis/files.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace sortie::analysis {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "sortie.report-cache.v1\n";
constexpr std::size_t kHexDigits = 32;

/// Magic, stamp and the digest of what follows.
std::string head_of(const base::Digest& stamp, std::string_view body) {
  return std::string(kMagic) + stamp.hex() + base::digest_of(body).hex();
}

}  // namespace

base::Digest report_stamp(std::string_view name,
                          std::string_view run_key,
                          std::string_view high_water_mark) {
  // Another program may sum otherwise: its file stands for it.
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const auto changed = fs::last_write_time(program, error).time_since_epoch().count();
  const auto size = fs::file_size(program, error);
  return base::FieldHasher("sortie.report-cache.v1")
      .field("name", name)
      .field("run", run_key)
      .field("mark", high_water_mark)
      .field("changed", static_cast<std::int64_t>(changed))
      .field("size", static_cast<std::int64_t>(size))
      .finish();
}

std::optional<std::string> load_cache(const std::string& directory,
                                      std::string_view name,
                                      const base::Digest& stamp) {
  constexpr std::size_t kHead = kMagic.size() + 2 * kHexDigits;
  const fs::path path = fs::path(directory) / name;
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  std::ifstream in(path, std::ios::binary);
  if (error || size < kHead || !in) {
    return std::nullopt;
  }
  std::string head(kHead, '\0');
  std::string body(static_cast<std::size_t>(size) - kHead, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  in.read(body.data(), static_cast<std::streamsize>(body.size()));
  // The stamp first: a large body is not hashed in vain.
  if (!in || !head.starts_with(std::string(kMagic) + stamp.hex()) || head != head_of(stamp, body)) {
    return std::nullopt;
  }
  return body;
}

void store_cache(const std::string& directory,
                 std::string_view name,
                 const base::Digest& stamp,
                 std::string_view body) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return;
  }
  // Without it the next report takes longer, and nothing else.
  static_cast<void>(
      write_atomically((fs::path(directory) / name).string(), head_of(stamp, body).append(body))
          .has_value());
}

}  // namespace sortie::analysis
