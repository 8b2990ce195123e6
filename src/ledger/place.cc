#include "sortie/ledger/place.h"

#include "sortie/base/error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

namespace sortie::ledger {

namespace {

struct Known {
  std::int64_t magic;
  std::string_view name;
};

// Magics as in statfs(2) and linux/magic.h.
constexpr std::array<Known, 15> kNetworks = {{{0x6969, "NFS"},
                                              {0x517B, "SMB"},
                                              {0xFF534D42, "CIFS"},
                                              {0xFE534D42, "SMB2"},
                                              {0x01021997, "9p"},
                                              {0x73757245, "Coda"},
                                              {0x5346414F, "AFS"},
                                              {0x6B414653, "AFS"},
                                              {0x00C36400, "Ceph"},
                                              {0x0BD00BD0, "Lustre"},
                                              {0x47504653, "GPFS"},
                                              {0x7461636F, "OCFS2"},
                                              {0x01161970, "GFS2"},
                                              {0x564C, "NCP"},
                                              {0x19830326, "BeeGFS"}}};

constexpr std::int64_t kFuseMagic = 0x65735546;

// FUSE file systems over a local disk. Any other is taken for a remote one.
constexpr std::array<std::string_view, 6> kLocalFuse = {"fuseblk",
                                                        "fuse.ntfs-3g",
                                                        "fuse.gocryptfs",
                                                        "fuse.encfs",
                                                        "fuse.fuse-overlayfs",
                                                        "fuse.fuse2fs"};

constexpr std::string_view kReason =
    "several machines may write it and its locks and fsync cannot be relied on; choose a run "
    "directory on a local disk";

/// The type of the mount that holds a device, from /proc/self/mountinfo; empty if not found.
std::string mount_type(unsigned major_number, unsigned minor_number) {
  const std::string device = fmt::format("{}:{}", major_number, minor_number);
  std::ifstream mounts("/proc/self/mountinfo");
  std::string line;
  while (std::getline(mounts, line)) {
    std::istringstream words(line);
    std::string id;
    std::string parent;
    std::string number;
    words >> id >> parent >> number;
    const std::size_t separator = line.find(" - ");
    if (number != device || separator == std::string::npos) {
      continue;
    }
    std::istringstream rest(line.substr(separator + 3));
    std::string type;
    rest >> type;
    return type;
  }
  return {};
}

}  // namespace

std::optional<std::string> unfit_file_system(std::int64_t magic, std::string_view type) {
  for (const Known& network : kNetworks) {
    // f_type is signed on some machines, where CIFS and SMB2 come out negative.
    if ((magic & 0xFFFFFFFF) == network.magic) {
      return fmt::format("it is on a network file system ({}): {}", network.name, kReason);
    }
  }
  if (magic == kFuseMagic && std::ranges::find(kLocalFuse, type) == kLocalFuse.end()) {
    return fmt::format(
        "it is on a FUSE file system ({}): {}", type.empty() ? "unknown" : type, kReason);
  }
  return std::nullopt;
}

base::Status check_place(const std::string& directory) {
  struct statfs file_system{};
  struct stat status{};
  if (::statfs(directory.c_str(), &file_system) != 0 || ::stat(directory.c_str(), &status) != 0) {
    return base::io_error(fmt::format("cannot examine {}", directory), errno);
  }
  const std::int64_t magic = file_system.f_type;
  const std::string type =
      magic == kFuseMagic ? mount_type(major(status.st_dev), minor(status.st_dev)) : std::string();
  if (const auto reason = unfit_file_system(magic, type)) {
    return base::failure(
        base::Remedy::bad_input,
        base::ErrorCode::refused,
        fmt::format("run directory {} cannot hold a ledger: {}", directory, *reason));
  }
  return {};
}

base::Status make_private_directory(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(directory).parent_path(), error);
  if (!error && ::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    error = std::error_code(errno, std::generic_category());
  }
  if (error) {
    return base::io_error(fmt::format("cannot make {}", directory), error.value());
  }
  return {};
}

}  // namespace sortie::ledger
